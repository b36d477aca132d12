"""Which options of known tools make a command another one than the whole job, and which take a value. Pure.

An option that selects, only prints, watches, or changes files makes it another command. All other options, such as
`-x`, `-n 4` or `--release`, leave it the job, with extra arguments.
"""

from __future__ import annotations

import posixpath
import re

from bgrun.light import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_ANY = (
    "-h --help -V --version --dry-run --dryrun --list --list-tests --listTests --show-config --showConfig "
    "--print-config --fix --fix-only --fix-dry-run --unsafe-fixes --write --check --diff --add-noqa -w --watch "
    "--watchAll --watch-all --interactive --ui --init --update --update-snapshot --updateSnapshot --only= --filter= "
    "--grep= --select= --exclude= --ignore= --include= --changed --onlyChanged --only-changed --changedSince= --since= "
    "--last-failed --failed --onlyFailures --only-failures --related --findRelatedTests --testNamePattern= "
    "--testPathPattern= --testPathPatterns= --shard= --inspect --inspect-brk --pdb --trace --rerun-failed"
)
"""Options of any tool that make it another command; those with `=` take a value."""
_JS = "-t= -u -o --selectProjects= --clearCache --prefix= --workspace= --workspaces -ws -C= -F= -r --recursive --cwd="
_OTHERS: Mapping[str, str] = {
    "pytest": (
        "-k= -m= --lf --sw --stepwise --sw-skip --stepwise-skip --collect-only --co --collectonly --fixtures "
        "--fixtures-per-test --funcargs --markers --setup-only --setup-plan --deselect= --ignore-glob= --cache-show "
        "--pyargs --testmon --picked --snapshot-update --rootdir= --benchmark-only"
    ),
    "make": (
        "-n -q -t -p -v --just-print --recon --question --touch --print-data-base -C= --directory= -f= --file= "
        "--makefile="
    ),
    "ruff": "--extend-select= --show-files --show-settings --stdin-filename= --statistics --range=",
    "mypy": "-p= -m= -c= --package= --module= --install-types --python-version= --platform=",
    "cargo": (
        "-p= --package= --bin= --bins --lib --test= --tests --example= --examples --doc --no-run --allow-dirty "
        "--manifest-path= --ignored --benches --workspace --all --all-targets --no-default-features"
    ),
    "go": "-run= -list= -bench= -skip= -fuzz= -n -c -C= -exec=",
    **dict.fromkeys(("npm", "pnpm", "yarn", "bun"), f"-w= {_JS}"),
    **dict.fromkeys(("jest", "vitest", "mocha", "playwright"), _JS),
    "tsc": "-p= --project= --build -b",
    "eslint": "--rule= --stdin",
    "gradle": "-x= --exclude-task= --tests= -p= -m -t --continuous -b=",
    "gradlew": "-x= --exclude-task= --tests= -p= -m -t --continuous -b=",
    "mvn": "-pl= --projects= -Dtest -Dit.test -DskipTests -f= -rf=",
    "tox": "-e= -l --listenvs -a --notest --devenv= -c=",
    "nox": "-s= -l -k= -t= -e= --install-only",
    "ctest": "-R= -E= -L= -LE= -I= -N --show-only --test-dir=",
    "cmake": "--build= --install= -B= -S= --target= -t= -P=",
    "dotnet": "-t",
    "rspec": "-e= --example= -t= --tag= -n --next-failure -P= --bisect",
    "phpunit": "--group= --testsuite=",
    "unittest": "-k= -s= -p= -t=",
    "gh": "--json= -q= --jq= --web",
}
_VALUED: Mapping[str, str] = {
    "pytest": (
        "-n --numprocesses --maxfail --tb -p -o -W -c -r --dist --durations --durations-min --cov-report --cov-config "
        "--timeout --junitxml --junit-xml --log-level --log-cli-level --color --capture --basetemp --confcutdir "
        "--maxprocesses --reruns --seed --cov-fail-under --import-mode --show-capture --override-ini --config-file "
        "--verbosity --log-file"
    ),
    "make": "-j -l --jobs --load-average",
    "ruff": "--output-format --config --cache-dir --output-file --target-version --line-length",
    "mypy": "--config-file --cache-dir",
    "cargo": "-j --jobs --profile --features --target --color --message-format",
    "go": "-count -timeout -parallel -p -cpu -coverprofile -covermode -tags -o",
    "jest": "-w --maxWorkers --reporters",
    **dict.fromkeys(("npm", "pnpm", "yarn", "bun", "vitest", "playwright"), "--maxWorkers --reporter --workers"),
    "mocha": "--reporter --timeout -R",
    "eslint": "-f --format --max-warnings -c --config",
    "tox": "-p --parallel",
    "ctest": "-j --parallel --timeout -C",
    "cmake": "-j --parallel --config",
    "dotnet": "-c --configuration --logger -v --verbosity",
    "rspec": "-f --format --seed",
    "prettier": "--config --log-level",
}
_LONG_WORDS = frozenset({"go", "mvn", "gradle", "gradlew", "ctest", "rspec"})
"""Tools with options of several letters after one `-`: `-count` is not `-c ount`."""
_NUMBER = re.compile(r"\d+(?:\.\d+)?[a-z%]?")


def is_known(program: str) -> bool:
    """Return whether the options of a program are known: of another one, each option may matter."""
    return program in _OTHERS


class Arguments(NamedTuple):
    """The arguments of a program.

    places: its positional arguments, paths without `./` and a slash at the end.
    selecting: options that make it another command, with their values, sorted.
    extra: all other options, as they were written.
    """

    places: tuple[str, ...]
    selecting: tuple[tuple[str, str], ...]
    extra: tuple[str, ...]


def read(program: str, words: tuple[str, ...]) -> Arguments:
    """Return the arguments of a program by what they mean."""
    others = f"{_ANY} {_OTHERS.get(program, '')}".split()
    neutral = frozenset(_VALUED.get(program, "").split())
    selecting = {one.rstrip("="): one.endswith("=") for one in others if one.rstrip("=") not in neutral}
    letters = frozenset(one for one in selecting if len(one) == 2 and program not in _LONG_WORDS)
    places, selected, extra = list[str](), list[tuple[str, str]](), list[str]()
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if not word.startswith("-") or word == "-":
            places.append(plain_path(word))
        elif name in selecting:
            takes_next = selecting[name] and not equals and rest
            selected.append((name, rest.pop(0) if takes_next else value))
        elif word[:2] in letters:  # `-kNAME`
            selected.append((word[:2], word[2:]))
        else:
            extra.append(word)
            if rest and not equals and (name in neutral or _NUMBER.fullmatch(rest[0])):
                extra.append(rest.pop(0))
    # `--` separates the arguments of an inner program; alone at the end it means nothing.
    while extra[-1:] == ["--"]:
        extra.pop()
    return Arguments(tuple(one for one in places if one != "."), tuple(sorted(selected)), tuple(extra))


def plain_path(word: str) -> str:
    """Return a positional argument, as a path without `./` and a slash at its end."""
    if "/" not in word and word != ".":
        return word
    return posixpath.normpath(word) if "://" not in word else word

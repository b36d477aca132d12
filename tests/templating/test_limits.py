"""Whatever a job file, a template, a pattern or a file in its place asks for: one clear line, soon, and no harm."""

from __future__ import annotations

import os
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from bgrun import api
from bgrun.errors import BgrunError, UsageError
from bgrun.jobfile import project as projects
from bgrun.jobfile import yaml_source
from bgrun.jobfile.checks import check
from bgrun.jobfile.specs import EnvFile
from bgrun.parsers import bounded_regex
from bgrun.render.environment import read_env_files
from bgrun.templating.inputs import RenderInputs
from bgrun.templating.template import evaluate, faults, render, render_shell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import Cli

DEADLINE_S = 60
"""CPU seconds within which everything here is refused on any machine: without limits most of it would take hours."""
LOOP, END = "{% for i in range(99999) %}", "{% endfor %}"
COSTLY = [
    "{{ 'x' * 10**9 }}",
    "{{ 10**9 * 'x' }}",
    "{{ [1] * 10**9 }}",
    "{{ 10 ** (10 ** 9) }}",
    "{{ 2**4000 * 2**4000 }}",
    "{{ 'x'|center(10**9) }}",
    "{{ 'x'.ljust(10**9) }}",
    "{{ 'x'.zfill(width=10**9) }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ '%*d' % (10**9, 1) }}",
    "{{ '%1000000000d'|format(1) }}",
    "{{ '{:>1000000000}'.format(1) }}",
    "{{ '{:{}}'.format(1, 10**9) }}",
    "{{ '{a:{b}}'.format_map({'a': 1, 'b': 10**9}) }}",
    "{{ range(10**9)|list }}",
    "{{ ('x'*1000000)|replace('x', 'y'*1000000) }}",
    "{{ ('x'*1000000).replace('', 'y'*1000) }}",
    "{{ range(99999)|join('x'*100000) }}",
    "{{ range(99999)|map('string')|join('x'*100000) }}",
    "{{ ('x'*100000).join(range(9999)|map('string')) }}",
    "{{ range(9999)|map('center', 1000000)|join }}",
    "{{ ('\n'*100000)|indent(100000) }}",
    "{{ range(9999)|list|tojson(indent=100000) }}",
    "{{ ('\t'*100000).expandtabs(100000) }}",
    "{{ ('a'*100000).translate({97: 'x'*10000}) }}",
    "{{ ('x '*500000)|wordwrap(1, wrapstring='y'*100000) }}",
    "{{ ('9'*1000000)|int }}",
    "{{ lipsum(n=10**6) }}",
    LOOP + LOOP + END + END,
    LOOP + LOOP + "x" * 1000 + END + END,
    "{% set b = range(99999)|list %}{% for i in b %}{% for j in b %}{% for k in b %}" + END * 3,
    "{% set n = namespace(s='x') %}" + LOOP + "{% set n.s = n.s + n.s %}" + END + "{{ n.s }}",
    "{% set n = namespace(s='x') %}" + LOOP + "{% set n.s = n.s ~ n.s %}" + END + "{{ n.s }}",
    "{% set n = namespace(s=[1]) %}{% for i in range(100) %}{% set n.s = [n.s, n.s] %}" + END + "{{ n.s }}",
    # Twice: for a shell each value is a mark of the same size, so that only the time counts.
    "{% set n = namespace(s='x') %}"
    + LOOP
    + LOOP
    + "{% set n.s %}{{ n.s }}{{ n.s }}{% endset %}"
    + END * 2
    + "{{ n.s }}",
    "{% macro f(n) %}{% if n < 30 %}{{ f(n+1) }}{{ f(n+1) }}{% endif %}{% endmacro %}{{ f(0) }}",
    "{% macro f(n) %}{{ f(n+1) }}{% endmacro %}{{ f(0) }}",
    "{% for i in [1] recursive %}{{ loop([1, 1]) }}{% endfor %}",
    "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "{{ " + "1+" * 20000 + "1 }}",
    "{% if 1 %}" * 200 + "{% endif %}" * 200,
    "{% for i in [1] %}" * 60 + END * 60,
    "{{ 1 }}" * 100000,
    "{{ v.no.such }}",
    "{{ 'a'|xmlattr }}",
]


@pytest.fixture(autouse=True)
def deadline() -> Iterator[None]:
    """Fail a test that does not finish."""

    def too_late(*_: object) -> None:
        pytest.fail(f"not refused within {DEADLINE_S} s of CPU time")

    before = signal.signal(signal.SIGPROF, too_late)
    signal.setitimer(signal.ITIMER_PROF, DEADLINE_S)
    yield
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.signal(signal.SIGPROF, before)


@pytest.mark.parametrize("template", COSTLY, ids=lambda template: template[:40].replace("\n", " "))
def test_a_template_that_costs_too_much_is_refused(template: str) -> None:
    for renders in (render, render_shell):
        with pytest.raises(UsageError) as caught:
            renders(template, {"v": "x"}, "job: command")
        assert caught.value.message.startswith("job: command: ")
        assert "\n" not in caught.value.message


def test_so_is_an_expression() -> None:
    for expression in ("'x' * 10**9", "(range(9999)|map('center', 100000)|list)", "1+" * 20000 + "1"):
        with pytest.raises(UsageError, match=r"^job: if: "):
            evaluate(expression, {}, "job: if")
    assert faults("{{ v }}" * 100000, {"v"})


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ 'a' ~ 1 ~ v }}", "a1x"),
        ("{{ 'ab' * 3 }} {{ [1] + [2] }} {{ 2 ** 10 }} {{ '%03d' % 7 }} {{ '{:>4}'.format(v) }}", "ababab [1, 2] 1024 007    x"),
        ("{% for i in [1, 2] %}{{ loop.index }}/{{ loop.length }}{{ ',' if not loop.last }}{% else %}none{% endfor %}", "1/2,2/2"),
        ("{% for i in [] %}x{% else %}none{% endfor %}", "none"),
        ("{% for k, v in {'a': 1}.items() %}{{ k }}{{ v }}{% endfor %}", "a1"),
        ("{% for a in [[1, [2]]] recursive %}{{ a if a is number else loop(a) }}{% endfor %}", "12"),
        ("{{ ['b', 'a']|sort|join('-') }} {{ range(3)|map('string')|join }} {{ 'a b'|replace(' ', '_')|upper }}", "a-b 012 A_B"),
        ("{{ {'a': [1]}|tojson }} {{ 'a\nb'|indent(2) }} {{ none|default('d', true) }}", '{"a": [1]} a\n  b d'),
        ("{% set x %}a{{ v }}{% endset %}{{ x }}{% macro f(n) %}<{{ n }}>{% endmacro %}{{ f(1) }}", "ax<1>"),
        ("{{ '-'.join(['a', 'b']) }} {{ 'x'.center(3) }} {{ 'abc'.replace('b', '') }}", "a-b  x  ac"),
    ],
)  # fmt: skip
def test_a_template_that_costs_little_is_as_it_was(template: str, text: str) -> None:
    assert render(template, {"v": "x"}, "test") == text


@pytest.mark.parametrize(
    "pattern",
    ["a{1000000000}", "((a{1000}){1000}){1000}", "(?:(?:a{999}){999}){999}", "(" * 5000 + ")" * 5000, "[a-z]{65535}", "x|" * 20000],
    ids=lambda pattern: pattern[:20],
)  # fmt: skip
def test_a_pattern_that_takes_all_memory_is_refused(pattern: str) -> None:
    with pytest.raises(UsageError):
        bounded_regex.compiled(pattern)


@pytest.mark.parametrize(
    ("pattern", "parts"), [("abc", 3), ("a{3}", 3), ("(a{10}b){10}", 110), (r"\{a{2}[a{9}]{2}", 5), ("a{,3}", 5)]
)
def test_the_parts_of_a_pattern(pattern: str, parts: int) -> None:
    assert bounded_regex.expanded_size(pattern) == parts


def test_a_pattern_that_backtracks_is_reported(bg: Cli) -> None:
    bg.jobs("jobs: {x: {command: 'true', params: {p: {pattern: '(a+)+$'}}}}\n")
    assert "expected a match of" in bg("start", "x", f"p={'a' * 60}b", code=2).err
    bg.jobs("jobs: {x: {command: 'true', params: {p: {pattern: '(a|aa)+$'}}}}\n")
    assert "takes longer than" in bg("start", "x", f"p={'a' * 60}b", code=2).err
    bg("start", "x", "p=aaa", "--wait")
    bg.jobs(f"jobs: {{x: {{command: 'true', params: {{p: {{pattern: '(a|aa)+$', default: {'a' * 60}b}}}}}}}}\n")
    assert "bgjobs.yaml:1:42: jobs.x.params.p.pattern" in bg("validate", code=2).err


@pytest.mark.parametrize(
    "raw",
    [
        b"a: [" + b"1," * 500_000 + b"]",
        b"a: " + b"[" * 1_000_000,
        b"a: " + b"{a: " * 200_000,
        b"\n".join(b" " * depth + b"a:" for depth in range(1400)),
        b"a: " + b"1:" * 500_000 + b"1",
        b"a: " + b"1" * 1_000_000,
        b"a: &a [x]\nb: [" + b"*a," * 300_000 + b"]",
        b"a: 1" * 1_000_000,
    ],
    ids=["values", "lists", "mappings", "blocks", "base 60", "digits", "aliases", "large"],
)
def test_yaml_that_takes_long_is_refused(raw: bytes) -> None:
    assert len(yaml_source.read("x", raw).faults) >= 1


@pytest.mark.parametrize(
    "more", ["depends_on: [no{0}]", "commnd: x", "env: {{bgrun_x: 1}}"], ids=["names", "keys", "env"]
)
def test_thousands_of_errors_are_reported_soon(more: str) -> None:
    jobs = "".join(f"  job{number}: {{command: x, {more.format(number)}}}\n" for number in range(3000))
    document = yaml_source.read("x", f"jobs:\n{jobs}".encode())
    assert len(check.faults("x", document)) == check.MOST_FAULTS


@pytest.mark.parametrize(
    "raw",
    ["A=b" + " " * 200_000 + "x", "A=" + "${" * 100_000, "A=b\n" * 100_000, "A=" + "${a:-" * 50_000],
    ids=["blanks", "open", "large", "default"],
)
def test_an_env_file_that_takes_long_is_refused(raw: str, tmp_path: Path) -> None:
    (tmp_path / "a.env").write_text(raw)
    with pytest.raises(UsageError, match=r"a\.env"):
        read_env_files(tmp_path, [EnvFile("a.env")], RenderInputs({}))


def fifo(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def device(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to("/dev/zero")


def huge(path: Path) -> None:
    """A file of 4 GiB that takes no room."""
    path.unlink(missing_ok=True)
    with path.open("wb") as file:
        file.truncate(4 << 30)


def nested(path: Path) -> None:
    path.write_text("[" * 500_000)


KINDS: list[Callable[[Path], None]] = [fifo, device, huge]
JOBS = "jobs: {x: {command: 'true', env_file: a.env, problems: [m.json]}}\n"


@pytest.mark.parametrize("make", [*KINDS, nested], ids=lambda make: make.__name__)
@pytest.mark.parametrize("name", ["bgjobs.yaml", "a.env", "m.json"])
def test_what_stands_in_the_place_of_a_file_is_reported(bg: Cli, name: str, make: Callable[[Path], None]) -> None:
    bg.jobs(JOBS)
    (bg.folder / "a.env").write_text("A=1\n")
    (bg.folder / "m.json").write_text('{"problemMatcher": [{"owner": "m", "pattern": [{"regexp": "x"}]}]}')
    make(bg.folder / name)
    done = bg("start", "x", code=2)
    assert name in done.err
    assert not bg.logs.exists(), "something was made of it"


@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
def test_what_stands_in_the_place_of_gits_files_holds_nobody_up(bg: Cli, make: Callable[[Path], None]) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (["init", "-q", "-b", "main"], ["commit", "-q", "--allow-empty", "-m", "one"], ["pack-refs", "--all"]):
        subprocess.run(["git", *identity, *words], cwd=bg.folder, env=bg.env, check=True)
    git = bg.folder / ".git"
    assert bg.meta(bg.json("run", "x", "--wait", "--", "true"))["git_branch"] == "main"
    for name in ("commondir", "packed-refs", "HEAD"):
        make(git / name)
        run = bg.json("run", name, "--wait", "--", "true")
        assert run["state"] == "succeeded"


@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
def test_what_stands_in_the_place_of_a_projects_files_holds_no_init_up(bg: Cli, make: Callable[[Path], None]) -> None:
    for name in ("requirements.txt", "pyproject.toml", "Makefile", "package.json"):
        make(bg.folder / name)
    bg("init")
    bg("validate")


def test_a_job_file_that_is_a_pipe_is_reported_however_it_is_named(bg: Cli) -> None:
    fifo(bg.folder / "other.yaml")
    assert "not a regular file" in bg("-f", "other.yaml", "jobs", code=2).err
    fifo(bg.folder / "bgjobs.yaml")
    assert "not a regular file" in bg("jobs", code=2).err
    bg("run", "x", "--wait", "--", "true")


def test_the_bounds_hold_in_a_thread_too(bg: Cli) -> None:
    """That is where the MCP server starts jobs; two of them at once have a bound each."""
    looping = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
    bg.jobs(f'jobs: {{x: {{command: "echo {looping}"}}, y: {{command: "echo {{{{ 1 }}}}"}}}}\n')
    project = projects.locate(str(bg.folder))

    def start(name: str) -> str:
        try:
            return api.start.start(project, [name]).run.label
        except BgrunError as error:
            return error.message

    with ThreadPoolExecutor(3) as pool:
        shown = list(pool.map(start, ["x", "y", "x"]))
    assert [one.partition(": it")[0] for one in shown] == [
        "x: command: the template exceeds its limits",
        "y",
        "x: command: the template exceeds its limits",
    ]
    bg("wait", "y")

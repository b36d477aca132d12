"""Render ad-hoc commands by filling in a cached script template, without Jinja. Pure.

The job scripts of all ad-hoc commands in a directory differ in a few words only. The script template is rendered
once, with a placeholder for each of them, and cached as a plan (`api/plan_cache`): `bgrun run` takes 17 ms of
processor time with it, some 50 without.
"""

from __future__ import annotations

from bgrun.errors import UsageError
from bgrun.jobfile.label import check_label
from bgrun.light import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from bgrun.plan import RenderedJob

LABEL, SHOWN, WORDS, OPERANDS = "\0l\0", "\0s\0", "\0w\0", "\0o\0"
"""Placeholders for the label, the command in the comment, and the words of the command. No value contains a NUL.

A template has either WORDS, a command of the shell, or OPERANDS, those of env(1).
"""
_LONGEST_COMMENT = 200
_NEEDS_NO_QUOTES = str.maketrans("", "", "@%+=:,./-_")


class AdHoc(NamedTuple):
    """An ad-hoc command as it was typed.

    argv: its words; a single one if it is shell text.
    env: the variables that stand before it, as NAME=value.
    is_text: whether a shell has to read it.
    """

    argv: tuple[str, ...]
    env: tuple[str, ...] = ()
    is_text: bool = False


def parse(words: Sequence[str], is_file: Callable[[str], bool]) -> AdHoc:
    """Return the words of an ad-hoc command as a shell means them: `NAME=value` before it, or one word of shell text.

    A single word is shell text if it is no file and holds a blank, a newline or an operator. The characters ~ * ? [ =
    alone do not make it one: names of programs may have them.
    """
    argv = list(words)
    env: list[str] = []
    while argv and is_assignment(argv[0]) and not is_file(argv[0]) and not (len(argv) == 1 and _is_shell_text(argv[0])):
        env.append(argv.pop(0))
    is_text = len(argv) == 1 and _is_shell_text(argv[0]) and not is_file(argv[0])
    return AdHoc(tuple(argv), tuple(env), is_text)


_OF_SHELL_TEXT = frozenset(" \t\n|&;<>()$`")


def _is_shell_text(word: str) -> bool:
    return not word.startswith("-") and not _OF_SHELL_TEXT.isdisjoint(word)


def is_assignment(word: str) -> bool:
    """Return whether a word sets a variable: `NAME=value`."""
    name, sign, _ = word.partition("=")
    return bool(sign) and name.isascii() and name.isidentifier()


_BUILTINS = (
    " . : [[ alias bg bind break builtin case cd command continue declare dirs disown enable eval exec exit export fc"
    " fg for function getopts hash history if jobs let local logout mapfile popd pushd read readonly return select set"
    " shift shopt source suspend time times trap type typeset ulimit umask unalias unset until wait while { ! ( "
)


def is_builtin(word: str) -> bool:
    """Return whether a shell understands a word itself (bash(1)); there may be a program of that name as well."""
    return f" {word} " in _BUILTINS and " " not in word


def fill(template: RenderedJob, label: str, command: AdHoc) -> RenderedJob:
    """Return the job of a command, from the script template for the directory that it runs in.

    Raises:
        UsageError: the label is invalid, the shell cannot parse the command, or it contains the value of a secret.
    """
    argv, shown, shell = command.argv, join(command.argv), ""
    if command.is_text:
        from bgrun.render import shell_text

        shown, shell = argv[0], template.shell
        keep_out(dict(template.secrets), shown)  # the shell quotes text that it cannot parse
        argv = shell_text.argv(shown, shell)
    script = template.script
    words = (OPERANDS, env_words(argv)) if OPERANDS in script else (WORDS, exec_words(argv))
    for placeholder, text in ((LABEL, check_label(label)), (SHOWN, comment(f"Command: {shown}")), words):
        script = script.replace(placeholder, text)
    keep_out(dict(template.secrets), script, label, shown)
    return template._replace(label=label, script=script, cmd=shown, shell=shell)


def exec_words(argv: Sequence[str]) -> str:
    """Return the command by which a subshell becomes the program of an argv.

    `exec` keeps builtins and functions out. A path does not need it, and bash's `exec` would expand a leading
    `~` and change the name by which the program was called ($0). Quotes keep a path from being an assignment.
    No builtin begins with a dash, and not every shell accepts `exec --`. A program that does not exist or cannot be
    executed is reported here: the shell would name its own command and the line of the job script.
    """
    if "/" in argv[0]:
        path = _in_quotes(argv[0]) if "=" in argv[0] else quoted(argv[0])
        checks = (
            f"[ -e {path} ] || {_ended(argv[0], 'not found', 127)}",
            f"[ ! -d {path} ] || {_ended(argv[0], 'Is a directory', 126)}",
            f"[ -x {path} ] || {_ended(argv[0], 'Permission denied', 126)}",
        )
        return "; ".join((*checks, " ".join([path, *map(quoted, argv[1:])])))
    if argv[0].startswith("-"):
        return f"command -- {join(argv)}"
    return f"command -v {quoted(argv[0])} >/dev/null || {_ended(argv[0], 'not found', 127)}; exec {join(argv)}"


def _ended(name: str, why: str, code: int) -> str:
    """Return the commands that end a subshell as a shell does that cannot execute a program."""
    return f"{{ printf '%s\\n' {quoted(f'bgrun: {name}: {why}')} >&3; exit {code}; }}"


def env_words(argv: Sequence[str]) -> str:
    """Return the words of an argv as operands of env(1), after its assignments.

    Raises:
        UsageError: env(1) would read the name of the program as an assignment.
    """
    if "=" in argv[0]:
        message = f"cannot run {argv[0]!r}, whose name contains '=', with variables that the shell sets itself"
        raise UsageError(message, "set the variables in a script, and run that")
    return join(argv)


def comment(line: str) -> str:
    """Return a text as one line of limited length."""
    if not line.isprintable():
        import re

        line = re.sub(r"[\x00-\x1f\x7f]+", " ", line)
    return line[:_LONGEST_COMMENT]


def keep_out(secrets: Mapping[str, str], *texts: str) -> None:
    """Refuse texts that contain a secret, and secrets that are too short to mask.

    Quotes are removed on both sides, so that a value is found however it is quoted.

    Raises:
        UsageError: a text contains a secret, or a secret is so short that any text contains it.
    """
    if not secrets:
        return
    text = "\n".join(texts)
    bare = text.translate(_QUOTES)
    for name, value in secrets.items():
        if value and not any(len(line) >= _SHORTEST for line in _lines(value)):
            message = f"the value of secret {name} is too short to mask: fewer than {_SHORTEST} characters"
            raise UsageError(message, f"use a longer value, or remove {name} from `secrets`")
        if any(one in text or _is_in(one.translate(_QUOTES), bare) for one in _revealing(value)):
            hint = f'write "${name}" in the command: the job has it in its environment'
            raise UsageError(f"the job script would contain the value of secret {name}", hint)


def hidden(secrets: Mapping[str, str], text: str) -> str:
    """Return a message with the values of secrets, and the words in them, replaced by `***`."""
    found = [part for value in secrets.values() for line in _lines(value) for part in (line, *line.split())]
    for part in sorted(found, key=len, reverse=True):
        text = text.replace(part, "***") if len(part) >= _SHORTEST else text
    return text


_QUOTES = str.maketrans("", "", "'\"\\")
_SHORTEST, _LONG = 4, 8
"""The minimum length of a secret, and of a line that reveals a secret of several lines."""


def _lines(value: str) -> list[str]:
    return [line.strip() for line in value.splitlines()]


def _revealing(value: str) -> list[str]:
    """Return the texts that reveal a secret: the whole value, and each long line of it."""
    return [value, *(line for line in _lines(value) if len(line) >= _LONG)] if value else []


def _is_in(bare: str, text: str) -> bool:
    return len(bare) >= _SHORTEST and bare in text


def join(argv: Iterable[str]) -> str:
    """Return the words quoted for a shell, as shlex.join() does.

    Importing shlex takes longer than the rest of a status.
    """
    return " ".join(map(quoted, argv))


def quoted(word: str) -> str:
    """Return a word quoted for a shell, as shlex.quote() does."""
    plain = word.translate(_NEEDS_NO_QUOTES)
    if word and word.isascii() and (not plain or plain.isalnum()):
        return word
    return _in_quotes(word)


def _in_quotes(word: str) -> str:
    return "'" + word.replace("'", "'\"'\"'") + "'"

"""What a command, its arguments and its options are, and those that several commands share."""

from __future__ import annotations

from bgrun.light import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    Kind = Literal["flag", "text", "texts", "int", "duration", "path"]
    Count = Literal["one", "maybe", "some", "any"]


class Argument(NamedTuple):
    """A positional argument.

    many: exactly one, maybe one, at least one (`some`) or any number.
    what: what completes it in a shell: kinds of names and paths, joined by ` or `; see `cli.completion`.
    shown: its name in usage lines; by default its own in upper case.
    """

    name: str
    many: Count = "one"
    what: str = ""
    shown: str = ""

    @property
    def metavar(self) -> str:
        """Its place in a usage line: `JOB`, `[LABEL]`, `REF...` or `[REF]...`."""
        return _SHOWN[self.many].format(self.shown or self.name.upper())


_SHOWN = {"one": "{}", "maybe": "[{}]", "some": "{}...", "any": "[{}]..."}


class Option(NamedTuple):
    """An option with its spellings; its value is absent (None, False for a flag) unless given.

    kind: its type; one of kind `texts` is repeatable, and its value is a tuple, empty unless given.
    what: what completes its value, as for an argument.
    """

    name: str
    spellings: tuple[str, ...]
    help: str
    kind: Kind = "flag"
    metavar: str = ""
    what: str = ""


class Command(NamedTuple):
    """A command.

    section: its heading in `bgrun --help`.
    summary: its line there, at most 60 characters.
    description, examples: for `bgrun COMMAND --help`.
    tail: how `--` and what follows it stand in the usage line, or empty where nothing may follow.
    aliases: other names, which people type who know them from other tools.
    in_project: whether its handler is called with the project of the current directory, or with None.
    makes_job_file: whether the job file that is named on the command line need not exist yet.
    starts_runs: whether it most likely starts runs.
    """

    name: str
    section: str
    summary: str
    description: str
    examples: tuple[str, ...]
    handler: str
    arguments: tuple[Argument, ...] = ()
    options: tuple[Option, ...] = ()
    tail: str = ""
    aliases: tuple[str, ...] = ()
    in_project: bool = True
    makes_job_file: bool = False
    starts_runs: bool = False

    @property
    def details(self) -> tuple[str, ...]:
        """The paragraphs of its description, with what REF means where it takes one, and its aliases."""
        takes_ref = any(argument.shown == "REF" for argument in self.arguments)
        alias = (f"Alias: {', '.join(self.aliases)}.",) if self.aliases else ()
        return (self.description, *((REF_MEANS,) if takes_ref else ()), *alias)

    @property
    def project_options(self) -> tuple[Option, ...]:
        """The project options as they are spelled after this command: without letters that are its own."""
        own = {spelling for option in self.options for spelling in option.spellings}
        return tuple(
            option._replace(spellings=tuple(one for one in option.spellings if one not in own))
            for option in PROJECT_OPTIONS
        )


REF_MEANS = "REF is a run ID, a label or the name of a job."
WITHOUT_REFS = "Without REF, {} all active runs, or else the newest run."
WITHOUT_REF = "Without REF, {} the newest active run, or else the newest run."

JSON = Option("json", ("--json",), "Print one JSON document to standard output.")
QUIET = Option("quiet", ("-q", "--quiet"), "Print only the result.")
SILENT = QUIET._replace(help="Print nothing; use the exit code.")
TIMEOUT = Option(
    "timeout",
    ("-t", "--timeout"),
    "Stop waiting after DURATION and exit 124; the run continues.",
    "duration",
    "DURATION",
)
EXIT_CODE = Option("exit_code", ("--exit-code",), "Exit with the run's own exit code.")
STARTING = (
    Option("wait", ("-w", "--wait"), "Wait for the run to finish, or a service to be ready; exit 1 unless it is."),
    TIMEOUT,
    EXIT_CODE,
    JSON,
    QUIET._replace(help="Print only the run ID."),
)
ON = Option(
    "on", ("--on",), "Run on ENGINE: local or slurm [default: that of the job file].", "text", "ENGINE", "engine"
)
SINCE = Option("since", ("--since",), "Only runs started since WHEN: 2h, 7d, 2026-11-24.", "text", "WHEN")
TOGETHER = (
    Option("max_parallel", ("--max-parallel",), "Run at most N jobs at once.", "int", "N"),
    Option("fail_fast", ("--fail-fast",), "Stop the other jobs as soon as one does not succeed."),
)
RAW = Option("raw", ("--raw",), "Print raw bytes, including terminal escapes.")
LINES = Option("lines", ("-n", "--lines"), "Print only the last N lines.", "int", "N")
REF = Argument("ref", what="ref", shown="REF")
REFS = Argument("refs", "any", "ref", "REF")
AWAITED = REFS._replace(what="awaited")
ACTIVE = REFS._replace(what="active")

PROJECT_OPTIONS = (
    Option("file", ("-f", "--file"), "Job file to use [default: the nearest bgjobs.yaml]", "path", "FILE", "job file"),
    Option("directory", ("-C", "--directory"), "Run as if bgrun was started in DIR", "path", "DIR", "directory"),
)
"""Options of every command. They stand before it, or after it."""

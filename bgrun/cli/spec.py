"""The commands of bgrun, declared once, as data. `click_face` builds the command line from this.

A handler is named `module:function` and imported only when its command is used.
"""

from __future__ import annotations

from bgrun.light import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    Kind = Literal["flag", "text", "texts", "int", "duration", "path"]
    Count = Literal["one", "maybe", "some", "any"]


class Argument(NamedTuple):
    """A positional argument: exactly one, maybe one, at least one (`some`) or any number.

    `what` names what shell completion offers for it.
    """

    name: str
    many: Count = "one"
    what: str = ""


class Option(NamedTuple):
    """An option with its spellings; its value is absent (None, False for a flag) unless given.

    One of kind `texts` may be given more than once, and its value is a tuple, empty unless given.
    `what` names what shell completion offers for its value.
    """

    name: str
    spellings: tuple[str, ...]
    help: str
    kind: Kind = "flag"
    metavar: str = ""
    what: str = ""


class Command(NamedTuple):
    """A command. `tail` says what may stand behind `--`, or is empty where nothing may."""

    name: str
    help: str
    handler: str
    arguments: tuple[Argument, ...] = ()
    options: tuple[Option, ...] = ()
    tail: str = ""
    epilog: str = ""


JSON = Option("json", ("--json",), "One JSON document on standard output.")
QUIET = Option("quiet", ("-q", "--quiet"), "Only what was asked for; no comments.")
TIMEOUT = Option("timeout", ("-t", "--timeout"), "Wait at most this long, then exit with 124.", "duration", "DURATION")
EXIT_CODE = Option("exit_code", ("--exit-code",), "Exit with the run's own exit code.")
STARTING = (
    Option("wait", ("-w", "--wait"), "Wait for the end; exit 1 unless it succeeded."),
    TIMEOUT,
    EXIT_CODE,
    JSON,
    QUIET,
)
SINCE = Option(
    "since", ("--since",), "Only runs begun since then: 2h, 7d, 2026-11-24, 2026-11-24T18:30.", "text", "WHEN"
)
TOGETHER = (
    Option("max_parallel", ("--max-parallel",), "At most N at once.", "int", "N"),
    Option("fail_fast", ("--fail-fast",), "The first that does not succeed ends the rest."),
)
RAW = Option("raw", ("--raw",), "Bytes as they are, terminal escapes included.")
LINES = Option("lines", ("-n", "--lines"), "Only the last N lines.", "int", "N")

PROJECT_OPTIONS = (
    Option("file", ("-f", "--file"), "The job file to use [default: the nearest bgjobs.yaml].", "path", "FILE"),
)

COMMANDS = (
    Command(
        "start",
        "Start declared jobs in the background, and before each what it depends on.",
        "bgrun.cli.commands.start:start",
        (Argument("job", what="job"), Argument("words", "any", "job or param")),
        (*STARTING, *TOGETHER),
        tail="EXTRA…",
        epilog="Behind a job come its parameters: KEY=VALUE, or values in declared order. The name of another "
        "job starts that one too. Words behind -- are appended to the command.",
    ),
    Command(
        "run",
        "Run any command in the background, filed under LABEL.",
        "bgrun.cli.commands.start:run",
        (Argument("label"),),
        STARTING,
        tail="COMMAND…",
    ),
    Command(
        "group",
        "Start the jobs of a group, in parallel.",
        "bgrun.cli.commands.start:group",
        (Argument("group", what="group"),),
        (
            *STARTING,
            *TOGETHER,
            Option("only", ("--only",), "Only this job of the group, and what it depends on.", "texts", "JOB", "job"),
            Option("param", ("--param",), "A parameter, for every job that declares it.", "texts", "KEY=VALUE"),
        ),
        tail="only JOB…",
    ),
    Command(
        "rerun",
        "Start what a run was made of once more.",
        "bgrun.cli.commands.start:rerun",
        (Argument("ref", what="ref"),),
        (*STARTING, Option("failed", ("--failed",), "Of a group's run, only what did not succeed.")),
    ),
    Command(
        "status",
        "Tell how runs are doing: RUNNING or NOT RUNNING, and the exit code.",
        "bgrun.cli.commands.status:status",
        (Argument("refs", "any", "ref"),),
        (Option("watch", ("-w", "--watch"), "Until they have ended; live on a terminal."), JSON, QUIET, EXIT_CODE),
        epilog="REF is a run ID, a label or a job's name: its active runs, or its newest run. Without REF: active runs "
        "and the newest run of each label.",
    ),
    Command(
        "follow",
        "Show a log as it grows, until the run ends; then give its verdict.",
        "bgrun.cli.commands.wait:follow",
        (Argument("ref", what="ref"),),
        (LINES, RAW, EXIT_CODE, QUIET),
        epilog="Ctrl-C ends the following, not the job.",
    ),
    Command(
        "wait",
        "Wait until runs have ended; exit 0 only if all succeeded.",
        "bgrun.cli.commands.wait:wait",
        (Argument("refs", "some", "ref"),),
        (TIMEOUT, EXIT_CODE, JSON, QUIET),
    ),
    Command(
        "report",
        "Tell at one look how a run ended: verdict, counts, what failed and where, or the last lines.",
        "bgrun.cli.commands.logs:report",
        (Argument("ref", what="ref"),),
        (
            Option("format", ("--format",), "text, or github for annotations in GitHub Actions.", "text", "FORMAT"),
            EXIT_CODE,
            JSON,
        ),
    ),
    Command(
        "logs",
        "Show the log of a run, by default its last 100 lines.",
        "bgrun.cli.commands.logs:logs",
        (Argument("ref", what="ref"),),
        (
            Option("lines", ("-n", "--lines", "--tail"), "Only the last N lines.", "int", "N"),
            Option("head", ("--head",), "Only the first N lines.", "int", "N"),
            Option("grep", ("-g", "--grep"), "Only lines in which this regular expression is found.", "text", "RE"),
            Option("context", ("-C", "--context"), "With N lines before and after each of them.", "int", "N"),
            Option("since", ("--since",), "Only what is new since this cursor; first: start.", "text", "CURSOR"),
            Option("since_start", ("--since-start",), "From the first line on (with -n: the first N)."),
            RAW,
            JSON,
        ),
        epilog="With --since the next cursor comes on standard error, in JSON as next_cursor. JSON holds at most 200 "
        "lines or 16 KiB, unless -n or --head says otherwise, and says when there is more.",
    ),
    Command(
        "stop",
        "End runs with all their processes.",
        "bgrun.cli.commands.stop:stop",
        (Argument("refs", "any", "ref"),),
        (
            Option("all", ("-a", "--all"), "Stop every active run of this project."),
            Option("now", ("--now",), "Skip the grace period: send SIGKILL at once."),
            JSON,
            QUIET,
        ),
        epilog="A label or job means all of its active runs.",
    ),
    Command(
        "list",
        "List what ran here, the newest first.",
        "bgrun.cli.commands.status:list_runs",
        (Argument("label", "maybe", "label"),),
        (
            LINES._replace(help="At most N runs [default: 20]."),
            Option("all", ("-a", "--all"), "All runs."),
            Option("state", ("--state",), "Only runs in this state.", "texts", "STATE"),
            Option("tag", ("--tag",), "Only runs with this tag.", "texts", "TAG"),
            SINCE,
            Option("sort", ("--sort",), "newest (the default), oldest or duration (the longest first).", "text", "BY"),
            JSON,
            QUIET._replace(help="Only the run ids."),
        ),
    ),
    Command(
        "stats",
        "Tell of each label how often it succeeds and how long it takes.",
        "bgrun.cli.commands.stats:stats",
        (Argument("label", "maybe", "label"),),
        (SINCE, JSON),
        epilog="MEDIAN and P90 are those of the runs that succeeded; NEWEST shows how long the newest runs took.",
    ),
    Command(
        "latest",
        "Print the log path of a label's newest run that has one.",
        "bgrun.cli.commands.status:latest",
        (Argument("ref", what="label"),),
        (JSON, QUIET),
        epilog='As in: grep FAILED "$(bgrun latest pytest_full)"',
    ),
    Command(
        "jobs",
        "List the jobs and groups that are declared.",
        "bgrun.cli.commands.jobs:jobs",
        (),
        (JSON, QUIET._replace(help="Only the names.")),
    ),
    Command(
        "render",
        "Print the job script that would run; nothing is started.",
        "bgrun.cli.commands.jobs:render",
        (Argument("job", what="job"), Argument("params", "any", "param")),
        (JSON,),
        tail="EXTRA…",
    ),
    Command(
        "validate",
        "Check the job file and tell every error in it.",
        "bgrun.cli.commands.jobs:validate",
        (),
        (JSON, QUIET),
    ),
    Command(
        "schema",
        "Print the JSON schema of the job file, or of an output.",
        "bgrun.cli.commands.jobs:schema",
        (Argument("name", "maybe", "schema"),),
        (),
    ),
    Command(
        "init",
        "Write a first bgjobs.yaml from what is found here; on request, what tells agents and editors of bgrun.",
        "bgrun.cli.commands.init:init",
        (),
        (
            Option("agents", ("--agents",), "A block in AGENTS.md, between markers."),
            Option("mcp", ("--mcp",), "The MCP server for claude, cursor or vscode.", "texts", "CLIENT", "client"),
            Option("skill", ("--skill",), "An Agent Skill under .claude/skills/bgrun."),
            Option("tasks", ("--tasks",), "A task for each job in .vscode/tasks.json."),
            Option(
                "hook",
                ("--hook",),
                "A hook for claude or cursor that points declared commands to bgrun.",
                "texts",
                "CLIENT",
                "client",
            ),
            Option("schema", ("--schema",), "The schema beside the job file, for editors."),
            Option("dry_run", ("--dry-run",), "Only show what would be written, as a diff."),
            QUIET,
        ),
        epilog="What is there is merged, never replaced; a second time changes nothing.",
    ),
    Command(
        "completion",
        "Print the script that completes commands, jobs, groups, labels and runs in a shell.",
        "bgrun.cli.commands.init:completion",
        (Argument("shell", what="shell"),),
        (),
        epilog='bash: eval "$(bgrun completion bash)" in ~/.bashrc; zsh alike; fish: bgrun completion fish | source',
    ),
    Command(
        "hook",
        "Answer a client's hook: a shell command that is a declared job is pointed to bgrun.",
        "bgrun.cli.commands.init:hook",
        (Argument("client", what="client"),),
        (),
        epilog="It reads the event of claude or cursor on standard input. See init --hook.",
    ),
    Command(
        "mcp",
        "Serve this project to a coding agent: the Model Context Protocol over standard input and output.",
        "bgrun.cli.commands.mcp:mcp",
        (),
        (
            Option(
                "max_wait", ("--max-wait",), "The longest that a call waits [default: 50s].", "duration", "DURATION"
            ),
            Option("allow_run", ("--allow-run",), "Let the agent run any command, not only declared jobs."),
        ),
        epilog="It needs the extra bgrun[mcp].",
    ),
    Command(
        "prune",
        "Remove the runs that their retention lets go.",
        "bgrun.cli.commands.stop:prune",
        (),
        (Option("dry_run", ("--dry-run",), "Only tell what would go."), JSON, QUIET),
    ),
)

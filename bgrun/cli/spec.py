"""The commands of bgrun, declared once, as data: both parsers, the help and the reference page are built from them.

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


TAGLINE = "Run long commands in the background and find out later how they ended."
EXAMPLES = (
    ("bgrun run build -- make -j4", "run any command"),
    ("bgrun start tests --wait -t 50s", "run a declared job, wait up to 50s"),
    ("bgrun report tests", "see what failed"),
)
EXIT_CODES = (
    "Exit codes: 0 success, 1 a run did not succeed, 2 usage or job file error, 124 wait timed out, 125 internal "
    "error, 130 interrupted. A wait that times out or is interrupted does not stop the run."
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

COMMANDS = (
    Command(
        "start",
        "Run",
        "Start declared jobs and the jobs they depend on",
        "Start one or more jobs from bgjobs.yaml, after the jobs they depend on, and return immediately. "
        "Parameters follow their job as KEY=VALUE, or as plain values in declared order. Arguments after -- are "
        'appended to the command, unless {{ extra }} or "$@" is their place in it.',
        ("bgrun start tests path=tests/unit -- -x", "bgrun start lint tests --wait --timeout 50s"),
        "bgrun.cli.commands.start:start",
        (Argument("job", what="job"), Argument("words", "any", "param or job", "ARGS")),
        (*STARTING, *TOGETHER, ON),
        tail="[-- EXTRA...]",
        starts_runs=True,
    ),
    Command(
        "run",
        "Run",
        "Run any command in the background",
        "Run a command that is not in a job file. Its runs are filed under LABEL, so that you can refer to the "
        "newest one by that name. The command follows --: a program with its arguments, variables before it "
        "(CI=1 make), or one word of shell text ('make | tee log'). The defaults of the job file apply.",
        (
            "bgrun run build -- make -j4",
            "bgrun run build --wait --timeout 50s -- make -j4",
            "bgrun run build -C web --env CI=1 -- 'npm ci && npm test'",
        ),
        "bgrun.cli.commands.start:run",
        (Argument("label", what="label"),),
        (
            *STARTING,
            Option("env", ("--env",), "Set a variable of the command; repeatable.", "texts", "NAME=VALUE", "variable"),
            Option(
                "env_file", ("--env-file",), "Read variables from a dotenv file; repeatable.", "texts", "FILE", "file"
            ),
            Option("tag", ("--tag",), "Tag the run, for 'bgrun list --tag'; repeatable.", "texts", "TAG", "tag"),
            Option("job_timeout", ("--job-timeout",), "Stop the run after DURATION.", "duration", "DURATION"),
            Option("retry", ("--retry",), "Retry a command that fails, at most N times.", "int", "N"),
            ON,
        ),
        tail="-- COMMAND...",
        starts_runs=True,
    ),
    Command(
        "group",
        "Run",
        "Start every job in a group",
        "Start the jobs of a group in parallel, up to its max_parallel, in dependency order. The group has its "
        "own run, which succeeds only if all its jobs do; jobs skipped by `if` do not count.",
        ("bgrun group checks --wait", "bgrun group checks --only lint --fail-fast"),
        "bgrun.cli.commands.start:group",
        (Argument("group", what="group"),),
        (
            *STARTING,
            *TOGETHER,
            ON,
            Option("only", ("--only",), "Start only JOB and its dependencies; repeatable.", "texts", "JOB", "only"),
            Option(
                "param",
                ("--param",),
                "Set a parameter on every job that declares it; repeatable.",
                "texts",
                "KEY=VALUE",
                "param",
            ),
        ),
        tail="[-- only JOB...]",
        starts_runs=True,
    ),
    Command(
        "rerun",
        "Run",
        "Rerun a finished run exactly as it was",
        "Rerun the recorded job script of a run as a new run; later changes to bgjobs.yaml do not apply. A label "
        "means its newest run of the whole job or group. For a group, --failed reruns only the jobs of its newest run "
        "that did not succeed; for a job that declares rerun, only its failed tests, by that command as it is now.",
        ("bgrun rerun tests", "bgrun rerun tests --failed", "bgrun rerun checks --failed --wait"),
        "bgrun.cli.commands.start:rerun",
        (REF,),
        (
            *STARTING,
            Option("failed", ("--failed",), "Rerun only what failed: jobs of a group, tests of a job."),
            Option("same", ("--same",), "Submit a run that a cluster forgot once more, as the same run."),
        ),
        starts_runs=True,
    ),
    Command(
        "status",
        "Watch",
        "Show which runs are running and how others ended",
        "Show RUNNING or NOT RUNNING, the exit code, the state and the log path of runs. A label or job means its "
        "active runs, or else its newest. Without REF, show one line for each active run and for the newest run of "
        "each label. Exits 0 whatever the result, unless you pass --exit-code.",
        ("bgrun status tests", "bgrun status --watch"),
        "bgrun.cli.commands.status:status",
        (REFS,),
        (Option("watch", ("-w", "--watch"), "Refresh until the runs finish."), JSON, QUIET, EXIT_CODE),
        aliases=("ps",),
    ),
    Command(
        "wait",
        "Watch",
        "Wait for runs to finish",
        "Wait for runs to finish, then print the result and, for a run that did not succeed, what failed. Exit "
        "0 if all runs succeeded, 1 if any did not, 124 on timeout. A timeout does not stop the run. "
        "Without REF, wait for all active runs that are not services, or else the newest one. "
        "With --until ready, wait for services to be ready; without REF, for all that are active.",
        ("bgrun wait --timeout 50s", "bgrun wait lint tests", "bgrun wait web --until ready -t 50s"),
        "bgrun.cli.commands.wait:wait",
        (AWAITED,),
        (
            TIMEOUT,
            Option(
                "until",
                ("--until",),
                "Wait until runs are finished (default), or services are ready.",
                "text",
                "STATE",
                "until",
            ),
            EXIT_CODE,
            JSON,
            SILENT,
        ),
    ),
    Command(
        "follow",
        "Watch",
        "Stream a log until its run finishes",
        "Stream the log of runs, from the last 100 lines (or the last N, or the first line) until they finish, then "
        "print the result. Ctrl-C stops following; the runs continue. " + WITHOUT_REFS.format("follow"),
        ("bgrun follow tests", "bgrun follow tests --lines 20"),
        "bgrun.cli.commands.wait:follow",
        (AWAITED,),
        (
            LINES._replace(help="Begin with the last N lines."),
            Option("since_start", ("--since-start",), "Begin with the first line."),
            RAW._replace(help="Print raw bytes from the first one, including terminal escapes."),
            EXIT_CODE,
            QUIET._replace(help="Print only the log."),
        ),
    ),
    Command(
        "logs",
        "Watch",
        "Print lines from the log of a run",
        "Print the last 100 lines of a log, or the lines you select. With --since, print only what is new: the "
        "next cursor goes to standard error (next_cursor in JSON). JSON output is limited to 200 lines or 16 "
        "KiB. " + WITHOUT_REF.format("read"),
        ("bgrun logs tests --grep FAILED --context 3", "bgrun logs -f", "bgrun logs tests --since start"),
        "bgrun.cli.commands.logs:logs",
        (REFS,),
        (
            Option("follow", ("-f", "--follow"), "Stream the log until the run finishes, as 'bgrun follow' does."),
            LINES._replace(spellings=(*LINES.spellings, "--tail")),
            Option("head", ("--head",), "Print only the first N lines.", "int", "N"),
            Option("grep", ("-g", "--grep"), "Print only lines that match this regular expression.", "text", "REGEX"),
            Option(
                "context",
                ("-C", "--context"),
                "Print N lines before and after each match (with --grep).",
                "int",
                "N",
            ),
            Option(
                "since",
                ("--since",),
                "Print only what is new since CURSOR; begin with `start`.",
                "text",
                "CURSOR",
                "cursor",
            ),
            Option("since_start", ("--since-start",), "Read from the first line (with -n, the first N)."),
            RAW,
            JSON,
        ),
        aliases=("tail",),
    ),
    Command(
        "report",
        "Results",
        "Summarize a run: result, counts and what failed",
        "Summarize a run: its result, test or error counts, up to ten problems with file and line, or the first "
        "and last lines of the log if no tool was recognized. NEW marks problems that the last complete run with the "
        "same script and parameters did not have, FLAKY tests that passed at the same commit. "
        + WITHOUT_REF.format("summarize"),
        ("bgrun report tests", "bgrun report tests --since-success", "bgrun report tests --format github"),
        "bgrun.cli.commands.logs:report",
        (REF._replace(many="maybe"),),
        (
            Option(
                "format",
                ("--format",),
                "Output format: text, or github for Actions annotations.",
                "text",
                "FORMAT",
                "format",
            ),
            Option("since_success", ("--since-success",), "Add the commits since it last succeeded."),
            EXIT_CODE,
            JSON,
        ),
    ),
    Command(
        "list",
        "Results",
        "List recent runs, newest first",
        "List the last 20 runs of this project, or of one label, newest first; below a group the runs of its jobs.",
        ("bgrun list --state failed --since 7d", "bgrun list tests --sort duration"),
        "bgrun.cli.commands.list:list_runs",
        (Argument("label", "maybe", "label"),),
        (
            LINES._replace(help="List at most N runs [default: 20]."),
            Option("all", ("-a", "--all"), "List all runs."),
            Option("watch", ("-w", "--watch"), "Refresh until the listed runs have finished."),
            Option("state", ("--state",), "Only runs in this state; repeatable.", "texts", "STATE", "state"),
            Option("tag", ("--tag",), "Only runs with this tag; repeatable.", "texts", "TAG", "tag"),
            SINCE,
            Option("sort", ("--sort",), "Order: newest (default), oldest or duration.", "text", "ORDER", "order"),
            Option("outputs", ("--outputs",), "Show the declared outputs of each run."),
            JSON,
            QUIET._replace(help="Print only run IDs."),
        ),
    ),
    Command(
        "stats",
        "Results",
        "Show success rate and duration for each label",
        "Show how often each label succeeds and how long it takes. MEDIAN and P90 cover successful runs; NEWEST "
        "charts the durations of the most recent runs.",
        ("bgrun stats --since 7d",),
        "bgrun.cli.commands.stats:stats",
        (Argument("label", "maybe", "label"),),
        (SINCE, JSON),
    ),
    Command(
        "latest",
        "Results",
        "Print the log path of the newest run",
        "Print the absolute log path of the newest run of a label that has a log, for use in other commands.",
        ('grep FAILED "$(bgrun latest tests)"',),
        "bgrun.cli.commands.status:latest",
        (Argument("ref", what="label", shown="REF"),),
        (JSON, QUIET),
    ),
    Command(
        "stop",
        "Manage",
        "Stop runs and every process they started",
        "Stop runs and every process they started: send the stop signal, wait for the grace period (10 seconds "
        "by default), then send SIGKILL. A label or job means all of its active runs.",
        ("bgrun stop tests",),
        "bgrun.cli.commands.stop:stop",
        (ACTIVE,),
        (
            Option("all", ("-a", "--all"), "Stop every active run of this project."),
            Option("now", ("--now",), "Skip the grace period: send SIGKILL immediately."),
            JSON,
            SILENT,
        ),
        aliases=("kill",),
    ),
    Command(
        "prune",
        "Manage",
        "Delete old runs that exceed their retention",
        "Delete finished runs that exceed their job's retention. Active runs and the newest failed run of each "
        "label are always kept.",
        ("bgrun prune --dry-run",),
        "bgrun.cli.commands.stop:prune",
        (),
        (Option("dry_run", ("--dry-run",), "Show what would be deleted without deleting it."), JSON, SILENT),
    ),
    Command(
        "jobs",
        "Job file",
        "List declared jobs and groups",
        "List declared jobs with their parameters and descriptions, and declared groups with their jobs.",
        ("bgrun jobs",),
        "bgrun.cli.commands.jobs:jobs",
        (),
        (JSON, QUIET._replace(help="Print only names.")),
    ),
    Command(
        "validate",
        "Job file",
        "Validate the job file and report every error",
        "Validate the job file and all that it includes. Each error or warning comes with its line, column and a "
        "suggested fix; a warning does not change the exit code. With --on, also report what that engine would refuse.",
        ("bgrun validate", "bgrun validate --on slurm"),
        "bgrun.cli.commands.jobs:validate",
        (),
        (ON._replace(help="Also report what ENGINE, local or slurm, would refuse."), JSON, SILENT),
    ),
    Command(
        "render",
        "Job file",
        "Render a job's script without running it",
        "Render the shell script that `bgrun start` would run, without running it.",
        ("bgrun render tests path=tests/unit",),
        "bgrun.cli.commands.jobs:render",
        (Argument("job", what="job"), Argument("params", "any", "param", "ARGS")),
        (JSON,),
        tail="[-- EXTRA...]",
    ),
    Command(
        "schema",
        "Job file",
        "Print a JSON Schema: job file or JSON output",
        "Print the JSON Schema of the job file (the default) or of a kind of JSON output.",
        ("bgrun schema > bgjobs.schema.json", "bgrun schema runs"),
        "bgrun.cli.commands.jobs:schema",
        (Argument("name", "maybe", "schema"),),
    ),
    Command(
        "init",
        "Set up",
        "Initialize a project: job file, agents, editors",
        "Initialize a project: write bgjobs.yaml from the tests, linters and build targets found here. Options "
        "add configuration for coding agents and editors. Existing files are merged, never replaced. --file names a "
        "job file to write, for a directory that is no package of its own.",
        ("bgrun init --dry-run", "bgrun init --agents --mcp claude", "bgrun init -f web/bgjobs.yaml"),
        "bgrun.cli.commands.init:init",
        (),
        (
            Option("all", ("--all",), "Set up every client: --agents, --skill, and each --mcp and --hook."),
            Option(
                "agents",
                ("--agents",),
                "Add a block about bgrun to AGENTS.md, between markers; refer to it where claude and gemini look.",
            ),
            Option(
                "mcp",
                ("--mcp",),
                "Register the MCP server with claude, cursor, vscode, codex, gemini or opencode; repeatable.",
                "texts",
                "CLIENT",
                "mcp client",
            ),
            Option("skill", ("--skill",), "Add an agent skill in .claude/skills and .agents/skills."),
            Option("tasks", ("--tasks",), "Add a task for each job to .vscode/tasks.json."),
            Option(
                "hook",
                ("--hook",),
                "Add a hook to claude, codex, cursor, gemini or opencode that refuses commands that are declared jobs "
                "and suggests bgrun; repeatable.",
                "texts",
                "CLIENT",
                "hook client",
            ),
            Option(
                "permissions", ("--permissions",), "Let Claude Code use bgrun without asking (.claude/settings.json)."
            ),
            Option("schema", ("--schema",), "Write the JSON Schema next to the job file, for editors."),
            Option("dry_run", ("--dry-run",), "Show the changes as a diff without writing them."),
            QUIET._replace(help="Do not report the written files."),
        ),
        makes_job_file=True,
    ),
    Command(
        "doctor",
        "Set up",
        "Check bgrun and what coding agents find here",
        "Check that bgrun works here, and what each installed coding agent finds in this project: its MCP server, "
        "instructions, skill and hook. Each thing that is missing comes with the command that adds it. Exit 1 if "
        "something needed is missing; `optional` things may be absent.",
        ("bgrun doctor", "bgrun doctor --json"),
        "bgrun.cli.commands.doctor:doctor",
        (),
        (JSON, QUIET._replace(help="Print only what is absent.")),
    ),
    Command(
        "mcp",
        "Set up",
        "Run the MCP server for coding agents",
        "Run a Model Context Protocol server over standard input and output. Requires the mcp extra: "
        "bgrun[mcp]. Agents can start declared jobs only, unless you pass --allow-run.",
        ("bgrun mcp --max-wait 25s",),
        "bgrun.cli.commands.mcp:mcp",
        (),
        (
            Option(
                "max_wait",
                ("--max-wait",),
                "Limit how long one call waits [default: as long as the client allows, 50s to 280s].",
                "duration",
                "DURATION",
            ),
            Option("allow_run", ("--allow-run",), "Let agents run any command, not only declared jobs."),
        ),
    ),
    Command(
        "completion",
        "Set up",
        "Print a shell completion script",
        "Print a script that completes commands, options and their values, jobs, parameters, groups, labels, run IDs "
        "and paths in bash, zsh or fish. Its first lines say how to install it.",
        (
            'eval "$(bgrun completion bash)"   # in ~/.bashrc',
            'eval "$(bgrun completion zsh)"    # in ~/.zshrc',
            "bgrun completion fish > ~/.config/fish/completions/bgrun.fish",
        ),
        "bgrun.cli.commands.init:completion",
        (Argument("shell", what="shell"),),
    ),
    Command(
        "hook",
        "Set up",
        "Handle a coding agent's hook (see init --hook)",
        "Handle a hook event from claude, codex, cursor, gemini or opencode on standard input: deny a shell command "
        "that runs a whole declared job in its directory, and suggest `bgrun start` instead. Every other command may "
        "run, also if the event or the job file cannot be read. Installed by `bgrun init --hook`.",
        (),
        "bgrun.cli.commands.hook:hook",
        (Argument("client", what="hook client"),),
        in_project=False,
    ),
    Command(
        "help",
        "Set up",
        "Show the help of bgrun or of a command",
        "Show the help of bgrun or of a command, as --help does.",
        ("bgrun help run",),
        "bgrun.cli.commands.help:help_",
        (Argument("command", "maybe", "command"),),
    ),
)


def find(name: str) -> Command | None:
    """Return the command with this name or alias, or None."""
    return next((one for one in COMMANDS if name == one.name or name in one.aliases), None)

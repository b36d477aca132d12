"""The commands that manage runs, look at the job file and set bgrun up."""

from __future__ import annotations

from bgrun.cli.spec.shapes import ACTIVE, JSON, ON, QUIET, SILENT, Argument, Command, Option

OTHERS = (
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

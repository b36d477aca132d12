"""The commands that start runs and show how they end."""

from __future__ import annotations

from bgrun.cli.spec.shapes import (
    AWAITED,
    EXIT_CODE,
    JSON,
    LINES,
    ON,
    QUIET,
    RAW,
    REF,
    REFS,
    SILENT,
    SINCE,
    STARTING,
    TIMEOUT,
    TOGETHER,
    WITHOUT_REF,
    WITHOUT_REFS,
    Argument,
    Command,
    Option,
)

RUNS = (
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
)

"""Name the modules that are kept together in one file: those that supervisors and the usual commands load."""

from __future__ import annotations


def _in(room: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{room}.{name}" for name in names)


_PACKAGES = (
    "bgrun",
    *_in("bgrun", "bytecode", "local", "parsers", "store", "system"),
    "bgrun.store.listing",
    *_in("bgrun.local", "concurrency", "launch", "recording", "stopping", "supervision"),
)
SELDOM = (
    *_in("bgrun", "engine", "wording"),
    *_in("bgrun.store", "cache", "facts", "foreign", "index", "masking", "orphaned_group", "record", "retention"),
    *_in("bgrun.store", "retry", "stop_request", "store"),
    *_in("bgrun.store.listing", "entry", "last_written", "names", "relisting", "updating"),
    *_in("bgrun.local", "engine", "evidence", "foreign"),
    *_in("bgrun.local.recording", "fresh", "globs", "outputs", "reports"),
    *_in("bgrun.local.stopping", "policy", "processes", "signals", "stopper", "supervised"),
    *_in("bgrun.parsers", "terminal"),
    *_in("bgrun.system", "boot", "changes", "directories"),
)
_ALWAYS = (
    *_in("bgrun", "codec", "errors", "light", "model", "plan"),
    *_in("bgrun.bytecode", "loader"),
    *_in("bgrun.local.launch", "manifest"),
    *_in("bgrun.local.recording", "journal"),
    *_in("bgrun.local.supervision", "descriptors", "event_loop", "host", "log_limit", "machine", "main", "run"),
    *_in("bgrun.local.supervision", "supervisor", "workdir"),
    *_in("bgrun.system", "clock", "files", "libc", "lock", "process", "reading"),
    *_in("bgrun.store", "meta", "paths", "state"),
)
_OTHERS = (
    *_in("bgrun.local", "time_limit", "wait"),
    *_in("bgrun.local.recording", "group_journal"),
    *_in("bgrun.local", "readiness"),
    *_in("bgrun.local.readiness", "command", "connecting", "holder", "http", "log_lines", "prober", "target"),
    *_in("bgrun.local.supervision", "dispatcher", "hooks", "inhibitor", "job", "joined", "scheduler", "services"),
    *_in("bgrun.bytecode", "builder", "bundle", "contents"),
    *_in("bgrun.local.launch", "begin", "interpreter"),
    *_in("bgrun.parsers", "bounded_regex"),
    *_in("bgrun.system", "listeners", "ports", "programs"),
    *_in("bgrun.local.concurrency", "queue", "slots"),
    *_in("bgrun.local.stopping", "orphans", "request"),
    *_in("bgrun.store", "claim"),
)
_FACE_PACKAGES = _in("bgrun", "api", "cli", "cli.commands", "cli.spec", "jobfile", "logs", "render", "templating")
_FACE = (
    *_in("bgrun.api", "digest_lines", "insight", "logs", "plan_cache", "references", "runs", "start", "stop"),
    *_in("bgrun.cli", "app", "choice", "digest_text", "dispatch", "exit_codes", "format", "output", "parser"),
    *_in("bgrun.cli", "tables"),
    *_in("bgrun.cli.spec", "lookup", "others", "runs", "shapes"),
    *_in("bgrun.cli.commands", "list", "logs", "start", "status", "stop", "wait"),
    *_in("bgrun.jobfile", "installation", "label", "project"),
    *_in("bgrun.local.launch", "spawn", "standby", "submit"),
    *_in("bgrun.logs", "masked", "reader", "stream", "watch"),
    *_in("bgrun.render", "command"),
    *_in("bgrun.store", "submission"),
    *_in("bgrun.system", "cpus", "git", "preflight"),
    *_in("bgrun.templating", "checks"),
)
PACKAGES = frozenset((*_PACKAGES, *_in("bgrun.local", "readiness"), *_FACE_PACKAGES))
_APP, _ENGINE = "bgrun.cli.app", "bgrun.local.engine"
TOGETHER: dict[str, tuple[str, tuple[str, ...]]] = {
    _APP: (
        "",
        (
            *_in("bgrun.cli", "commands", "dispatch", "format", "output", "parser"),
            *_in("bgrun.jobfile", "project"),
            *_in("bgrun.store", "cache", "record"),
            *_in("bgrun.system", "directories"),
        ),
    ),
    _ENGINE: (_APP, _in("bgrun.local.launch", "standby")),
    "bgrun.cli.commands.start": (
        _ENGINE,
        (
            *_in("bgrun.api", "plan_cache", "start"),
            *_in("bgrun.jobfile", "installation"),
            *_in("bgrun.system", "preflight"),
            *_in("bgrun.local.launch", "submit"),
        ),
    ),
    "bgrun.local.launch.begin": (_ENGINE, _in("bgrun.local.supervision", "dispatcher", "job")),
    "bgrun.cli.commands.status": (
        _APP,
        (*_in("bgrun.api", "references", "runs"), *_in("bgrun.store.listing", "relisting")),
    ),
    "bgrun.cli.commands.wait": (
        _ENGINE,
        (
            *_in("bgrun.api", "references", "runs"),
            *_in("bgrun.local", "evidence", "wait"),
            *_in("bgrun.system", "lock"),
        ),
    ),
    "bgrun.cli.commands.logs": (
        _APP,
        (
            *_in("bgrun.api", "logs", "references", "runs"),
            *_in("bgrun.logs", "masked", "reader", "stream", "watch"),
            *_in("bgrun.system", "lock"),
        ),
    ),
    "bgrun.cli.commands.list": (
        _APP,
        (*_in("bgrun.api", "runs"), *_in("bgrun.store.listing", "last_written", "relisting", "updating")),
    ),
}
"""What is loaded along with a module, in one step: first what is for another one, if it is not loaded yet, then these
modules, and all that they and the module itself import.

To import fifty modules one by one takes twice as long."""
SLIM = (*SELDOM, *_PACKAGES, *_ALWAYS)
"""What the supervisor of a run that only runs may need, that which it seldom does first."""
SUPERVISOR = (*SLIM, *_OTHERS)
"""What any supervisor may need."""
ALL = (*SUPERVISOR, *_FACE_PACKAGES, *_FACE)
"""That, and what the commands load that are typed most."""

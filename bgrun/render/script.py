"""Write the job script. Pure: texts in, a text out; all that is inserted is quoted for the shell already."""

from __future__ import annotations

import shlex

from bgrun.render import command as ad_hoc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bgrun.jobfile.specs import JobSpec, Settings
    from bgrun.render.settings import RenderedSettings

_BEGIN = r"""bgrun_run_id=${0##*/}
bgrun_run_id=${bgrun_run_id%.sh}
bgrun_logs=${0%/*}/..
bgrun_code=
bgrun_interrupted=

# The gate: the supervisor opens it once the run is recorded. If it is closed unopened, nothing runs.
if [ -n "${BGRUN_GATE-}" ]; then
  unset BGRUN_GATE
  read -r _ <&8 || exit 125
  exec 8<&-
fi

# If the project was renamed meanwhile, the link of our own output has the new path of the log (proc(5)).
# No function here calls another one: the caller may have set FUNCNEST=1 (bash(1)).
bgrun_find_logs() {
  [ ! -e "$0" ] || return 0
  bgrun_log=$(command -p readlink "/proc/$$/fd/1")
  case $bgrun_log in */"$bgrun_run_id".log*) bgrun_logs=${bgrun_log%/*} ;; esac
} 2>/dev/null

# The exit-code fallback, for a supervisor that was killed. It records only the code of the run that this
# file belongs to, and only after the command has exited: bash killed by a signal would run this trap with
# a status of 0. It writes to preallocated bytes, because the disk may be full.
bgrun_record_code() {
  [ -n "$bgrun_code" ] && [ "${BGRUN_RUN_ID-}" = "$bgrun_run_id" ] || return 0
  umask 077
  bgrun_reserve=$bgrun_logs/.$bgrun_run_id.exit
  [ ! -L "$bgrun_reserve" ] || command -p rm -f -- "$bgrun_reserve"
  printf '%d\n' "$bgrun_code" 1<>"$bgrun_reserve" || return 0
  # A supervisor that is alive is still our parent, and publishes the code itself, which saves an mv
  # (proc(5); without it, the code is always published here).
  read -r _ _ _ bgrun_parent _ </proc/self/stat && [ "$bgrun_parent" = "$PPID" ] ||
    command -p mv -f -- "$bgrun_reserve" "$bgrun_logs/$bgrun_run_id.exit"
} 2>/dev/null
trap "bgrun_find_logs; bgrun_record_code" EXIT
# An interrupt of the whole job ends the command; this script continues, to record its exit code.
trap bgrun_interrupted=1 INT QUIT
"""
_MAY_RETRY = r"""
# The script retries, not the supervisor, so that retries continue if that is killed. A stop is requested
# by a file before any signal is sent; after that nothing is retried.
bgrun_may_retry() {
  [ -z "$bgrun_interrupted" ] || return 1
  [ "${BGRUN_RUN_ID-}" != "$bgrun_run_id" ] || [ ! -e "$bgrun_logs/.$bgrun_run_id.stop" ]
}
bgrun_attempt=1"""
_AGAIN = r"""  bgrun_find_logs
  [ "$bgrun_pause" != none ] && bgrun_may_retry || break
  bgrun_attempt=$((bgrun_attempt + 1))
  printf -- '--- bgrun: attempt %d of %d in %s s; the one before ended with exit code %d ---\n' \
    "$bgrun_attempt" ATTEMPTS "$bgrun_pause" "$bgrun_last"
  [ "${BGRUN_RUN_ID-}" = "$bgrun_run_id" ] &&
    (umask 077; printf '%d\n%s\n' "$bgrun_attempt" "$bgrun_pause" >"$bgrun_logs/.$bgrun_run_id.attempt")"""
_AFTER_THE_PAUSE = r"""  bgrun_find_logs
  bgrun_may_retry || break
  # Without the pause: it is over.
  [ "${BGRUN_RUN_ID-}" = "$bgrun_run_id" ] &&
    (umask 077; printf '%d\n' "$bgrun_attempt" >"$bgrun_logs/.$bgrun_run_id.attempt")
done
bgrun_code=$bgrun_last"""


def job_script(rendered: RenderedSettings, label: str, command: str, comments: Sequence[str]) -> str:
    """Return the text of a job script that runs a command with rendered settings."""
    return _text(
        "#!/usr/bin/env bash",
        f"# bgrun job script of {label}. To run it again by hand: bash THIS_FILE",
        *(f"# {line}" for line in comments),
        _BEGIN,
        f"cd -- {shlex.quote(str(rendered.working_dir))} || {{ bgrun_code=1; exit 1; }}",
        *_environment(rendered),
        "",
        *_run(command, rendered.settings),
        'exit "$bgrun_code"',
    )


def check_script(rendered: RenderedSettings, command: str) -> str:
    """Return a bash text that runs a command where, and with the environment that, the job's own command has."""
    return _text(
        f"cd -- {shlex.quote(str(rendered.working_dir))} || exit 1", *_environment(rendered), f"exec {command}"
    )


def _text(*lines: str) -> str:
    return "\n".join([*lines, ""])


def _environment(rendered: RenderedSettings) -> Iterator[str]:
    """Yield the lines that give a command the variables of its job."""
    if rendered.venv:
        yield f"export VIRTUAL_ENV={shlex.quote(rendered.venv)}"
        yield 'export PATH="$VIRTUAL_ENV/bin:$PATH"'
        yield "unset PYTHONHOME"
    yield from (f"export {name}={shlex.quote(value)}" for name, value in rendered.exports.items())
    yield from (f"unset -v {name}" for name in rendered.unset)


def _run(command: str, settings: Settings) -> Iterator[str]:
    """Yield the lines that run the command of a job, and set `bgrun_code`."""
    if settings.concurrency:
        yield "# Descriptor 9 is the lock on the slot of the concurrency group: it lasts as long as this script."
    yield """# Silence bash's own "Killed"; the command gets the real stderr back."""
    yield "exec 3>&2 2>/dev/null"
    if settings.retry.pauses_s:
        yield from _retried(command, settings)
    else:
        yield command
        yield "bgrun_code=$?"


def _retried(command: str, settings: Settings) -> Iterator[str]:
    pauses = [f"{pause:g}" for pause in settings.retry.pauses_s]
    yield _MAY_RETRY
    yield f"for bgrun_pause in {' '.join(pauses)} none; do"
    yield command
    yield "  bgrun_last=$?"
    if settings.retry.exit_codes:
        yield f"  case $bgrun_last in {_either(settings.retry.exit_codes)}) ;; *) break ;; esac"
    elif settings.limits.success_exit_codes:
        yield f"  case $bgrun_last in {_either(settings.limits.success_exit_codes)}) break ;; esac"
    yield _AGAIN.replace("ATTEMPTS", str(len(pauses) + 1))
    yield f'  command -p sleep "$bgrun_pause" 3>&-{" 9>&-" if settings.concurrency else ""}'
    yield _AFTER_THE_PAUSE


def _either(codes: Sequence[int]) -> str:
    return "|".join(map(str, codes))


def comments(job: JobSpec, shown: str) -> list[str]:
    """Return the comment lines on a declared job: its name, its description and its command."""
    title = f"Job: {job.name}" + (f" - {job.description}" if job.description else "")
    return [ad_hoc.comment(line) for line in (title, f"Command: {shown}")]


def run_program(words: str, settings: Settings) -> str:
    """Return the line of the script that runs a program: a subshell that becomes it."""
    return f"( {words} {_redirections(settings)} )"


def run_shell(words: str, settings: Settings) -> str:
    """Return the line of the script that runs a shell."""
    return f"{words} {_redirections(settings)}"


def _redirections(settings: Settings) -> str:
    """Return redirections that give the command its stderr and no descriptor of the script."""
    return "2>&3 3>&- 9>&-" if settings.concurrency else "2>&3 3>&-"

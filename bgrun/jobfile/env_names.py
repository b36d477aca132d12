"""Which environment variables a job may set: none that the job script or its shell keeps for itself. Pure."""

from __future__ import annotations

from bgrun.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


_OF_THE_SCRIPT = ("BGRUN_RUN_ID", "BGRUN_LOG_DIR", "BGRUN_GATE")


_SHELL_OPTIONS = ("SHELLOPTS", "BASHOPTS")


# What a shell sets itself, goes by itself, or does not let anybody set (bash(1), Shell Variables; dash(1)).
_OF_A_SHELL = (
    " BASH BASHPID COMP_WORDBREAKS DIRSTACK EPOCHREALTIME EPOCHSECONDS EUID EXECIGNORE FUNCNAME FUNCNEST GLOBIGNORE"
    " GLOBSORT GROUPS HISTCMD IFS LINENO OLDPWD OPTARG OPTERR OPTIND POSIXLY_CORRECT PPID PS1 PS2 PS4 PWD RANDOM"
    " SECONDS SHLVL SRANDOM TMOUT UID _ "
)


def refusal(name: str) -> tuple[str, str]:
    """Return why a variable may not be set for a job, and what to do instead; two empty texts where it may."""
    if name.startswith("bgrun_") or name in _OF_THE_SCRIPT:
        return f"the job script uses the variable {name} itself", "rename it"
    if name in _SHELL_OPTIONS:
        # With `noexec` in it the command's bash would run nothing, and succeed.
        hint = "set options in the command (`set -x`) or under `shell:` (`bash -exo pipefail`)"
        return f"{name} would change the shell that runs the command", hint
    return "", ""


def secret_refusal(name: str) -> tuple[str, str]:
    """Return why a variable may not be a secret, as `refusal` does: a shell has to hand it on to the job."""
    if is_of_a_shell(name):
        return f"a shell sets the variable {name} itself, so that it cannot hold a secret", "rename it"
    return refusal(name)


def is_of_a_shell(name: str) -> bool:
    """Return whether a shell would not hand a variable on as it is: such a one reaches the command through env(1)."""
    return f" {name} " in _OF_A_SHELL or (name.startswith("BASH_") and name != "BASH_ENV")


def check_names(names: Iterable[str], secrets: Iterable[str], where: str) -> None:
    """Refuse variables that may not be set for a job.

    Raises:
        UsageError: one is of that kind; `where` is named in it.
    """
    for name, (told, hint) in (
        *((name, refusal(name)) for name in names),
        *((name, secret_refusal(name)) for name in secrets),
    ):
        if told:
            raise UsageError(f"{where}{name}: {told}", hint)

"""Refuse environment variables that the job script or its shell uses itself. Pure."""

from __future__ import annotations

from bgrun.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_OF_THE_SCRIPT = ("BGRUN_RUN_ID", "BGRUN_LOG_DIR", "BGRUN_GATE")
_SHELL_OPTIONS = ("SHELLOPTS", "BASHOPTS")
# Variables that a shell sets or uses itself, or does not allow to be set (bash(1), Shell Variables; dash(1)).
_OF_A_SHELL = (
    " BASH BASHPID COMP_WORDBREAKS DIRSTACK EPOCHREALTIME EPOCHSECONDS EUID EXECIGNORE FUNCNAME FUNCNEST GLOBIGNORE"
    " GLOBSORT GROUPS HISTCMD IFS LINENO OLDPWD OPTARG OPTERR OPTIND POSIXLY_CORRECT PPID PS1 PS2 PS4 PWD RANDOM"
    " SECONDS SHLVL SRANDOM TMOUT UID _ "
)


def refusal(name: str) -> tuple[str, str]:
    """Return why a job must not set a variable, and the fix; two empty strings if it may."""
    if name.startswith("bgrun_") or name in _OF_THE_SCRIPT:
        return f"variable {name} is reserved for the job script", "rename it"
    if name in _SHELL_OPTIONS:
        # With `noexec` in it the command's bash would run nothing, and succeed.
        hint = "set options in the command (`set -x`) or under `shell:` (`bash -exo pipefail`)"
        return f"variable {name} would change the shell that runs the command", hint
    return "", ""


def secret_refusal(name: str) -> tuple[str, str]:
    """Return why a variable must not be a secret, and the fix, as `refusal` does.

    A shell must pass a secret to the job unchanged.
    """
    if is_of_a_shell(name):
        return f"variable {name} is set by the shell, so it cannot hold a secret", "rename it"
    return refusal(name)


def is_of_a_shell(name: str) -> bool:
    """Return whether a shell would change a variable, so that env(1) must set it."""
    return f" {name} " in _OF_A_SHELL or (name.startswith("BASH_") and name != "BASH_ENV")


def check_names(names: Iterable[str], secrets: Iterable[str], where: str) -> None:
    """Refuse variables that a job must not set.

    Raises:
        UsageError: there is one; the message begins with `where`.
    """
    for name, (message, hint) in (
        *((name, refusal(name)) for name in names),
        *((name, secret_refusal(name)) for name in secrets),
    ):
        if message:
            raise UsageError(f"{where}{name}: {message}", hint)

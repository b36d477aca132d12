"""Check the options for sbatch that a job file adds: those that bgrun sets itself are refused. Pure."""

from __future__ import annotations

OWN = frozenset(
    {
        "array",
        "chdir",
        "clusters",
        "comment",
        "dependency",
        "error",
        "export",
        "export-file",
        "get-user-env",
        "help",
        "job-name",
        "kill-on-invalid-dep",
        "no-requeue",
        "open-mode",
        "output",
        "parsable",
        "quiet",
        "requeue",
        "signal",
        "test-only",
        "usage",
        "version",
        "wait",
        "wrap",
    }
)
"""The options that bgrun sets, or that make sbatch do or print something else."""
SHORT = frozenset("aDMdeJoQVWh")
"""Their short forms."""


def refusal(option: str) -> tuple[str, str]:
    """Return why an option of sbatch is refused, with a hint; both are empty if it is not.

    GNU getopt takes any beginning of a long option for it, if that is the only one with this beginning.
    """
    name = option[2:].partition("=")[0]
    is_long = option.startswith("--")
    if is_long and not name:
        return f"{option!r} is no option of sbatch", "give options such as --constraint=a100"
    if any(one == name or one.startswith(name) for one in OWN) if is_long else option[1:2] in SHORT:
        return f"bgrun sets {option!r} itself or depends on its absence", "remove it"
    return "", ""

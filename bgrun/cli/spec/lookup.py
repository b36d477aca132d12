"""Find a command by what was typed.

Each command line loads the table of the usual commands; the other one only if its command is in that.
"""

from __future__ import annotations

from bgrun.cli.spec.runs import RUNS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.cli.spec.shapes import Command


def find(name: str) -> Command | None:
    """Return the command with this name or alias, or None."""
    if command := _named(name, RUNS):
        return command
    from bgrun.cli.spec.others import OTHERS

    return _named(name, OTHERS)


def _named(name: str, commands: tuple[Command, ...]) -> Command | None:
    return next((one for one in commands if name == one.name or name in one.aliases), None)

"""The handler of `help`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.api import Project
    from bgrun.cli.dispatch import Args


def help_(_: Project, args: Args) -> int:
    """Handle `bgrun help`."""
    from bgrun.cli import click_parser

    return click_parser.call([*([args.command] if args.command else []), "--help"], None)

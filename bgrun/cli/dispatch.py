"""Call the handler of a command, in the project of the current directory."""

from __future__ import annotations

import os

from bgrun import api
from bgrun.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from bgrun.cli.spec import Command


class Args:
    """The arguments and options of a command as attributes, and `extra_args`: the arguments after `--`."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.__dict__.update(values)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Return the value of an argument or option."""


def handle(command: Command, values: Mapping[str, Any], extra_args: Sequence[str], job_file: str | None = None) -> int:
    """Call a command's handler and return the exit code.

    Args:
        command: which, from the spec.
        values: the values of its arguments and options by name.
        extra_args: the arguments after `--`.
        job_file: the job file given with --file, or None.

    Raises:
        BgrunError: whatever the handler raises.
    """
    module, _, function = command.handler.partition(":")
    handler = getattr(__import__(module, fromlist=[function]), function)
    return int(handler(api.locate(_here(), job_file), Args({**values, "extra_args": tuple(extra_args)})))


def _here() -> str:
    try:
        return os.getcwd()
    except OSError as error:
        raise UsageError("the current directory no longer exists", "change to one that exists") from error

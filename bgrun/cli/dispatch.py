"""Call the handler of a command, in the project of the current directory."""

from __future__ import annotations

import os

from bgrun import api
from bgrun.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from bgrun.cli.spec.shapes import Command


class Args:
    """The arguments and options of a command as attributes, and `extra_args`: the arguments after `--`."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.__dict__.update(values)

    here: str
    """The directory that bgrun runs in: the current one, or that of --directory."""

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Return the value of an argument or option."""


def handle(command: Command, values: Mapping[str, Any], extra_args: Sequence[str]) -> int:
    """Call a command's handler and return the exit code.

    Args:
        command: which, from the spec.
        values: the values of its arguments and options by name, and those of the project options.
        extra_args: the arguments after `--`.

    Raises:
        BgrunError: whatever the handler raises.
    """
    if not command.starts_runs:
        return _call(command, values, extra_args)
    api.expect_start()
    try:
        return _call(command, values, extra_args)
    finally:
        api.expect_no_start()  # it failed before it used what was prepared


def _call(command: Command, values: Mapping[str, Any], extra_args: Sequence[str]) -> int:
    module, _, function = command.handler.partition(":")
    handler = getattr(__import__(module, fromlist=[function]), function)
    if not command.in_project:
        return int(handler(None, Args({**values, "extra_args": tuple(extra_args)})))
    project, here = located(values, is_new=command.makes_job_file)
    args = Args({**values, "extra_args": tuple(extra_args), "here": here})
    return int(handler(project, args))


def located(values: Mapping[str, Any], *, is_new: bool = False) -> tuple[api.Project, str]:
    """Return the project that the options of a command line mean, and the directory to run in.

    Args:
        values: the values of the project options.
        is_new: whether the job file that they name need not exist yet.

    Raises:
        UsageError: the directory does not exist.
    """
    here, job_file = _here(values["directory"]), values["file"]
    if job_file and values["directory"]:
        job_file = os.path.join(here, job_file)
    return api.locate(here, job_file, is_new=is_new), here


def _here(directory: str | None) -> str:
    """Return the directory to run in.

    Raises:
        UsageError: it does not exist.
    """
    if directory is not None:
        if not os.path.isdir(directory):
            raise UsageError(f"{directory!r} is not a directory", "check the path given to --directory")
        return os.path.realpath(directory)
    try:
        return os.getcwd()
    except OSError as error:
        raise UsageError("the current directory no longer exists", "change to one that exists") from error

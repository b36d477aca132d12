"""The error tree: each error knows its exit code and is shown in one place, `bgrun.cli`.

A message names what is wrong and where; `hint` says how to mend it.
"""

from __future__ import annotations

import errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

EXIT_OK = 0
EXIT_JOB_FAILED = 1
EXIT_USAGE = 2
EXIT_TIMEOUT = 124
EXIT_INTERNAL = 125
EXIT_INTERRUPTED = 130
EXIT_READER_LEFT = 141
"""128 + 13, what a shell says of a program that SIGPIPE ended."""


class BgrunError(Exception):
    """Anything bgrun tells its user instead of a traceback.

    `hint` is one line that says how to mend it, or an empty string.
    """

    exit_code = EXIT_INTERNAL

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(BgrunError):
    """The request cannot be carried out as it was put: bad value, bad label, bad folder."""

    exit_code = EXIT_USAGE


class UnknownNameError(UsageError):
    """No job, group, run or label has this name; `nearest` are the closest of those `known`."""

    def __init__(self, kind: str, name: str, known: Iterable[str], hint: str = "") -> None:
        self.kind = kind
        self.name = name
        self.known = tuple(sorted(set(known)))
        self.nearest = nearest_names(name, self.known)
        told = f"did you mean {_either(self.nearest)}?" if self.nearest else ""
        super().__init__(f"no {kind} named {name!r}", " ".join(filter(None, (told, hint))))


class JobFileError(UsageError):
    """A job file that cannot be used; `problems` has every fault found, in the order of the file."""

    def __init__(self, path: str, problems: Sequence[object]) -> None:
        self.path = path
        self.problems = tuple(problems)
        from bgrun.wording import count  # not on the way of a command that finds no error

        listed = "\n".join(str(problem) for problem in self.problems)
        super().__init__(f"{path} has {count(len(self.problems), 'error')}:\n{listed}")


class NoJobFileError(UsageError):
    """The command needs a job file and neither this folder nor one above it has any."""


class BusyError(UsageError):
    """A concurrency group is full, and the run is not to wait for its turn."""


class RunGoesOnError(BgrunError):
    """The bound of a wait ended before the runs did; they go on."""

    exit_code = EXIT_TIMEOUT


class LaunchError(BgrunError):
    """The run could not be launched, and left no record."""


SCARCE = (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)
"""What tells that descriptors, processes or memory ran out, which others that end give back."""


class ScarceError(LaunchError):
    """The system has no descriptor or process left to launch a run with; that may pass."""


class LaunchPendingError(LaunchError):
    """A run was not launched yet, and whether it will be cannot be said: what was made for it stays."""


class StopError(BgrunError):
    """Something of the run is still alive after the stop's bound."""


class StorageError(BgrunError):
    """The log folder or a file in it cannot be used."""

    exit_code = EXIT_USAGE


class OutputError(BgrunError):
    """Standard output cannot be written: the disk is full, the terminal is gone. No run is affected."""

    exit_code = EXIT_USAGE


class ReaderLeftError(OutputError):
    """Whoever read standard output has left, as `head` does; nothing is to be said of that."""

    exit_code = EXIT_READER_LEFT


def output_error(error: OSError) -> OutputError:
    """Return what an error of writing to standard output means."""
    if isinstance(error, BrokenPipeError):
        return ReaderLeftError("nobody reads the output any more")
    return OutputError(f"cannot write the output: {error.strerror}")


def nearest_names(name: str, known: Iterable[str], most: int = 3) -> tuple[str, ...]:
    """Return at most `most` of the known names that look like `name`, the closest first."""
    from difflib import get_close_matches

    names = sorted(set(known))
    close = get_close_matches(name, names, n=most, cutoff=0.5)
    prefixed = [other for other in names if name and other.startswith(name) and other not in close]
    return tuple((close + prefixed)[:most])


def _either(names: Sequence[str]) -> str:
    return " or ".join(repr(name) for name in names)

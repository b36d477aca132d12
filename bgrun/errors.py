"""The error tree: each error knows its exit code and is shown in one place, `bgrun.cli`."""

from __future__ import annotations

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
"""128 + 13, as shells report a program that was killed by SIGPIPE."""

MOST_KNOWN = 10
"""How many names are listed in full where no name resembles the unknown one."""


class BgrunError(Exception):
    """An error that is shown as a message, without a traceback.

    message: a clause in lower case without a period: what is wrong with which value.
    hint: how to fix it, best as a command to paste; may have several lines, or be empty.
    """

    exit_code = EXIT_INTERNAL

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(BgrunError):
    """A request that cannot be carried out: a bad value, label or directory."""

    exit_code = EXIT_USAGE


class UnknownNameError(UsageError):
    """A name that does not exist.

    The hint suggests the names nearest to it. Without any, and without a hint of the caller's, it lists the known ones.

    kind: what has no such name, in the singular.
    known: the names that exist; `nearest` are those that resemble the name.
    message: replaces `no KIND named NAME`.
    listed_as: what the hint calls the known names, in place of `available KINDs`.
    """

    def __init__(
        self,
        kind: str,
        name: str,
        known: Iterable[str],
        hint: str = "",
        *,
        message: str = "",
        listed_as: str = "",
    ) -> None:
        self.kind = kind
        self.name = name
        self.known = tuple(sorted(set(known)))
        self.nearest = nearest_names(name, self.known)
        super().__init__(message or f"no {kind} named {name!r}", self._fix(hint, listed_as or f"available {kind}s"))

    def _fix(self, hint: str, listed_as: str) -> str:
        from bgrun.wording import MOST_NAMES, either, names  # not on the way of a command that finds no error

        if self.nearest:
            return f"did you mean {either(self.nearest)}?{f' {hint[0].upper()}{hint[1:]}' if hint else ''}"
        if hint or not self.known:
            return hint
        return f"{listed_as}: {names(self.known, MOST_KNOWN if len(self.known) <= MOST_KNOWN else MOST_NAMES)}"


class JobFileError(UsageError):
    """A job file with errors; `problems` has each of them, in the order of the file."""

    def __init__(self, path: str, problems: Sequence[object]) -> None:
        self.path = path
        self.problems = tuple(problems)
        from bgrun.wording import count  # not on the way of a command that finds no error

        listed = "\n".join(str(problem) for problem in self.problems)
        super().__init__(f"{path} has {count(len(self.problems), 'error')}:\n{listed}")


class NoJobFileError(UsageError):
    """No job file in this directory or any parent directory, for a command that needs one."""


class BusyError(UsageError):
    """A concurrency group is full, and the run must not be queued."""


class PortTakenError(BusyError):
    """A port that was assigned to a service, and that another start at the same time got: there are others."""


class LaunchError(BgrunError):
    """A run that could not be launched, and left no record."""


class ScarceError(LaunchError):
    """No descriptor, process or memory is left to launch a run with; that may pass."""


def is_scarce(error: OSError) -> bool:
    """Return whether descriptors, processes or memory ran out; that may pass as other processes exit."""
    from errno import EAGAIN, EMFILE, ENFILE, ENOMEM  # of all errors that there are: not on the way of a command

    return error.errno in (EMFILE, ENFILE, EAGAIN, ENOMEM)


class LaunchPendingError(LaunchError):
    """A run that was not launched yet and still may be: its files are kept."""


class StopError(BgrunError):
    """A process of the run is still alive after the time limit of a stop."""


class StorageError(BgrunError):
    """A log directory, or a file in it, that cannot be used."""

    exit_code = EXIT_USAGE


class OutputError(BgrunError):
    """Standard output that cannot be written: a full disk, a closed terminal. No run is affected."""

    exit_code = EXIT_USAGE


class ReaderLeftError(OutputError):
    """The reader of standard output has exited, as `head` does. Nothing is printed about it."""

    exit_code = EXIT_READER_LEFT


def output_error(error: OSError) -> OutputError:
    """Return the error to raise for a failed write to standard output."""
    if isinstance(error, BrokenPipeError):
        return ReaderLeftError("the reader of the output has exited")
    return OutputError(f"cannot write the output: {error.strerror}")


def nearest_names(name: str, known: Iterable[str], most: int = 3) -> tuple[str, ...]:
    """Return at most `most` of the known names that resemble `name`, the closest first.

    Names with the same letters in another order come first: `tset` resembles `tests` in little else.
    """
    from difflib import get_close_matches

    names = sorted(set(known))
    swapped = [other for other in names if is_swapped(name, other)]
    close = swapped + [other for other in get_close_matches(name, names, n=most, cutoff=0.5) if other not in swapped]
    prefixed = [other for other in names if name and other.startswith(name) and other not in close]
    return tuple((close + prefixed)[:most])


def is_swapped(name: str, other: str) -> bool:
    """Return whether two names begin alike and have the same letters, but for one, in another order."""
    if not name or name[0] != other[:1] or abs(len(name) - len(other)) > 1 or len(name) < 4:
        return False
    long, short = sorted((sorted(name), sorted(other)), key=len, reverse=True)
    return long == short or any(long[:place] + long[place + 1 :] == short for place in range(len(long)))

"""Record what rendering reads besides the job file, to validate cached plans (see `checks`)."""

from __future__ import annotations

import os
import time
from _collections_abc import Mapping  # loaded by every interpreter, unlike collections

from bgrun.templating import checks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from bgrun.templating.checks import Input


class RenderInputs:
    """The environment variables and files that rendering reads; each check is recorded.

    repeatable: False once an input cannot be checked again: the environment as a whole, a file that has
        just changed, or a secret, which must not be stored.
    ports: those of services that run already, by the names of the services.
    """

    def __init__(self, environ: Mapping[str, str], here: str = "") -> None:
        self.env: Mapping[str, str] = Variables(environ, self)
        self._here = here
        self.repeatable = True
        self.ports: Mapping[str, int] = {}
        self._recorded: dict[tuple[str, str], Any] = {}

    def here(self) -> str:
        """Return the directory of the caller, or '' if it is not known."""
        self._recorded["here", ""] = self._here
        return self._here

    def is_dir(self, path: str | os.PathLike[str]) -> bool:
        """Return whether a path is a directory."""
        return bool(self._check("is_dir", path))

    def is_file(self, path: str | os.PathLike[str]) -> bool:
        """Return whether a path is a regular file."""
        return bool(self._check("is_file", path))

    def real(self, path: str | os.PathLike[str]) -> str:
        """Return a path without symbolic links."""
        return str(self._check("real", path))

    def reads(self, path: str | os.PathLike[str]) -> None:
        """Record that the content of a file is about to be read."""
        found = self._check("stamp", path)
        if found and not checks.is_settled(found[0], time.time_ns()):
            self.repeatable = False  # it may change once more without another time of change

    def _check(self, kind: str, path: str | os.PathLike[str]) -> Any:
        subject = os.fspath(path)
        result = checks.CHECKS[kind](subject)
        if self._recorded.setdefault((kind, subject), result) != result:
            self.repeatable = False  # it changed during rendering: which of the two was used is unknown
        return result

    def note(self, kind: str, subject: str, result: Any) -> None:
        """Record what another room has checked; `checks.unchanged` gets its check by the same kind."""
        if self._recorded.setdefault((kind, subject), result) != result:
            self.repeatable = False

    def noted(self, kind: str, subject: str) -> Any:
        """Return what was noted; None for nothing. Whatever else is rendered from it has to be made with the same."""
        return self._recorded.get((kind, subject))

    def record_variable(self, name: str, value: str | None) -> None:
        """Record the value of a variable as a salted hash; None for one that is not set."""
        self._recorded["env", name] = None if value is None else checks.seal(value, os.urandom(checks.SALT_BYTES))

    def recorded(self) -> list[Input]:
        """Return all recorded inputs, as plain values."""
        return [(kind, subject, result) for (kind, subject), result in self._recorded.items()]


class Variables(Mapping[str, str]):
    """Environment variables; each one that is read is recorded."""

    def __init__(self, environ: Mapping[str, str], inputs: RenderInputs) -> None:
        self._environ = environ
        self._inputs = inputs

    def __getitem__(self, name: str) -> str:
        """Return the value of a variable."""
        value = self._environ.get(name) if isinstance(name, str) else None
        self._inputs.record_variable(str(name), value)
        if value is None:
            raise KeyError(name)
        return value

    def __iter__(self) -> Iterator[str]:
        """Yield all names."""
        self._inputs.repeatable = False
        return iter(self._environ)

    def __len__(self) -> int:
        """Return the number of variables."""
        self._inputs.repeatable = False
        return len(self._environ)

    def __repr__(self) -> str:
        """Return all variables as text."""
        return repr(dict(self))

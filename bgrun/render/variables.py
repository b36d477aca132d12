"""Layer the environment of a job as its templates see it: the caller's variables, those of env files, those of `env`.

Each layer is made when it is first used: an `if` that needs none of them reads no file.
"""

from __future__ import annotations

from typing import Any

from bgrun.errors import UsageError
from bgrun.light import contextmanager, suppress
from bgrun.model import as_text
from bgrun.render.command import hidden
from bgrun.render.environment import read_env_files
from bgrun.templating import template
from bgrun.templating.inputs import RenderInputs, Variables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from bgrun.jobfile.specs import EnvFile, Settings


class Layers:
    """The variables of some settings.

    Args:
        settings: the settings.
        root: the directory that env files are relative to.
        values: what templates know besides `env`.
        where: the beginning of messages.
        inputs: the caller's environment; records what is read.
        lenient: whether an env file that cannot be read has no variables, instead of being an error.
    """

    def __init__(
        self,
        settings: Settings,
        root: Path,
        values: Mapping[str, Any],
        where: str,
        inputs: RenderInputs,
        *,
        lenient: bool = False,
    ) -> None:
        self.settings = settings
        self.root = root
        self.where = where
        self.inputs = inputs
        self._lenient = lenient
        self._from_files: dict[str, str] | None = None
        self._made: dict[str, str | None] = {}
        outer = _Layer(inputs.env, inputs, lambda name: self._files().get(name, _ABSENT), self._files)
        seen = _Layer(outer, inputs, self._own, lambda: settings.env)
        self._for_files = {**values, "env": inputs.env}
        self._for_env = {**values, "env": outer}
        self.values: Mapping[str, Any] = {**values, "env": seen}

    def declared(self) -> dict[str, str | None]:
        """Return the variables of env files and of `env`; None is one that the job must not have.

        Raises:
            UsageError: a template is invalid, or an env file cannot be read.
        """
        return {**self._files(), **{name: self._rendered(name) for name in self.settings.env}}

    def secrets(self) -> dict[str, str]:
        """Return the values of the secrets that are set, as far as they can be read."""
        found = {}
        for name in self.settings.secrets:
            with suppress(UsageError, KeyError):
                found[name] = self.values["env"][name]
        return found

    def _files(self) -> dict[str, str]:
        if self._from_files is None:
            try:
                self._from_files = read_env_files(self.root, map(self._file, self.settings.env_file), self.inputs)
            except UsageError:
                if not self._lenient:
                    raise
                self._from_files = {}
        return self._from_files

    def _file(self, one: EnvFile) -> EnvFile:
        return one._replace(path=template.render(one.path, self._for_files, f"{self.where}env_file"))

    def _own(self, name: str) -> Any:
        return self._rendered(name) if name in self.settings.env else _ABSENT

    def _rendered(self, name: str) -> str | None:
        if name not in self._made:
            value = self.settings.env[name]
            if isinstance(value, str):
                self._made[name] = template.render(value, self._for_env, f"{self.where}env.{name}")
            else:
                self._made[name] = None if value is None else as_text(value)
        return self._made[name]


@contextmanager
def hiding_secrets(layers: Layers) -> Iterator[None]:
    """Hide the values of secrets in the errors of what is rendered with them, inside the block."""
    try:
        yield
    except UsageError as error:
        known = layers.secrets()
        message, hint = hidden(known, error.message), hidden(known, error.hint)
        if (message, hint) == (error.message, error.hint):
            raise
        raise UsageError(message, hint) from None


_ABSENT = object()


class _Layer(Variables):
    """Variables on top of others; None is one that is not set, whatever the others say."""

    def __init__(
        self,
        below: Mapping[str, str],
        inputs: RenderInputs,
        own: Callable[[str], Any],
        names: Callable[[], Iterable[str]],
    ) -> None:
        super().__init__(below, inputs)
        self._own = own
        self._names = names

    def __getitem__(self, name: str) -> str:
        """Return the value of a variable."""
        found = self._own(name)
        if found is _ABSENT:
            return self._environ[name]
        if found is None:
            raise KeyError(name)
        return str(found)

    def __iter__(self) -> Iterator[str]:
        """Yield all names."""
        every = dict.fromkeys([*self._environ, *self._names()])
        return (name for name in every if name in self)

    def __len__(self) -> int:
        """Return the number of variables."""
        return sum(1 for _ in self)

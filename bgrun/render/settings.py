"""Render the settings that declared jobs and ad-hoc commands share."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any, NamedTuple

from bgrun.errors import UsageError
from bgrun.jobfile import env_names
from bgrun.jobfile.label import check_label
from bgrun.jobfile.specs import EnvFile
from bgrun.render import environment
from bgrun.templating import template
from bgrun.templating.shell_check import check_syntax

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bgrun.jobfile.specs import Retry, Settings
    from bgrun.plan import Concurrency, Hook
    from bgrun.render.variables import Layers
    from bgrun.templating.inputs import RenderInputs


class Given(NamedTuple):
    """What the command line gives an ad-hoc command; it precedes the defaults of the job file.

    working_dir: where it runs; None leaves that to the defaults.
    env: variables, as they are.
    env_files: absolute paths.
    retry: None leaves it to the defaults.
    """

    working_dir: Path | None = None
    env: Mapping[str, str] = {}
    env_files: tuple[str, ...] = ()
    retry: Retry | None = None


NOTHING = Given()


class RenderedSettings(NamedTuple):
    """Settings with their templates rendered.

    exports: the variables that the job script exports.
    unset: those that it removes.
    env_words: the words of an env(1), with a space after them, for variables that a shell would not pass on; or ''.
    secrets: variables with values that must not be in the script.
    settings: the settings that these were rendered from.
    """

    working_dir: Path
    venv: str
    exports: Mapping[str, str]
    unset: tuple[str, ...]
    env_words: str
    secrets: Mapping[str, str]
    settings: Settings
    hooks: tuple[Hook, ...]
    concurrency: Concurrency | None


def render_settings(layers: Layers, given: Given = NOTHING) -> RenderedSettings:
    """Render settings; what is given replaces theirs.

    Raises:
        UsageError: a template is invalid, or a directory or file does not exist; the message begins with `where`.
    """
    settings, root, where, inputs, values = layers.settings, layers.root, layers.where, layers.inputs, layers.values
    working_dir = given.working_dir or root / template.render(settings.working_dir, values, f"{where}working_dir")
    if not inputs.is_dir(working_dir):
        hint = f"create it, or fix working_dir, which is relative to {root}"
        raise UsageError(f"{where}working_dir {working_dir} is not a directory", hint)
    variables: dict[str, str | None] = {**environment.CONSTANTS, **layers.declared()}
    variables |= environment.read_env_files(root, map(EnvFile, given.env_files), inputs)
    variables |= given.env
    venv = environment.find_venv(settings.venv, working_dir, root, inputs)
    secrets = _secrets(settings.secrets, variables, inputs)
    env_names.check_names(variables, settings.secrets, f"{where}env.")
    exports = {name: value for name, value in variables.items() if name not in secrets and value is not None}
    unset = [name for name, value in variables.items() if value is None]
    return RenderedSettings(
        Path(inputs.real(working_dir)),
        venv,
        {name: value for name, value in exports.items() if not env_names.is_of_a_shell(name)},
        tuple(name for name in unset if not env_names.is_of_a_shell(name)),
        _env_words(exports, unset),
        secrets,
        settings,
        tuple(_hook(hook, values, where) for hook in settings.hooks),
        settings.concurrency and _concurrency(settings.concurrency, values, where),
    )


def _env_words(exports: Mapping[str, str], unset: Iterable[str]) -> str:
    """Return the words of an env(1) for the variables that a shell would set itself, or ''."""
    removed = [f"-u {name} " for name in unset if env_names.is_of_a_shell(name)]
    set_here = [f"{name}={shlex.quote(value)} " for name, value in exports.items() if env_names.is_of_a_shell(name)]
    return f"env {''.join(removed)}-- {''.join(set_here)}" if removed or set_here else ""


def _secrets(names: Sequence[str], variables: Mapping[str, str | None], inputs: RenderInputs) -> dict[str, str]:
    """Return the values of the secrets that are set. Marks the plan as not cacheable."""
    inputs.repeatable = inputs.repeatable and not names
    values = {name: variables.get(name, inputs.env.get(name)) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def _concurrency(declared: Concurrency, values: Mapping[str, Any], where: str) -> Concurrency:
    name = template.render(declared.group or values["job"] or "ad-hoc", values, f"{where}concurrency.group")
    try:
        return declared._replace(group=check_label(name, "concurrency group"))
    except UsageError as error:
        raise UsageError(f"{where}{error.message}", error.hint) from error


def _hook(hook: Hook, values: Mapping[str, Any], where: str) -> Hook:
    key = f"{where}on_{hook.when}"
    command = template.render_shell(hook.command, values, key)
    if command:
        check_syntax(command, ("bash",), key)
    return hook._replace(command=command)

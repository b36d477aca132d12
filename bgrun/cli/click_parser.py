"""Builds the click command line from the table and calls the handler that a command names."""

from __future__ import annotations

from typing import Any

import click

from bgrun import __version__
from bgrun.cli.dispatch import handle
from bgrun.cli.spec import COMMANDS, PROJECT_OPTIONS, Argument, Command, Option
from bgrun.errors import UsageError, nearest_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class Duration(click.ParamType[float]):
    """A duration such as `90s`, `30m`, `1h30m`; a bare number is seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds."""
        from bgrun.jobfile.units import duration

        try:
            return duration(value)
        except UsageError as error:
            self.fail(error.message, param, ctx)


_TYPES: dict[str, click.ParamType[Any]] = {
    "text": click.STRING,
    "int": click.IntRange(min=1),
    "duration": Duration(),
    "path": click.Path(),
}
_ARITY: dict[str, dict[str, Any]] = {
    "one": {"required": True},
    "maybe": {"required": False},
    "some": {"required": True, "nargs": -1},
    "any": {"required": False, "nargs": -1},
}


class TailCommand(click.Command):
    """A command whose usage line shows what may stand behind `--`."""

    def __init__(self, name: str, tail: str, **settings: Any) -> None:
        super().__init__(name, **settings)
        self.tail = tail

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Return the pieces of the usage line."""
        return super().collect_usage_pieces(ctx) + ([f"[-- {self.tail}]"] if self.tail else [])


class Suggesting(click.Group):
    """A group of commands that names the nearest ones when it does not know one."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Find the command, or say which ones come close."""
        name = args[0]
        if name not in self.commands and not name.startswith("-"):
            near = nearest_names(name, self.commands)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            ctx.fail(f"no command named {name!r}{hint}")
        return super().resolve_command(ctx, args)

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the commands in the order of the table, which is that of use."""
        return list(self.commands)


def call(words: Sequence[str], tail: Sequence[str] | None) -> int:
    """Parse the words, run the handler and return the exit code.

    Raises:
        BgrunError: whatever the handler raises; usage errors as UsageError.
    """
    try:
        code = build().main(list(words), "bgrun", standalone_mode=False, obj=tail)
    except click.ClickException as error:
        raise UsageError(error.format_message(), _usage_hint(error)) from error
    except click.exceptions.Abort as error:
        raise KeyboardInterrupt from error
    return int(code or 0)


def _usage_hint(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    if not context:
        return ""
    forgotten = "the command stands behind --, as in: bgrun run tests -- make test\n"
    return f"{forgotten if context.info_name == 'run' else ''}{context.get_usage()}\nbgrun --help tells more"


def build() -> click.Group:
    """Return the whole command line."""
    top = Suggesting(
        "bgrun",
        help="Run long commands in the background and know, at any later time, how they ended.",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        params=[_option(option) for option in PROJECT_OPTIONS],
    )
    top.params.append(_version())
    for command in COMMANDS:
        top.add_command(_command(command))
    return top


def _version() -> click.Option:
    def show(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            click.echo(f"bgrun {__version__}")
            ctx.exit(0)

    return click.Option(
        ["--version"], is_flag=True, is_eager=True, expose_value=False, callback=show, help="Show the version."
    )


def _command(command: Command) -> click.Command:
    def callback(**values: Any) -> int:
        context = click.get_current_context()
        tail = _checked_tail(command, context.obj)
        assert context.parent  # noqa: S101 - every command is one of the top group
        return handle(command, values, tail, context.parent.params["file"])

    params: list[click.Parameter] = [_argument(argument) for argument in command.arguments]
    params += [_option(option) for option in command.options]
    settings = {"callback": callback, "params": params, "help": command.help, "epilog": command.epilog or None}
    return TailCommand(command.name, tail=command.tail, **settings)


def _checked_tail(command: Command, tail: Sequence[str] | None) -> tuple[str, ...]:
    if tail is not None and not command.tail:
        raise click.UsageError(f"{command.name} takes nothing behind --", click.get_current_context())
    return tuple(tail or ())


def _argument(argument: Argument) -> click.Argument:
    return click.Argument([argument.name], shell_complete=_completer(argument.what), **_ARITY[argument.many])


def _completer(what: str) -> Any:
    """Return what gives click the words that a shell offers for an argument."""

    def complete(ctx: click.Context, _: click.Parameter, begun: str) -> list[str]:
        from bgrun.cli.completion import offers

        before = [ctx.params.get("job") or "", *(ctx.params.get("words") or ())]
        return offers(what, begun, before, ctx.parent.params.get("file") if ctx.parent else None)

    return complete if what else None


def _option(option: Option) -> click.Option:
    declared = [option.name, *option.spellings]
    if option.kind == "flag":
        return click.Option(declared, is_flag=True, help=option.help)
    more: dict[str, Any] = {"type": _TYPES.get(option.kind), "help": option.help}
    if option.kind == "texts":
        more = {"multiple": True, "help": f"{option.help} May be repeated."}
    return click.Option(declared, metavar=option.metavar, shell_complete=_completer(option.what), **more)

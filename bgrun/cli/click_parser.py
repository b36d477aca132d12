"""Build the click command line from the spec: help, errors and whatever `parser` does not take."""

from __future__ import annotations

import re
import shutil
from typing import Any

import click

from bgrun import __version__, api
from bgrun.cli import advice, output
from bgrun.cli.dispatch import handle, located
from bgrun.cli.spec.lookup import find
from bgrun.cli.spec.overview import COMMANDS, EXAMPLES, EXIT_CODES, TAGLINE
from bgrun.cli.spec.shapes import PROJECT_OPTIONS, Argument, Command, Option
from bgrun.errors import EXIT_USAGE, BgrunError, UsageError, nearest_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class Duration(click.ParamType[float]):
    """A duration such as `90s`, `30m`, `1h30m`; a bare number is seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds."""
        from bgrun.api import duration

        try:
            return duration(value)
        except UsageError as error:
            raise _BadValueError(error, ctx, param) from error


class Count(click.ParamType[int]):
    """A whole number of at least 1."""

    name = "count"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number."""
        try:
            if (number := int(value)) > 0:
                return number
        except ValueError:
            pass
        error = UsageError(f"invalid number {value!r}", "use a whole number of at least 1")
        raise _BadValueError(error, ctx, param)


class _BadValueError(click.BadParameter):
    """A bad value with an error of bgrun's, which is shown as it is."""

    def __init__(self, error: UsageError, ctx: click.Context | None, param: click.Parameter | None) -> None:
        super().__init__(error.message, ctx, param)
        self.error = error


_TYPES: dict[str, click.ParamType[Any]] = {
    "text": click.STRING,
    "int": Count(),
    "duration": Duration(),
    "path": click.Path(),
}
_ARITY: dict[str, dict[str, Any]] = {
    "one": {"required": True},
    "maybe": {"required": False},
    "some": {"required": True, "nargs": -1},
    "any": {"required": False, "nargs": -1},
}


class HelpOption:
    """Words the help option as the rest of the help."""

    help_line = "Show this help and exit."

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """Return the help option."""
        option: click.Option | None = super().get_help_option(ctx)  # type: ignore[misc]
        if option:
            option.help = self.help_line
        return option


class SpecCommand(HelpOption, click.Command):
    """A command, with help from the spec."""

    def __init__(self, spec: Command, **settings: Any) -> None:
        super().__init__(spec.name, **settings)
        self.spec = spec

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Return the pieces of the usage line."""
        return super().collect_usage_pieces(ctx) + ([self.spec.tail] if self.spec.tail else [])

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write usage, description, examples and options."""
        self.format_usage(ctx, formatter)
        for paragraph in self.spec.details:
            formatter.write_paragraph()
            formatter.write_text(paragraph)
        if self.spec.examples:
            with formatter.section("Examples"):
                formatter.write("".join(f"  {example}\n" for example in self.spec.examples))
        self.format_options(ctx, formatter)
        formatter.write_paragraph()
        file, directory = (f"{one.spellings[0]} {one.metavar}" for one in self.spec.project_options)
        formatter.write_text(f"The options {file} and {directory} of bgrun apply as well: see 'bgrun --help'.")


class SpecGroup(HelpOption, click.Group):
    """The whole command line, with the sections of the spec in its help."""

    help_line = "Show this help and exit"

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Find the command.

        Raises:
            UsageError: there is none; its hint suggests what was probably meant.
        """
        name = args[0]
        if command := find(name):
            return super().resolve_command(ctx, [command.name, *args[1:]])
        if not name.startswith("-"):
            line = [*args, *(("--", *ctx.obj) if ctx.obj else ())]
            raise UsageError(f"unknown command {name!r}", advice.unknown_command(line, *_declared(ctx)))
        return super().resolve_command(ctx, args)

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the commands in the order of the spec."""
        return list(self.commands)

    def collect_usage_pieces(self, _: click.Context) -> list[str]:
        """Return the pieces of the usage line."""
        return ["[-f FILE] [-C DIR] COMMAND [ARGS]..."]

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what bgrun is for, examples, the commands by section, options and exit codes."""
        formatter.write_text(TAGLINE)
        formatter.write_paragraph()
        self.format_usage(ctx, formatter)
        with formatter.section("Examples"):
            formatter.write_dl(EXAMPLES, col_max=40)
        for section in dict.fromkeys(command.section for command in COMMANDS):
            with formatter.section(section):
                rows = [(one.name.ljust(_COLUMN), one.summary) for one in COMMANDS if one.section == section]
                formatter.write_dl(rows)
        self.format_options(ctx, formatter)
        formatter.write_paragraph()
        formatter.write_text(EXIT_CODES)
        formatter.write_paragraph()
        formatter.write_text("Run 'bgrun COMMAND --help' for options and examples.")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, without the commands that click would list after them."""
        click.Command.format_options(self, ctx, formatter)


_COLUMN = max(len(command.name) for command in COMMANDS)


_LEAST_OF_CLICK = 52
"""The narrowest terminal that click wraps a help for."""


def call(words: Sequence[str], extra_args: Sequence[str] | None) -> int:
    """Parse the words, run the handler and return the exit code.

    extra_args: what follows `--`, or None without one.

    Raises:
        BgrunError: whatever the handler raises; usage errors as UsageError.
    """
    given = _typed(words)
    if extra_args is not None and given and not given.command.tail and not _wants_help(words):
        message = f"'bgrun {given.command.name}' takes no arguments after '--'"
        raise UsageError(message, advice.extra_args_refused(given, extra_args))
    try:
        code = build().main(list(words), "bgrun", standalone_mode=False, obj=extra_args)
    except click.exceptions.NoArgsIsHelpError as error:
        output.note(error.format_message())
        return EXIT_USAGE
    except click.ClickException as error:
        raise _usage_error(error, words, extra_args) from error
    except click.exceptions.Abort as error:
        interrupt = error.__cause__
        raise interrupt if isinstance(interrupt, KeyboardInterrupt) else KeyboardInterrupt from error
    return int(code or 0)


def _wants_help(words: Sequence[str]) -> bool:
    return not {"-h", "--help"}.isdisjoint(words)


def _declared(ctx: click.Context) -> tuple[list[str], list[str]]:
    """Return the names of the declared jobs and groups; none if the job file cannot be read."""
    try:
        project, _ = located(ctx.params)
        outline = api.outline.load(project)
    except BgrunError:
        return [], []
    return [one.name for one in outline.jobs], [one.name for one in outline.groups]


def _usage_error(error: click.ClickException, words: Sequence[str], extra_args: Sequence[str] | None) -> UsageError:
    """Return an error of click's in the words of bgrun."""
    given = _typed(words)
    if isinstance(error, _BadValueError):
        return _bad_value(error)
    if isinstance(error, click.NoSuchOption):
        name = error.option_name
        near = nearest_names(name, error.possibilities or ())
        hint = advice.unknown_option(given, name, near, extra_args) if given else advice.nearest(near)
        whole = (one for one in words if name[1:].isdigit() and one.startswith(name))
        return UsageError(f"unknown option {next(whole, name)!r}", hint or _help_of(error))
    if isinstance(error, click.MissingParameter) and error.param:
        name = error.param.make_metavar(error.ctx).strip("[.]")  # type: ignore[arg-type]
        return UsageError(f"missing argument {name}", _example_of(error) or _help_of(error))
    text = error.format_message()
    if extra := re.fullmatch(r"Got unexpected extra arguments? \((.*)\)", text):
        hint = advice.unexpected(given, extra_args) if given else ""
        return UsageError(f"unexpected argument {extra[1]!r}", hint or _help_of(error))
    hint = _missing_value(error, given) if isinstance(error, click.BadOptionUsage) else ""
    return UsageError(f"{text[:1].lower()}{text[1:]}".rstrip("."), hint or _help_of(error))


def _typed(words: Sequence[str]) -> advice.Typed | None:
    """Return the command in the words with what was typed for it, or None without one."""
    place = 0
    while place < len(words) and words[place].startswith("-"):
        place += 1 if "=" in words[place] else 2
    command = find(words[place]) if place < len(words) else None
    return advice.typed(command, words[place + 1 :]) if command else None


def _bad_value(error: _BadValueError) -> UsageError:
    command = error.ctx.command if error.ctx else None
    letter = error.param.opts[0] if error.param else ""
    more = advice.own_letter(letter, command.spec) if isinstance(command, SpecCommand) else ""
    return UsageError(error.error.message, "\n".join(filter(None, (error.error.hint, more))))


def _missing_value(error: click.BadOptionUsage, given: advice.Typed | None) -> str:
    known = (*(given.command.options if given else ()), *PROJECT_OPTIONS)
    option = next((one for one in known if error.option_name in one.spellings), None)
    return advice.missing_value(option) if option and option.metavar else ""


def _example_of(error: click.MissingParameter) -> str:
    """Return how a command is called: as in its first example, or with the command that was given after `--`."""
    command = error.ctx.command if error.ctx else None
    if not isinstance(command, SpecCommand) or not command.spec.examples:
        return ""
    extra_args = error.ctx.obj if error.ctx else None
    if command.name == "run" and extra_args:
        import shlex

        return f"put a label before '--': bgrun run LABEL -- {shlex.join(extra_args)}"
    return f"for example: {command.spec.examples[0]}"


def _help_of(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    if not context:
        return ""
    if context.info_name == "run" and isinstance(error, click.UsageError) and not context.obj:
        return "put the command after '--': bgrun run tests -- make test"
    return f"run '{context.command_path} --help'"


def build() -> click.Group:
    """Return the whole command line."""
    columns = shutil.get_terminal_size().columns
    narrow = {"terminal_width": max(columns - 1, 20)} if columns < _LEAST_OF_CLICK else {}
    top = SpecGroup(
        "bgrun",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80, **narrow},
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
        ["-V", "--version"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=show,
        help="Show the version and exit",
    )


def _command(command: Command) -> click.Command:
    def callback(**values: Any) -> int:
        context = click.get_current_context()
        extra_args = tuple(context.obj or ())
        assert context.parent  # noqa: S101 - every command is one of the top group
        before = {name: value for name, value in context.parent.params.items() if values[name] is None}
        return handle(command, {**values, **before}, extra_args)

    params: list[click.Parameter] = [_argument(argument) for argument in command.arguments]
    params += [_option(option) for option in command.options]
    params += [_option(option, hidden=True) for option in command.project_options]
    return SpecCommand(command, callback=callback, params=params, short_help=command.summary)


def _argument(argument: Argument) -> click.Argument:
    return click.Argument([argument.name], metavar=argument.metavar, **_ARITY[argument.many])


def _option(option: Option, *, hidden: bool = False) -> click.Option:
    declared = [option.name, *option.spellings]
    if option.kind == "flag":
        return click.Option(declared, is_flag=True, help=option.help)
    more: dict[str, Any] = {"multiple": True} if option.kind == "texts" else {"type": _TYPES.get(option.kind)}
    settings = {"help": option.help, "metavar": option.metavar, "hidden": hidden, **more}
    return click.Option(declared, **settings)

"""The parameters of a start: from the words of a command line to typed values; pure."""

from __future__ import annotations

import re

from bgrun.errors import UnknownNameError, UsageError
from bgrun.parsers import bounded_regex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgrun.jobfile.specs import JobSpec, Param
    from bgrun.model import Scalar

_EXAMPLES = {"integer": "123", "number": "1.5", "boolean": "true", "path": "PATH"}
_BOOLEANS = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}
_NAMED = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)


def bind(job: JobSpec, given: Sequence[str]) -> dict[str, Scalar]:
    """Return the value of each parameter: the given ones by name or in declared order, else the defaults.

    Raises:
        UsageError: one is unknown, missing, given twice or of the wrong type.
    """
    words = _assign(job, given)
    return {param.name: _value(job, param, words.get(param.name)) for param in job.params}


def _assign(job: JobSpec, given: Sequence[str]) -> dict[str, str]:
    words: dict[str, str] = {}
    names = [param.name for param in job.params]
    for word in given:
        name, text = _name_of(job, word, [name for name in names if name not in words])
        if name in words:
            raise UsageError(f"parameter {name!r} of {job.name} is given twice", _usage(job))
        words[name] = text
    return words


def _name_of(job: JobSpec, word: str, free: Sequence[str]) -> tuple[str, str]:
    """Return which parameter a word is for, and the text of its value."""
    names = [param.name for param in job.params]
    named = _NAMED.fullmatch(word)
    if named and named[1] in names:
        return named[1], named[2]
    if named and (not free or len(names) > 1 or job.params[0].type != "string"):
        raise UnknownNameError(f"parameter of {job.name}", named[1], names, _usage(job))
    if not free:
        takes = f"takes only {', '.join(names)}" if names else "takes no parameters"
        hint = f"words for the command itself go behind --: bgrun start {job.name} -- {word}"
        raise UsageError(f"{job.name} {takes}, and {word!r} is left over", hint)
    return free[0], word


def _value(job: JobSpec, param: Param, text: str | None) -> Scalar:
    if text is None and (param.required or param.default is None):
        kind = f" ({param.type}{f': {param.description}' if param.description else ''})"
        raise UsageError(f"{job.name} needs the parameter {param.name}{kind}", _usage(job))
    try:
        return convert(param, param.default if text is None else text)  # type: ignore[arg-type]
    except ValueError as error:
        raise UsageError(f"{job.name}: parameter {param.name}: {error}", _usage(job)) from error


def convert(param: Param, value: Scalar) -> Scalar:
    """Return a value as the type of its parameter.

    Raises:
        ValueError: it does not fit, with words for a person.
        UsageError: its pattern is none, or takes too long.
    """
    text = _text(value)
    typed = _typed(param, text)
    if param.pattern and not bounded_regex.fits(param.pattern, text):
        raise ValueError(f"{text!r} does not match {param.pattern}")
    return typed


def _typed(param: Param, text: str) -> Scalar:
    if param.type == "integer":
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
            raise ValueError(f"{text!r} is not a whole number")
        return int(text)
    if param.type == "number":
        if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?", text):
            raise ValueError(f"{text!r} is not a number")
        return float(text) if re.search(r"[.eE]", text) else int(text)
    if param.type == "boolean":
        if text.lower() not in _BOOLEANS:
            raise ValueError(f"{text!r} is neither true nor false")
        return _BOOLEANS[text.lower()]
    if param.type == "choice" and text not in [_text(choice) for choice in param.choices]:
        raise ValueError(f"{text!r} is none of {', '.join(_text(choice) for choice in param.choices)}")
    if "\0" in text:
        raise ValueError("it holds a NUL, which no argument can")
    return text


def _text(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _usage(job: JobSpec) -> str:
    words = [f"{param.name}={_example(param)}" for param in job.params if param.required]
    return f"for example: {' '.join(['bgrun start', job.name, *words])}"


def _example(param: Param) -> str:
    if param.choices:
        return _text(param.choices[0])
    return _EXAMPLES.get(param.type, "VALUE")

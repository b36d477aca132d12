"""Bind the arguments of a start to the parameters of a job, as typed values. Pure."""

from __future__ import annotations

import re
import shlex

from bgrun.errors import MOST_KNOWN, UnknownNameError, UsageError, nearest_names
from bgrun.model import as_text
from bgrun.parsers import bounded_regex
from bgrun.wording import names as listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from bgrun.jobfile.specs import JobSpec, Param
    from bgrun.model import Scalar

_EXAMPLES = {"integer": "1", "number": "1.5", "boolean": "true", "path": "PATH"}
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
_NAMED = re.compile(r"([A-Za-z_][A-Za-z0-9_-]*)=(.*)", re.DOTALL)
_TEXT = ("string", "path")
"""The types of parameters that take any text."""


def bind(job: JobSpec, given: Sequence[str], resolve: Callable[[str], str] = str) -> dict[str, Scalar]:
    """Return the value of each parameter, given by name or in declared order, or its default.

    `resolve` returns a path that was given, as the job has to name it: the caller may stand in another directory.

    Raises:
        UsageError: one is unknown, missing, given twice or of the wrong type.
    """
    texts = _assign(job, given)
    values = {param.name: _value(job, param, texts) for param in job.params}
    paths = [param.name for param in job.params if param.type == "path" and param.name in texts]
    return values | {name: resolve(as_text(values[name])) for name in paths}


def _assign(job: JobSpec, given: Sequence[str]) -> dict[str, str]:
    texts: dict[str, str] = {}
    names = [param.name for param in job.params]
    for word in given:
        name, text = _name_of(job, word, [name for name in names if name not in texts])
        if name in texts:
            raise UsageError(f"parameter {name!r} of job {job.name!r} is given twice", _usage(job, texts))
        texts[name] = text
    return texts


def _name_of(job: JobSpec, word: str, free: Sequence[str]) -> tuple[str, str]:
    """Return the parameter that a word sets, and the text of its value."""
    names = [param.name for param in job.params]
    named = _NAMED.fullmatch(word)
    if named and named[1] in names:
        return named[1], named[2]
    if named:
        raise _unknown(job, named[1], word, free)
    if not free:
        takes = f"takes only {', '.join(names)}" if names else "takes no parameters"
        raise UsageError(f"unexpected argument {word!r}: job {job.name!r} {takes}", _after_dashes(job, word))
    return free[0], word


def _unknown(job: JobSpec, name: str, word: str, free: Sequence[str]) -> UnknownNameError:
    """Return the error for KEY=VALUE of an unknown key: a typo would become the value of another parameter.

    The hint also says how to pass the word as it is.
    """
    axes = dict.fromkeys(axis for combination in job.matrix for axis in combination)
    names = [*(param.name for param in job.params), *axes]
    hint = _as_value(job, word, free) or ("" if job.params else _after_dashes(job, word))
    if hint and names and not nearest_names(name, names):
        hint = f"available parameters: {listed(sorted(names), MOST_KNOWN)}; {hint}"
    message = f"job {job.name!r} has no parameter {name!r}"
    return UnknownNameError("parameter", name, names, hint, message=message)


def _as_value(job: JobSpec, word: str, free: Sequence[str]) -> str:
    """Return how to pass a word as the value that it would be without its `=`, or '' if it cannot be one."""
    types = {param.name: param.type for param in job.params}
    if not free or types[free[0]] not in _TEXT:
        return ""
    return f"to pass it as a value: bgrun start {job.name} {shlex.quote(f'{free[0]}={word}')}"


def _after_dashes(job: JobSpec, word: str) -> str:
    return f"pass arguments to the command after '--': bgrun start {job.name} -- {shlex.quote(word)}"


def _value(job: JobSpec, param: Param, texts: Mapping[str, str]) -> Scalar:
    text = texts.get(param.name)
    if text is None and (param.required or param.default is None):
        kind = f" ({param.type}{f': {param.description}' if param.description else ''})"
        raise UsageError(f"missing parameter {param.name!r}{kind} for job {job.name!r}", _usage(job, texts))
    value: Any = param.default if text is None else text
    try:
        return convert(param, value)
    except ValueError as error:
        message = f"invalid value {as_text(value)!r} for parameter {param.name!r} of job {job.name!r}: {error}"
        raise UsageError(message, _usage(job, {**texts, param.name: _example(param)})) from error


def convert(param: Param, value: Scalar) -> Scalar:
    """Return a value as the type of its parameter.

    Raises:
        ValueError: it does not fit; the message says what is expected.
        UsageError: its pattern is invalid, or takes too long.
    """
    text = as_text(value)
    typed = _typed(param, text)
    if param.pattern and not bounded_regex.fits(param.pattern, text):
        raise ValueError(f"expected a match of {param.pattern}")
    return typed


def _typed(param: Param, text: str) -> Scalar:
    if param.type == "integer":
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
            raise ValueError("expected an integer")
        return int(text)
    if param.type == "number":
        if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?", text):
            raise ValueError("expected a number")
        return float(text) if re.search(r"[.eE]", text) else int(text)
    if param.type == "boolean":
        if text.lower() not in _BOOLEANS:
            raise ValueError("expected a boolean (true or false)")
        return _BOOLEANS[text.lower()]
    choices = [as_text(choice) for choice in param.choices]
    if param.type == "choice" and text not in choices:
        raise ValueError(f"expected one of {', '.join(choices)}")
    if "\0" in text:
        raise ValueError("expected a string without NUL")
    return text


def _usage(job: JobSpec, texts: Mapping[str, str]) -> str:
    """Return a command that starts the job with these values, and an example for each required parameter without one.

    A value that is not valid either is reported by the next attempt.
    """
    values = {param.name: _example(param) for param in job.params if param.required} | dict(texts)
    words = [f"{param.name}={values[param.name]}" for param in job.params if param.name in values]
    return shlex.join(["bgrun", "start", job.name, *words])


def _example(param: Param) -> str:
    if param.default is not None:
        return as_text(param.default)
    if param.choices:
        return as_text(param.choices[0])
    return _EXAMPLES.get(param.type, "VALUE")

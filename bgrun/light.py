"""Stand-ins for what `typing`, `contextlib`, `signal` and `itertools` offer, for modules that every command imports.

A bare interpreter starts in 8 ms. Importing `typing` adds 6, `signal` 3 and `contextlib` 2, because they import `re`,
`enum`, `functools` and `collections`; `itertools`, which makes thirty classes, 0.2. That is more than `bgrun status`
needs for its own work, and 1.5 MiB in each supervisor. The stand-ins behave the same, which a test checks; a type
checker sees the originals.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as signal
    from contextlib import contextmanager as contextmanager
    from contextlib import suppress as suppress
    from itertools import islice as islice
    from typing import NamedTuple as NamedTuple
else:
    import _signal as signal  # noqa: F401 - the built-in module that `signal` wraps in enumerations
    from _collections import _tuplegetter

    class suppress:  # noqa: N801 - the name of the original
        """Ignores exceptions of these types: they end the block."""

        def __init__(self, *types):
            self._types = types

        def __enter__(self):
            """Begin the block."""

        def __exit__(self, kind, error, trace):
            """Return whether to ignore the exception."""
            return kind is not None and issubclass(kind, self._types)

    def contextmanager(function):
        """Turn a generator function that yields once into a context manager."""

        def begin(*given, **named):
            return _Block(function(*given, **named))

        return begin

    def islice(items, stop):
        """Yield the items before this place, or all if it is None; take no other one."""
        if stop is None:
            yield from items
            return
        for _, item in zip(range(stop), items, strict=False):
            yield item

    class _Block:
        def __init__(self, steps):
            self._steps = steps

        def __enter__(self):
            return next(self._steps)

        def __exit__(self, kind, error, trace):
            try:
                if error is None:
                    next(self._steps)
                else:
                    self._steps.throw(error)
            except StopIteration as end:
                return end is not error
            except BaseException as raised:
                if raised is not error:
                    raise
                return False
            raise RuntimeError("the block yielded twice")

    class _Fields(type):
        """Turns the annotated names of a class into fields of a tuple."""

        def __new__(cls, name, bases, space):
            if not bases:
                return super().__new__(cls, name, bases, {**space, "__slots__": ()})
            fields = tuple(space.get("__annotations__", ()))
            defaults = {field: space[field] for field in fields if field in space}
            getters = {field: _tuplegetter(place, None) for place, field in enumerate(fields)}
            # Fields with defaults are the last ones.
            tail = tuple(defaults[field] for field in fields[len(fields) - len(defaults) :])
            more = {"__slots__": (), "_fields": fields, "_field_defaults": defaults, "_defaults": tail}
            return super().__new__(cls, name, (tuple,), {**_METHODS, **space, **getters, **more})

    def _new(cls, *given, **named):
        missing = len(cls._fields) - len(given)
        if named or not 0 <= missing <= len(cls._defaults):
            given = _filled(cls, given, named)
        elif missing:
            given += cls._defaults[-missing:]
        return tuple.__new__(cls, given)

    def _filled(cls, given, named):
        """Return the values of all fields, in order, for a call with these arguments."""
        defaults = cls._field_defaults
        try:
            rest = [named.pop(field) if field in named else defaults[field] for field in cls._fields[len(given) :]]
        except KeyError as missing:
            raise TypeError(f"{cls.__name__} is missing {missing}") from None
        if named or len(given) > len(cls._fields):
            raise TypeError(f"{cls.__name__} takes {', '.join(cls._fields)}; got {given!r} and {named!r}")
        return (*given, *rest)

    def _replace(self, /, **named):
        """Return a copy with other values for these fields."""
        changed = tuple.__new__(type(self), map(named.pop, self._fields, self))
        if named:
            raise TypeError(f"{type(self).__name__} takes {', '.join(self._fields)}; got {named!r}")
        return changed

    def _asdict(self):
        """Return the fields by name."""
        return dict(zip(self._fields, self, strict=True))

    def _repr(self):
        shown = (f"{field}={value!r}" for field, value in zip(self._fields, self, strict=True))
        return f"{type(self).__name__}({', '.join(shown)})"

    def _getnewargs(self):
        return tuple(self)

    _METHODS = {
        "__new__": _new,
        "_replace": _replace,
        "_asdict": _asdict,
        "__repr__": _repr,
        "__getnewargs__": _getnewargs,
    }

    class NamedTuple(metaclass=_Fields):
        """A tuple with named fields, like `typing.NamedTuple`."""

"""Signals by name and by number, as signal(7) has them on this system; pure."""

from __future__ import annotations

from bgrun.light import signal

_NUMBERS: dict[str, int] = {
    name: int(getattr(signal, name))
    for name in sorted(dir(signal))
    if name.startswith("SIG") and name.isalnum() and name.isupper()
}


def number_of(name: str) -> int:
    """Return the number of a signal; that of SIGTERM where this system has none of that name."""
    return _NUMBERS.get(name, int(signal.SIGTERM))


def name_of(number: int) -> str | None:
    """Return the name of a signal, of several the first in the alphabet; None where it is none."""
    return next((name for name, own in _NUMBERS.items() if own == number), None)

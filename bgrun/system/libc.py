"""Find functions of the C library that Python does not offer."""

from __future__ import annotations

from bgrun.system import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_found: dict[str, Callable[..., int] | None] = {}


def find(name: str) -> Callable[..., int] | None:
    """Return a function that takes integers (C int) and paths as bytes, and returns an integer.

    None off Linux, and where the library lacks it. The first search costs five times as much after a fork as before it.
    """
    if name not in _found:
        _found[name] = _search(name) if process.LINUX else None
    return _found[name]


def _search(name: str) -> Callable[..., int] | None:
    """Search with `_ctypes` alone, which loads in a tenth of the time of `ctypes` and takes 0.6 MiB less."""
    this_process: Any = None
    try:
        import _ctypes

        address = _ctypes.dlsym(_ctypes.dlopen(this_process, 0), name)
        return lambda *given: int(_ctypes.call_function(address, given))
    except (ImportError, AttributeError):
        import ctypes

        function = getattr(ctypes.CDLL(None), name, None)
        return function and (lambda *given: int(function(*given)))
    except OSError:
        return None

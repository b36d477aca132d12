"""Compile a regular expression when it is first used: of the hundreds of all parsers a log needs a few.

Compiling all of them would take several times as long as everything else that the digest of a short log needs.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, AnyStr

    def expression(text: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
        """Return what behaves like `re.compile(text, flags)`, whose errors its first use raises."""

else:

    class expression:  # noqa: N801 - called like the function that a type checker sees
        """A regular expression that its first use compiles: each attribute is that of the compiled one."""

        def __init__(self, text: Any, flags: int = 0) -> None:
            self._given = text, flags

        def __getattr__(self, name: str) -> Any:
            """Return an attribute of the compiled expression, and have it from now on."""
            if name.startswith("__"):
                raise AttributeError(name)
            found = getattr(re.compile(*self._given), name)
            setattr(self, name, found)
            return found

"""Recognize linkers: GNU ld, gold, lld and Apple's, with the symbol that is undefined or defined twice."""

from __future__ import annotations

import re

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import LIKELY, SURE, WRAPPER, Parser, finding

_LD = expression(r"^(?:\S*ld(?:\.\w+)?|\S+-ld): (.*)$")
_OBJECT = expression(r"^(\S+\.o(?:bj)?|\S+\.a\([^)]*\)): in function [`'‘].*:$")
_REFERENCE = expression(
    r"^(?:\S+\.o:)?([^\s:(]+)(?::(\d+)|:\([^)]*\)|:function [^:]+)?: (?:error: |warning: )?"
    r"((?:undefined reference to|multiple definition of) ([`'‘]).*)$"
)
_OWN = expression(
    r"^(?:error: |fatal error: |fatal: )?((?:cannot find|cannot open|library not found|library '|framework not found"
    r"|unable to find library|undefined symbol: |duplicate symbol|file not recognized|unrecognized option"
    r"|file format not recognized|.*: multiple definition of ).*)$"
)
_ORIGIN = expression(r"^>>> (?:referenced by|defined at) ([^\s:(]+)(?::(\d+))?")
_APPLE = expression(r'^ +"(.+)", referenced from:$')
_FAILED = expression(
    r"^(?:collect2|clang(?:\+\+)?(?:-\d+)?): error: (ld returned \d+ exit status|linker command failed .*)$"
)
_BUILD_DIRECTORY = expression(r"^.*CMakeFiles/[^/]+\.dir/")


class Ld(Parser):
    """A linker, whichever one the compiler calls. Its file is a source only if that was compiled with `-g`."""

    name = "ld"
    stems = ("ndefined ", "multiple definition", "duplicate symbol", "ld: ", ("error: ", "ld"), ("error: ", "linker "))

    def __init__(self) -> None:
        super().__init__()
        self._directory = ""
        self._symbol = ""
        self._apple = False

    def feed(self, line: str) -> bool:
        """Read a line; lld names the place on the line after the error."""
        if self._symbol:
            origin = _ORIGIN.match(line)
            self._report(origin[1] if origin else "", origin[2] if origin else None, self._symbol)
            self._symbol = ""
        elif self._apple and (match := _APPLE.match(line)):
            self._report("", None, f"undefined symbol: {match[1]}")
        elif match := _FAILED.match(line):
            self._failed(match[1])
        else:
            self._line(line)
        return bool(self._symbol) or self._apple

    def _line(self, line: str) -> None:
        own = _LD.match(line)
        text = own[1] if own else line
        self._apple = line.startswith("Undefined symbols for architecture") or (self._apple and line.startswith(" "))
        if match := _OBJECT.match(text):
            object_file = _BUILD_DIRECTORY.sub("", match[1])
            self._directory = "" if object_file.startswith("/") else object_file.rpartition("/")[0]
        elif match := _REFERENCE.match(text):
            self._reference(match)
        elif own and (match := _OWN.match(text)):
            message = match[1][max(0, match[1].find("multiple definition of ")) :]
            self._symbol = message if message.startswith(("undefined symbol: ", "duplicate symbol")) else ""
            if not self._symbol:
                self._report("", None, message)

    def _reference(self, match: re.Match[str]) -> None:
        file, number, message = match[1], match[2], match[3].partition(";")[0]
        if "/" not in file and self._directory:
            file = f"{self._directory}/{file}"
        self._report("" if file.endswith(".o") else file, number, message)

    def _report(self, file: str, number: str | None, message: str) -> None:
        self.report(finding(file, number, None, message), SURE)

    def _failed(self, message: str) -> None:
        """End the call: the compiler says that its linker failed, and not why."""
        if not self._call:
            self.report(finding(None, None, None, message), WRAPPER)
            self.finish(certainty=WRAPPER)
        else:
            self.finish(certainty=LIKELY)

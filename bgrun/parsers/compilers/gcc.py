"""Recognize compilers that print `file:1:2: error: message`: gcc, clang, clang-tidy, nasm and others."""

from __future__ import annotations

import re

from bgrun.parsers.shape import LIKELY, WEAK, Parser, finding

_FINDING = re.compile(r"^(\S[^:]*):(\d+):(\d+:)? (fatal error|[Ee]rror|[Ww]arning): (.*)$")
_DRIVER = re.compile(
    r"^\S*?(?:gcc|g\+\+|cc|c\+\+|cc1|cc1plus|clang|clang\+\+|f951|gfortran|lto1)(?:-[\d.]+)?: "
    r"(fatal error|error|warning): (.*)$"
)
_RULE = re.compile(r"^(.*) \[(-[Wf][^\]\s]+|[a-z][\w.,-]*-[\w.,-]+)\]$")
_OTHERS = (".py", ".pyi", ".java", ".kt", ".rs", ".go", ".sh", ".bash", ".ipynb")
"""Files of other tools that print the same form."""
_C = re.compile(r"\.(?:[cChm]|cc|cpp|cxx|c\+\+|hh|hpp|hxx|cu|cuh|mm|inl|tcc|ipp|[sS]|asm|f|f90|F90|ino)$")
_FILE = re.compile(r"\.[A-Za-z][\w+-]*$|^(?!\w+:)\S*/")
"""What may be a file of another language, and is no time of day or address: `12:30:45: error: …`."""
_ENDS = ("linker command failed", "ld returned ")
_MOST_SEEN = 10_000


class Gcc(Parser):
    """gcc, clang and tools that print as they do. A problem of a header counts once, however many files include it."""

    name = "gcc"
    stems = (": error: ", ": fatal error: ", ": warning: ", ": Error: ", ": Warning: ")

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[tuple[str, str, str]] = set()

    def feed(self, line: str) -> bool:
        """Read a line with an error or a warning; notes explain the one before them."""
        if match := _FINDING.match(line):
            file, number, column, severity, text = match.groups()
            if not _is_foreign(file, text) and (_C.search(file) or (column and _FILE.search(file))):
                self._once(file, number, severity, text)
        elif (match := _DRIVER.match(line)) and not match[2].startswith(_ENDS):
            self._once("", "", match[1], match[2])
        return False

    def _once(self, file: str, number: str, severity: str, text: str) -> None:
        rule = _RULE.match(text)
        key = (file, number, text)
        if key in self._seen:
            return
        if len(self._seen) < _MOST_SEEN:
            self._seen.add(key)
        certainty = LIKELY if not file or _C.search(file) else WEAK
        level = "warning" if severity.lower() == "warning" else "error"
        self.report(finding(file, number, rule[2] if rule else None, rule[1] if rule else text, level), certainty)


def _is_foreign(file: str, text: str) -> bool:
    """Return whether another tool prints such a line: a file of another language, or a code of ShellCheck."""
    return file.endswith(_OTHERS) or bool(re.search(r" \[SC\d+\]$", text))

"""Recognize compilers that print `file:1:2: error: message`: gcc, clang, clang-tidy, nasm and others."""

from __future__ import annotations

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import LIKELY, WEAK, Parser, finding

_FINDING = expression(r"^(\S[^:]*):(\d+):(?:(\d+):)? (fatal error|[Ee]rror|[Ww]arning): (.*)$")
_DRIVER = expression(
    r"^\S*?(?:gcc|g\+\+|cc|c\+\+|cc1|cc1plus|clang|clang\+\+|f951|gfortran|lto1)(?:-[\d.]+)?: "
    r"(fatal error|error|warning): (.*)$"
)
_RULE = expression(r"^(.*) \[(-[Wf][^\]\s]+|[a-z][\w.,-]*-[\w.,-]+)\]$")
_OTHERS = (".py", ".pyi", ".java", ".kt", ".rs", ".go", ".sh", ".bash", ".ipynb")
"""Files of other tools that print the same form."""
_C = expression(r"\.(?:[cChm]|cc|cpp|cxx|c\+\+|hh|hpp|hxx|cu|cuh|mm|inl|tcc|ipp|[sS]|asm|f|f90|F90|ino)$")
_FILE = expression(r"\.[A-Za-z][\w+-]*$|^(?!\w+:)\S*/")
"""What may be a file of another language, and is no time of day or address: `12:30:45: error: …`."""
_SHELLCHECK = expression(r" \[SC\d+\]$")
_ENDS = ("linker command failed", "ld returned ")
_MOST_SEEN = 10_000


class Gcc(Parser):
    """gcc, clang and tools that print as they do. A problem of a header counts once, however many files include it."""

    name = "gcc"
    stems = (": error: ", ": fatal error: ", ": warning: ", ": Error: ", ": Warning: ")

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[tuple[str, str, str]] = set()
        self._file = ""
        self._is_c = self._may_be_foreign = False

    def feed(self, line: str) -> bool:
        """Read a line with an error or a warning; notes explain the one before them."""
        if match := _FINDING.match(line):
            file, number, column, severity, text = match.groups()
            self._enter(file)
            is_foreign = self._may_be_foreign or (text[-1:] == "]" and _SHELLCHECK.search(text))
            if not is_foreign and (self._is_c or (column and _FILE.search(file))):
                self._once(file, number, severity, text, column)
        elif (match := _DRIVER.match(line)) and not match[2].startswith(_ENDS):
            self._once("", "", match[1], match[2], None)
        return False

    def _enter(self, file: str) -> None:
        """Note which file it is: many findings of one follow each other."""
        if file != self._file:
            self._file = file
            self._may_be_foreign = file.endswith(_OTHERS)
            self._is_c = _C.search(file) is not None

    def _once(self, file: str, number: str, severity: str, text: str, column: str | None) -> None:
        key = (file, number, text)
        if key in self._seen:
            return
        if len(self._seen) < _MOST_SEEN:
            self._seen.add(key)
        certainty = LIKELY if not file or self._is_c else WEAK
        level = "warning" if severity.lower() == "warning" else "error"
        if self.counts_only(level):
            return
        rule = _RULE.match(text)
        self.report(
            finding(file, number, rule[2] if rule else None, rule[1] if rule else text, level, column=column), certainty
        )

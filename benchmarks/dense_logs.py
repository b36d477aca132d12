"""Logs of which nearly every line is one that a parser may need."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def write(path: Path, kind: str, size: int) -> None:
    """Write a log of a kind, of about so many bytes."""
    with path.open("w", encoding="utf-8") as file:
        file.write(_HEADS.get(kind, ""))
        left = size
        for text in KINDS[kind]():
            file.write(text)
            left -= len(text)
            if left < 0:
                break


def _go() -> Iterator[str]:
    """Yield tests with three subtests, 500 in a package, of which one fails."""
    for number in itertools.count():
        name = f"TestThing{number}"
        yield f"=== RUN   {name}\n" + (f"    thing_test.go:{number % 400}: loaded config\n" if number % 2 else "")
        yield "".join(f"=== RUN   {name}/case_{one}_with_name\n" for one in range(3))
        yield f"--- {'FAIL' if number % 500 == 77 else 'PASS'}: {name} (0.0{number % 10}s)\n"
        yield "".join(f"    --- PASS: {name}/case_{one}_with_name (0.00s)\n" for one in range(3))
        if number % 500 == 499:
            yield f"FAIL\nFAIL\texample.com/proj/pkg{number // 500}\t0.512s\n"


def _pytest() -> Iterator[str]:
    for number in itertools.count():
        result = "FAILED" if number % 3001 == 7 else "PASSED"
        test = f"tests/unit/test_module_{number // 200}.py::TestClass::test_case_{number}[param-{number % 7}]"
        yield f"{test} {result}".ljust(75) + f"[{number // 12000:3d}%]\n"


def _gcc() -> Iterator[str]:
    for number in itertools.count():
        file = f"src/module{number // 40}/file_{number // 5}.c"
        yield f"{file}: In function 'do_thing_{number}':\n"
        yield f"{file}:{number % 900}:12: warning: unused variable 'x{number}' [-Wunused-variable]\n"
        yield f"  {number % 900} |     int x{number} = 0;\n      |         ^~\n"


def _errors() -> Iterator[str]:
    for number in itertools.count():
        yield f"2026-11-26 01:02:03 ERROR worker {number} failed: error: warning: cannot open file, 3 failed FAILED\n"


KINDS = {"go test -v": _go, "pytest -v": _pytest, "warnings of gcc": _gcc, "lines that look like errors": _errors}
_HEADS = {
    "pytest -v": f"{' test session starts ':=^80}\nplatform linux -- Python 3.12.3, pytest-8.3.4\n"
    "rootdir: /home/dev/project\ncollected 1200000 items\n\n"
}

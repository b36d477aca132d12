"""Expressions that are compiled when they are first used: each is valid, and none is compiled before."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bgrun.parsers.expression import expression
from tests.conftest import TOP

PARSERS = TOP / "bgrun" / "parsers"
MODULES = sorted(".".join(path.relative_to(TOP).with_suffix("").parts) for path in PARSERS.rglob("*.py"))


def test_it_behaves_like_a_compiled_one() -> None:
    one = expression(r"(\w+)=(\d+)", re.I)
    assert (found := one.search("a B=7")) and found.groups() == ("B", "7")
    assert one.match("a B=7") is None
    assert one.sub("x", "a b=7") == "a x"
    assert (one.groups, one.flags & re.I, one.pattern) == (2, re.I, r"(\w+)=(\d+)")
    assert expression(b"a").fullmatch(b"a")


def test_its_errors_are_those_of_the_first_use() -> None:
    one = expression("(")
    with pytest.raises(re.error):
        one.match("x")


@pytest.mark.parametrize("name", MODULES)
def test_every_expression_of_a_parser_can_be_compiled(name: str) -> None:
    for one in vars(importlib.import_module(name)).values():
        if isinstance(one, expression):  # type: ignore[arg-type]
            assert isinstance(one.groups, int)


def test_a_log_without_output_compiles_none_of_them(tmp_path: Path) -> None:
    program = """
import re, sys
compiled = []
of = re.compile
def noted(*given):
    compiled.extend(given[:1] if sys._getframe(1).f_code.co_filename.endswith("expression.py") else ())
    return of(*given)
re.compile = noted
from bgrun.parsers.recognize import Recognizer
Recognizer(bytes.decode).result()
print(len(compiled))
one = Recognizer(bytes.decode)
one.feed(b"hello\\n")
one.result()
print(0 < len(compiled) < 10)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "True"]

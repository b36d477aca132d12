"""Test reports of several tools, good and hostile."""

from __future__ import annotations

import io
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bgrun.parsers import junit
from bgrun.parsers.shape import Problem

if TYPE_CHECKING:
    from pathlib import Path

SUREFIRE = """<?xml version="1.0" encoding="UTF-8"?>
<testsuite name="com.shop.CartTest" tests="3" errors="1" failures="1" skipped="1">
  <testcase name="total" classname="com.shop.CartTest" time="0.01">
    <failure message="expected:&lt;4&gt; but was:&lt;3&gt;" type="AssertionError">java.lang.AssertionError: expected
	at com.shop.CartTest.total(CartTest.java:17)</failure>
  </testcase>
  <testcase name="db" classname="com.shop.CartTest"><error type="java.net.ConnectException">refused</error></testcase>
  <testcase name="later" classname="com.shop.CartTest"><skipped/></testcase>
</testsuite>"""
JEST = """<testsuites name="jest tests"><testsuite name="cart"><testcase classname="cart adds" name="cart adds">
<failure>Error: expect(received).toBe(expected)
    at Object.toBe (src/cart.test.js:5:17)</failure></testcase><testcase classname="x" name="ok"/></testsuite></testsuites>"""


def parsed(text: str) -> junit.Report:
    return junit.parse(io.BytesIO(text.encode()))


def test_surefire() -> None:
    report = parsed(SUREFIRE)
    assert report.counts == {"failed": 1, "errors": 1, "skipped": 1}
    assert report.problems == (
        Problem("CartTest.java", 17, "com.shop.CartTest.total", "expected:<4> but was:<3>", test=True),
        Problem(None, None, "com.shop.CartTest.db", "refused", test=True),
    )


def test_jest() -> None:
    report = parsed(JEST)
    assert report.counts == {"passed": 1, "failed": 1}
    expected = Problem(
        "src/cart.test.js", 5, "cart adds.cart adds", "Error: expect(received).toBe(expected)", test=True
    )
    assert report.problems == (expected,)


@pytest.mark.parametrize("family", ["xunit1", "xunit2"])
def test_a_real_pytest(tmp_path: Path, family: str) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_shop.py").write_text("class TestCart:\n  def test_n(self):\n    assert 1 == 2\n")
    words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", f"junit_family={family}", "--junitxml", "out.xml"]
    subprocess.run([sys.executable, *words], cwd=tmp_path, check=False, capture_output=True)
    (problem,) = junit.parse(io.BytesIO((tmp_path / "out.xml").read_bytes())).problems
    assert problem == Problem(
        "tests/test_shop.py", 3, "tests/test_shop.py::TestCart::test_n", "assert 1 == 2", test=True
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not xml",
        '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><testsuite><testcase name="&b;"/></testsuite>',
        '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><testsuite>&f;</testsuite>',
        '<?xml version="1.0" encoding="nosuch"?><testsuite/>',
    ],
)
def test_broken_and_hostile_reports_say_so_and_give_nothing(text: str) -> None:
    report = parsed(text)
    assert report.note.startswith("invalid test report: ")
    assert report[:2] == ({}, ())


TWO = '<testsuite><testcase name="a"><failure message="boom"/></testcase><testcase name="b"/><testcase name="c">'


@pytest.mark.parametrize("rest", ["", "</wrong>", "<failure", "&nosuch;"])
def test_of_a_report_that_is_cut_off_or_broken_what_came_before_counts(rest: str) -> None:
    report = parsed(TWO + rest)
    assert report.counts == {"failed": 1, "passed": 1}
    assert [one.message for one in report.problems] == ["boom"]
    assert report.note.startswith("invalid test report: ")


@pytest.mark.parametrize("bad", ["\x00", "\x1b[31m", "&#27;", "&#x1B;", "&#0;", "&#x08;", "\ufffe", "\x0b\x0c"])
@pytest.mark.parametrize("offset", [0, 1])
def test_characters_that_xml_forbids_do_not_end_a_report(bad: str, offset: int) -> None:
    text = f'<testsuite><testcase name="a"><failure message="red{bad}"/></testcase><testcase name="b"/></testsuite>'
    # Wherever the pieces end in which it is read.
    filler = " " * (16384 - text.index(bad) - len(bad) + offset)
    for one in (text, f"<testsuite>{filler}{text.removeprefix('<testsuite>')}"):
        report = parsed(one)
        assert (report.counts, report.note) == ({"failed": 1, "passed": 1}, "")
        assert report.problems[0].message.startswith("red")


@pytest.mark.parametrize("encoding", ["iso-8859-1", "utf-16", "utf-8", "utf-8-sig"])
def test_a_report_is_read_in_its_own_encoding(encoding: str) -> None:
    name = encoding.removesuffix("-sig")
    text = f'<?xml version="1.0" encoding="{name}"?><testsuite><testcase name="ä"><failure message="Grüße"/></testcase></testsuite>'
    report = junit.parse(io.BytesIO(text.encode(encoding)))
    assert [(one.id, one.message) for one in report.problems] == [("ä", "Grüße")]


def test_body_and_teardown_of_a_test_are_apart() -> None:
    report = parsed(
        '<testsuite><testcase name="a"><failure message="assert 0"/></testcase>'
        '<testcase name="a"><error message="failed on teardown with &quot;RuntimeError: leak&quot;"/></testcase></testsuite>'
    )
    assert [(one.phase, one.message) for one in report.problems] == [
        ("", "assert 0"),
        ("teardown", "RuntimeError: leak"),
    ]

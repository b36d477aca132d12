"""JSON documents in a log: cut off, foreign, damaged, large, and between other lines."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgrun.parsers import documents
from bgrun.parsers.recognize import Recognized, Recognizer
from tests.conftest import TOP

TOOLS = TOP / "tests" / "fixtures" / "tools"
ENDS = {
    "ruff/json": "  }",
    "ruff/gitlab": "  }",
    "ruff/rdjson": "    }",
    "ruff/sarif": "        }",
    "ruff/junit": "            <failure",
    "pylint/json": "    }",
    "pylint/json2": "        }",
    "pyright/json": "        }",
}
"""How the last line of an item begins, of which there are four."""
IN_LINES = {name: (TOOLS / f"{name}.log").read_text(encoding="utf-8").splitlines(keepends=True) for name in ENDS}


def read(text: str) -> Recognized:
    recognizer = Recognizer(bytes.decode)
    recognizer.feed(text.encode())
    return recognizer.result()


def sarif(tool: str, *, tool_first: bool = False, rule: str = "F401", file: str = "a.py") -> str:
    place = {"artifactLocation": {"uri": f"file:///src/{file}"}, "region": {"startLine": 3}}
    result = {"level": "error", "locations": [{"physicalLocation": place}], "message": {"text": "m"}, "ruleId": rule}
    driver = {"tool": {"driver": {"name": tool}}}
    run = {**driver, "results": [result]} if tool_first else {"results": [result], **driver}
    return json.dumps({"$schema": "s", "runs": [run]}, indent=2)


def ruff_item(number: int, **more: Any) -> dict[str, Any]:
    place = {"column": 1, "row": number}
    known = {"cell": None, "code": "F401", "end_location": place, "filename": "/src/a.py", "fix": None}
    return {**known, "location": place, "message": f"text {number}", "noqa_row": number, "url": None, **more}


@pytest.mark.parametrize("name", ENDS)
@settings(max_examples=6)
@given(data=st.data())
def test_of_a_document_that_is_cut_off_the_items_before_the_cut_count(name: str, data: st.DataObject) -> None:
    lines = IN_LINES[name]
    whole = [one.problem for one in read("".join(lines)).found]
    cut = data.draw(st.integers(0, len(lines)))
    seen = read("".join(lines[:cut]) + data.draw(st.sampled_from(["", "make: *** [Makefile:2: check] Error 1\n"])))
    found = [one.problem for one in seen.found if one.problem.tool != "make"]
    ended = sum(line.startswith(ENDS[name]) for line in lines[:cut])
    assert found == whole[: min(ended, 4)]
    assert seen.missing <= 1


@pytest.mark.parametrize(
    "text",
    [
        '{"level": "error", "msg": "a.py: no such file", "code": 2}\n' * 3,
        '[{"file": "a.py", "line": 3, "message": "no", "severity": "error"}]\n',
        '[{"file":"a.py","line":3,"level":"error","message":"no ShellCheck"}]\n',
        '{"reason":"compiler-message","text":"no message of rustc"}\n',
        json.dumps([{"file": "a.py", "line": 3, "code": "F401", "message": "error: no"}], indent=2),
        json.dumps([{"cell": 1, "code": "F401", "filename": "a.py", "message": "no"}], indent=2),
        json.dumps([{"type": "error", "path": "a.py", "line": 3, "message": "no"}], indent=4),
        json.dumps({"version": "1.0", "contributors": [{"file": "a", "severity": "error"}]}, indent=4),
        json.dumps({"diagnostics": [{"code": "a", "location": "b", "message": "c"}]}, indent=2),
        json.dumps([ruff_item(1, filename=3)], indent=2),
        json.dumps([ruff_item(1, location={"row": float("inf")})], indent=2),
        "[\n" * 5 + "  {\n" * 5 + "{\n}\n]\n",
    ],
)
def test_the_json_of_an_application_is_no_finding(text: str) -> None:
    assert not read(text).found


@pytest.mark.parametrize("name", ["bandit", "semgrep", ""])
@pytest.mark.parametrize("tool_first", [True, False])
def test_sarif_of_another_tool_is_not_claimed(name: str, tool_first: bool) -> None:
    assert not read(sarif(name, tool_first=tool_first)).found


def test_sarif_of_another_tool_that_is_cut_off_is_not_claimed() -> None:
    def cut(text: str) -> Recognized:
        return read(text[: text.index("ruleId") + 40])

    assert not cut(sarif("bandit", tool_first=True)).found
    assert not cut(sarif("hadolint", rule="DL3008", file="Dockerfile")).found
    assert not cut(sarif("other", rule="js/eval")).found
    assert cut(sarif("ruff")).found


def test_an_item_that_cannot_be_read_is_counted() -> None:
    items = [ruff_item(1), ruff_item(2, extra=["x" * 1000] * (documents.LONGEST // 1000)), ruff_item(3)]
    seen = read(json.dumps(items, indent=2) + "\n")
    assert [one.problem.line for one in seen.found] == [1, 3]
    assert seen.missing == 1


def test_more_problems_than_are_kept_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MOST_FOUND", 10)
    seen = read(json.dumps([ruff_item(number) for number in range(1, 26)], indent=2))
    assert (len(seen.found), seen.missing) == (10, 15)


def test_several_documents_and_text_between_them_all_count() -> None:
    text = "F401 `os` imported but unused\n --> pkg/b.py:7:8\n  |\n\nFound 1 error.\n"
    one, two = json.dumps([ruff_item(1)], indent=2), json.dumps([ruff_item(2)], indent=2)
    seen = read(f"{one}\n{text}{two}\n")
    assert [(found.problem.file, found.problem.line) for found in seen.found] == [
        ("/src/a.py", 1),
        ("pkg/b.py", 7),
        ("/src/a.py", 2),
    ]
    assert not seen.missing


def test_information_of_pyright_and_the_other_names_of_severities() -> None:
    place = {"start": {"line": 0, "character": 1}}
    items = [{"file": "a.py", "severity": kind, "message": kind, "range": place} for kind in ("error", "information")]
    seen = read(json.dumps({"version": "1", "time": "1", "generalDiagnostics": items}, indent=4))
    assert [(one.problem.line, one.problem.message) for one in seen.found] == [(1, "error")]
    assert not seen.missing


def test_a_document_in_one_line_that_is_too_long_is_read_up_to_the_cut() -> None:
    item = {"file": "a.sh", "line": 1, "endLine": 1, "column": 1, "level": "style", "code": 2086, "message": "m"}
    items = [{**item, "line": number} for number in range(1, 2000)]
    seen = read(json.dumps(items, separators=(",", ":")) + "\n")
    assert 500 < len(seen.found) < 1000
    assert seen.missing == 1
    assert (seen.found[0].problem.id, seen.found[0].problem.severity) == ("SC2086", "info")


def test_an_error_of_cargo_without_a_place() -> None:
    message = {"level": "error", "message": "linking with `cc` failed: exit status: 1", "spans": [], "code": None}
    seen = read(json.dumps({"reason": "compiler-message", "message": message}, separators=(",", ":")) + "\n")
    assert [one.problem.message for one in seen.found] == ["linking with `cc` failed: exit status: 1"]

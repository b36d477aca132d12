"""Changes of JSON keep the text of all else: comments, order, indentation, line ends."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgrun.setup import edits, json_text

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def serve(document: dict[str, Any]) -> None:
    document.setdefault("servers", {})["bgrun"] = {"args": ["mcp"]}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"servers": {"a": [1,   2]}}', '{"servers": {"a": [1,   2], "bgrun": {"args": ["mcp"]}}}'),
        (
            '// ours\n{\n\t"servers": {\n\t\t"a": {"x": 1} // one\n\t}, /* two */\n}\n',
            '// ours\n{\n\t"servers": {\n\t\t"a": {"x": 1}, // one\n\t\t"bgrun": {\n\t\t\t"args": [\n\t\t\t\t"mcp"\n\t\t\t]\n\t\t}\n\t}, /* two */\n}\n',
        ),
        (
            '{\r\n    "b": [1, 2, 3], // kept\r\n}\r\n',
            '{\r\n    "b": [1, 2, 3], // kept\r\n    "servers": {\r\n        "bgrun": {\r\n            "args": [\r\n                "mcp"\r\n            ]\r\n        }\r\n    }\r\n}\r\n',
        ),
        (
            '{\n  "servers": {\n    "bgrun": {"args": ["mcp"]}\n  }\n}',
            '{\n  "servers": {\n    "bgrun": {"args": ["mcp"]}\n  }\n}',
        ),
        (
            '{\n  "servers": {\n    "bgrun": {"args": ["old"], "env": {}}\n  }\n}',
            '{\n  "servers": {\n    "bgrun": {\n      "args": [\n        "mcp"\n      ]\n    }\n  }\n}',
        ),
        ("{}", '{\n  "servers": {\n    "bgrun": {\n      "args": [\n        "mcp"\n      ]\n    }\n  }\n}'),
        (
            "{ // none yet\n}",
            '{ // none yet\n  "servers": {\n    "bgrun": {\n      "args": [\n        "mcp"\n      ]\n    }\n  }\n}',
        ),
    ],
)
def test_all_else_keeps_its_text(before: str, after: str) -> None:
    assert edits.merged_json(before, serve) == after
    assert edits.merged_json(after, serve) == after, "a second time changes nothing"


@given(JSON, JSON, st.sampled_from([None, 1, "\t"]))
def test_the_new_text_has_the_new_value(before: Any, after: Any, indent: Any) -> None:
    text = json.dumps(before, indent=indent, ensure_ascii=False)
    assert json_text.parse(text).value == before
    new = json_text.changed(text, json_text.parse(text), after)
    assert json.loads(new) == after
    assert json_text.changed(text, json_text.parse(text), copy.deepcopy(before)) == text


@given(JSON, st.dictionaries(st.text(max_size=3), JSON, max_size=3))
def test_comments_stay(value: Any, more: dict[str, Any]) -> None:
    text = f'/* a */ {{ // b\n "k": {json.dumps(value, indent=1)} /* c */, // d\n // e\n}} // f'
    new = json_text.changed(text, json_text.parse(text), {"k": value, **{f"{key}_": one for key, one in more.items()}})
    assert json_text.parse(new).value == {"k": value, **{f"{key}_": one for key, one in more.items()}}
    assert all(mark in new for mark in ("/* a */", "// b\n", "/* c */", "// d\n", "// e\n", "// f"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "{'a': 1}",
        "{a: 1}",
        '{"a" 1}',
        '{"a": 1 "b": 2}',
        "[1 2]",
        "{} x",
        '{"a": 1, "a": 2}',
        "[" * 9999,
        "nul",
        '"\n"',
    ],
)
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not JSON|nested"):
        json_text.parse(text)

"""What a line is answered that is no message, by the error with which the SDK hands it on."""

from __future__ import annotations

import mcp_types as types
import pytest

from bgrun.mcp import unreadable


def answer_to(line: str) -> types.JSONRPCError | None:
    try:
        types.jsonrpc_message_adapter.validate_json(line, by_name=False)
    except ValueError as error:
        return unreadable.refusal(error)
    raise AssertionError("it is a message")


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ("nonsense\n", types.PARSE_ERROR, "Parse error: expected ident at line 1 column 2"),
        ('{"id": 1\n', types.PARSE_ERROR, "Parse error: EOF while parsing an object at line 2 column 0"),
        ("null\n", types.INVALID_REQUEST, "Invalid Request: not a JSON-RPC 2.0 message"),
        ('"text"', types.INVALID_REQUEST, "Invalid Request: not a JSON-RPC 2.0 message"),
    ],
)
def test_what_has_no_id_is_answered_without_one(line: str, code: int, message: str) -> None:
    found = answer_to(line)
    assert found
    assert (found.id, found.error.code, found.error.message) == (None, code, message)


@pytest.mark.parametrize("line", ["", "\n", " \t\r\n", '{"jsonrpc": "2.0", "id": 1'])
def test_no_line_and_half_a_line_have_no_answer(line: str) -> None:
    assert answer_to(line) is None


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ('{"jsonrpc": "1.0", "id": 4, "method": "ping"}', 4),
        ('{"jsonrpc": "2.0", "id": "a", "method": "ping", "params": "x"}', "a"),
        ('{"jsonrpc": "2.0", "id": 4, "method": 1, "result": 2}', 4),
        ('{"jsonrpc": "2.0", "id": true, "method": 1}', None),
        ('{"jsonrpc": "2.0", "id": 1.5, "method": 1}', None),
        ('{"jsonrpc": "2.0", "id": {"a": 1}, "method": 1}', None),
        ('{"jsonrpc": "2.0", "id": 4}', None),
        ('{"jsonrpc": "2.0", "id": 4, "error": {"id": 5, "method": "x"}}', None),
    ],
)
def test_the_id_is_that_of_a_request(line: str, wanted: object) -> None:
    found = answer_to(line)
    assert found
    assert (found.id, found.error.code) == (wanted, types.INVALID_REQUEST)


def test_another_error_is_answered_too() -> None:
    found = unreadable.refusal(RuntimeError("of a later SDK"))
    assert found
    assert (found.id, found.error.code) == (None, types.INVALID_REQUEST)

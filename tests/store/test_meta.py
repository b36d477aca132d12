"""The meta file."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bgrun.store import meta

KEYS = st.from_regex(r"[a-z_]{1,12}", fullmatch=True)


@given(st.dictionaries(KEYS, st.text(st.characters(codec="utf-8"))))
def test_facts_come_back_as_they_went_in(facts: dict[str, str]) -> None:
    assert meta.unpack(meta.pack(facts)) == facts


@given(st.text(st.characters(codec="utf-8")))
def test_a_value_is_one_line(value: str) -> None:
    assert meta.pack({"cmd": value}).count(b"\n") == 1


@given(st.binary())
def test_any_bytes_can_be_read(data: bytes) -> None:
    assert isinstance(meta.unpack(data), dict)


def test_bytes_that_are_not_utf8_survive() -> None:
    value = b"caf\xe9".decode("utf-8", "surrogateescape")
    assert meta.unpack(meta.pack({"cmd": value})) == {"cmd": value}


LINES = st.sampled_from([b"a=1", b"a=2\\n", b"a=", b"b=a=3", b"ba=4", b"", b"=x", b"b", b"\xff=\xfe", b"b=\r"])


@given(st.lists(LINES), st.sampled_from([b"", b"\n"]))
def test_some_facts_are_those_of_all(lines: list[bytes], end: bytes) -> None:
    data = b"\n".join(lines) + end
    known = meta.unpack(data)
    assert meta.pick(data, ("a", "b", "c")) == {key: known[key] for key in ("a", "b") if key in known}

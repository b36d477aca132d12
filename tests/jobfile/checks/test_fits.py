"""What fits the schema of the job file: the same as by the library, which a start need not import for it."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bgrun.jobfile import yaml_source
from bgrun.jobfile.checks.fits import fits
from bgrun.jobfile.schema import schema
from tests.jobfile.test_files import _ODD, VALUES, WHOLE, _paths

SCHEMA = schema("bgjobs")
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)
FILES = Path(__file__).parent.parent


@pytest.mark.parametrize("path", sorted(FILES.glob("positive/*.yaml")), ids=lambda path: path.stem)
def test_a_good_file_fits(path: Path) -> None:
    assert fits(yaml_source.read(path.name, path.read_bytes()).data, SCHEMA)


@pytest.mark.parametrize("path", sorted(FILES.glob("negative/*.yaml")), ids=lambda path: path.stem)
def test_a_bad_file_fits_if_the_schema_allows_it(path: Path) -> None:
    data = yaml_source.read(path.name, path.read_bytes()).data
    assert fits(data, SCHEMA) == VALIDATOR.is_valid(data)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([one for one in _paths(WHOLE) if one]), _ODD)
def test_an_odd_part_fits_if_the_library_says_so(path: tuple[Any, ...], odd: object) -> None:
    data = copy.deepcopy(WHOLE)
    part = data
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = odd
    assert fits(data, SCHEMA) == VALIDATOR.is_valid(data)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(["jobs", "groups", "services", "defaults", "include"]), VALUES))
def test_an_odd_document_fits_if_the_library_says_so(data: object) -> None:
    assert fits(data, SCHEMA) == VALIDATOR.is_valid(data)


EVERY: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    1.0,
    1.5,
    -1,
    float("nan"),
    "",
    "a",
    "ab",
    "choice",
    [],
    [1],
    [1, True],
    [1, 1.0],
]
EVERY += [
    ["a", "b"],
    ["a", "a"],
    [None, None],
    {},
    {"a": 1},
    {"a": "x", "b": 1},
    {"x-c": None},
    {"b": 1},
    {"k": "choice"},
]
PARTS: list[dict[str, Any]] = [
    *({"type": kind} for kind in ("object", "array", "string", "boolean", "null", "number", "integer")),
    {"type": ["string", "integer"]},
    {"enum": ["a", 1, None]},
    *({"const": one} for one in (True, 1, "a")),
    {"pattern": "^a"},
    {"minLength": 1},
    {"minimum": 1},
    {"maximum": 1},
    {"exclusiveMinimum": 1},
    {"minItems": 1},
    {"uniqueItems": True},
    {"items": {"type": "string"}},
    {"minProperties": 1},
    {"maxProperties": 1},
    {"required": ["a"]},
    {"dependencies": {"a": ["b"]}},
    {"propertyNames": {"pattern": "^[ab]$"}},
    {"properties": {"a": {"type": "integer"}}, "patternProperties": {"^x-": True}, "additionalProperties": False},
    {"properties": {"a": True}, "additionalProperties": {"type": "integer"}},
    {"patternProperties": {"^x-": {"type": "string"}}},
    {"anyOf": [{"type": "string"}, {"minimum": 1, "type": "number"}]},
    {"oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
    {"if": {"properties": {"k": {"const": "choice"}}, "required": ["k"]}, "then": {"required": ["a"]}},
    {"definitions": {"d": {"type": "string"}}, "items": {"$ref": "#/definitions/d", "minLength": 9}},
]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: ",".join(part))
def test_each_keyword_is_that_of_the_library(part: dict[str, Any]) -> None:
    validator = jsonschema.Draft7Validator(part)
    assert [fits(value, part) for value in EVERY] == [validator.is_valid(value) for value in EVERY]


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ("a", {"not": {"type": "null"}}),
        (1, {"oneOf": [{"type": "integer"}, {"multipleOf": 2}]}),
        ([1], {"items": [True]}),
        ({}, {"dependencies": {"a": {"type": "object"}}}),
        ([1], {"enum": [[1]]}),
        (1, {"$ref": "other.json"}),
    ],
)
def test_what_is_not_known_is_left_to_the_library(value: object, part: dict[str, Any]) -> None:
    assert fits(value, part) is False


def test_a_good_file_needs_no_library(tmp_path: Path) -> None:
    (tmp_path / "bgjobs.yaml").write_text(yaml.safe_dump({"jobs": {"a": {"command": "true"}}}))
    program = (
        "import sys; from bgrun.jobfile import loader; loader.load('bgjobs.yaml'); print('jsonschema' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"

"""The pages of the JSON documents and of the MCP tools, made from the schemas and the declarations of the tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bgrun.mcp import arguments, tools

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMAS = Path(__file__).resolve().parent.parent / "schemas"
_SHARED = {"run": "A run", "digest": "A summary"}
"""Definitions that several documents share, with the title of their section."""
_MEMBERS = "runs"
"""In a summary the runs of a group, which have the keys of a summary again."""
_HEAD = """\
# JSON output

<!-- made by scripts/docs_reference.py: change schemas/ instead -->

Every command that reports takes `--json` and prints one document on standard output; messages go to standard error.
`bgrun schema NAME` prints the JSON Schema of a document, where NAME is the one in its heading. Keys may be added, and
are then described here; none changes its meaning. Values that are absent are null. Times are ISO 8601 with an offset,
durations are in seconds, paths are absolute.
"""
_MCP_HEAD = """\
# MCP tools

<!-- made by scripts/docs_reference.py: change bgrun/mcp/tools.py instead -->

`bgrun mcp` serves these tools over standard input and output (extra `bgrun[mcp]`).
[Use bgrun with coding agents](../how-to/use-with-agents.md) says how a client gets them and what they cost.
"""


def json_page() -> str:
    """Return the page of the JSON documents."""
    documents = {path.name.removesuffix(".schema.json"): _read(path) for path in sorted(SCHEMAS.glob("*.schema.json"))}
    del documents["bgjobs"]
    lines = [_HEAD]
    for name, schema in documents.items():
        what, _, command = schema["title"].partition(": ")
        shown = _with_more_of_a_run(_without_run(schema), documents["run"])
        lines += [f"## {name}", "", f"{what}: {_commands(command)}", "", *_table(shown)]
    for name, title in _SHARED.items():
        lines += [f"## {title}", "", *_table(documents["run"]["definitions"][name])]
    return "\n".join(lines).rstrip("\n") + "\n"


def _without_run(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema with one entry in place of all keys of a run, if it has them among its own."""
    of_run = schema.get("definitions", {}).get("run", {}).get("properties", {})
    if not of_run or not of_run.keys() <= schema["properties"].keys():
        return schema
    own = {key: part for key, part in schema["properties"].items() if key not in of_run}
    every = {"description": "every key of [a run](#a-run)", "type": "several"}
    return {**schema, "properties": {"schema_version": own.pop("schema_version"), "…": every, **own}}


def _with_more_of_a_run(schema: dict[str, Any], usual: dict[str, Any]) -> dict[str, Any]:
    """Return a schema with the keys that its runs have beyond the usual ones, such as the progress in `status`."""
    own = schema.get("definitions", {}).get("run", {}).get("properties", {})
    more = {f"runs[].{key}": part for key, part in own.items() if key not in usual["definitions"]["run"]["properties"]}
    return {**schema, "properties": {**schema["properties"], **more}}


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _commands(text: str) -> str:
    """Return `bgrun a, b --json; more` as a sentence with the command as code."""
    command, _, more = text.partition("; ")
    return f"`{command}`" + (f"; {more}." if more else ".")


def _table(schema: dict[str, Any]) -> list[str]:
    return ["| Key | Type | Meaning |", "|---|---|---|", *rows(schema, schema.get("definitions", {})), ""]


def rows(schema: dict[str, Any], definitions: dict[str, Any], before: str = "") -> Iterator[str]:
    """Give a row for each key of an object and of the objects below it, but for those with a section of their own."""
    for key, raw in schema.get("properties", {}).items():
        part, null = _not_null(raw)
        shared = _shared(part) or _shared(part.get("items", {}))
        inner = _resolved(part.get("items", part), definitions)
        meaning = raw.get("description") or part.get("description") or ("" if shared else inner.get("description", ""))
        link = f"[{_SHARED[shared].lower()}](#{_SHARED[shared].lower().replace(' ', '-')})" if shared else ""
        again = (
            "each with its `run_id`, its `state` and the keys above"
            if f"{before}{key}" == _MEMBERS and not shared
            else ""
        )
        said = "; ".join(filter(None, (link, meaning.replace("|", "\\|").replace("<", "\\<"), again)))
        yield f"| `{before}{key}` | {_type(part, definitions)}{' or null' if null else ''} | {said} |"
        if not shared and f"{before}{key}" != _MEMBERS:
            below = "[]." if part.get("type") == "array" else "."
            yield from rows(inner, definitions, f"{before}{key}{below}")
            if isinstance(named := inner.get("additionalProperties"), dict):
                yield from rows(named, definitions, f"{before}{key}.NAME.")


def _not_null(part: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """Return a schema without the null that it allows, and whether it does."""
    if "anyOf" in part:
        others = [one for one in part["anyOf"] if one != {"type": "null"}]
        if len(others) == 1 and len(part["anyOf"]) == 2:
            return others[0], True
    if isinstance(part.get("type"), list) and "null" in part["type"]:
        types = [one for one in part["type"] if one != "null"]
        return {**part, "type": types[0] if len(types) == 1 else types}, True
    if None in part.get("enum", ()):
        return {**part, "enum": [one for one in part["enum"] if one is not None]}, True
    return part, False


def _shared(part: dict[str, Any]) -> str:
    name = str(part.get("$ref", "")).rpartition("/")[2]
    return name if name in _SHARED else ""


def _resolved(part: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    name = str(part.get("$ref", "")).rpartition("/")[2]
    found: dict[str, Any] = definitions.get(name, part)
    return found


def _type(part: dict[str, Any], definitions: dict[str, Any]) -> str:
    part = _resolved(part, definitions)
    if "const" in part:
        return f"`{json.dumps(part['const'])}`"
    if "enum" in part:
        return ", ".join(f"`{one}`" for one in part["enum"])
    if "anyOf" in part:
        return " or ".join(dict.fromkeys(_type(one, definitions) for one in part["anyOf"]))
    if part.get("type") == "array":
        return f"array of {_plural(_type(part.get('items', {}), definitions))}"
    return " or ".join(part["type"]) if isinstance(part.get("type"), list) else part.get("type", "any value")


def _plural(kind: str) -> str:
    return kind if kind.startswith("`") or " " in kind else f"{kind}s"


def mcp_page() -> str:
    """Return the page of the MCP tools."""
    lines = [_MCP_HEAD]
    for tool in tools.declared(tools.ServerOptions()):
        hints = [name for name in ("read_only", "destructive") if getattr(tool, name)]
        lines += [f"## {tool.name}", "", tool.description, ""]
        lines += ["| Argument | Type | Limits and meaning |", "|---|---|---|"]
        for name, schema in tool.properties.items():
            required = " (required)" if name in tool.required else ""
            lines.append(f"| `{name}`{required} | {_argument_type(schema)} | {_limits(schema)} |")
        if hints:
            lines += ["", f"Hints for clients: {', '.join(hint.replace('_', '-') for hint in hints)}."]
        lines.append("")
    return "\n".join(lines).rstrip("\n") + "\n"


def _argument_type(schema: dict[str, Any]) -> str:
    return "strings, or one" if isinstance(schema["type"], list) else _type(schema, {})


def _limits(schema: dict[str, Any]) -> str:
    most = {
        **{"string": f"at most {arguments.MOST_TEXT} characters", "number": "from 0, in seconds"},
        **{"integer": f"1 to {arguments.MOST_LINES}", "boolean": ""},
    }
    kind = schema["type"]
    words = f"at most {arguments.MOST_WORDS}, each at most {arguments.MOST_WORD} characters"
    limit = words if isinstance(kind, list) else "" if "enum" in schema else most[kind]
    return "; ".join(filter(None, (limit, schema.get("description", ""))))

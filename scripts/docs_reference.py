"""Write the generated pages of docs/reference from the schemas, the spec of the commands, the tools and the fixtures.

Usage: python scripts/docs_reference.py [--check]

With --check nothing is written; exit code 1 when a page is not what it would become.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from docs_json import json_page, mcp_page
from docs_tools import tools_page

from bgrun.cli.spec.overview import COMMANDS, EXIT_CODES
from bgrun.cli.spec.shapes import PROJECT_OPTIONS, Command, Option
from bgrun.jobfile.schema import schema

REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference"
_MADE = "<!-- made by scripts/docs_reference.py: change {source} instead -->\n"


def main(words: list[str]) -> int:
    """Write the pages, or check them."""
    pages = {
        REFERENCE / "job-file.md": jobfile_page(schema("bgjobs")),
        REFERENCE / "cli.md": commands_page(),
        REFERENCE / "json.md": json_page(),
        REFERENCE / "mcp.md": mcp_page(),
        REFERENCE / "tools.md": tools_page(),
    }
    if "--check" not in words:
        for path, text in pages.items():
            path.write_text(text, encoding="utf-8")
        return 0
    stale = [path.name for path, text in pages.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    print("\n".join(f"{name} is stale: run python scripts/docs_reference.py" for name in stale) or "up to date")
    return 1 if stale else 0


# --- the job file -----------------------------------------------------------------------------


def jobfile_page(content: dict[str, Any]) -> str:
    """Return the reference of the job file."""
    definitions = content["definitions"]
    parts = [
        ("Top level", content, ""),
        ("A job", definitions["job"], "Under `jobs:`, by name."),
        ("A service", definitions["service"], "Under `services:`, by name."),
        ("Ready", _object(definitions["ready"]), "Under `ready:` of a service, in place of a pattern."),
        ("Condition", definitions["condition"], "Under `depends_on:`, by the name of a job or service."),
        ("A parameter", definitions["param"], "Under `params:` of a job, by name."),
        ("A group", definitions["group"], "Under `groups:`, by name."),
        ("Env file", _object(definitions["env_file"]), "Under `env_file:`, in place of a path."),
        ("Retention", definitions["retention"], "Under `retention:`."),
        ("Log", definitions["log"], "Under `log:`."),
        ("Retry", _object(definitions["retry"]), "Under `retry:`, in place of a number."),
        ("Concurrency", _object(definitions["concurrency"]), "Under `concurrency:`, in place of the name of a group."),
        ("Resources", definitions["resources"], "Under `resources:`."),
        ("Slurm", definitions["slurm"], "Under `slurm:`."),
        ("Matrix", definitions["matrix"], "Under `matrix:`, next to the axes."),
        ("Reports", definitions["job"]["properties"]["reports"], "Under `reports:`."),
        ("Output", _object(definitions["outputs"]), "Under `outputs:`, by name."),
        (
            "Hook",
            _object(definitions["hook"]),
            "In `on_finish:`, `on_success:` and `on_failure:`, in place of a command.",
        ),
        ("Problem matcher", definitions["problem_matcher"], "In `problems:`, in place of a name or a file."),
        (
            "Pattern",
            definitions["problem_matcher"]["properties"]["pattern"]["items"],
            "In `pattern:` of a problem matcher.",
        ),
    ]
    head = [
        "# The job file",
        "",
        _MADE.format(source="schemas/bgjobs.schema.json"),
        "An unknown key is an error; keys that begin with `x-` are yours. Durations are `90s`, `30m`, `1h30m`, `7d` or a",
        "number of seconds; sizes are `500MB`, `1GiB` or a number of bytes. Names of jobs and groups have at most 100",
        "letters, digits, `.`, `_` and `-`, and begin with none of `.` and `-`. The keys of `defaults` are those of a job",
        "that are not its own recipe; `env`, `retention`, `resources` and `slurm` are merged key by key, the rest is replaced.",
    ]
    return "\n".join([*head, *(line for part in parts for line in _section(*part, definitions))]) + "\n"


def _object(part: dict[str, Any]) -> dict[str, Any]:
    """Return the forms of a value that are objects, as one."""
    inner = part.get("additionalProperties")
    forms = part.get("anyOf", [inner] if isinstance(inner, dict) else [])
    keys = {key: value for form in forms for key, value in form.get("properties", {}).items()}
    required = [set(form.get("required", ())) for form in forms if "properties" in form]
    return {"properties": keys, "required": sorted(set.intersection(*required))}


def _section(title: str, content: dict[str, Any], where: str, definitions: dict[str, Any]) -> list[str]:
    rows = [
        "",
        f"## {title}",
        "",
        *([where, ""] if where else []),
        "| key | what | default | for example |",
        "|---|---|---|---|",
    ]
    required = content.get("required", ())
    for key, raw in content["properties"].items():
        one = definitions[raw["$ref"].rpartition("/")[2]] if "$ref" in raw else raw
        name = f"`{key}` (required)" if key in required else f"`{key}`"
        default = _code(one["default"]) if "default" in one else ""
        examples = ", ".join(_code(example) for example in one.get("examples", one.get("enum", ())))
        told = one.get("description", "").replace("|", "\\|")
        rows.append(f"| {name} | {told} | {default} | {examples} |")
    return rows


def _code(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return f"`{text}`".replace("|", "\\|")


# --- the commands -----------------------------------------------------------------------------


def commands_page() -> str:
    """Return the reference of the commands."""
    head = [
        "# Commands",
        "",
        _MADE.format(source="bgrun/cli/spec/"),
        "Before any command, or after it unless the letter is its own:",
        "",
    ]
    lines = [*head, *_options(PROJECT_OPTIONS), "", EXIT_CODES]
    for command in COMMANDS:
        lines += ["", f"## {command.name}", "", f"`{_usage(command)}`"]
        lines += [line for paragraph in command.details for line in ("", paragraph)]
        lines += ["", "```text", *command.examples, "```"] if command.examples else []
        lines += ["", *_options(command.options)] if command.options else []
    return "\n".join(lines) + "\n"


def _usage(command: Command) -> str:
    words = ["bgrun", command.name, *(argument.metavar for argument in command.arguments), command.tail]
    return " ".join(filter(None, words))


def _options(options: tuple[Option, ...]) -> list[str]:
    rows = ["| option | what |", "|---|---|"]
    for option in options:
        spelled = ", ".join(f"`{' '.join(filter(None, (word, option.metavar)))}`" for word in option.spellings)
        rows.append(f"| {spelled} | {option.help} |")
    return rows


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

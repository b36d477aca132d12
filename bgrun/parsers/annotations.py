"""Recognize annotations: lines by which a tool reports a problem to GitHub Actions or Azure Pipelines."""

from __future__ import annotations

from bgrun.parsers.expression import expression
from bgrun.parsers.shape import WRAPPER, Parser, finding

_GITHUB = expression(r"^\s*::(error|warning|notice)(?: ([^:]*(?::(?!:)[^:]*)*))?::(.*)$")
_LOGGED = expression(r"^##\[(error|warning)\](.*)$")
_AZURE = expression(r"^##vso\[task\.logissue (\S[^\]]*)\](.*)$")
_PLACE = expression(r"^\S[^:]*:\d+:(?:\d+:)? ")
_RULE = expression(r"^[\w.-]+ \(([^()\s]+)\)$")
_ESCAPES = (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%"))
_EXIT = expression(r"^Process completed with exit code \d+\.?$")


class Annotations(Parser):
    """Annotations. Their title or code is the rule; only the first line of a message counts."""

    name = "annotations"
    starts = ("::", "##")

    def feed(self, line: str) -> bool:
        """Read one annotation."""
        if match := _GITHUB.match(line):
            fields = dict(part.split("=", 1) for part in (match[2] or "").split(",") if "=" in part)
            self._annotation(
                match[1], {name.strip(): _unescaped(value) for name, value in fields.items()}, _unescaped(match[3])
            )
        elif match := _AZURE.match(line):
            fields = dict(part.split("=", 1) for part in match[1].split(";") if "=" in part)
            named = {
                "file": fields.get("sourcepath", ""),
                "line": fields.get("linenumber", ""),
                "col": fields.get("columnnumber", ""),
                "title": fields.get("code", ""),
            }
            self._annotation(fields.get("type", "error"), named, match[2])
        elif match := _LOGGED.match(line):
            self._annotation(match[1], {}, match[2])
        return False

    def _annotation(self, severity: str, fields: dict[str, str], text: str) -> None:
        title = fields.get("title", "")
        rule = named[1] if (named := _RULE.match(title)) else title
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        message = _PLACE.sub("", lines[0]) if lines else ""
        message = message.removeprefix(f"{rule}: ").removeprefix(f"{rule} ") if rule else message
        if _EXIT.match(message):
            self.report(finding(None, None, None, message), WRAPPER)
            self.close()
        else:
            file = fields.get("file") or None
            self.report(finding(file, fields.get("line"), rule, message, severity, column=fields.get("col")))


def _unescaped(text: str) -> str:
    for code, character in _ESCAPES:
        text = text.replace(code, character)
    return text

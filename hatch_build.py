"""Make the description of the package from the README: with links that hold where no other file is next to it.

An index such as PyPI shows the README alone, so that a link to `docs/` would lead nowhere. With an address under
`Repository` in `[project.urls]` such links lead there; without one their text remains, and pictures are left out.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?://|#)([^)\s]+)\)")
_COMMENT = re.compile(r"<!--.*?-->\n*", re.DOTALL)


class DescriptionHook(MetadataHookInterface):
    """Sets `readme` of the metadata, which pyproject.toml declares as dynamic."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the description to the metadata."""
        readme = Path(self.root, "README.md").read_text(encoding="utf-8")
        text = description(readme, metadata.get("urls", {}).get("Repository", ""))
        metadata["readme"] = {"content-type": "text/markdown", "text": text}


def description(readme: str, repository: str) -> str:
    """Return the README without comments, its links to files as links to the repository, or as text without one."""

    def link(found: re.Match[str]) -> str:
        mark, text, path = found.groups()
        if not repository:
            return "" if mark else text
        kind = "raw" if mark else "blob"
        return f"{mark}[{text}]({repository.rstrip('/')}/{kind}/HEAD/{path})"

    return re.sub(r"\n{3,}", "\n\n", _LINK.sub(link, _COMMENT.sub("", readme)))

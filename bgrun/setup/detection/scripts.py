"""Find the shell scripts in scripts/ whose names are well known. Pure."""

from __future__ import annotations

import re

from bgrun.setup.detection.found import Found, purpose
from bgrun.setup.detection.tree import SCRIPTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgrun.setup.detection.tree import Tree


def jobs(tree: Tree) -> Iterator[Found]:
    """Yield a job for each script such as scripts/test.sh or scripts/verify_docs.sh."""
    for path, text in tree.texts.items():
        if path.startswith(f"{SCRIPTS}/") and (meant := purpose(name := path[len(SCRIPTS) + 1 : -len(".sh")])):
            label = re.sub(r"[^\w.-]", "_", name)
            if re.fullmatch(r"[\w./-]+", path) and not label.startswith((".", "-")):
                command = f"./{path}" if path in tree.executable and text.startswith("#!") else f"bash {path}"
                lines = [
                    line
                    for line in map(str.strip, text.splitlines())
                    if line and not line.startswith(("#", "set ", "cd "))
                ]
                description, called = f"The script {path}", re.escape(path)
                body = "\n".join(lines)
                yield Found(
                    label, command, description, meant, ("timeout: 1h",), called, body, len(lines) <= 1, target=True
                )

"""Check every link and path reference in README.md, CHANGELOG.md, CONTRIBUTING.md and docs/.

Usage: python scripts/docs_refs.py [ROOT] [--list]

A link has to lead to a file of the repository, and its anchor to a heading there; a path in `code`
has to exist; a link to an absolute path is a fault. Addresses on the web are checked for their form
only: there may be no network. Exit code 1 when anything is broken, 2 when there is nothing to check.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import sys
import unicodedata
from itertools import count, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markdown_it.token import Token

PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/**/*.md")
# A path as it is written in running text: folders of this repository, with an ending or a closing slash.
# What stands before it must not make it a part of another path: /usr/lib/bgrun/x.py is not ours.
_FOLDERS = r"(?:\.ci|benchmarks|bgrun|docs|schemas|scripts|tests)"
_PATH = re.compile(rf"(?<![\w./~-])(?:\./)?({_FOLDERS}/(?:[\w./-]*\w\.\w+|[\w/]+/))")
_UNDEFINED = re.compile(r"\[([^\]\[]+)\]\[([^\]\[]*)\]")


class Reference(NamedTuple):
    """Something that a page points to."""

    page: Path
    line: int
    target: str
    is_path: bool = False


class _Parser(MarkdownIt):
    def validateLink(self, url: str) -> bool:  # noqa: ARG002, N802
        """Take every address for a link: what the parser drops as unsafe has to be told, not overlooked."""
        return True


def main() -> int:
    """Check the repository that the command line names and tell what is broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("root", nargs="?", type=Path, default=Path.cwd())
    parser.add_argument("--list", action="store_true", help="print every reference, broken or not")
    asked = parser.parse_args()
    root = asked.root.resolve()
    pages = sorted({page for pattern in PAGES for page in root.glob(pattern) if page.is_file()})
    if not pages:
        parser.error(f"no page to check in {root}: none of {', '.join(PAGES)}")
    return _report(root, pages, listed=asked.list)


def _report(root: Path, pages: list[Path], *, listed: bool) -> int:
    found = [reference for page in pages for reference in references(page)]
    broken = 0
    for reference in found:
        fault = check(root, reference)
        broken += bool(fault)
        if fault or listed:
            print(f"{reference.page.relative_to(root)}:{reference.line}: {fault or 'ok'}: {reference.target}")
    print(f"{len(found)} references checked in {len(pages)} files, {broken} broken")
    return 1 if broken else 0


def references(page: Path) -> Iterator[Reference]:
    """Give everything that a page points to, with the line it stands on."""
    for block in _parsed(page):
        if block.type != "inline" or block.map is None:
            continue
        passed = 0
        for token in block.children or ():
            for target, is_path in _targets(token):
                yield Reference(page, _line(block, target, passed), target, is_path)
            passed += token.type in ("softbreak", "hardbreak")
        for text, name in _UNDEFINED.findall(_text(block)):
            yield Reference(page, _line(block, f"[{name}]", 0), f"[{name or text}]")


def _parsed(page: Path) -> list[Token]:
    return _Parser("commonmark").enable("table").parse(page.read_text(encoding="utf-8", errors="replace"))


def _targets(token: Token) -> Iterator[tuple[str, bool]]:
    target = token.attrGet("href") if token.type == "link_open" else token.attrGet("src")
    if token.type in ("link_open", "image") and target is not None:
        yield str(target), False
    elif token.type == "code_inline":
        yield from ((path, True) for path in _PATH.findall(token.content))


def _line(block: Token, target: str, passed: int) -> int:
    # A line break inside `code` is no token of its own, so the breaks seen are only the least there are.
    first = block.map[0] + 1 if block.map else 1
    lines = block.content.splitlines()
    return first + next((at for at in range(passed, len(lines)) if target in lines[at]), passed)


def _text(block: Token) -> str:
    # Code may hold brackets, which mean nothing there.
    shown = {"code_inline": "`", "softbreak": " ", "hardbreak": " "}
    return "".join(shown.get(token.type, token.content) for token in block.children or ())


def check(root: Path, reference: Reference) -> str:
    """Return what is wrong with a reference, or ''."""
    if reference.target.startswith("["):
        return "no such link is defined"
    try:
        if reference.is_path:
            return _check_file(root, root / "README.md", reference.target, "")
        return _check_link(root, reference)
    except (OSError, RuntimeError, ValueError) as error:  # too long, a loop of links, a NUL, half an address
        return f"cannot be followed ({error})"


def _check_link(root: Path, reference: Reference) -> str:
    parts = urlsplit(reference.target)
    if parts.scheme in ("http", "https"):
        return "" if "." in parts.netloc or parts.netloc.startswith("localhost") else "no address"
    if parts.scheme == "mailto":
        return "" if "@" in parts.path else "no address"
    if parts.scheme not in ("", "file"):
        return "neither a file nor an address on the web"
    if parts.scheme or parts.netloc or parts.path.startswith("/"):
        return "an absolute path, which exists on one machine only"
    return _check_file(root, reference.page, unquote(parts.path), unquote(parts.fragment))


def _check_file(root: Path, page: Path, path: str, anchor: str) -> str:
    target = (page.parent / path).resolve() if path else page
    if not target.is_relative_to(root):
        return "outside the repository"
    if not target.exists():
        return f"no such file{_nearest(str(target.relative_to(root)), _files(root))}"
    if anchor and target.suffix == ".md" and anchor not in (known := anchors(target)):
        return f"no such heading{_nearest(f'#{anchor}', [f'#{one}' for one in known])}"
    return ""


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f" (nearest: {near[0]})" if near else ""


def _files(root: Path) -> list[str]:
    found: list[str] = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in ("venv", "__pycache__")]
        found += [os.path.relpath(Path(folder, name), root) for name in (*folders, *names)]
    return found


def anchors(page: Path) -> list[str]:
    """Return the anchors of a page's headings as GitHub makes them: `-1`, `-2` … where one is taken."""
    found: list[str] = []
    for opening, inline in pairwise(_parsed(page)):
        if opening.type == "heading_open":
            shown = (child for child in inline.children or () if child.type in ("text", "code_inline"))
            slug = _slug("".join(child.content for child in shown))
            names = (f"{slug}-{number}" if number else slug for number in count())
            found.append(next(name for name in names if name not in found))
    return found


def _slug(text: str) -> str:
    kept = (c for c in text.strip().lower() if c in "-_ " or unicodedata.category(c)[0] in "LNM")
    return "".join(kept).replace(" ", "-")


if __name__ == "__main__":
    sys.exit(main())

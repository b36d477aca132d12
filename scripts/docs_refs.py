"""Check every link and path reference in README.md, CHANGELOG.md and docs/.

Usage: python scripts/docs_refs.py [ROOT] [--list]

A link has to lead to a file of the repository, and its anchor to a heading there; a path in `code`
has to exist; a link to an absolute path is a fault. Addresses on the web are checked for their form
only: there may be no network. Exit code 1 when anything is broken.
"""

from __future__ import annotations

import argparse
import difflib
import re
import sys
import unicodedata
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markdown_it.token import Token

PAGES = ("README.md", "CHANGELOG.md", "docs/**/*.md")
# A path as it is written in running text: folders of this repository, with an ending or a closing slash.
_PATH = re.compile(r"(?:\.ci|benchmarks|bgrun|docs|schemas|scripts|tests)/[\w./-]*\w\.\w+|(?:bgrun|docs|tests)/[\w/]+/")
_UNDEFINED = re.compile(r"\[[^\]\[]+\]\[([^\]\[]*)\]")


class Reference(NamedTuple):
    """Something that a page points to."""

    page: Path
    line: int
    target: str
    is_path: bool = False


def main() -> int:
    """Check the repository that the command line names and tell what is broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("root", nargs="?", type=Path, default=Path.cwd())
    parser.add_argument("--list", action="store_true", help="print every reference, broken or not")
    asked = parser.parse_args()
    root = asked.root.resolve()
    pages = sorted({page for pattern in PAGES for page in root.glob(pattern)})
    found = [reference for page in pages for reference in references(page)]
    broken = 0
    for reference in found:
        fault = check(root, reference)
        broken += bool(fault)
        if fault or asked.list:
            print(f"{reference.page.relative_to(root)}:{reference.line}: {fault or 'ok'}: {reference.target}")
    print(f"{len(found)} references checked in {len(pages)} files, {broken} broken")
    return 1 if broken or not pages else 0


def references(page: Path) -> Iterator[Reference]:
    """Give everything that a page points to, with the line it stands on."""
    for block in MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8")):
        if block.type != "inline" or block.map is None:
            continue
        line = block.map[0] + 1
        for token in block.children or ():
            yield from _of_token(page, line, token)
            line += token.type in ("softbreak", "hardbreak")


def _of_token(page: Path, line: int, token: Token) -> Iterator[Reference]:
    target = token.attrGet("href") if token.type == "link_open" else token.attrGet("src")
    if token.type in ("link_open", "image") and target is not None:
        yield Reference(page, line, str(target))
    elif token.type == "code_inline":
        yield from (Reference(page, line, path, is_path=True) for path in _PATH.findall(token.content))
    elif token.type == "text":
        yield from (Reference(page, line, f"[{name}]") for name in _UNDEFINED.findall(token.content))


def check(root: Path, reference: Reference) -> str:
    """Return what is wrong with a reference, or ''."""
    if reference.is_path:
        return "" if (root / reference.target).exists() else _missing(root, root / reference.target)
    if reference.target.startswith("["):
        return "no such link is defined"
    parts = urlsplit(reference.target)
    if parts.scheme in ("http", "https"):
        return "" if "." in parts.netloc or parts.netloc.startswith("localhost") else "no address"
    if parts.scheme == "mailto":
        return "" if "@" in parts.path else "no address"
    if parts.scheme or parts.path.startswith("/"):
        return "an absolute path, which exists on one machine only"
    return _check_file(root, reference.page, unquote(parts.path), unquote(parts.fragment))


def _check_file(root: Path, page: Path, path: str, anchor: str) -> str:
    target = (page.parent / path).resolve() if path else page
    if not target.is_relative_to(root):
        return "outside the repository"
    if not target.exists():
        return _missing(root, target)
    if anchor and target.suffix == ".md" and anchor not in (known := anchors(target)):
        near = difflib.get_close_matches(anchor, known, n=1)
        return f"no such heading{f' (nearest: #{near[0]})' if near else ''}"
    return ""


def _missing(root: Path, target: Path) -> str:
    known = [str(path.relative_to(root)) for path in root.glob("*/**/*") if ".git" not in path.parts]
    near = difflib.get_close_matches(str(target.relative_to(root)), known, n=1)
    return f"no such file{f' (nearest: {near[0]})' if near else ''}"


def anchors(page: Path) -> list[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    tokens = MarkdownIt("commonmark").parse(page.read_text(encoding="utf-8"))
    found: list[str] = []
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            text = "".join(child.content for child in inline.children or ())
            slug = _slug(text)
            count = sum(one == slug or re.fullmatch(rf"{re.escape(slug)}-\d+", one) is not None for one in found)
            found.append(f"{slug}-{count}" if count else slug)
    return found


def _slug(text: str) -> str:
    kept = (c for c in text.strip().lower() if c in "-_ " or unicodedata.category(c)[0] in "LNM")
    return "".join(kept).replace(" ", "-")


if __name__ == "__main__":
    sys.exit(main())

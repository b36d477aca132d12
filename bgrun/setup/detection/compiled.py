"""Find the jobs of projects that are compiled: cargo, go, CMake, Gradle, Maven. Pure."""

from __future__ import annotations

import json
import re

from bgrun.setup.detection.found import Found
from bgrun.setup.detection.tree import get

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgrun.setup.detection.tree import Tree

_LONG = ("timeout: 1h",)
_GO_FAILED = "^({% for id in failed %}{{ '' if loop.first else '|' }}{{ id.split('/')[0] }}{% endfor %})$"
"""The pattern of the failed tests, each with its subtests: `go test` takes no list."""


def jobs(tree: Tree) -> Iterator[Found]:
    """Yield the jobs of the build tools that are configured."""
    yield from _cargo(tree)
    yield from _go(tree)
    yield from _cmake(tree)
    yield from _jvm(tree)


def _cargo(tree: Tree) -> Iterator[Found]:
    if not tree.has("Cargo.toml"):
        return
    manifest = tree.toml("Cargo.toml")
    whole = " --workspace" if "workspace" in manifest else ""
    command = f"cargo test{whole} --no-fail-fast"
    more = (*_LONG, f"rerun: {command} -- {{{{ failed }}}}")
    of_what = "workspace" if whole else "crate"
    yield Found("cargo_test", command, f"All tests of the {of_what}", "test", more, r"\bcargo (test|nextest)\b")
    lints = get(manifest, "lints") or get(manifest, "workspace", "lints")
    if get(lints, "clippy") is not None or tree.has("clippy.toml", ".clippy.toml"):
        command = f"cargo clippy{whole} --all-targets -- -D warnings"
        yield Found("cargo_clippy", command, "The linter", "lint", _LONG, r"\bcargo clippy\b")


def _go(tree: Tree) -> Iterator[Found]:
    modules = _go_modules(tree.texts.get("go.work", ""))
    if tree.has("go.mod") or modules:
        where = " ".join(f"{module}/..." for module in modules) or "./..."
        of_what = "workspace" if modules else "module"
        rerun = json.dumps(["go", "test", *where.split(), "-run", _GO_FAILED])
        more = (*_LONG, f"rerun: {rerun}")
        yield Found(
            "go_test", f"go test {where}", f"All tests of the {of_what}", "test", more, r"\bgo test\b|\bgotestsum\b"
        )
    if tree.has(".golangci.yml", ".golangci.yaml", ".golangci.toml"):
        yield Found("golangci_lint", "golangci-lint run", "The linter", "lint", _LONG, r"\bgolangci-lint\b")


def _go_modules(text: str) -> list[str]:
    """Return the directories that a go.work uses, as patterns of packages begin."""
    found: list[str] = []
    in_block = False
    for line in text.splitlines():
        words = line.partition("//")[0].replace("(", " ( ").replace(")", " ) ").split()
        if words[:1] == ["use"]:
            in_block = "(" in words
            found += words[1:]
        elif in_block:
            found += words
        in_block = in_block and ")" not in words
    plain = [one.strip('"').rstrip("/") for one in found]
    return [one if one.startswith((".", "/")) else f"./{one}" for one in plain if re.fullmatch(r"[\w./-]+", one)]


def _cmake(tree: Tree) -> Iterator[Found]:
    if not tree.has("CMakeLists.txt"):
        return
    command = "cmake -S . -B build && cmake --build build --parallel"
    yield Found("cmake_build", command, "Configure and build, in build/", "build", _LONG, r"\bcmake --build\b")
    if re.search(r"\b(enable_testing|include\s*\(\s*CTest|add_test)\b", tree.texts["CMakeLists.txt"], re.IGNORECASE):
        more = ("depends_on: cmake_build", *_LONG)
        command = "ctest --test-dir build --output-on-failure"
        yield Found(
            "ctest", command, "All tests of the build in build/", "test", more, r"\bctest\b|\bmake -C build test\b"
        )


def _jvm(tree: Tree) -> Iterator[Found]:
    if tree.has("build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts"):
        gradle = _wrapped(tree, "gradlew", "gradle")
        more = (*_LONG, "reports: {junit: '**/build/test-results/**/*.xml'}")
        yield Found(
            "gradle_test",
            f"{gradle} test",
            "All tests of the build",
            "test",
            more,
            r"\bgradlew? .*\b(test|check|build)\b",
        )
    if tree.has("pom.xml"):
        maven = _wrapped(tree, "mvnw", "mvn")
        more = (*_LONG, "reports: {junit: '**/target/surefire-reports/*.xml'}")
        called = r"\bmvnw? .*\b(test|verify|package|install)\b"
        yield Found("maven_test", f"{maven} -B test", "All tests of the build", "test", more, called)


def _wrapped(tree: Tree, wrapper: str, program: str) -> str:
    """Return how to call a build tool: by the wrapper in the project, if it has one."""
    if not tree.has(wrapper):
        return program
    return f"./{wrapper}" if wrapper in tree.executable else f"sh ./{wrapper}"

"""The parsers that there are, by the names that `problems:` in a job takes."""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from bgrun.parsers.shape import Parser

_PARSERS = {
    "pytest": "test_runners.python.pytest:Pytest",
    "unittest": "test_runners.python.unittest:Unittest",
    "jest": "test_runners.javascript.jest:Jest",
    "vitest": "test_runners.javascript.vitest:Vitest",
    "mocha": "test_runners.javascript.mocha:Mocha",
    "node": "test_runners.javascript.node:Node",
    "playwright": "test_runners.javascript.playwright:Playwright",
    "karma": "test_runners.javascript.karma:Karma",
    "jasmine": "test_runners.javascript.jasmine:Jasmine",
    "ava": "test_runners.javascript.ava:Ava",
    "bun": "test_runners.javascript.bun:Bun",
    "deno": "test_runners.javascript.deno:Deno",
    "tap": "test_runners.tap:Tap",
    "bats": "test_runners.bats:Bats",
    "go": "test_runners.golang.go:Go",
    "cargo-test": "test_runners.cargo:CargoTest",
    "nextest": "test_runners.nextest:Nextest",
    "rspec": "test_runners.rspec:Rspec",
    "minitest": "test_runners.minitest:Minitest",
    "prove": "test_runners.prove:Prove",
    "phpunit": "test_runners.scripting.phpunit:Phpunit",
    "busted": "test_runners.scripting.busted:Busted",
    "exunit": "test_runners.scripting.exunit:Exunit",
    "ctest": "test_runners.ctest:Ctest",
    "gtest": "test_runners.cpp.gtest:Gtest",
    "catch2": "test_runners.cpp.catch2:Catch2",
    "behave": "test_runners.acceptance.behave:Behave",
    "robot": "test_runners.acceptance.robot:Robot",
    "dotnet-test": "test_runners.dotnet:DotnetTest",
    "surefire": "test_runners.surefire:Surefire",
    "swift": "test_runners.swift:Swift",
    "zig": "test_runners.zig:Zig",
    "gradle-test": "test_runners.gradle_test:GradleTest",
    "tsc": "compilers.tsc:Tsc",
    "eslint": "linters.eslint:Eslint",
    "mypy": "linters.mypy:Mypy",
    "ruff": "linters.ruff:Ruff",
    "flake8": "linters.flake8:Flake8",
    "pylint": "linters.pylint:Pylint",
    "pyright": "linters.pyright:Pyright",
    "black": "linters.black:Black",
    "isort": "linters.black:Isort",
    "prettier": "linters.prettier:Prettier",
    "shellcheck": "linters.shellcheck:Shellcheck",
    "pre-commit": "linters.pre_commit:PreCommit",
    "javac": "compilers.javac:Javac",
    "maven": "compilers.maven:Maven",
    "gradle": "compilers.gradle:Gradle",
    "dotnet": "compilers.msbuild:Msbuild",
    "rustc": "compilers.rustc:Rustc",
    "ld": "compilers.ld:Ld",
    "gcc": "compilers.gcc:Gcc",
    "cmake": "compilers.cmake:Cmake",
    "terraform": "infrastructure.terraform:Terraform",
    "ansible": "infrastructure.ansible:Ansible",
    "docker": "infrastructure.docker:Docker",
    "annotations": "annotations:Annotations",
    "python": "tracebacks.python:PythonTraceback",
    "nodejs": "tracebacks.node:NodeTraceback",
    "java": "tracebacks.java:JavaTraceback",
    "rust-panic": "tracebacks.rust:RustPanic",
    "make": "wrappers:Make",
    "ninja": "wrappers:Ninja",
    "npm": "wrappers:Npm",
    "tox": "wrappers:Tox",
    "nox": "wrappers:Nox",
    "poe": "wrappers:Poe",
    "shell": "wrappers:Shell",
}
"""Where the class of each parser is. Of two that claim a line with equal certainty the first one gets it."""
ALIASES: dict[str, tuple[str, ...]] = {
    "bats": ("tap",),
    "dotnet": ("dotnet-test",),
    "node": ("tap",),
    "gradle": ("gradle-test",),
    "eslint-stylish": ("eslint",),
    "gcc": ("ld",),
    "cargo": ("cargo-test", "nextest", "rustc", "rust-panic"),
}
"""Names that stand for several parsers."""


def names() -> list[str]:
    """Return the names of all parsers, in the order of the documentation."""
    return sorted({*_PARSERS, *ALIASES})


def place(name: str) -> str:
    """Return the module and class of a parser below `bgrun.parsers`."""
    return _PARSERS[name]


def makers(wanted: Collection[str] = ()) -> list[Callable[[], Parser]]:
    """Return what makes the parsers with these names, or all; only these are imported."""
    every = {one for name in wanted for one in (name, *ALIASES.get(name, ()))}
    return [_class(found) for name, found in _PARSERS.items() if not every or name in every]


def _class(place: str) -> Callable[[], Parser]:
    module, _, name = place.partition(":")
    found: Callable[[], Parser] = getattr(import_module(f"bgrun.parsers.{module}"), name)
    return found

"""Find the jobs of a JavaScript or TypeScript project: the scripts of its package.json, or of its workspace. Pure."""

from __future__ import annotations

import re

from bgrun.setup.detection.found import Found, is_endless, is_variant, purpose
from bgrun.setup.detection.tree import get

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgrun.setup.detection.tree import Tree

MANAGERS = {
    "pnpm-lock.yaml": "pnpm",
    "yarn.lock": "yarn",
    "bun.lock": "bun",
    "bun.lockb": "bun",
    "package-lock.json": "npm",
}
"""The package manager by its lock file."""
_EVERYWHERE = {
    "npm": "npm run {} --workspaces --if-present",
    "pnpm": "pnpm -r --if-present run {}",
    "yarn": "yarn workspaces foreach --all run {}",
    "yarn1": "yarn workspaces run {}",
    "bun": "bun run --filter '*' {}",
}
"""How each manager runs a script in all packages of a workspace."""
_EXECUTE = {"npm": "npx --no-install", "pnpm": "pnpm exec", "yarn": "yarn run", "bun": "bunx --no-install"}
_TAKE_FILES = {
    "vitest( run)?": "vitest run {files}{options}",
    "jest": "jest --runTestsByPath {files}{options}",
    "mocha": "mocha {files}{options}",
    "node --test": "node --test{options} {files}",
}
"""How a tool runs some files alone, by the scripts that call it with nothing but options.

The options stay, since without its configuration a test may pass. All but those of Node follow the files, which one
with an optional value would take."""
_OF_WHOLE_RUNS = re.compile(r"--(coverage|passWithNoTests)\b")
_PLACEHOLDER = "no test specified"


def jobs(tree: Tree) -> Iterator[Found]:
    """Yield a job for each well-known script of the package, or else of the packages of the workspace."""
    package = tree.json("package.json")
    manager = manager_of(tree)
    own = _scripts(package)
    for name, command in own.items():
        if meant := _purpose(name, own, command):
            label = re.sub(r"[^\w.-]", "_", f"{manager}_{name}")
            description = f"The script `{name}` of package.json"
            called = rf"\b(npm|pnpm|yarn|bun)( run)? {re.escape(name)}(?![\w:-])"
            plain = not re.search(r"[;&|]", command)
            more = ("timeout: 1h", *_rerun(command, manager))
            yield Found(label, f"{manager} run {name}", description, meant, more, called, command, plain)
    if get(package, "workspaces") is not None or tree.has("pnpm-workspace.yaml"):
        yield from _of_workspace(tree, manager, {purpose(name) for name in own})


def manager_of(tree: Tree) -> str:
    """Return the package manager of a project."""
    named = re.match(r"npm|pnpm|yarn|bun", str(tree.json("package.json").get("packageManager", "")))
    by_lock = next((name for lock, name in MANAGERS.items() if lock in tree.locks), "npm")
    return named[0] if named else by_lock


def scripts_of(tree: Tree) -> dict[str, str]:
    """Return the scripts of the package, by name."""
    return _scripts(tree.json("package.json"))


def _scripts(package: dict[str, object]) -> dict[str, str]:
    scripts = package.get("scripts")
    found = scripts.items() if isinstance(scripts, dict) else ()
    return {name: text for name, text in found if isinstance(text, str) and re.fullmatch(r"[\w:.-]+", name)}


def _purpose(name: str, scripts: dict[str, str], command: str) -> str:
    """Return the purpose of a script: that of a variant of another one is no check of its own."""
    meant = purpose(name)
    if _PLACEHOLDER in command or is_endless(command) or not meant:
        return ""
    return "other" if is_variant(name, scripts) else meant


def _rerun(command: str, manager: str) -> tuple[str, ...]:
    """Return the line that reruns the files of failed tests, if a script only calls a tool that takes files."""
    for call, form in _TAKE_FILES.items():
        if found := re.fullmatch(rf"{call}(?P<options>( --?[\w=.-]+)*)", command):
            options = "".join(f" {one}" for one in found["options"].split() if not _OF_WHOLE_RUNS.match(one))
            runner = "" if form.startswith("node ") else f"{_EXECUTE[manager]} "
            return (f"rerun: {runner}{form.format(files='{{ failed_files }}', options=options)}",)
    return ()


def _of_workspace(tree: Tree, manager: str, known: set[str]) -> Iterator[Found]:
    packages = [name for name in tree.texts if name.endswith("/package.json")]
    names = {script for path in packages for script in _scripts(tree.json(path))}
    version = str(tree.json("package.json").get("packageManager", ""))
    kind = "yarn1" if manager == "yarn" and not re.match(r"yarn@([2-9]|\d\d)", version) else manager
    for name in sorted(names):
        meant = purpose(name)
        if kind == "yarn1" and not all(name in _scripts(tree.json(path)) for path in packages):
            continue  # it fails at the first package without the script
        if meant and meant not in known and not is_variant(name, names):
            description = f"The script `{name}` of every package in the workspace"
            command = _EVERYWHERE[kind].format(name)
            yield Found(f"{manager}_{name}", command, description, meant, ("timeout: 1h",), re.escape(command))

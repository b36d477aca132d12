"""What `bgrun init` finds: one job for each thing, run as the project runs it; and that these jobs really run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bgrun.setup import detection
from bgrun.setup.detection import choice, tree
from tests import surroundings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Cli


def write(directory: Path, **files: str) -> Path:
    """Write files; in their names `__` is for `/`, `_DOT_` for a dot."""
    for name, text in files.items():
        path = directory / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return directory


def found(directory: Path, files: dict[str, str]) -> dict[str, str]:
    """Return the commands of the jobs of a project with these files, by name; those in `checks` with a star."""
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    jobs = detection.jobs(tree.read(directory))
    checks = choice.checks(jobs)
    return {f"{one.name}*" if one.name in checks else one.name: one.command for one in jobs}


PYTHON = "[tool.pytest.ini_options]\n[tool.ruff]\n[tool.mypy]\n"
TEST = {"tests/test_a.py": "def test_a(): pass\n"}
PACKAGE = json.dumps(
    {"scripts": {"test": "vitest run", "test:fast": "vitest run a", "test:watch": "vitest", "dev": "x"}}
)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param({}, {}, id="nothing"),
        pytest.param(TEST, {"pytest_full*": "pytest {{ path }}"}, id="tests"),
        pytest.param(
            {"pyproject.toml": PYTHON, **TEST},
            {"pytest_full*": "pytest {{ path }}", "lint*": "ruff check .", "types*": "mypy ."},
            id="tools",
        ),
        pytest.param(
            {"pyproject.toml": "[tool.mypy]\nfiles = ['src']\n[tool.ruff.format]\n", "uv.lock": ""},
            {"lint*": "uv run ruff check .", "format*": "uv run ruff format --check .", "types*": "uv run mypy"},
            id="uv",
        ),
        pytest.param(
            {"pyproject.toml": "[tool.poetry]\n", **TEST}, {"pytest_full*": "poetry run pytest {{ path }}"}, id="poetry"
        ),
        pytest.param(
            {"pyproject.toml": "", "pdm.lock": "", **TEST}, {"pytest_full*": "pdm run pytest {{ path }}"}, id="pdm"
        ),
        pytest.param(
            {
                "pyproject.toml": "[tool.hatch.envs.default.scripts]\ntest = 'pytest'\n[tool.hatch.envs.docs.scripts]\nbuild = 'x'",
                **TEST,
            },
            {"hatch_test*": "hatch run test", "hatch_docs_build": "hatch run docs:build"},
            id="hatch",
        ),
        pytest.param(
            {"pyproject.toml": "[tool.uv.workspace]\n", "uv.lock": "", "packages/a/tests/test_a.py": ""},
            {"pytest_full*": "uv run pytest {{ path }}"},
            id="uv workspace",
        ),
        pytest.param({"Makefile": "", "node_modules/a/tests/test_a.py": "", "b/tests/test_b.py": ""}, {}, id="others"),
        pytest.param({"setup.py": "", "node_modules/a/tests/test_a.py": ""}, {}, id="no tests of its own"),
        pytest.param({"tox.toml": "env_list = ['3.12']\n"}, {"tox": "tox"}, id="tox.toml"),
        pytest.param({"tox.ini": "[testenv]\n"}, {"tox": "tox"}, id="tox.ini"),
        pytest.param(
            {"noxfile.py": "", "pyproject.toml": "[dependency-groups]\ndev = ['nox>=1']\n", "uv.lock": ""},
            {"nox": "uv run nox"},
            id="nox",
        ),
        pytest.param(
            {"pytest.ini": "[pytest]\ntestpaths = a b\n", ".pre-commit-config.yaml": "repos: []"},
            {"pytest_full*": "pytest", "pre_commit*": "pre-commit run --all-files"},
            id="several test paths",
        ),
        pytest.param(
            {"package.json": PACKAGE}, {"npm_test*": "npm run test", "npm_test_fast": "npm run test:fast"}, id="npm"
        ),
        pytest.param(
            {
                "package.json": '{"scripts": {"test": "echo \\"Error: no test specified\\" && exit 1", "build": "tsc"}}',
                "bun.lock": "",
            },
            {"bun_build": "bun run build"},
            id="bun",
        ),
        pytest.param(
            {"package.json": '{"packageManager": "yarn@4.1.0", "scripts": {"lint; rm": "x", "lint": "eslint ."}}'},
            {"yarn_lint*": "yarn run lint"},
            id="yarn",
        ),
        pytest.param(
            {
                "package.json": '{"scripts": {"lint": "eslint ."}}',
                "pnpm-workspace.yaml": "packages: ['packages/*']",
                "pnpm-lock.yaml": "",
                "packages/a/package.json": '{"scripts": {"test": "vitest", "lint": "eslint .", "dev": "vite"}}',
            },
            {"pnpm_lint*": "pnpm run lint", "pnpm_test*": "pnpm -r --if-present run test"},
            id="pnpm workspace",
        ),
        pytest.param(
            {"package.json": '{"workspaces": ["a"]}', "a/package.json": '{"scripts": {"test": "x"}}'},
            {"npm_test*": "npm run test --workspaces --if-present"},
            id="npm workspace",
        ),
        pytest.param(
            {
                "package.json": '{"workspaces": ["a", "b"]}',
                "yarn.lock": "",
                "a/package.json": '{"scripts": {"test": "x", "lint": "y"}}',
                "b/package.json": '{"scripts": {"test": "x"}}',
            },
            {"yarn_test*": "yarn workspaces run test"},
            id="yarn workspace",
        ),
        pytest.param({"Cargo.toml": "[package]\nname='a'\n"}, {"cargo_test*": "cargo test --no-fail-fast"}, id="cargo"),
        pytest.param(
            {"Cargo.toml": "[workspace]\nmembers=['a']\n[workspace.lints.clippy]\nall = 'warn'\n"},
            {
                "cargo_test*": "cargo test --workspace --no-fail-fast",
                "cargo_clippy*": "cargo clippy --workspace --all-targets -- -D warnings",
            },
            id="cargo workspace",
        ),
        pytest.param({"go.mod": "module x\n"}, {"go_test*": "go test ./..."}, id="go"),
        pytest.param(
            {"go.work": "go 1.19\n\nuse ./a // one\nuse (\n\tb\n\t./c/d\n)\n", ".golangci.yml": ""},
            {"go_test*": "go test ./a/... ./b/... ./c/d/...", "golangci_lint*": "golangci-lint run"},
            id="go workspace",
        ),
        pytest.param(
            {"CMakeLists.txt": "project(x C)\nenable_testing()\n"},
            {
                "cmake_build": "cmake -S . -B build && cmake --build build --parallel",
                "ctest*": "ctest --test-dir build --output-on-failure",
            },
            id="cmake",
        ),
        pytest.param(
            {"build.gradle.kts": "", "gradlew": "#!/bin/sh\n"}, {"gradle_test*": "sh ./gradlew test"}, id="gradle"
        ),
        pytest.param({"pom.xml": "<project/>"}, {"maven_test*": "mvn -B test"}, id="maven"),
        pytest.param(
            {"Makefile": "X := 1\ntest: a\n\t./t\nlint:\n\tx\nother:\n.PHONY: test\nclean:\n\trm x\n%.o: x\n"},
            {"make_test*": "make test", "make_lint*": "make lint"},
            id="make",
        ),
        pytest.param(
            {"justfile": "set shell := ['bash']\ntest *args:\n  x\n@build: test\n  x\nbench what:\n  x\n"},
            {"just_test*": "just test", "just_build": "just build"},
            id="just",
        ),
        pytest.param(
            {
                "Taskfile.yml": "version: '3'\ntasks:\n  test:\n    cmds: [x]\n  own: x\n  lint: [y]\n  e2e: {cmd: z, requires: {vars: [A]}}\n"
            },
            {"task_test*": "task test", "task_lint*": "task lint"},
            id="task",
        ),
        pytest.param(
            {"scripts/test.sh": "./x\n", "scripts/verify_docs.sh": "y\n", "scripts/deploy.sh": "z\n"},
            {"test*": "bash scripts/test.sh", "verify_docs": "bash scripts/verify_docs.sh"},
            id="scripts",
        ),
        pytest.param(
            {
                "pyproject.toml": "not toml [",
                "package.json": "[1, 2",
                "Makefile": "\0\udcff".encode("utf-8", "replace").decode(),
                "Taskfile.yml": "a: [",
                "Cargo.toml": "x",
            },
            {"cargo_test*": "cargo test --no-fail-fast"},
            id="broken",
        ),
    ],
)
def test_what_is_found(tmp_path: Path, files: dict[str, str], expected: dict[str, str]) -> None:
    assert found(tmp_path, files) == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param({"Makefile": "test:\n\tpytest -q\n", **TEST}, ["pytest_full*"], id="make only calls pytest"),
        pytest.param(
            {"Makefile": "test: build\n\tpytest\nbuild:\n\tcc\n", **TEST},
            ["make_test*", "make_build"],
            id="make builds first",
        ),
        pytest.param(
            {"Makefile": "check: lint test\nlint:\n\tx\ntest:\n\ty\n"},
            ["make_lint*", "make_test*"],
            id="make check is all",
        ),
        pytest.param(
            {"Makefile": "test:\n\tnpm test\n", "package.json": PACKAGE},
            ["npm_test*", "npm_test_fast"],
            id="make calls npm",
        ),
        pytest.param(
            {"Makefile": "test:\n\t./backend/test\n", "package.json": PACKAGE},
            ["npm_test*", "npm_test_fast", "make_test*"],
            id="make tests something else than npm",
        ),
        pytest.param(
            {"Taskfile.yml": "tasks: {test: [cd api, go vet]}", "package.json": PACKAGE},
            ["npm_test*", "npm_test_fast", "task_test*"],
            id="task tests something else than npm",
        ),
        pytest.param(
            {"justfile": "test:\n  CI=1 npx --no-install vitest run\n  ./more\n", "package.json": PACKAGE},
            ["npm_test*", "npm_test_fast", "just_test"],
            id="just runs the program of the script",
        ),
        pytest.param({"Makefile": "test:\n\ttox\n", "tox.ini": "[tox]\n"}, ["tox"], id="make calls tox"),
        pytest.param(
            {"Makefile": "test:\n\t./scripts/test.sh\n", "scripts/test.sh": "x\ny\n"},
            ["test*"],
            id="make calls a script",
        ),
        pytest.param(
            {"justfile": "ci: test lint\ntest:\n  cargo test\nlint:\n  x\n", "Cargo.toml": ""},
            ["cargo_test*", "just_lint*"],
            id="just calls cargo",
        ),
        pytest.param(
            {"Taskfile.yml": "tasks:\n  all: {deps: [test]}\n  test: go test ./...\n", "go.mod": ""},
            ["go_test*"],
            id="task calls go",
        ),
        pytest.param(
            {"package.json": '{"scripts": {"test": "npm run lint && jest", "lint": "eslint"}}'},
            ["npm_test*", "npm_lint"],
            id="test lints",
        ),
        pytest.param(
            {"scripts/test.sh": "#!/bin/sh\nset -e\npytest\n", **TEST}, ["pytest_full*"], id="a script calls pytest"
        ),
        pytest.param(
            {"Makefile": "test:\n\t./t\ntest-long:\n\t./l\n", **TEST},
            ["pytest_full*", "make_test", "make_test-long"],
            id="make tests otherwise",
        ),
        pytest.param({"justfile": "test: (watch 'test')\n", "Cargo.toml": ""}, ["cargo_test*"], id="just watches"),
        pytest.param(
            {"Taskfile.yml": "tasks:\n  test: {deps: [install], cmds: [gotestsum ./...]}\n", "go.mod": ""},
            ["task_test*"],
            id="task installs first",
        ),
        pytest.param(
            {"hatch.toml": "[envs.hatch-test]\n", "pyproject.toml": "", **TEST}, ["hatch_test*"], id="hatch has its own"
        ),
    ],
)
def test_no_two_jobs_do_one_thing(tmp_path: Path, files: dict[str, str], expected: list[str]) -> None:
    assert list(found(tmp_path, files)) == expected


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("go.work", "use(\n" * 200_000),
        ("Makefile", "".join(f"test-{number}:\n\tx\n" for number in range(50_000))),
        ("Makefile", "test:\n\t" + "gradle make cargo " * 50_000),
        ("Makefile", "test:" + " \t" * 400_000),
        ("justfile", "test " * 200_000),
        ("pytest.ini", "testpaths =" + " \n\t" * 300_000),
        ("package.json", '{"a":' * 100_000),
        ("pyproject.toml", "a=" + "[" * 100_000),
        ("Taskfile.yml", "a: [" + "x, " * 300_000),
    ],
)
def test_files_of_any_kind_are_read_in_bounded_time(tmp_path: Path, name: str, text: str) -> None:
    """The limit is that of the tests: 120 s, where it would take hours."""
    assert (
        len(found(tmp_path, {name: text[: 1 << 20], "build.gradle": "", "go.mod": "module x\n"})) <= detection.MOST + 2
    )


def test_what_is_done_before_keeps_the_rerun_of_the_tool(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text("test: build\n\tpytest\nbuild:\n\tcc\n")
    (tmp_path / "pytest.ini").touch()
    assert "rerun: pytest {{ failed }}" in detection.jobs(tree.read(tmp_path))[0].more


CMAKE = """cmake_minimum_required(VERSION 3.16)
project(x C)
enable_testing()
add_executable(t t.c)
add_test(NAME fails COMMAND t)
"""
PROJECTS = {
    "pytest": ({"tests/test_a.py": "def test_a(): assert 0\n"}, "pytest_full", "tests/test_a.py"),
    "make": ({"Makefile": "test:\n\tcd . && exit 3\n"}, "make_test", "exit=2"),
    "npm": ({"package.json": '{"scripts": {"test": "exit 4"}}'}, "npm_test", "exit=4"),
    "node": (
        {
            "package.json": '{"scripts": {"test": "node --test"}}',
            "a.test.js": "require('node:test')('no', () => { throw Error('x') })\n",
        },
        "npm_test",
        "a.test.js:1 no",
    ),
    "go": (
        {
            "go.work": "go 1.19\nuse ./a\n",
            "a/go.mod": "module a\n\ngo 1.19\n",
            "a/a_test.go": 'package a\nimport "testing"\nfunc TestA(t *testing.T) { t.Fatal("no") }\n',
        },
        "go_test",
        "TestA",
    ),
    "cmake": ({"CMakeLists.txt": CMAKE, "t.c": "int main(void) { return 5; }\n"}, "ctest", "fails"),
    "just": ({"justfile": "test:\n  exit 6\n"}, "just_test", "exit=6"),
    "task": ({"Taskfile.yml": "version: '3'\ntasks:\n  test: exit 7\n"}, "task_test", "failed"),
    "cargo": (
        {
            "Cargo.toml": '[package]\nname = "a"\nversion = "0.1.0"\n',
            "src/lib.rs": '#[test]\nfn no() { panic!("x") }\n',
        },
        "cargo_test",
        "src/lib.rs:2 no",
    ),
    "scripts": ({"scripts/test.sh": "exit 8\n"}, "test", "exit=8"),
}


@pytest.mark.parametrize("tool", PROJECTS)
def test_the_job_really_runs(bg: Cli, tool: str) -> None:
    program = {"pytest": sys.executable, "scripts": "bash"}.get(tool, tool)
    if not shutil.which(program):
        needed = program in ("just", "task") and surroundings.setting("BGRUN_REQUIRE_SHELLS")
        pytest.fail(f"no {program} here") if needed else pytest.skip(f"no {program} here")
    files, job, shown = PROJECTS[tool]
    assert found(bg.folder, files)
    env = {"PATH": f"{sys.prefix}/bin:{bg.env['PATH']}", "GOPROXY": "off", "CARGO_NET_OFFLINE": "true"}
    if (rustup := surroundings.real_home() / ".rustup").is_dir():
        env["RUSTUP_HOME"] = str(rustup)
    if (
        tool == "cargo"
        and subprocess.run(["cargo", "--version"], env={**bg.env, **env}, capture_output=True).returncode
    ):
        pytest.skip("rustup has no toolchain here")
    said = bg("init", **env).err
    assert "next: " in said
    words = said.partition("next: ")[2].split()
    assert job in words
    assert shown in bg("start", job, "--wait", code=1, **env).out
    bg("validate")
    if "rerun: " in (bg.folder / "bgjobs.yaml").read_text():
        assert f"only failed tests of {job}_" in bg("rerun", job, "--failed", "--wait", code=1, **env).out


@pytest.mark.parametrize(
    ("script", "lock", "rerun"),
    [
        ("vitest", "pnpm-lock.yaml", "pnpm exec vitest run {{ failed_files }}"),
        ("vitest run --coverage", "", "npx --no-install vitest run {{ failed_files }}"),
        ("jest", "yarn.lock", "yarn run jest --runTestsByPath {{ failed_files }}"),
        ("mocha --exit", "bun.lock", "bunx --no-install mocha {{ failed_files }} --exit"),
        (
            "jest --ci --config=unit.js",
            "",
            "npx --no-install jest --runTestsByPath {{ failed_files }} --ci --config=unit.js",
        ),
        ("node --test", "", "node --test {{ failed_files }}"),
        ("node --test --conditions=dev", "", "node --test --conditions=dev {{ failed_files }}"),
        ("jest src", "", ""),
        ("tsc && jest", "", ""),
    ],
)
def test_the_files_of_failed_tests_are_rerun(tmp_path: Path, script: str, lock: str, rerun: str) -> None:
    write(tmp_path, package_DOT_json=json.dumps({"scripts": {"test": script}}), **({lock: ""} if lock else {}))
    (job,) = detection.jobs(tree.read(tmp_path))
    assert job.more == ("timeout: 1h", *([f"rerun: {rerun}"] if rerun else []))


def test_a_next_step_works_as_it_stands(bg: Cli, tmp_path: Path) -> None:
    write(bg.folder, Makefile="lint:\n\techo fine\ntest:\n\techo fine\n", pyproject_DOT_toml="[tool.tox]\n")
    said = bg("init").err
    if not shutil.which("tox"):
        assert "warning: tox is not installed; needed by tox\n" in said
    step = said.partition("next: ")[2].strip()
    assert step.endswith("group checks --wait -t 50s")
    env = {**bg.env, "PATH": f"{tmp_path}:{bg.env['PATH']}", "PYTHONPATH": str(tree.Path(__file__).parents[2])}
    subprocess.run(["sh", "-c", step], cwd=bg.folder, env=env, check=True, capture_output=True)


def test_a_package_of_a_monorepo_gets_its_own_job_file(bg: Cli) -> None:
    subprocess.run(["git", "init", "-q", bg.folder], check=True)
    bg.jobs("jobs: {own: {command: 'true'}}\n")
    web = write(bg.folder / "packages" / "web", package_DOT_json=PACKAGE, src__a_DOT_ts="")
    (bg.folder / "pnpm-lock.yaml").touch()
    said = bg("init", cwd=web / "src").err
    assert "from ../../../bgjobs.yaml, add: include: {web: packages/web/bgjobs.yaml}" in said
    assert "pnpm run test" in (web / "bgjobs.yaml").read_text()
    bg.jobs("include: {web: packages/web/bgjobs.yaml}\njobs: {own: {command: 'true'}}\n")
    assert "web.pnpm_test" in bg("jobs", "-q").out.split()
    write(bg.folder, docs__Makefile="build:\n\tx\n")
    said = bg("init", cwd=bg.folder / "docs").err
    assert "bgjobs.yaml unchanged" in said, "a directory that is no package"
    assert said.endswith(" init -f bgjobs.yaml\n")


def test_a_repository_within_a_project_gets_its_own_job_file(bg: Cli) -> None:
    bg.jobs("jobs: {own: {command: 'true'}}\n")
    inner = write(bg.folder / "vendor" / "lib", tox_DOT_toml="", src__a_DOT_py="")
    (inner / ".git").write_text("gitdir: elsewhere\n")  # as in a submodule
    bg("init", cwd=inner / "src")
    assert (inner / "bgjobs.yaml").is_file()
    assert not (inner / "src" / "bgjobs.yaml").exists()


def test_any_directory_of_a_monorepo_can_have_a_job_file_of_its_own(bg: Cli) -> None:
    bg.jobs("jobs: {own: {command: 'true'}}\n")
    docs = write(bg.folder / "docs", Makefile="build:\n\ttrue\n")
    said = bg("init", "-f", "docs/bgjobs.yaml").err
    assert "wrote docs/bgjobs.yaml" in said
    assert "to reach these jobs from bgjobs.yaml, add: include: {docs: docs/bgjobs.yaml}" in said
    assert said.endswith(" -f docs/bgjobs.yaml start make_build --wait -t 50s\n")
    assert bg("jobs", "-q", cwd=docs).out == "make_build\n"
    (docs / "bgjobs.yaml").unlink()
    for words, cwd in (("-f", "bgjobs.yaml"), docs), (("-C", "docs", "-f", "bgjobs.yaml"), bg.folder):
        step = bg(*words, "init", "--dry-run", cwd=cwd)
        assert "make build" in step.out
        assert bg(*words, "init", cwd=cwd).err.partition("next: ")[2]
        assert "bgjobs.yaml unchanged" in bg(*words, "init", cwd=cwd).err
        (docs / "bgjobs.yaml").unlink()
    assert "directory nowhere does not exist" in bg("init", "-f", "nowhere/x.yaml", code=2).err
    assert "does not exist" in bg("jobs", "-f", "docs/bgjobs.yaml", code=2).err, "only init makes one"


def test_a_package_uses_the_environment_of_the_repository(bg: Cli) -> None:
    subprocess.run(["git", "init", "-q", bg.folder], check=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bg.folder / ".venv"], check=True)
    package = write(bg.folder / "libs" / "one", tests__test_a_DOT_py="", pyproject_DOT_toml="")
    bg("init", cwd=package)
    assert 'venv: "../../.venv"' in (package / "bgjobs.yaml").read_text()
    assert ".venv" in bg("render", "pytest_full", cwd=package).out


def test_a_second_init_says_what_it_would_add(bg: Cli) -> None:
    write(bg.folder, Makefile="test:\n\tx\nbuild:\n\ty\n", go_DOT_mod="module x\n")
    text = "# ours\njobs:\n  all: {command: make test}  # kept\n  make_build: {command: other}\n"
    bg.jobs(text)
    said = bg("init").err
    assert "not declared: go_test: go test ./..." in said
    assert "make" not in said
    assert (bg.folder / "bgjobs.yaml").read_text() == text
    assert "not declared" not in bg("init", "-q").err


def test_packages_that_are_not_installed_are_named_once(bg: Cli) -> None:
    package = {"scripts": {"build": "tsc -p .", "test": "node --test"}, "devDependencies": {"typescript": "5"}}
    write(bg.folder, package_DOT_json=json.dumps(package))
    (bg.folder / "bin").mkdir()
    (bg.folder / "bin" / "npm").symlink_to("/bin/true")
    env = {"PATH": f"{bg.folder}/bin:{bg.env['PATH']}"}
    warning = "warning: the packages of package.json are not installed: npm install\n"
    assert bg("init", **env).err.count(warning) == 1
    (bg.folder / "bgjobs.yaml").unlink()
    (bg.folder / "node_modules").mkdir()
    assert warning not in bg("init", **env).err
    (bg.folder / "node_modules").rmdir()
    (bg.folder / "bgjobs.yaml").unlink()
    write(bg.folder, package_DOT_json=json.dumps({"scripts": package["scripts"]}))
    assert warning not in bg("init", **env).err


def test_pytest_is_not_offered_beside_a_job_of_unittest(bg: Cli) -> None:
    write(bg.folder, test_cart_DOT_py="import unittest\nclass T(unittest.TestCase):\n    def test_a(self): pass\n")
    bg.jobs("jobs: {tests: {command: python3 -m unittest -v}}\n")
    assert "not declared" not in bg("init").err
    bg.jobs("jobs: {lint: {command: ruff check}}\n")
    assert "not declared: pytest_full" in bg("init").err

"""The servers that `init` finds in the scripts of a project, and writes as services."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml

from bgrun.setup.detection import services
from bgrun.setup.detection.tree import Tree

if TYPE_CHECKING:
    from tests.conftest import Cli


def package(lock: str = "", **scripts: str) -> Tree:
    return Tree({"package.json": json.dumps({"scripts": scripts})}, frozenset([lock] if lock else []))


@pytest.mark.parametrize(
    ("script", "lock", "name", "command", "port"),
    [
        ("vite", "", "vite", 'npm run dev -- --port "$PORT" --strictPort --host 127.0.0.1', "auto"),
        ("vite --host", "pnpm-lock.yaml", "vite", 'pnpm run dev --port "$PORT" --strictPort', "auto"),
        ("vite --port 3000", "", "vite", "npm run dev -- --host 127.0.0.1", "3000"),
        ("vite --port 3000 --host", "", "vite", "npm run dev", "3000"),
        ("next dev", "yarn.lock", "next", 'yarn run dev --port "$PORT"', "auto"),
        ("next dev -p 4000", "", "next", "npm run dev", "4000"),
    ],
)
def test_the_dev_server_of_a_package_is_found(script: str, lock: str, name: str, command: str, port: str) -> None:
    (one,) = services.find(package(lock, dev=script))
    assert (one.name, one.command, one.port) == (name, command, port)


@pytest.mark.parametrize(
    "script", ["vite build", "vitest", "vite preview", "next build", "next start", "vite & tsc -w"]
)
def test_what_is_no_dev_server_is_left_alone(script: str) -> None:
    assert services.find(package(dev=script)) == []


@pytest.mark.parametrize(
    ("file", "text", "name", "command", "port"),
    [
        (
            "Makefile",
            "run:\n\t@python manage.py runserver\n",
            "django",
            'python manage.py runserver "127.0.0.1:$PORT"',
            "auto",
        ),
        ("Makefile", "run:\n\tuv run ./manage.py runserver 0.0.0.0:8000\n", "django", None, "8000"),
        ("Makefile", "run:\n\tpython3 manage.py runserver 8001\n", "django", None, "8001"),
        ("Procfile", "web: flask --app shop run\n", "flask", 'flask --app shop run --port "$PORT"', "auto"),
        (
            "justfile",
            "dev:\n    uvicorn app:app --reload\n",
            "uvicorn",
            'uvicorn app:app --reload --port "$PORT"',
            "auto",
        ),
        ("scripts/dev.sh", "exec poetry run uvicorn app:app --port=9000\n", "uvicorn", None, "9000"),
        ("Taskfile.yml", "tasks: \n  dev:\n    cmd: python -m uvicorn app:app\n", "uvicorn", None, "auto"),
        ("Taskfile.yml", "    cmds:\n      - docker compose up -d\n", "compose", "docker compose up", ""),
        ("Makefile", "up:\n\tdocker-compose -f dev.yml up\n", "compose", "docker-compose -f dev.yml up", ""),
    ],
)
def test_the_server_of_a_line_is_found(file: str, text: str, name: str, command: str | None, port: str) -> None:
    (one,) = services.find(Tree({file: text}))
    assert (one.name, one.port) == (name, port)
    assert command in (None, one.command)


@pytest.mark.parametrize(
    "line",
    [
        "python manage.py migrate && python manage.py runserver",
        "docker compose down",
        "# flask run",
        "pip install uvicorn",
        "uvicorn-worker x",
        "uvicorn $(APP)",
        "echo flask run",
    ],
)
def test_a_line_that_does_more_or_less_is_left_alone(line: str) -> None:
    assert services.find(Tree({"Makefile": f"run:\n\t{line}\n"})) == []


def test_init_writes_services_that_are_valid(bg: Cli) -> None:
    (bg.folder / "package.json").write_text(json.dumps({"scripts": {"dev": "vite", "test": "vitest run"}}))
    (bg.folder / "Makefile").write_text("up:\n\tdocker compose up -d\napi:\n\tuvicorn app:app\n")
    bg("init")
    declared = yaml.safe_load((bg.folder / "bgjobs.yaml").read_text())
    assert set(declared["services"]) == {"vite", "compose", "uvicorn"}
    assert declared["services"]["vite"]["ready"] == {"port": True}
    assert "npm_test" in declared["jobs"]
    bg("validate")

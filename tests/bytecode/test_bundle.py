"""Commands and supervisors import from one file, of which they use what is made of the installed sources."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bgrun.bytecode import bundle, contents
from tests.conftest import TOP

if TYPE_CHECKING:
    from collections.abc import Callable

TAKE = """
import sys
sys.path.insert(0, sys.argv[1])
from bgrun.local.supervision.machine import Machine
machine = Machine()
machine.keep_code()
import bgrun.system.lock
print("cached" if "bgrun.bytecode.builder" not in sys.modules else "built", getattr(bgrun.system.lock, "NEW", ""))
print(machine.code.is_whole, bgrun.system.lock.hold.__doc__ or "")
"""


class Package:
    """A copy of bgrun that nothing else imports from."""

    def __init__(self, root: Path) -> None:
        self.root = root
        shutil.copytree(TOP / "bgrun", root / "bgrun", ignore=shutil.ignore_patterns("__pycache__"))
        self.cache = Path(bundle.cache_of(str(root / "bgrun")))
        self.lock = root / "bgrun" / "system" / "lock.py"

    def take(self, *options: str) -> list[str]:
        """Take the copy in a process of its own; return where it came from, and what it says of itself."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        command = [sys.executable, *options, "-c", TAKE, str(self.root)]
        return subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout.splitlines()


@pytest.fixture
def package(tmp_path: Path) -> Package:
    return Package(tmp_path)


def test_the_second_start_reads_what_the_first_one_built(package: Package) -> None:
    assert package.take()[0] == "built "
    assert package.take() == ["cached ", "True "]


def _replace(path: Path) -> None:
    """Put another file of the same size and time in the place of one."""
    before = path.stat()
    text = path.read_text()
    new = path.with_suffix(".new")
    new.write_text(text.replace("_AGAIN_S = 0.001", "_AGAIN_S = NEW=1"))
    assert new.stat().st_size == before.st_size
    os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))
    new.rename(path)


def _edit(path: Path) -> None:
    path.write_text(path.read_text() + "\nNEW = 1\n")


@pytest.mark.parametrize("change", [_replace, _edit])
def test_a_changed_source_is_noticed(package: Package, change: Callable[[Path], None]) -> None:
    package.take()
    assert package.take()[0] == "cached "
    change(package.lock)
    for _ in range(2):
        shutil.rmtree(package.lock.parent / "__pycache__", ignore_errors=True)  # Python's own goes by time and size
        said = package.take()[0]
    assert said == "cached 1"


def test_a_copy_of_the_installation_does_not_use_the_code_of_the_first(package: Package, tmp_path: Path) -> None:
    package.take()
    shutil.copytree(package.root / "bgrun", tmp_path / "other" / "bgrun")
    other = Package.__new__(Package)
    other.root = tmp_path / "other"
    assert other.take()[0] == "built "


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.chmod(0o666),
        lambda path: os.truncate(path, path.stat().st_size - 1),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(bytes(path.stat().st_size)),
        lambda path: (path.rename(path.with_suffix(".else")), path.symlink_to(path.with_suffix(".else"))),
        lambda path: os.pwrite(os.open(path, os.O_WRONLY), bytes(1 << 20), 0),
        lambda path: path.write_bytes(path.read_bytes()),
    ],
    ids=["writable by others", "cut off", "empty", "zeros", "a link", "damaged code", "written over"],
)
def test_a_cache_that_cannot_be_trusted_is_not_used(package: Package, spoil: Callable[[Path], object]) -> None:
    package.take()
    spoil(package.cache)
    assert package.take() == ["built ", "True "]
    assert package.take() == ["cached ", "True "]


def test_while_one_start_builds_it_others_do_without(package: Package) -> None:
    package.take()
    package.cache.unlink()
    new = package.cache.with_name(f"{package.cache.name}.new")
    new.touch()
    assert package.take()[0] == "built "
    assert not package.cache.exists()
    os.utime(new, (0, 0))  # whoever began it was killed
    package.take()
    assert package.take()[0] == "built "
    assert package.cache.exists()
    assert not new.exists()


def test_nothing_is_written_where_python_may_write_no_bytecode(package: Package) -> None:
    assert package.take("-B")[0] == "built "
    assert not package.cache.parent.exists()


def test_a_command_imports_from_it_and_follows_an_edit(package: Package, tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    words = [
        sys.executable,
        "-v",
        "-c",
        "import sys; sys.path.insert(0, sys.argv.pop(1)); from bgrun.__main__ import main; main()",
    ]

    def status() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*words, str(package.root), "status"], env=env, cwd=tmp_path, capture_output=True, text=True, check=True
        )

    file = str(package.root / "bgrun" / "store" / "index.py")
    assert f"code object from {file}" in status().stderr or f"code object from '{file}" in status().stderr
    package.take()
    assert "bgrun/store/index" not in status().stderr, "it is not read on its own"
    output = package.root / "bgrun" / "cli" / "output.py"
    output.write_text(output.read_text() + "\nprint('edited')\n")
    assert status().stdout.startswith("edited")


ONE_BY_ONE = """
import sys
sys.path.insert(0, sys.argv[1])
from bgrun.bytecode import bundle
copy = bundle.use_cache()
by_import_system = []
run = bundle.Copy.exec_module
bundle.Copy.exec_module = lambda self, module: (by_import_system.append(module.__name__), run(self, module))
{before}
__import__(sys.argv[2])
import bgrun.store.record
spec = sys.modules["bgrun.store.record"].__spec__
assert spec.origin == sys.modules["bgrun.store.record"].__file__ and sys.modules["bgrun.store"].__path__
print(*by_import_system)
"""


def _imported(package: Package, name: str, before: str = "") -> list[str]:
    """Import a module from the cache; return which ones the import system loaded one by one."""
    package.take()
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    words = [sys.executable, "-c", ONE_BY_ONE.format(before=before), str(package.root), name]
    return subprocess.run(words, env=env, check=True, capture_output=True, text=True).stdout.split()


def test_commands_do_without_the_module_of_future_statements(package: Package) -> None:
    """Annotations stay text: the statement has its effect when the code is compiled."""
    loaded = """
__import__(sys.argv[2])
import bgrun.api.insight, bgrun.store.paths
assert "__future__" not in sys.modules
assert not bgrun.api.insight.__doc__
assert bgrun.store.paths.RunPaths.log.fget.__annotations__["return"] == "str"
"""
    _imported(package, "bgrun.cli.commands.start", loaded)


@pytest.mark.parametrize("name", contents.TOGETHER)
def test_what_a_command_needs_is_loaded_in_one_step(package: Package, name: str) -> None:
    alone = _imported(package, name)
    packages = set()
    while name:
        parts = name.split(".")
        packages |= {".".join(parts[:depth]) for depth in range(2, len(parts))}
        name, _ = contents.TOGETHER[name]
    assert set(alone) <= {*contents.TOGETHER, *packages, "bgrun.api", "bgrun.cli", "bgrun.errors", "bgrun.light"}


def test_while_another_thread_runs_modules_are_loaded_one_by_one(package: Package) -> None:
    begin = "import threading; end = threading.Event(); threading.Thread(target=end.wait, daemon=True).start()"
    assert "bgrun.store.record" in _imported(package, "bgrun.cli.app", begin)


def test_a_file_that_is_written_over_does_not_change_a_copy_in_memory(package: Package) -> None:
    package.take()
    look = (
        "import sys; sys.path.insert(0, sys.argv[1]); from bgrun.bytecode import bundle; copy = bundle.cached(); "
        "open(bundle.CACHE, 'r+b').write(bytes(1 << 20)); import bgrun.local.stopping.stopper; print(copy.fd)"
    )
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    words = [sys.executable, "-c", look, str(package.root)]
    assert subprocess.run(words, env=env, check=True, capture_output=True, text=True).stdout == "-1\n"


def test_a_cache_of_another_layout_is_built_anew(package: Package) -> None:
    package.take()
    data = package.cache.read_bytes()
    for length in (0, 3, len(data) * 2, 2**32 - 1):
        package.cache.write_bytes(data[:-8] + length.to_bytes(4, "little") + bundle.MAGIC)
        os.utime(package.cache, ns=(bundle.WRITTEN_NS, bundle.WRITTEN_NS))
        assert package.take()[0] == "built "
        assert package.take()[0] == "cached "


WRITTEN_OVER = """
import os, sys
sys.path.insert(0, sys.argv[1])
from bgrun.bytecode import bundle
bundle.use_cache()
import bgrun.cli.app
with open(bundle.CACHE, "r+b") as file:
    file.write(bytes(1 << 20))
import bgrun.cli.commands.start, bgrun.cli.commands.wait
from bgrun.local.supervision.machine import Machine
machine = Machine()
machine.keep_code()
import bgrun.local.stopping.stopper
print(machine.code.is_whole)
"""


def test_a_command_goes_on_though_the_cache_is_written_over(package: Package) -> None:
    package.take()
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    words = [sys.executable, "-c", WRITTEN_OVER, str(package.root)]
    assert subprocess.run(words, env=env, check=True, capture_output=True, text=True).stdout == "True\n"
    assert package.take()[0] == "cached ", "it was built anew"


def test_each_path_to_an_installation_has_a_cache_of_its_own(package: Package, tmp_path: Path) -> None:
    package.take()
    other = Package.__new__(Package)
    other.root = tmp_path / "link"
    other.root.symlink_to(package.root)
    assert other.take()[0] == "built "
    assert (package.take()[0], other.take()[0]) == ("cached ", "cached ")


def test_what_has_its_base_loaded_in_another_way_is_loaded_all_the_same(package: Package) -> None:
    package.take()
    look = (
        "import sys; sys.path.insert(0, sys.argv[1]); import bgrun.cli.app; from bgrun.bytecode import bundle; bundle.use_cache(); "
        "import bgrun.cli.commands.start; print(bgrun.jobfile.project.__name__)"
    )
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    words = [sys.executable, "-c", look, str(package.root)]
    assert (
        subprocess.run(words, env=env, check=True, capture_output=True, text=True).stdout == "bgrun.jobfile.project\n"
    )


def _run(code: str, package: Package) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    words = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(package.root)!r})\n{code}"]
    return subprocess.run(words, env=env, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


@pytest.mark.parametrize(
    "edited", ["cli/commands/status.py", "store/index.py", "cli/commands/logs.py", "logs/reader.py"]
)
def test_only_what_was_edited_is_imported_from_its_source(package: Package, edited: str) -> None:
    """Be it of a set that is loaded in one step, or of none."""
    package.take()
    _edit(package.root / "bgrun" / edited)
    name = edited[:-3].replace("/", ".")
    code = f"""
from bgrun.bytecode import bundle
copy = bundle.use_cache()
import bgrun.cli.app, bgrun.cli.commands.status, bgrun.cli.commands.logs, bgrun.logs.reader, bgrun.store.index
print(sys.modules["bgrun.{name}"].NEW, sys.modules["bgrun.{name}"].__spec__.loader is copy)
print(bgrun.cli.app.__spec__.loader is copy, sys.modules["bgrun.store.listing.names"].__spec__.loader is copy)
"""
    assert _run(code, package) == "1 False\nTrue True"


def test_a_start_builds_it_anew_whatever_was_edited(package: Package) -> None:
    package.take()
    _edit(package.root / "bgrun" / "cli" / "commands" / "list.py")
    assert [package.take()[0] for _ in range(2)] == ["built ", "cached "]


REPLACED = """
import os, time
from bgrun.bytecode import bundle
copy = {copy}
import bgrun.cli.app
until = time.monotonic() + 20
begun = time.time_ns()
paths = [bundle.ROOT + "/store/index.py", bundle.ROOT + "/store/claim.py"]
while True:  # until the clock of the file system is past the beginning
    for path in paths:
        with open(path, "a") as file:
            file.write("NEW = 1\\n")
    if os.stat(path).st_ctime_ns > begun + 50_000_000:
        break
    assert time.monotonic() < until
{then}
import bgrun.cli.commands.status, bgrun.store.index, bgrun.store.claim
print(hasattr(bgrun.store.index, "NEW"), hasattr(bgrun.store.claim, "NEW"), bundle.cached() is copy)
"""


@pytest.mark.parametrize(
    ("copy", "then"),
    [
        ("bundle.use_cache()", ""),
        ("bundle.use_cache()", "os.unlink(paths[1])"),
        ("bundle.cached()", "del bundle.mark_of"),
    ],
    ids=["a command", "a command whose source is removed", "a supervisor, which compares nothing any more"],
)
def test_what_is_replaced_while_a_process_runs_is_not_mixed_with_the_rest(
    package: Package, copy: str, then: str
) -> None:
    package.take()
    assert _run(REPLACED.format(copy=copy, then=then), package) == "False False True"


def test_a_supervisor_takes_no_copy_that_was_outdated_when_its_caller_began(package: Package) -> None:
    package.take()
    _edit(package.lock)
    code = """
from bgrun.bytecode import bundle
copy = bundle.use_cache()
import bgrun.cli.app
print(bundle.cached(), copy in sys.meta_path, copy.fd)
"""
    assert _run(code, package) == "None False -1"


def test_a_change_of_a_later_time_than_now_is_one_from_before(package: Package) -> None:
    """The clock was ahead, or that of a file server is."""
    package.take()
    _edit(package.lock)
    code = """
import time
real = time.time_ns
time.time_ns = lambda: real() - 3600 * 10**9
from bgrun.bytecode import bundle
bundle.use_cache()
import bgrun.system.lock
print(bgrun.system.lock.NEW)
"""
    assert _run(code, package) == "1"


def test_a_module_that_has_become_a_package_is_that_and_the_reverse(package: Package) -> None:
    room = package.root / "bgrun"
    package.take()
    (room / "cli" / "output").mkdir()
    (room / "cli" / "output.py").rename(room / "cli" / "output" / "__init__.py")
    _edit(room / "cli" / "output" / "__init__.py")
    shutil.rmtree(room / "cli" / "spec")
    (room / "cli" / "spec.py").write_text("NEW = 2\n")
    code = """
from bgrun.bytecode import bundle
bundle.use_cache()
import bgrun.cli.output, bgrun.cli.spec
print(bgrun.cli.output.NEW, bgrun.cli.spec.NEW)
"""
    assert _run(code, package) == "1 2"


def test_what_does_not_belong_to_bgrun_is_not_looked_for(package: Package) -> None:
    package.take()
    code = """
from bgrun.bytecode import bundle
copy = bundle.use_cache()
before = dict(copy.index)
print(copy.find_spec("bgrunner"), copy.find_spec("json"), copy.index == before)
"""
    assert _run(code, package) == "None None True"

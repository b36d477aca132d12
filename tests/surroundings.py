"""What the tests run in, made the same for everybody: environment, umask, signals.

Whoever runs them has variables, a umask and signals of their own (an activated venv, a time zone, a
git hook's GIT_DIR, `nohup`, a bgrun job around it all). None of that may decide how a test ends.
"""

from __future__ import annotations

import os
import pwd
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

KEPT = frozenset(
    {
        # Where programs and what they link to are, and which of them pyenv's shims mean.
        "PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYENV_ROOT", "PYENV_VERSION", "DEVELOPER_DIR", "SDKROOT",
        # Where pytest and Python keep temporary files.
        "TMPDIR",
        # The way to the network and whom to believe there.
        "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
        "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS",
        "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX", "PIP_CERT", "PIP_CLIENT_CERT",
        "PIP_TRUSTED_HOST", "PIP_PROXY", "PIP_DEFAULT_TIMEOUT", "PIP_CONFIG_FILE", "PIP_CACHE_DIR",
    }
)  # fmt: skip
KEPT_BEGINNINGS = ("PYTEST_", "HYPOTHESIS_", "COVERAGE_", "COV_CORE_", "BGRUN_TEST_")
"""The tests' own machinery, and what the tests themselves are told by a variable."""
SETTINGS = (
    "BGRUN_CLIENTS",
    "BGRUN_REQUIRE_CLIENTS",
    "BGRUN_REQUIRE_INSTALLERS",
    "BGRUN_REQUIRE_SHELLS",
    "CI",
    "BGRUN_AGENTS",
    "BGRUN_REQUIRE_AGENTS",
    "BGRUN_SLURM",
)
"""Told to the tests, but nothing that bgrun is to see: kept as `BGRUN_TEST_…`, see `setting`."""
UTF8 = "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8"


def explicit(environ: Mapping[str, str], home: str) -> dict[str, str]:
    """Return the environment that tests have in one with these variables; doing so again changes nothing; pure."""
    kept = {name: value for name, value in environ.items() if name in KEPT or name.startswith(KEPT_BEGINNINGS)}
    reported = {_told(name): environ[name] for name in SETTINGS if name in environ}
    real = {"BGRUN_TEST_HOME": environ.get("BGRUN_TEST_HOME", home)}
    root = os.path.join(real["BGRUN_TEST_HOME"], ".pyenv")
    shims = {"PYENV_ROOT": root} if os.path.isdir(root) and "PYENV_ROOT" not in kept else {}
    return {"PATH": os.defpath, **kept, **reported, **real, **shims, "LANG": UTF8, "TZ": "UTC", "HOME": home}


def reachable(path: str) -> str:
    """Return a PATH without the folders that this user may not search: there a shell says 126 of what is nowhere."""
    return os.pathsep.join(folder for folder in path.split(os.pathsep) if _is_reachable(folder))


def _is_reachable(folder: str) -> bool:
    try:
        os.stat(folder or ".")
    except PermissionError:
        return False
    except OSError:
        return True
    return os.access(folder or ".", os.X_OK)


def settle() -> None:
    """Give this process, and so whatever it starts, the surroundings that the tests are written for."""
    settled = explicit(os.environ, _home())
    settled["PATH"] = reachable(settled["PATH"])
    os.environ.clear()
    os.environ.update(settled)
    time.tzset()
    os.umask(0o022)
    if threading.current_thread() is not threading.main_thread():
        return
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in signal.valid_signals():
        if number not in (signal.SIGPIPE, signal.SIGXFSZ) and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


def move_in(home: Path, shared: Path) -> None:
    """Have what tests start live in a home of their own; pip alone keeps what it was told and has fetched already.

    `shared` is a folder that all workers of a session have in common.
    """
    real = real_home()
    caches = (real / ".cache" / "pip", real / "Library" / "Caches" / "pip")
    os.environ.setdefault("PIP_CACHE_DIR", str(next(filter(_is_ours, caches), shared / "pip-cache")))
    if (reported := next((path for path in _pip_files(real) if path.is_file()), None)) is not None:
        os.environ.setdefault("PIP_CONFIG_FILE", str(reported))
    os.environ["HOME"] = str(home)
    for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD"):
        os.environ.pop(name, None)  # this pytest has read them: they are not for those that tests start


def _pip_files(home: Path) -> tuple[Path, ...]:
    folders = (home / ".config" / "pip", home / "Library" / "Application Support" / "pip", home / ".pip")
    return tuple(folder / "pip.conf" for folder in folders)


def _is_ours(folder: Path) -> bool:
    return folder.is_dir() and os.access(folder, os.W_OK) and folder.stat().st_uid == os.getuid()


def setting(name: str) -> str:
    """Return what the tests were told by a variable of `SETTINGS`, or ''."""
    return os.environ.get(_told(name), "")


def real_home() -> Path:
    """Return the home folder of whoever runs the tests."""
    return Path(os.environ["BGRUN_TEST_HOME"])


def _told(name: str) -> str:
    return f"BGRUN_TEST_{name.removeprefix('BGRUN_')}"


def _home() -> str:
    if home := os.environ.get("HOME"):
        return home
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:  # a user without an entry
        return "/"

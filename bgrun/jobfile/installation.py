"""Find the schemas of this installation, and identify the code that renders jobs."""

from __future__ import annotations

import os
import sys

from bgrun.errors import BgrunError
from bgrun.templating.checks import stamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_SCHEMA = "bgjobs.schema.json"
_ROOMS = ("jobfile", "templating", "render", "parsers")
_INNER = ("jobfile/checks", "render/templates")


def schema_dir() -> str:
    """Return the directory of the schemas: in the package, or next to it in a checkout.

    Raises:
        BgrunError: the installation is broken.
    """
    for candidate in _candidates():
        if os.path.isfile(f"{candidate}/{_SCHEMA}"):
            return candidate
    raise BgrunError("this installation of bgrun has no schemas", "install bgrun again")


def _candidates() -> Iterator[str]:
    yield f"{_PACKAGE}/schemas"
    yield f"{os.path.dirname(_PACKAGE)}/schemas"
    # The package may be a link into a checkout.
    yield f"{os.path.dirname(os.path.realpath(_PACKAGE))}/schemas"


def code_mark() -> str:
    """Return a text that changes with the code that reads and renders job files.

    Cache entries made by other code are invalid. Installed code changes only as a whole, so directories are
    enough; in a checkout each file counts.
    """
    from bgrun import __version__

    stamps = (f"{path} {stamp(path)}" for path in _code())
    return "\n".join([__version__, sys.version, *stamps])


def _code() -> Iterator[str]:
    schemas = schema_dir()
    yield from (f"{schemas}/{_SCHEMA}", f"{_PACKAGE}/plan.py")
    if schemas.startswith(f"{_PACKAGE}/"):
        yield from (f"{_PACKAGE}/{room}" for room in _ROOMS)
        return
    for part in (*_ROOMS, *_INNER):
        names = sorted(os.listdir(f"{_PACKAGE}/{part}"))
        yield from (f"{_PACKAGE}/{part}/{name}" for name in names if name.endswith((".py", ".j2", ".json")))

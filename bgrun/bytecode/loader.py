"""Import code that is kept apart from where it was installed; see `bundle`.

Nothing of bgrun is imported here: this imports all the rest.
"""

import marshal
import os
import sys
from _frozen_importlib import ModuleSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

    Index = dict[str, tuple[str, bool, bool, int, int]]
    """Of each module: its file, whether it is a package, whether it is bytecode, and where that begins and ends."""


class Kept:
    """The code of these modules, as it was when it was read."""

    def __init__(self, index: "Index", read: "Callable[[int, int], bytes]") -> None:
        self.index = index
        self.read = read

    def code(self, name: str) -> "Any":
        """Return the code of a module."""
        path, _, compiled, begin, end = self.index[name]
        data = self.read(begin, end)
        return marshal.loads(data) if compiled else compile(data, path, "exec", dont_inherit=True)  # noqa: S302 - our own

    # --- as one of sys.meta_path, and as a loader (importlib.abc) ------------------------------

    def find_spec(self, name: str, path: object = None, target: object = None) -> "ModuleSpec | None":
        """Return how to load a module, or None unless it is kept."""
        del path, target
        return self.spec(name) if name in self.index else None

    def spec(self, name: str) -> "ModuleSpec":
        """Return how to load a module that is kept."""
        file, package, *_ = self.index[name]
        loader: Any = self
        spec = ModuleSpec(name, loader, origin=file, is_package=package)
        if package and spec.submodule_search_locations is not None:
            spec.submodule_search_locations.append(os.path.dirname(file))
        spec.has_location = True
        return spec

    def create_module(self, spec: "ModuleSpec") -> None:
        """Let Python create the module."""

    def exec_module(self, module: "ModuleType") -> None:
        """Run the code of a module in it."""
        exec(self.code(module.__name__), module.__dict__)  # noqa: S102 - as every loader does


def install(fd: int, index: "Index") -> "Callable[[], None]":
    """Import from the copy that a descriptor holds; return what drops the code that is loaded by then."""
    os.set_inheritable(fd, False)
    sys.meta_path.insert(0, Kept(index, lambda begin, end: os.pread(fd, end - begin, begin)))

    def trim() -> None:
        for name in [name for name in index if name in sys.modules]:
            del index[name]
        os.ftruncate(fd, max((one[4] for one in index.values()), default=0))

    return trim

"""Detect the long commands of a project from the files of its tools.

`tree` reads these files; a module for each kind of tool finds jobs in their texts; `choice` keeps one job for each
thing; `job_file` writes them down.
"""

from __future__ import annotations

from itertools import chain, islice

from bgrun.setup.detection import choice, compiled, node, python, scripts, task_runners

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.setup.detection.found import Found
    from bgrun.setup.detection.tree import Tree

MOST = 100
"""How many jobs of tools, and how many of targets and scripts, are taken from a project."""


def jobs(tree: Tree) -> list[Found]:
    """Return the jobs of a project, one for each thing that it does. Pure."""
    tools = islice(chain(python.jobs(tree), node.jobs(tree), compiled.jobs(tree)), MOST)
    targets = islice(chain(task_runners.jobs(tree), scripts.jobs(tree)), MOST)
    return choice.without_doubles([*tools], [*targets])

"""Detect the long commands of a project from the files of its tools.

`tree` reads these files; a module for each kind of tool finds jobs in their texts; `choice` keeps one job for each
thing; `job_file` writes them down.
"""

from __future__ import annotations

from bgrun.setup.detection import choice, compiled, node, python, scripts, task_runners

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.setup.detection.found import Found
    from bgrun.setup.detection.tree import Tree


def jobs(tree: Tree) -> list[Found]:
    """Return the jobs of a project, one for each thing that it does. Pure."""
    tools = [*python.jobs(tree), *node.jobs(tree), *compiled.jobs(tree)]
    return choice.without_doubles(tools, [*task_runners.jobs(tree), *scripts.jobs(tree)])

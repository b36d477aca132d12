"""What two starts have in common if they do the same work: a key that every declared start records. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from bgrun import codec

if TYPE_CHECKING:
    from bgrun.plan import RenderedPlan


def work_key(plan: RenderedPlan) -> str:
    """Return a hash of all that a plan does, apart from the files that its jobs read.

    A plan with secrets has none: a hash of them would be a help in guessing them, and without them nothing tells
    whether two starts do the same.
    """
    if any(node.job.secrets for node in plan.nodes):
        return ""
    return codec.digest(json.dumps(plan).encode()).hex()

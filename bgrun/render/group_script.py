"""Write the script of a group run, which reruns the job scripts of its runs by hand. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_HEAD = """#!/usr/bin/env bash
# bgrun script of {name}: reruns the job scripts of its runs, {how}.
# To run it by hand: bash THIS_FILE
cd -- "${{0%/*}}" || exit 1
"""


_SERVICES = """# Services run in the background until the end; nothing waits until they are ready.
trap 'kill $(jobs -p)' EXIT
"""


def sequential(name: str, run_ids: Sequence[str], services: Collection[str] = ()) -> str:
    """Return the script of a plan with dependencies; run IDs are in dependency order."""
    how = "each after its dependencies, until one fails"
    lines = (f"bash {run_id}.sh {'&' if run_id in services else '|| exit'}\n" for run_id in run_ids)
    return _HEAD.format(name=name, how=how) + (_SERVICES if services else "") + "".join(lines)


def parallel(name: str, run_ids: Sequence[str], max_parallel: int | None) -> str:
    """Return the script of a plan without dependencies; `max_parallel` None means all at once."""
    how = f"at most {max_parallel} at once" if max_parallel else "all at once"
    listed = "".join(f"  {run_id}.sh \\\n" for run_id in run_ids)
    return _HEAD.format(name=name, how=how) + (
        f"printf '%s\\0' \\\n{listed}  | xargs -0 -n 1 -P {max_parallel or len(run_ids)} bash\n"
    )

"""The script of a plan's own run, which runs the job scripts of its runs again; pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_HEAD = """#!/usr/bin/env bash
# bgrun script of {name}: runs the job scripts of its runs again, {how}.
# To run it by hand: bash THIS_FILE
cd -- "${{0%/*}}" || exit 1
"""


def in_turn(name: str, run_ids: Sequence[str]) -> str:
    """Return the script of a plan with an order; each run comes behind what it needs."""
    how = "each behind what it needs, up to the first that fails"
    return _HEAD.format(name=name, how=how) + "".join(f"bash {run_id}.sh || exit\n" for run_id in run_ids)


def at_once(name: str, run_ids: Sequence[str], max_parallel: int | None) -> str:
    """Return the script of a plan whose runs wait for nothing but for one to end when so many run."""
    how = f"at most {max_parallel} at once" if max_parallel else "all at once"
    listed = "".join(f"  {run_id}.sh \\\n" for run_id in run_ids)
    return _HEAD.format(name=name, how=how) + (
        f"printf '%s\\0' \\\n{listed}  | xargs -0 -n 1 -P {max_parallel or len(run_ids)} bash\n"
    )

"""A gateway and a worker on one PostgreSQL: either is killed at each of its own boundaries, the other lives on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.crash.matrix import Plan, choose_all, choose_states, run_matrix
from tests.crash.scenarios import CANCELLING, FAILING, IMAGINE
from tests.crash.victim import GATEWAY, WORKER

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PLANS = (
    Plan(scenario=IMAGINE, choose=choose_all),
    # What a press and a failure write, and what is told of it by whom.
    Plan(scenario=FAILING, choose=choose_states, since="committed Writes.end failed"),
    Plan(scenario=CANCELLING, choose=choose_states),
)


async def test_each_job_ends_once_whichever_process_is_killed_wherever(
    make_postgresql: Callable[[], str], tmp_path: Path
) -> None:
    """A dead worker's job is taken over by a later look; meanwhile nobody computes anything, so more chains run."""
    problems = await run_matrix(PLANS, make_postgresql, tmp_path, roles=(GATEWAY, WORKER), chains=5)
    assert not problems, problems

"""A gateway and a worker on one PostgreSQL: either is killed at each of its own boundaries, the other lives on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.crash.matrix import Plan, choose_all, choose_states, run_matrix
from tests.crash.outages import FORBIDDEN
from tests.crash.scenarios import CANCELLING, FAILING, IMAGINE, PRIVATE, REPLY
from tests.crash.victim import GATEWAY, WORKER

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PLANS = (
    Plan(scenario=IMAGINE, choose=choose_all, outages=(FORBIDDEN,)),
    Plan(scenario=PRIVATE, choose=choose_states),
    Plan(scenario=REPLY, choose=choose_states),
    Plan(scenario=FAILING, choose=choose_states),
    Plan(scenario=CANCELLING, choose=choose_states),
)


async def test_each_job_ends_once_whichever_process_is_killed_wherever(
    make_postgresql: Callable[[], str], tmp_path: Path
) -> None:
    """A dead worker's job is taken over a while later; meanwhile nobody computes anything, so many chains run."""
    problems = await run_matrix(PLANS, make_postgresql, tmp_path, roles=(GATEWAY, WORKER), chains=6)
    assert not problems, problems

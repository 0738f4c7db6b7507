"""The single process on PostgreSQL, killed everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.crash.matrix import Plan, choose_all, choose_states, run_matrix
from tests.crash.scenarios import CANCELLING, FAILING, IMAGINE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PLANS = (
    Plan(scenario=IMAGINE, choose=choose_all),
    # What a press and a failure write, and what is told of it.
    Plan(scenario=FAILING, choose=choose_states, since="committed Writes.end failed"),
    Plan(scenario=CANCELLING, choose=choose_states),
)


async def test_each_job_ends_once_wherever_the_process_is_killed(
    make_postgresql: Callable[[], str], tmp_path: Path
) -> None:
    problems = await run_matrix(PLANS, make_postgresql, tmp_path)
    assert not problems, problems

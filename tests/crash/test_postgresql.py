"""The single process on PostgreSQL, killed everywhere, and replies before everything that may go wrong meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.crash.matrix import Plan, choose_all, choose_states, run_matrix
from tests.crash.outages import CHANNEL_GONE, FORBIDDEN, MESSAGES_GONE, TOKEN_DEAD
from tests.crash.scenarios import CANCELLING, FAILING, IMAGINE, PRIVATE, REPLY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PLANS = (
    Plan(scenario=IMAGINE, choose=choose_all),
    Plan(scenario=PRIVATE, choose=choose_states),
    Plan(
        scenario=REPLY,
        choose=choose_states,
        outages=(TOKEN_DEAD, CHANNEL_GONE, MESSAGES_GONE, FORBIDDEN),
    ),
    Plan(scenario=FAILING, choose=choose_states),
    Plan(scenario=CANCELLING, choose=choose_states),
)


async def test_each_job_ends_once_wherever_the_process_is_killed(
    make_postgresql: Callable[[], str], tmp_path: Path
) -> None:
    problems = await run_matrix(PLANS, make_postgresql, tmp_path)
    assert not problems, problems

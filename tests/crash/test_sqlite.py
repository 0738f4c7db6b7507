"""The single process on SQLite, killed everywhere, and before everything that may go wrong meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.crash.matrix import Plan, choose_all, choose_states, run_matrix
from tests.crash.outages import (
    CHANNEL_GONE,
    FORBIDDEN,
    FORGOTTEN,
    MEMBER_LEFT,
    MESSAGES_GONE,
    PICTURE_GONE,
    TOKEN_DEAD,
)
from tests.crash.scenarios import CANCELLING, FAILING, IMAGINE, PRIVATE, REPLY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PLANS = (
    Plan(
        scenario=IMAGINE,
        choose=choose_all,
        outages=(TOKEN_DEAD, CHANNEL_GONE, FORBIDDEN, MEMBER_LEFT, FORGOTTEN, PICTURE_GONE),
    ),
    Plan(
        scenario=PRIVATE,
        choose=choose_states,
        since="committed Writes.advance succeeded",
        outages=(TOKEN_DEAD, CHANNEL_GONE),
        met_since="committed Writes.advance succeeded",
    ),
    Plan(
        scenario=REPLY,
        choose=choose_states,
        outages=(TOKEN_DEAD, CHANNEL_GONE, MESSAGES_GONE, FORBIDDEN),
        # The note below it, of which every outage takes another end.
        met_since="taken POST /api/v10/channels/*/messages #1",
    ),
    Plan(
        scenario=FAILING,
        choose=choose_states,
        since="committed Writes.advance submitted",
        outages=(TOKEN_DEAD, CHANNEL_GONE),
        met_since="committed Writes.advance submitted",
    ),
    Plan(scenario=CANCELLING, choose=choose_states),
)


async def test_each_job_ends_once_wherever_the_process_is_killed(
    make_sqlite: Callable[[], str], tmp_path: Path
) -> None:
    problems = await run_matrix(PLANS, make_sqlite, tmp_path)
    assert not problems, problems

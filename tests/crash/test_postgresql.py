"""The single process on PostgreSQL, killed everywhere, and replies before everything that may go wrong meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.crash import outages, scenarios
from tests.crash.matrix import choose_all, choose_states, run_matrix

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.crash.outages import Outage
    from tests.crash.scenarios import Scenario

ANYWHERE = (outages.TOKEN_DEAD, outages.CHANNEL_GONE, outages.MESSAGES_GONE, outages.FORBIDDEN)


async def test_a_picture_killed_at_every_boundary(make_postgresql: Callable[[], str], tmp_path: Path) -> None:
    problems = await run_matrix(scenarios.IMAGINE, make_postgresql, tmp_path, choose=choose_all)
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize(
    ("scenario", "met"),
    [
        (scenarios.PRIVATE, ()),
        (scenarios.REPLY, ANYWHERE),
        (scenarios.FAILING, ()),
        (scenarios.CANCELLING, ()),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
async def test_killed_in_every_state(
    make_postgresql: Callable[[], str], tmp_path: Path, scenario: Scenario, met: tuple[Outage, ...]
) -> None:
    problems = await run_matrix(scenario, make_postgresql, tmp_path, choose=choose_states, outages=met)
    assert not problems, "\n".join(problems)

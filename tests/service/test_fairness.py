"""A server that queues 500 jobs delays itself: ten others with one each wait at most twice as long as alone."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from db.engine import Database
from tests.service.fair_waits import CONCURRENCY, FLOOD_MEMBERS, FLOOD_PER_MEMBER, RENDER_S, measure_waits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def quiet_database(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Database]:
    """For the ten alone: how long they wait says the clock, not the database."""
    shutil.copy(migrated_file, tmp_path / "quiet.db")
    opened = Database(f"sqlite:///{tmp_path / 'quiet.db'}")
    yield opened
    await opened.close()


async def test_ten_servers_behind_a_flood_wait_at_most_twice_as_long_as_alone(
    database: Database, quiet_database: Database
) -> None:
    alone = await measure_waits(quiet_database, flooded=False)
    behind = await measure_waits(database, flooded=True)
    assert behind.mean_s <= 2 * alone.mean_s
    assert behind.max_s <= 2 * alone.max_s
    # It was a flood: in the order of the requests they would have waited for all of it.
    in_order_s = FLOOD_MEMBERS * FLOOD_PER_MEMBER / CONCURRENCY * RENDER_S
    assert behind.max_s < in_order_s / 10
    assert behind.flood_done < FLOOD_MEMBERS * FLOOD_PER_MEMBER / 10

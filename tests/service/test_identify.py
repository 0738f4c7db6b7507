"""Shards of several processes introduce themselves one after the other, those of other buckets beside them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.exc import OperationalError

from bot.identify import SPACING_S, IdentifyTurns
from db.queries import timers
from tests.service.doubles import MovedClock

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from db.engine import Database

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


async def test_one_shard_of_a_bucket_identifies_within_five_seconds(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database's clock counts; here both stand still but for the test."""
    clock = MovedClock()
    monkeypatch.setattr(timers, "read_clock", lambda _c: clock.now())
    processes = [IdentifyTurns(database, clock) for _ in range(3)]
    moments: list[tuple[float, int]] = []

    async def identify(turns: IdentifyTurns, bucket: int) -> None:
        await turns.wait(bucket)
        moments.append((clock.elapsed_s, bucket))

    tasks = [asyncio.ensure_future(identify(turns, bucket)) for turns in processes for bucket in (0, 1)]
    while not all(task.done() for task in tasks):
        await asyncio.sleep(0.005)
        if not database._waiting:
            clock.move_on()
    for bucket in (0, 1):
        mine = [moment for moment, of in moments if of == bucket]
        assert mine[0] == 0
        assert [later - earlier for earlier, later in pairwise(mine)] == [SPACING_S] * 2


async def test_the_database_tells_the_time(database: Database) -> None:
    clock = MovedClock()

    def read(c: Connection) -> tuple[datetime, datetime | None]:
        return timers.read_clock(c), timers.find_due_at(c, "identify:3")

    await IdentifyTurns(database, clock).wait(3)
    now, due_at = await database.read(read)
    assert due_at is not None
    assert timedelta() < due_at - now <= timedelta(seconds=SPACING_S)


async def test_a_database_that_is_away_is_waited_for(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = MovedClock()
    transaction = database.transaction
    errors: list[Exception] = [OperationalError("SELECT", {}, Exception("gone"))] * 2

    async def failing(work: object) -> object:
        if errors:
            raise errors.pop()
        return await transaction(work)  # type: ignore[arg-type]

    monkeypatch.setattr(database, "transaction", failing)
    waiting = asyncio.ensure_future(IdentifyTurns(database, clock).wait(0))
    while not waiting.done():
        await asyncio.sleep(0.005)
        clock.move_on()
    assert errors == []

"""The gate's one row and the timers: stored whole, locked in turn, fired once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from db.engine import Database
from db.enums import AccountRefusal, Breaker
from db.gate_values import KvidGate
from db.queries import gate as queries
from db.queries import timers
from tests.db.builders import HOUR, NOW

if TYPE_CHECKING:
    from sqlalchemy import Connection

NEW = KvidGate(window_jobs=8.0)
MINUTE = timedelta(minutes=1)


async def test_the_gate_is_made_at_its_first_use_and_kept(database: Database) -> None:
    assert await database.read(queries.find_gate) is None
    assert await database.transaction(lambda c: queries.lock_gate(c, NEW)) == NEW
    assert await database.transaction(lambda c: queries.lock_gate(c, replace(NEW, window_jobs=3.0))) == NEW
    assert await database.read(queries.find_gate) == NEW


async def test_every_field_reads_back_as_it_was_stored(database: Database) -> None:
    full = KvidGate(
        window_jobs=1.5,
        limits_in_a_row=2,
        decreased_at=NOW,
        paused_until=NOW + HOUR,
        breaker=Breaker.HALF_OPEN,
        failures_in_a_row=7,
        opened_at=NOW,
        probe_at=NOW + 2 * HOUR,
        refused=AccountRefusal.EMPTY,
        refusals_in_a_row=3,
        refused_since=NOW,
        refused_probe_at=NOW + 3 * HOUR,
    )
    await database.transaction(lambda c: queries.lock_gate(c, NEW))
    await database.transaction(lambda c: queries.store_gate(c, full))
    assert await database.read(queries.find_gate) == full


async def test_changes_of_many_processes_at_once_are_all_kept(database_url: str) -> None:
    """Read, then written: without the lock most of them would be lost."""

    def count(c: Connection) -> None:
        gate = queries.lock_gate(c, NEW)
        queries.store_gate(c, replace(gate, failures_in_a_row=gate.failures_in_a_row + 1))

    processes = [Database(database_url) for _ in range(2)]
    try:
        await asyncio.gather(*(processes[index % 2].transaction(count) for index in range(20)))
        gate = await processes[0].read(queries.find_gate)
    finally:
        for process in processes:
            await process.close()
    assert gate is not None
    assert gate.failures_in_a_row == 20


@pytest.mark.parametrize("change", ["id = 2", "window_jobs = 0.5", "breaker = 'ajar'", "refused = 'no'"])
async def test_the_table_refuses_an_impossible_gate(database: Database, change: str) -> None:
    await database.transaction(lambda c: queries.lock_gate(c, NEW))
    with pytest.raises(IntegrityError):
        await database.transaction(lambda c: c.execute(text(f"UPDATE kvid_gate SET {change}")))  # noqa: S608 - the test's own words


async def test_a_timer_fires_at_once_and_then_when_it_is_due(database: Database) -> None:
    async def claim(seconds: int) -> bool:
        now = NOW + timedelta(seconds=seconds)
        return await database.transaction(
            lambda c: timers.claim_timer(c, "tidy", now=now, next_at=now + MINUTE)
        )

    assert [await claim(at) for at in (0, 1, 59, 60, 61, 500, 501)] == [
        *(True, False, False, True, False, True, False),
    ]
    assert await database.read(lambda c: timers.find_due_at(c, "tidy")) == NOW + timedelta(seconds=560)
    assert await database.read(lambda c: timers.find_due_at(c, "other")) is None


@pytest.mark.parametrize("fired_before", [False, True])
async def test_of_many_processes_one_gets_each_firing(database_url: str, *, fired_before: bool) -> None:
    def claim(c: Connection) -> bool:
        return timers.claim_timer(c, "tidy", now=NOW, next_at=NOW + MINUTE)

    processes = [Database(database_url) for _ in range(2)]
    try:
        if fired_before:
            early = NOW - HOUR
            await processes[0].transaction(
                lambda c: timers.claim_timer(c, "tidy", now=early, next_at=early + MINUTE)
            )
        claims = await asyncio.gather(*(processes[index % 2].transaction(claim) for index in range(10)))
    finally:
        for process in processes:
            await process.close()
    assert sorted(claims) == [False] * 9 + [True]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_the_shared_clock_goes_on_within_a_transaction(database: Database) -> None:
    def read_twice(c: Connection) -> bool:
        first = timers.read_clock(c)
        return timers.read_clock(c) > first

    assert await database.read(read_twice)

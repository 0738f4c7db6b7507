"""What tests of the gate share: processes on one database, each with a gate of its own, and what they offer."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from bot.jobs.gate import Gate
from db.engine import Database
from db.enums import JobState
from db.queries import jobs as queries
from db.queries import line as line_queries
from tests.db.builders import store_job
from tests.service.doubles import MovedClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from sqlalchemy import Connection


@dataclass
class Offers:
    """`bot.jobs.ports.Engine`, of which the gate uses `offer` alone."""

    ids: list[str] = field(default_factory=list)

    def offer(self, c: Connection, job_ids: Sequence[str]) -> None:
        assert c.in_transaction()
        self.ids += job_ids

    def wake(self) -> None: ...

    async def start(self, run: Callable[[str], Awaitable[None]]) -> None: ...

    async def stop(self, *, grace_s: float) -> int:
        return 0


class Fleet:
    """Processes on one database, each with a gate of its own; `gates[0]` is asked where one is enough."""

    def __init__(self, databases: Sequence[Database], clock: MovedClock, concurrency: int) -> None:
        self.databases = databases
        self.clock = clock
        self.offers = [Offers() for _ in databases]
        self.gates = [
            Gate(database=database, clock=clock, engine=engine, concurrency=concurrency)
            for database, engine in zip(databases, self.offers, strict=True)
        ]

    async def fill(self, count: int, **changes: object) -> list[str]:
        now = self.clock.now()

        def work(c: Connection) -> list[str]:
            return [store_job(c, created_at=now, **changes).id for _ in range(count)]

        return await self.databases[0].transaction(work)

    async def move(self, job_id: str, to: JobState, **changes: object) -> None:
        """The job goes on, as its runner would have it."""
        now = self.clock.now()
        if to is JobState.RESERVED:
            changes["admitted_at"] = None
        await self.databases[0].transaction(
            lambda c: queries.advance_job(
                c,
                job_id,
                from_states=frozenset(JobState),
                to=to,
                now=now,
                event="test",
                **changes,  # type: ignore[arg-type]
            )
        )

    async def held(self) -> int:
        return len(await self.databases[0].read(line_queries.list_place_holders))

    async def refresh(self) -> None:
        for gate in self.gates:
            await gate._refresh()


@asynccontextmanager
async def open_fleet(database_url: str, *, processes: int = 2, concurrency: int = 8) -> AsyncIterator[Fleet]:
    databases = [Database(database_url) for _ in range(processes)]
    try:
        yield Fleet(databases, MovedClock(), concurrency)
    finally:
        for database in databases:
            await database.close()


@pytest.fixture
async def fleet(database_url: str) -> AsyncIterator[Fleet]:
    async with open_fleet(database_url) as opened:
        yield opened

"""The job engine with a real database, a scripted kvid, a recording surface and a clock that tests move.

Time stands still while anything can still happen at the current moment; then `World.until` moves it to the
next moment somebody waits for. So hours pass in milliseconds, and always in the same order.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from itertools import count
from typing import TYPE_CHECKING

from bot.caps.service import Caps
from bot.caps.values import Asker, OperatorLimits
from bot.credits import audit, spending
from bot.jobs import line as line_module
from bot.jobs.engines import local
from bot.jobs.engines.local import LocalEngine
from bot.jobs.gate import Gate
from bot.jobs.line import Line
from bot.jobs.runner import DELIVERIES_MAX, Runner
from bot.jobs.service import Jobs, Origin, Picture
from bot.jobs.states import ENDED
from bot.jobs.steps import Steps
from db.enums import DeliveryMode, JobKind, JobState, Surface
from db.queries import jobs as queries
from db.queries import line as line_queries
from tests.db.builders import settle
from tests.service.doubles import PRICE, MovedClock, RecordingSurface, ScriptedKvid

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import pytest
    from sqlalchemy import Connection

    from bot.credits.values import Usage
    from bot.jobs.ports import Engine
    from bot.jobs.service import Source
    from db.engine import Database
    from db.values import Job, JobChanges, JobEvent

IDLE_TURNS = 12
IDLE_TIMEOUT_S = 60.0
RARE_LOOK_S = 60.0
GUILD, CHANNEL, MEMBER = 10**18, 10**18 + 1, 10**18 + 2
DELIVERY = (
    JobState.SUBMITTING,
    JobState.SUBMITTED,
    JobState.SUCCEEDED,
    JobState.DELIVERING,
    JobState.DELIVERED,
)

_requests = count(5 * 10**17)


def look_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    """For hours in which nothing happens but looks: once a minute, and at once whenever somebody tells of a change."""
    for module in (line_module, local):
        monkeypatch.setattr(module, "LOOK_INTERVAL_S", RARE_LOOK_S)


def build_local(world: World, jobs_max: int) -> Engine:
    return LocalEngine(database=world.database, clock=world.clock, jobs_max=jobs_max)


class World:
    """One process of the bot; `again` is the next process on the same database."""

    def __init__(
        self,
        database: Database,
        *,
        limits: OperatorLimits | None = None,
        concurrency: int = 8,
        tolerance_credits: int = 0,
        before: World | None = None,
        clock: MovedClock | None = None,
        build_engine: Callable[[World, int], Engine] | None = None,
    ) -> None:
        self.database = database
        self.clock: MovedClock = clock or (before.clock if before else MovedClock())
        self.kvid: ScriptedKvid = before.kvid if before else ScriptedKvid(self.clock)
        self.surface: RecordingSurface = before.surface if before else RecordingSurface()
        self.caps = Caps(database, self.clock, limits or OperatorLimits())
        self.jobs = Jobs(database, self.clock, self.caps.admission)
        engine = (build_engine or build_local)(self, concurrency + DELIVERIES_MAX)
        self.gate = Gate(database=database, clock=self.clock, engine=engine, concurrency=concurrency)
        self.jobs.find_closed_key, self.jobs.list_next = self.gate.intake_closed_key, self.gate.list_next
        self.steps = Steps(
            database=database,
            clock=self.clock,
            kvid=self.kvid,
            surface=self.surface,
            gate=self.gate,
            settle_tolerance_credits=tolerance_credits,
        )
        self.line = Line(
            database=database,
            clock=self.clock,
            gate=self.gate,
            engine=engine,
            steps=self.steps,
            surface=self.surface,
        )
        self.jobs.wake = self.line.wake
        self.runner = Runner(
            database=database,
            clock=self.clock,
            engine=engine,
            line=self.line,
            steps=self.steps,
            surface=self.surface,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[World]:
        await self.gate.start()
        await self.runner.start()
        try:
            yield self
        finally:
            await self.runner.stop(grace_s=5)

    # --- acting ---

    async def accept(
        self,
        prompt: str = "a stage at night",
        *,
        user_id: int = MEMBER,
        request_id: int | None = None,
        guild_id: int | None = GUILD,
        asker: Asker | None = None,
        picture: Picture | None = None,
        source: Source | None = None,
        surface: Surface = Surface.INTERACTION,
    ) -> Job:
        origin = Origin(
            request_id=next(_requests) if request_id is None else request_id,
            asker=asker
            or Asker(user_id=user_id, guild_id=guild_id, channel_id=CHANNEL if guild_id else None),
            channel_id=CHANNEL,
            surface=surface,
            delivery=DeliveryMode.CHANNEL,
            locale="en-US",
        )
        kind = JobKind.TEXT_TO_IMAGE if source is None else JobKind.IMAGE_TO_IMAGE
        return await self.jobs.accept(kind, picture or Picture(prompt=prompt), origin, source)

    async def put(self, job: Job, *states: JobState, **changes: object) -> Job:
        """Bring a waiting job to the last of `states`, as an earlier process would have left it."""
        now = self.clock.now()

        def work(c: Connection) -> Job:
            moved: Job | None = job
            for index, state in enumerate(states):
                extra: JobChanges = changes if index == len(states) - 1 else {}  # type: ignore[assignment]
                if state is JobState.SUBMITTING:
                    line_queries.admit_jobs(c, [job.id], now)
                    queries.adopt_job(c, job.id, now)
                moved = queries.advance_job(
                    c, job.id, from_states=frozenset(JobState), to=state, now=now, event="job.put", **extra
                )
            assert moved is not None
            return moved

        return await self.database.transaction(work)

    # --- time ---

    async def idle(self) -> None:
        """Until nothing more happens at this moment."""
        async with asyncio.timeout(IDLE_TIMEOUT_S):
            quiet = 0
            while quiet < IDLE_TURNS:
                busy = self.database._waiting > 0
                await asyncio.sleep(0.0005 if busy else 0)
                quiet = 0 if busy else quiet + 1

    async def until(self, reached: Callable[[], bool], *, limit_s: float = 5000.0) -> None:
        """Let time pass until `reached`, at most `limit_s`."""
        end_s = self.clock.elapsed_s + limit_s
        await self.idle()
        while not reached():
            assert self.clock.elapsed_s < end_s, "it does not happen in time"
            assert self.clock.move_on(), "nothing will ever happen"
            await self.idle()

    async def until_ended(self, *jobs: Job, limit_s: float = 5000.0) -> list[Job]:
        """Let time pass until all these jobs have ended; how they ended."""
        wanted = {job.id for job in jobs}

        def reached() -> bool:
            ended = {job_id for job_id, state, _ in self.surface.shown if state in ENDED}
            return wanted <= ended

        await self.until(reached, limit_s=limit_s)
        return [await self.jobs.get(job.id) for job in jobs]

    async def pass_s(self, delay_s: float) -> None:
        """Let exactly so much time pass."""
        over = asyncio.ensure_future(self.clock.sleep(delay_s))
        await asyncio.sleep(0)
        await self.until(over.done)

    # --- looking ---

    async def usage(self, user_id: int = MEMBER) -> Usage:
        return await self.database.read(
            lambda c: spending.find_usage(c, user_id=user_id, now=self.clock.now())
        )

    async def events(self, job: Job) -> list[JobEvent]:
        return await self.database.read(lambda c: queries.list_events(c, job.id))

    async def count(self, *states: JobState) -> int:
        return await self.database.read(lambda c: queries.count_jobs(c, frozenset(states)))

    async def assert_account(self, *, used: int, held: int = 0, user_id: int = MEMBER) -> None:
        """The member's account says this, and every balance is the sum of its transfers."""
        usage = await self.usage(user_id)
        assert (usage.today_credits, usage.month_credits, usage.held_credits) == (used, used, held)
        assert await self.database.read(audit.find_differences) == []


async def deliver(world: World, who: Asker | None = None, *, used: int = PRICE) -> Job:
    """A picture that was asked for, made and charged at this moment."""
    job = await world.accept(asker=who)
    job = await world.put(job, *DELIVERY, used_credits=used, message_id=job.number + 10**17)
    await world.database.transaction(lambda c: settle(c, job, used, now=world.clock.now()))
    return job

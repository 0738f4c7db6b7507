"""The job engine with a real database, a scripted kvid, a recording surface and a clock that tests move.

Time stands still while anything can still happen at the current moment; then `World.until` moves it to the
next moment somebody waits for. So hours pass in milliseconds, and always in the same order.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
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
from bot.jobs.ports import Delivered
from bot.jobs.runner import DELIVERIES_MAX, Runner
from bot.jobs.service import Jobs, Origin, Picture
from bot.jobs.states import ENDED
from bot.jobs.steps import Steps
from bot.kvid.model import DownloadedImage, JobResult, JobStatus, ResultImage, StatusReport, SubmittedJob
from db.enums import DeliveryMode, JobKind, JobState, Surface
from db.queries import jobs as queries
from db.queries import line as line_queries

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    import pytest
    from sqlalchemy import Connection

    from bot.credits.values import Usage
    from bot.jobs.ports import Engine
    from bot.jobs.service import Source
    from bot.kvid.model import ImageToImage, TextToImage
    from db.engine import Database
    from db.values import Job, JobChanges, JobEvent

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
IDLE_TURNS = 12
IDLE_TIMEOUT_S = 60.0
RARE_LOOK_S = 60.0
GUILD, CHANNEL, MEMBER = 10**18, 10**18 + 1, 10**18 + 2
# A 1024×1024 picture by the price table.
PRICE = 8

_requests = count(5 * 10**17)


def look_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    """For hours in which nothing happens but looks: once a minute, and at once whenever somebody tells of a change."""
    for module in (line_module, local):
        monkeypatch.setattr(module, "LOOK_INTERVAL_S", RARE_LOOK_S)


async def wait_until(reached: Callable[[], bool]) -> None:
    """Let what runs in threads come to an end, without any time passing."""
    for _ in range(5_000):
        if reached():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it does not happen")


class MovedClock:
    """`bot.clock.Clock`; a sleep ends when `move_on` has brought the time there."""

    def __init__(self) -> None:
        self.elapsed_s = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = count()

    def now(self) -> datetime:
        return START + timedelta(seconds=self.elapsed_s)

    def monotonic(self) -> float:
        return 1000.0 + self.elapsed_s

    async def sleep(self, delay_s: float) -> None:
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.elapsed_s + delay_s, next(self._numbers), future))
        await future

    def sleeping(self) -> int:
        return sum(not future.done() for _, _, future in self._sleepers)

    def move_on(self) -> bool:
        """Go to the next moment that somebody waits for; False when nobody waits."""
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        if not self._sleepers:
            return False
        self.elapsed_s = max(self.elapsed_s, self._sleepers[0][0])
        while self._sleepers and self._sleepers[0][0] <= self.elapsed_s:
            _, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                future.set_result(None)
        return True


class RealClock(MovedClock):
    """Time as it is, for what keeps its own: the queue's worker and the database."""

    def __init__(self) -> None:
        self._begun_s = time.monotonic()
        super().__init__()

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._begun_s

    @elapsed_s.setter
    def elapsed_s(self, _value: float) -> None:
        """Nobody moves it."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)


class ScriptedKvid:
    """`bot.jobs.ports.Kvid`: renders each job for `render_s`, and raises what the script holds first."""

    def __init__(self, clock: MovedClock) -> None:
        self._clock = clock
        self.render_s = 8.0
        self.estimate: tuple[float, float] | None = (6.0, 8.0)
        self.used_credit: int | None = PRICE
        self.pictures = 1
        self.last_status = JobStatus.COMPLETED
        self.script: dict[str, list[BaseException | None]] = {}
        self.requests: list[TextToImage | ImageToImage] = []
        self.calls: list[tuple[str, float]] = []
        self.submit_gate = asyncio.Event()
        self.submit_gate.set()
        self.at_once_max = 0
        self._ready_s: dict[str, float] = {}
        self._open: set[str] = set()

    def calls_of(self, name: str) -> int:
        return sum(called == name for called, _ in self.calls)

    def known(self, job_id: str) -> str:
        """A job that an earlier process submitted, ready in `render_s`."""
        self._ready_s[job_id] = self._clock.elapsed_s + self.render_s
        return job_id

    def finish_all(self) -> None:
        """Everything at kvid is done from now on."""
        self.render_s = 0.0
        self._ready_s = dict.fromkeys(self._ready_s, 0.0)

    def _call(self, name: str) -> None:
        self.calls.append((name, self._clock.elapsed_s))
        planned = self.script.get(name)
        error = planned.pop(0) if planned else None
        if error is not None:
            raise error

    async def submit(self, request: TextToImage | ImageToImage) -> SubmittedJob:
        await self.submit_gate.wait()
        self._call("submit")
        self.requests.append(request)
        job_id = self.known(f"kvid-{len(self.requests)}")
        self._open.add(job_id)
        self.at_once_max = max(self.at_once_max, len(self._open))
        return SubmittedJob(job_id=job_id, status=JobStatus.QUEUED, estimated_time_s=self.estimate)

    async def fetch_status(self, job_id: str) -> StatusReport:
        self._call("status")
        ready = self._clock.elapsed_s >= self._ready_s[job_id]
        status = self.last_status if ready else JobStatus.PROCESSING
        return StatusReport(
            job_id=job_id, status=status, raw_status=status.value, error_message=None, created_at=None
        )

    async def fetch_result(self, job_id: str) -> JobResult:
        self._call("result")
        self._open.discard(job_id)
        images = tuple(
            ResultImage(
                url=f"https://cdn.example/{job_id}/{index}.jpg",
                width=None,
                height=None,
                size_bytes=None,
                content_type=None,
            )
            for index in range(self.pictures)
        )
        return JobResult(job_id=job_id, images=images, used_credit=self.used_credit, created_at=None)

    async def download(self, url: str) -> DownloadedImage:
        self._call("download")
        return DownloadedImage(data=url.encode(), content_type="image/jpeg")


class RecordingSurface:
    """`bot.jobs.ports.Surface`: keeps what members would have seen; raises what the scripts hold first.

    `script` is for posts, `look_script` for looks; with `answers_lost` a post arrives before its error does.
    """

    def __init__(self) -> None:
        self.shown: list[tuple[str, JobState, int | None]] = []
        self.posts: list[tuple[str, str, int]] = []
        self.shown_again: list[str] = []
        self.script: list[BaseException | None] = []
        self.look_script: list[BaseException | None] = []
        self.answers_lost = False
        self.looks = 0
        self.source_error: BaseException | None = None
        self.place_error: BaseException | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.look_gate = asyncio.Event()
        self.look_gate.set()
        self._messages: dict[str, int] = {}

    def states_of(self, job_id: str) -> list[JobState]:
        """The states a member's card went through, without repetitions."""
        states = [state for shown, state, _ in self.shown if shown == job_id]
        return [state for before, state in zip([None, *states], states, strict=False) if before is not state]

    async def deliver(self, job: Job, images: Sequence[DownloadedImage]) -> Delivered:
        await self.gate.wait()
        error = self.script.pop(0) if self.script else None
        if error is not None and not self.answers_lost:
            raise error
        self.posts.append((job.id, job.nonce, len(images)))
        # As Discord does: the same nonce is the same message.
        message_id = self._messages.setdefault(job.nonce, 7 * 10**17 + len(self._messages))
        if error is not None:
            raise error
        return Delivered(message_id=message_id, channel_id=job.channel_id)

    async def find_delivered(self, job: Job) -> Delivered | None:
        self.looks += 1
        await self.look_gate.wait()
        error = self.look_script.pop(0) if self.look_script else None
        if error is not None:
            raise error
        message_id = self._messages.get(job.nonce)
        return None if message_id is None else Delivered(message_id=message_id, channel_id=job.channel_id)

    async def check_place(self, _job: Job) -> None:
        if self.place_error is not None:
            raise self.place_error

    def show(self, job: Job, *, place: int | None = None) -> None:
        self.shown.append((job.id, job.state, place))

    def show_again(self, job: Job) -> None:
        self.shown_again.append(job.id)

    async def fresh_source_url(self, job: Job) -> str:
        if self.source_error is not None:
            raise self.source_error
        return f"{job.source_url}?fresh"


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

"""What stands around the job engine in tests: a clock that they move, a scripted kvid, a recording surface."""

from __future__ import annotations

import asyncio
import heapq
import time
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING

from bot.jobs.ports import Delivered
from bot.kvid.model import DownloadedImage, JobResult, JobStatus, ResultImage, StatusReport, SubmittedJob

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bot.kvid.model import ImageToImage, TextToImage
    from db.enums import JobState
    from db.values import Job

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
# A 1024×1024 picture by the price table.
PRICE = 8


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

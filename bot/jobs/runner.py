"""Decides which job is worked on, and when.

Owns: which jobs are at kvid (at most `concurrency`), the order of the others, pauses, start and stop. What
a step does stands in `jobs.steps`.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from bot.jobs.service import BEHIND_OWN, PLACES_SHOWN_MAX
from bot.jobs.states import ENDED
from bot.log import get_logger
from bot.tasks import TaskGroup, wait_for
from db.engine import is_outage
from db.enums import AT_KVID, JobState
from db.queries import jobs as queries

if TYPE_CHECKING:
    from bot.clock import Clock
    from bot.jobs.ports import Surface
    from bot.jobs.service import Jobs
    from bot.jobs.steps import Steps
    from db.engine import Database
    from db.values import Job

log = get_logger(__name__)

LOOK_INTERVAL_S = 5.0
# Behind this no interaction can be answered any more.
ENDED_SHOWN_S = 900.0
STEP_FAILED_PAUSE_S = 30.0
STEP_FAILURES_MAX = 20
DELIVERIES_MAX = 64
_TAKEN_UP = (JobState.SUBMITTING, JobState.SUBMITTED, JobState.SUCCEEDED, JobState.DELIVERING)


class Runner:
    """Started once by the app; `stop` parks what can be continued and waits for what cannot."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        jobs: Jobs,
        steps: Steps,
        surface: Surface,
        concurrency: int,
    ) -> None:
        self._database = database
        self._clock = clock
        self._jobs = jobs
        self._steps = steps
        self._surface = surface
        self._concurrency = concurrency
        self._tasks = TaskGroup("job", limit=concurrency + DELIVERIES_MAX)
        self._loop = TaskGroup("runner", limit=1)
        # Jobs that have a place at kvid, by id.
        self._at_kvid: dict[str, Job] = {}
        # How often a step of a job failed in a row; only of jobs that are open.
        self._failures: dict[str, int] = {}
        self._wake = asyncio.Event()
        self._paused_until = 0.0

    async def start(self) -> None:
        """Take up what an earlier process left, then the jobs in line."""
        self._jobs.wake = self._wake.set
        self._steps.pause = self._pause
        self._steps.pause_intake = self._jobs.pause_intake
        await self._show_ended()
        await self._take_up()
        self._loop.start("look", self._run())

    async def _show_ended(self) -> None:
        """Cards of jobs that ended shortly before the last stop may not have learned of it."""
        since = self._clock.now() - timedelta(seconds=ENDED_SHOWN_S)
        for job in await self._database.read(lambda c: queries.list_ended_since(c, since, PLACES_SHOWN_MAX)):
            self._surface.show_again(job)

    async def stop(self, *, grace_s: float) -> None:
        self._steps.stopping.set()
        self._wake.set()
        await self._loop.stop(grace_s=1)
        cut_short = await self._tasks.stop(grace_s=grace_s)
        log.info("runner.stopped", cut_short=cut_short)

    async def _run(self) -> None:
        while not self._steps.stopping.is_set():
            self._wake.clear()
            try:
                await self._take_up()
                await self._start_waiting()
            except Exception:
                log.exception("runner.look_failed")
            await wait_for(self._clock, self._wake, self._pause_s() or LOOK_INTERVAL_S)

    def _pause_s(self) -> float:
        return max(0.0, self._paused_until - self._clock.monotonic())

    def _pause(self, delay_s: float) -> None:
        self._paused_until = max(self._paused_until, self._clock.monotonic() + delay_s)

    async def _take_up(self) -> None:
        """Go on with jobs that have left the line but run nowhere: after a restart, or after a failed step."""
        # A job that ends while the rows are read still looks open in them: it would be delivered again.
        running = self._tasks.keys()
        left = await self._database.read(
            lambda c: queries.list_jobs(c, frozenset(_TAKEN_UP), limit=self._concurrency + DELIVERIES_MAX)
        )
        for job in left:
            if job.id not in running and self._start_job(job):
                log.info("job.taken_up", job=job.id, state=job.state.value)

    async def _start_waiting(self) -> None:
        """Give free places at kvid to the jobs in line, oldest first, and show the others where they stand."""
        # Jobs behind their own member's may fill what one look sees, so a start is followed by another look.
        for _ in range(self._concurrency + 1):
            crowded = self._list_crowded()
            waiting = await self._database.read(
                lambda c, crowded=crowded: queries.list_waiting(  # type: ignore[misc]
                    c, limit=PLACES_SHOWN_MAX + self._concurrency, without=crowded
                )
            )
            if not self._start_some(waiting):
                break
        if crowded:
            behind = await self._database.read(
                lambda c: queries.list_waiting(c, limit=PLACES_SHOWN_MAX, of=crowded)
            )
            for job in behind:
                if job.id not in self._tasks:
                    self._surface.show(job, place=BEHIND_OWN)

    def _start_some(self, waiting: list[Job]) -> bool:
        """Start what has a place; False when nothing more can start."""
        started = False
        place = 0
        for job in waiting:
            if job.id in self._tasks:
                continue
            if self._count_running(job) >= job.running_max:
                self._surface.show(job, place=BEHIND_OWN)
                continue
            if not self._pause_s() and len(self._at_kvid) < self._concurrency and self._start_job(job):
                started = True
                continue
            place += 1
            self._surface.show(job, place=place)
        return started and len(self._at_kvid) < self._concurrency

    def _count_running(self, job: Job) -> int:
        return sum(_owner_of(other) == _owner_of(job) for other in self._at_kvid.values())

    def _list_crowded(self) -> set[queries.Owner]:
        """Members with as many jobs at kvid as they may have."""
        return {
            _owner_of(job) for job in self._at_kvid.values() if self._count_running(job) >= job.running_max
        }

    def _start_job(self, job: Job) -> bool:
        if job.state in {JobState.RESERVED, *AT_KVID}:
            self._at_kvid[job.id] = job
        if self._tasks.start(job.id, self._run_job(job)):
            return True
        self._at_kvid.pop(job.id, None)
        return False

    async def _run_job(self, job: Job) -> None:
        current: Job | None = job
        try:
            while current is not None and current.state not in ENDED and not self._steps.stopping.is_set():
                current = await self._steps.take(current)
                if current is None or current.state is JobState.RESERVED:
                    break
                if current.state not in AT_KVID:
                    self._leave_kvid(job.id)
            self._failures.pop(job.id, None)
        except Exception as error:  # noqa: BLE001 - a bug: logged with its trace, the job parked and tried again
            self._leave_kvid(job.id)
            await self._step_failed(job, error)
        finally:
            self._leave_kvid(job.id)

    async def _step_failed(self, job: Job, error: Exception) -> None:
        """Leave the job alone for a while; give it up when it fails every time for another reason than the database."""
        log.error("job.step_failed", job=job.id, pause_s=STEP_FAILED_PAUSE_S, exc_info=error)
        if not is_outage(error):
            self._failures[job.id] = self._failures.get(job.id, 0) + 1
        if self._failures.get(job.id, 0) >= STEP_FAILURES_MAX:
            del self._failures[job.id]
            await self._steps.give_up(job.id, repr(error))
            return
        await wait_for(self._clock, self._steps.stopping, STEP_FAILED_PAUSE_S)

    def _leave_kvid(self, job_id: str) -> None:
        if self._at_kvid.pop(job_id, None) is not None:
            self._wake.set()


def _owner_of(job: Job) -> queries.Owner:
    return job.user_id, job.guild_id or 0

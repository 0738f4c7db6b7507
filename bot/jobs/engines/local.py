"""The engine of a single process: a loop over the job rows, one task a job.

Owns the tasks. Nothing is stored about who runs what: nobody else works on this database, so whatever has
left the line and does not run here is to be run, also right after a start.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bot.jobs.ports import RunAgain
from bot.log import get_logger, tell_failed_round
from bot.tasks import TaskGroup, wait_for
from db.queries import line as queries

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sqlalchemy import Connection

    from bot.clock import Clock
    from db.engine import Database

log = get_logger(__name__)

LOOK_INTERVAL_S = 5.0


class LocalEngine:
    """`bot.jobs.ports.Engine` in this process; at most `jobs_max` at once, the oldest first."""

    def __init__(self, *, database: Database, clock: Clock, jobs_max: int) -> None:
        self._database = database
        self._clock = clock
        self._jobs_max = jobs_max
        self._tasks = TaskGroup("job", limit=jobs_max)
        self._loop = TaskGroup("engine", limit=1)
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()

    def offer(self, c: Connection, job_ids: Sequence[str]) -> None:
        """Nothing to be done: the rows say it."""

    def wake(self) -> None:
        self._wake.set()

    async def start(self, run: Callable[[str], Awaitable[None]]) -> None:
        await self._look(run)
        self._loop.start("look", self._run(run))

    async def stop(self, *, grace_s: float) -> int:
        self._stopping.set()
        self._wake.set()
        await self._loop.stop(grace_s=1)
        return await self._tasks.stop(grace_s=grace_s)

    async def _run(self, run: Callable[[str], Awaitable[None]]) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                await self._look(run)
            except Exception as error:  # noqa: BLE001 - told, and tried again in the next round
                tell_failed_round(log, "runner.look_failed", error)
            await wait_for(self._clock, self._wake, LOOK_INTERVAL_S)

    async def _look(self, run: Callable[[str], Awaitable[None]]) -> None:
        for job_id in await self._database.read(lambda c: queries.list_to_run(c, limit=self._jobs_max)):
            if job_id not in self._tasks:
                self._tasks.start(job_id, self._run_job(job_id, run))

    async def _run_job(self, job_id: str, run: Callable[[str], Awaitable[None]]) -> None:
        try:
            await run(job_id)
        except RunAgain as again:
            # The job keeps its task meanwhile, so that no look begins it early.
            await wait_for(self._clock, self._stopping, again.delay_s)
        finally:
            # There is a free task, and the job may be due again.
            self._wake.set()

"""The engine of many machines: procrastinate on the PostgreSQL that holds the jobs. No further server.

Owns procrastinate's tables, what stands in them for us, and the worker. A row there says who works on a job
now; it may be lost or doubled without harm, since every run begins by becoming the job's owner. The worker is
meant to outlive the database: what it cannot ask is asked again, and what was lost meanwhile is swept.
**Source**: procrastinate 3.10, "Workers", "Retry stalled jobs", "Lock"; its `sql/schema.sql`.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import psycopg_pool
from procrastinate import App, PsycopgConnector, SyncPsycopgConnector
from procrastinate.jobs import Job as QueueRow
from procrastinate.jobs import Status
from procrastinate.retry import BaseRetryStrategy, RetryDecision
from procrastinate.worker import Worker

from bot.jobs.engines import queue_rows
from bot.jobs.engines.queue_manager import LastingManager
from bot.jobs.ports import RunAgain
from bot.log import get_logger
from bot.tasks import TaskGroup, wait_for
from db.queries import line as queries

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from procrastinate import JobContext
    from sqlalchemy import Connection

    from bot.clock import Clock
    from db.engine import Database

log = get_logger(__name__)

TASK = "kvid_bot.run_job"
FETCH_INTERVAL_S = 2.0
BEAT_INTERVAL_S = 3.0
# A worker that has not been heard of for so long is dead, or as good as that.
STALLED_S = 10.0
SWEEP_INTERVAL_S = 3.0
RECONCILE_INTERVAL_S = 60.0
RECONCILED_MAX = 1000
RESTART_PAUSE_S = 1.0
CONNECTIONS_MAX = 4
CONNECTION_WAIT_S = 10.0
# When a worker ends by itself, which it should not: how long its jobs may take before they are cut short.
DRAIN_S = 60.0
# Abortions are not used: the job row says when to stop.
ABORT_LOOK_S = 3600.0
_PAST = datetime(2000, 1, 1, tzinfo=UTC)


class Retry(BaseRetryStrategy):
    """Every run that did not end its job is repeated: procrastinate would count it as failed and forget it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def get_retry_decision(self, *, exception: BaseException, job: QueueRow) -> RetryDecision:  # noqa: ARG002 - the base's
        if isinstance(exception, RunAgain) and exception.delay_s:
            return RetryDecision(retry_at=self._clock.now() + timedelta(seconds=exception.delay_s))
        # "Now" by this machine's clock may be later by the database's; the past is not.
        return RetryDecision(retry_at=_PAST)


class ProcrastinateEngine:
    """`bot.jobs.ports.Engine` over a fleet; without `start` it only offers.

    Shape: `jobs_max` at once here. A survivor takes over what the dead had, so it is no less than all places.
    """

    def __init__(self, *, database: Database, url: str, clock: Clock, jobs_max: int) -> None:
        self._database = database
        self._clock = clock
        self._jobs_max = jobs_max
        # Never opened: offers travel on the caller's own connection.
        self._offers = App(connector=SyncPsycopgConnector())
        self._connector_settings: dict[str, Any] = {
            "conninfo": queue_rows.render_conninfo(url),
            "min_size": 1,
            "max_size": CONNECTIONS_MAX,
            "timeout": CONNECTION_WAIT_S,
        }
        self._loop = TaskGroup("engine", limit=2)
        self._stopping = asyncio.Event()
        self._worker: Worker | None = None
        self._manager: LastingManager | None = None
        # Rows of the queue that are worked on here, and those that only seem to be.
        self._running: set[int] = set()
        self._suspects: frozenset[int] = frozenset()
        self._cut_short = 0
        logging.getLogger("procrastinate").setLevel(logging.WARNING)

    def offer(self, c: Connection, job_ids: Sequence[str]) -> None:
        todo = queue_rows.list_queued(c, job_ids, doing=False)
        rows = [_build_row(job_id) for job_id in job_ids if job_id not in todo]
        if rows:
            driver = c.connection.driver_connection
            self._offers.job_manager.batch_defer_jobs(jobs=rows, connection=driver)

    def wake(self) -> None:
        """Nothing to be done: PostgreSQL tells the workers when the transaction ends."""

    async def start(self, run: Callable[[str], Awaitable[None]]) -> None:
        self._loop.start("worker", self._work(run))
        self._loop.start("sweep", self._sweep())

    async def stop(self, *, grace_s: float) -> int:
        self._stopping.set()
        if self._worker is not None:
            self._worker.shutdown_graceful_timeout = grace_s
            self._worker.stop()  # type: ignore[no-untyped-call]  # procrastinate has no types here
        # The worker ends its jobs itself; a moment more is for what it writes of that.
        await self._loop.stop(grace_s=grace_s + 1)
        try:
            await self._database.transaction(queue_rows.notify)
        except Exception as error:  # noqa: BLE001 - others look by themselves every few seconds
            log.warning("engine.handover_untold", error=repr(error))
        return self._cut_short

    # --- the worker ---

    async def _work(self, run: Callable[[str], Awaitable[None]]) -> None:
        while not self._stopping.is_set():
            try:
                await self._run_worker(run)
            except (psycopg.Error, psycopg_pool.PoolTimeout) as error:
                log.warning("engine.database_away", error=repr(error))
            except Exception:
                log.exception("engine.worker_failed")
            await wait_for(self._clock, self._stopping, RESTART_PAUSE_S)

    async def _run_worker(self, run: Callable[[str], Awaitable[None]]) -> None:
        app = App(connector=PsycopgConnector(**self._connector_settings))
        manager = LastingManager(app.connector, clock=self._clock)
        app.job_manager = manager

        @app.task(name=TASK, queue=queue_rows.QUEUE, pass_context=True, retry=Retry(self._clock))
        async def run_job(context: JobContext, job_id: str) -> None:
            await self._run_row(context.job.id or 0, job_id, run)

        async with app.open_async():
            worker = Worker(
                app,
                queues=[queue_rows.QUEUE],
                concurrency=self._jobs_max,
                fetch_job_polling_interval=FETCH_INTERVAL_S,
                abort_job_polling_interval=ABORT_LOOK_S,
                update_heartbeat_interval=BEAT_INTERVAL_S,
                stalled_worker_timeout=STALLED_S,
                shutdown_graceful_timeout=DRAIN_S,
                delete_jobs="successful",
                install_signal_handlers=False,
            )
            if self._stopping.is_set():
                return
            self._worker, self._manager = worker, manager
            await worker.run()  # type: ignore[no-untyped-call]  # procrastinate has no types here

    async def _run_row(self, row_id: int, job_id: str, run: Callable[[str], Awaitable[None]]) -> None:
        self._running.add(row_id)
        try:
            await run(job_id)
        except asyncio.CancelledError:
            self._cut_short += 1
            raise
        finally:
            self._running.discard(row_id)

    # --- the sweep ---

    async def _sweep(self) -> None:
        reconciled_s = self._clock.monotonic() - RECONCILE_INTERVAL_S
        while not self._stopping.is_set():
            try:
                await self._take_over()
                if self._clock.monotonic() - reconciled_s >= RECONCILE_INTERVAL_S:
                    await self._reconcile()
                    reconciled_s = self._clock.monotonic()
            except Exception as error:  # noqa: BLE001 - tried again in a moment
                log.warning("engine.sweep_failed", error=repr(error))
            await wait_for(self._clock, self._stopping, SWEEP_INTERVAL_S)

    async def _take_over(self) -> None:
        """Offer anew what dead workers had, and what is ours by a row that nobody here works on."""
        manager = self._manager
        # After an outage everybody looks dead until they have been heard of again, ourselves included.
        if manager is None or manager.worker_id is None or not manager.is_steady(STALLED_S):
            return
        worker_id, running, suspects = manager.worker_id, frozenset(self._running), self._suspects

        def work(c: Connection) -> tuple[list[str], frozenset[int]]:
            lost = queue_rows.list_held(c, worker_id) - running
            # Twice in a row: a row may be ours a moment before its run begins, and after it has ended.
            taken = queue_rows.take_stalled(c, STALLED_S, also=lost & suspects)
            self.offer(c, taken)
            return taken, lost

        taken, self._suspects = await self._database.transaction(work)
        for job_id in taken:
            log.warning("job.taken_over", job=job_id)

    async def _reconcile(self) -> None:
        """Offer what the job table says is due and no row of the queue speaks of."""

        def work(c: Connection) -> list[str]:
            due = queries.list_to_run(c, limit=RECONCILED_MAX)
            queued = queue_rows.list_queued(c, due, doing=True)
            lost = [job_id for job_id in due if job_id not in queued]
            self.offer(c, lost)
            return lost

        for job_id in await self._database.transaction(work):
            log.warning("job.offered_again", job=job_id)


def _build_row(job_id: str) -> QueueRow:
    return QueueRow(
        id=None,
        # procrastinate's own word for a row that no worker has fetched yet.
        status=Status.TODO.value,
        queue=queue_rows.QUEUE,
        task_name=TASK,
        task_kwargs={"job_id": job_id},
        # Waits at most once, runs at most once.
        queueing_lock=job_id,
        lock=job_id,
    )

"""procrastinate's way to its tables, made to outlast an outage of the database.

As it comes, its worker ends when one of its questions fails, and whatever runs in it has to end first. Here a
question that fails is asked again later, and what could not be written is left to the sweep.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import psycopg_pool
from procrastinate.exceptions import ConnectorException
from procrastinate.manager import JobManager

from bot.log import get_logger

if TYPE_CHECKING:
    from collections.abc import Iterable

    from procrastinate.connector import BaseConnector
    from procrastinate.jobs import Job
    from procrastinate.manager import NotificationCallback

    from bot.clock import Clock

log = get_logger(__name__)

LISTEN_AGAIN_S = 2.0
# Three beats that were missed.
GAP_S = 9.0
# A worker whose row was removed while it was suspended beats again under the same number.
_BEAT = (
    "INSERT INTO procrastinate_workers (id) OVERRIDING SYSTEM VALUE VALUES (%(worker_id)s) "
    "ON CONFLICT (id) DO UPDATE SET last_heartbeat = now()"
)


class LastingManager(JobManager):
    def __init__(self, connector: BaseConnector, *, clock: Clock) -> None:
        super().__init__(connector)
        self._clock = clock
        self.worker_id: int | None = None
        self._heard_s = self._steady_since_s = clock.monotonic()

    def is_steady(self, for_s: float) -> bool:
        """Whether the database has answered without a gap for so long."""
        now_s = self._clock.monotonic()
        return now_s - self._heard_s < for_s <= now_s - self._steady_since_s

    async def register_worker(self) -> int:
        self.worker_id = await super().register_worker()
        self._heard_s = self._steady_since_s = self._clock.monotonic()
        return self.worker_id

    async def prune_stalled_workers(self, seconds_since_heartbeat: float) -> list[int]:  # noqa: ARG002 - the base's
        """Not at a start: after an outage that would be everybody. The sweep does it in time."""
        return []

    async def update_heartbeat(self, worker_id: int) -> None:
        before_s = self._clock.monotonic()
        try:
            await self.connector.execute_query_async(_BEAT, worker_id=worker_id)
        except (ConnectorException, psycopg.Error, psycopg_pool.PoolTimeout) as error:
            _tell_away("heartbeat", error)
            return
        # A gap between two beats, also one in which this process stood still.
        if before_s - self._heard_s > GAP_S:
            self._steady_since_s = self._clock.monotonic()
        self._heard_s = self._clock.monotonic()

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:
        try:
            return await super().fetch_job(queues, worker_id)
        except (ConnectorException, psycopg_pool.PoolTimeout) as error:
            # It may have been ours all the same: the sweep finds a row that nobody here works on.
            _tell_away("fetch", error)
            return None

    async def finish_job(self, *args: Any, **named: Any) -> None:
        try:
            await super().finish_job(*args, **named)
        except (ConnectorException, psycopg_pool.PoolTimeout) as error:
            # Also where the row was taken over meanwhile, and belongs to another worker's run.
            log.info("engine.end_unwritten", error=repr(error.__cause__ or error))

    async def retry_job(self, *args: Any, **named: Any) -> None:
        try:
            await super().retry_job(*args, **named)
        except (ConnectorException, psycopg_pool.PoolTimeout) as error:
            log.info("engine.retry_unwritten", error=repr(error.__cause__ or error))

    async def listen_for_jobs(
        self, *, on_notification: NotificationCallback, queues: Iterable[str] | None = None
    ) -> None:
        while True:
            try:
                await super().listen_for_jobs(on_notification=on_notification, queues=queues)
            except (ConnectorException, psycopg.Error, psycopg_pool.PoolTimeout) as error:
                _tell_away("listen", error)
            await self._clock.sleep(LISTEN_AGAIN_S)


def _tell_away(what: str, error: Exception) -> None:
    log.warning("engine.database_away", asked=what, error=repr(error.__cause__ or error))

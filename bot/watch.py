"""The eyes of those who look after the process: metrics, readiness and the server that tells both.

Builds them from the parts of the service, starts and stops them as one. What each of them is stands in
`bot.metrics`, `bot.gauges`, `bot.readiness` and `bot.health`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bot.gauges import Gauges
from bot.health import HealthServer
from bot.log import get_logger, tell_failed_round
from bot.readiness import Readiness, build_database_checks
from bot.tasks import TaskGroup, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.clock import Clock
    from bot.metrics import Metrics
    from bot.readiness import Check
    from bot.settings import Settings
    from db.engine import Database

log = get_logger(__name__)

# The whole ledger is read for it.
PROOF_INTERVAL_S = 3_600.0


class Watch:
    """Shape: `checks` are asked beside those of the database, by the name of the part they are about."""

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        *,
        database: Database,
        clock: Clock,
        is_alive: Callable[[], bool],
        checks: dict[str, Check],
    ) -> None:
        self._metrics = metrics
        self._clock = clock
        self._gauges = Gauges(metrics, database, clock)
        readiness = Readiness({**build_database_checks(database, clock), **checks})
        self._server = HealthServer(
            settings.http_host,
            settings.http_port,
            is_healthy=is_alive,
            find_readiness=readiness.find,
            render_metrics=self._render,
        )
        self._serves = settings.http_port != 0
        self._loop = TaskGroup("watch", limit=1)
        self._stopping = asyncio.Event()

    async def start(self) -> None:
        """**Raises** OSError when the port is taken."""
        if self._serves:
            await self._server.start()
            self._loop.start("proof", self._prove_ledger())

    async def stop(self) -> None:
        self._stopping.set()
        await self._loop.stop(grace_s=0.5)
        await self._server.stop()

    async def _render(self) -> bytes:
        await self._gauges.refresh()
        return self._metrics.render()

    async def _prove_ledger(self) -> None:
        while not self._stopping.is_set():
            try:
                await self._gauges.prove_ledger()
            except Exception as error:  # noqa: BLE001 - told, and tried again in the next round
                tell_failed_round(log, "watch.proof_failed", error)
            await wait_for(self._clock, self._stopping, PROOF_INTERVAL_S)

"""The half of a process that works on jobs, built for its role, started and stopped as one.

A single process runs the jobs itself. In a fleet a gateway only takes in, admits and offers; workers run what
is offered. Which of them shows a card: whoever runs the job, so that no two edit it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.jobs.engines.local import LocalEngine
from bot.jobs.gate import Gate
from bot.jobs.last_words import LastWords
from bot.jobs.line import Line
from bot.jobs.runner import DELIVERIES_MAX, Runner
from bot.jobs.steps import Steps
from bot.kvid import KvidClient
from bot.metered_kvid import MeteredKvid
from bot.roles import Role
from bot.timers import Timers
from db import migrate

if TYPE_CHECKING:
    from bot.clock import Clock
    from bot.delivery import Delivery
    from bot.jobs.ports import Engine
    from bot.jobs.service import Jobs
    from bot.metrics import Metrics
    from bot.settings import Settings
    from db.engine import Database


class Work:
    def __init__(
        self,
        settings: Settings,
        role: Role,
        metrics: Metrics,
        *,
        database: Database,
        clock: Clock,
        jobs: Jobs,
        delivery: Delivery,
    ) -> None:
        engine = _build_engine(settings, role, database, clock)
        shared = role is not Role.ALL
        self._gate = Gate(
            database=database,
            clock=clock,
            engine=engine,
            concurrency=settings.kvid_concurrency,
            shared=shared,
        )
        jobs.find_closed_key, jobs.list_next = self._gate.intake_closed_key, self._gate.list_next
        self._kvid = KvidClient(
            base_url=settings.kvid_base_url,
            api_key=settings.kvid_api_key.get_secret_value(),
            product_code=settings.kvid_product_code,
        )
        steps = None
        if role is not Role.GATEWAY:
            steps = Steps(
                database=database,
                clock=clock,
                kvid=MeteredKvid(self._kvid, metrics, clock),
                surface=delivery,
                gate=self._gate,
                settle_tolerance_credits=settings.settle_tolerance_credits,
                on_finished=metrics.job_finished,
            )
            steps.on_taken_up = metrics.job_recovered
        self._line = Line(
            database=database,
            clock=clock,
            gate=self._gate,
            engine=engine,
            steps=steps,
            surface=None if steps is None else delivery,
            timers=Timers(database, clock, shared=True) if shared else None,
        )
        jobs.wake = self._line.wake
        self._runner: Runner | None = None
        self._last_words = LastWords(database, clock, delivery)
        delivery.cards.on_told = self._last_words.note_told
        if role is not Role.ALL:
            delivery.cards.find_job = jobs.find
        if steps is not None:
            self._runner = Runner(
                database=database,
                clock=clock,
                engine=engine,
                line=self._line,
                steps=steps,
                surface=delivery,
            )

    async def start(self) -> None:
        """Needs Discord's REST alone."""
        await self._gate.start()
        if self._runner is None:
            self._line.start()
        else:
            await self._runner.start()
            self._last_words.start()

    async def stop(self, *, grace_s: float) -> None:
        """Park what can be continued and wait for what cannot."""
        if self._runner is None:
            await self._line.stop()
        else:
            await self._runner.stop(grace_s=grace_s)

    async def close(self, *, grace_s: float) -> None:
        """Let go of what was opened; also without a start."""
        await self._gate.stop(grace_s=grace_s)
        await self._last_words.stop(grace_s=grace_s)
        await self._kvid.close()


def upgrade_with_queue(database_url: str) -> None:
    """Bring the schema to its newest version, with the tables of the queue beside it. Blocks."""
    from bot.jobs.engines import queue_rows  # noqa: PLC0415 - see _build_engine

    migrate.upgrade(database_url, also=queue_rows.ensure_schema)


def _build_engine(settings: Settings, role: Role, database: Database, clock: Clock) -> Engine:
    jobs_max = settings.kvid_concurrency + DELIVERIES_MAX
    if role is Role.ALL:
        return LocalEngine(database=database, clock=clock, jobs_max=jobs_max)
    # A single process does without the time and memory that importing it takes.
    from bot.jobs.engines.procrastinate import ProcrastinateEngine  # noqa: PLC0415

    return ProcrastinateEngine(database=database, url=settings.database_url, clock=clock, jobs_max=jobs_max)

"""Gives free places at kvid to the jobs in line, and shows the others where they stand.

Owns when that happens: after every change somebody tells of, and every few seconds. Who gets a place is the
gate's decision, who works on a job the engine's.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from bot.jobs.service import BEHIND_OWN, PLACES_SHOWN_MAX
from bot.log import get_logger
from bot.tasks import TaskGroup, wait_for
from db.queries import jobs as queries
from db.queries import line as line_queries
from db.queries import timers

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from bot.clock import Clock
    from bot.jobs.places import Places
    from bot.jobs.ports import Engine, Surface
    from db.engine import Database
    from db.values import Job

log = get_logger(__name__)

LOOK_INTERVAL_S = 5.0
# So often in a row places are left unsaid because something has changed again.
SKIPPED_MAX = 3
SHOW_TIMER = "line.show"
# A card is edited no more often.
SHOW_INTERVAL_S = 2.5


class Line:
    """Started once by the app. Without a `surface` it admits and shows nothing: another process does."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        gate: Places,
        engine: Engine,
        surface: Surface | None,
        shared: bool = False,
    ) -> None:
        self._database = database
        self._clock = clock
        self._gate = gate
        self._engine = engine
        self._surface = surface
        self._shared = shared
        self._loop = TaskGroup("line", limit=1)
        self._wake = asyncio.Event()
        self._stopping = False
        self._skipped = 0

    def wake(self) -> None:
        """Somebody joined the line or left kvid."""
        self._wake.set()

    def start(self) -> None:
        self._loop.start("look", self._run())

    async def stop(self) -> None:
        self._stopping = True
        self._wake.set()
        await self._loop.stop(grace_s=1)

    async def _run(self) -> None:
        while not self._stopping:
            self._wake.clear()
            try:
                if await self._gate.admit():
                    self._engine.wake()
                await self._show_places()
            except Exception:
                log.exception("line.look_failed")
            await wait_for(self._clock, self._wake, self._gate.pause_s() or LOOK_INTERVAL_S)

    async def _show_places(self) -> None:
        if self._surface is None or not await self._is_our_turn():
            return
        waiting, behind = await self._database.read(_list_line)
        if self._wake.is_set() and self._skipped < SKIPPED_MAX:
            # Whoever came meanwhile may have a place already, so the next look says it.
            self._skipped += 1
            return
        self._skipped = 0
        for place, job in enumerate(waiting, start=1):
            self._surface.show(job, place=place)
        for job in behind:
            self._surface.show(job, place=BEHIND_OWN)

    async def _is_our_turn(self) -> bool:
        """In a fleet one process at a time shows places: else all would edit the same cards."""
        if not self._shared:
            return True

        def claim(c: Connection) -> bool:
            now = timers.read_clock(c)
            return timers.claim_timer(
                c, SHOW_TIMER, now=now, next_at=now + timedelta(seconds=SHOW_INTERVAL_S)
            )

        return await self._database.transaction(claim)


def _list_line(c: Connection) -> tuple[list[Job], list[Job]]:
    """The jobs that are next, and those that wait for other jobs of their own member."""
    holding = line_queries.list_place_holders(c)
    running = Counter(job.owner for job in holding)
    crowded = {job.owner for job in holding if running[job.owner] >= job.running_max}
    return (
        queries.list_waiting(c, limit=PLACES_SHOWN_MAX, without=crowded),
        queries.list_waiting(c, limit=PLACES_SHOWN_MAX, of=crowded) if crowded else [],
    )

"""Gives free places at kvid to the jobs in line, and shows the others where they stand, or that nobody moves.

Owns when that happens: after every change somebody tells of, and every few seconds. Who gets a place is the
gate's decision, who works on a job the engine's.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bot.jobs.gate import find_crowded
from bot.jobs.service import BEHIND_OWN, KVID_AWAY, PLACES_SHOWN_MAX, STUDIO_PAUSED
from bot.log import get_logger, tell_failed_round
from bot.tasks import TaskGroup, wait_for
from db.enums import Breaker
from db.queries import jobs as queries
from db.queries import line as line_queries

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from bot.clock import Clock
    from bot.jobs.gate import Gate
    from bot.jobs.ports import Engine, Surface
    from bot.jobs.steps import Steps
    from bot.timers import Timers
    from db.engine import Database
    from db.gate_values import KvidGate
    from db.values import Job

log = get_logger(__name__)

LOOK_INTERVAL_S = 5.0
SHOW_TIMER = "line.show"
# A card is edited no more often.
SHOW_INTERVAL_S = 2.5
# As many as there can be cards.
NOTICES_MAX = 1000


class Line:
    """Started once by the app. Without `surface` and `steps` it only admits: another process does the rest.

    With `timers` several processes show places, one at a time.
    """

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        gate: Gate,
        engine: Engine,
        steps: Steps | None,
        surface: Surface | None,
        timers: Timers | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._gate = gate
        self._engine = engine
        self._steps = steps
        self._surface = surface
        self._timers = timers
        # Members who were told that the line stands still, each in the card of one job.
        self._told: dict[int, str] = {}
        self._loop = TaskGroup("line", limit=1)
        self._wake = asyncio.Event()
        gate.on_moved = self._wake.set
        self._stopping = False

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
                await self._call_off_overdue()
                await self._show_places()
            except Exception as error:  # noqa: BLE001 - told, and tried again in the next round
                tell_failed_round(log, "line.look_failed", error)
            # Another process may have seen kvid back earlier.
            pause_s = self._gate.pause_s() or LOOK_INTERVAL_S
            await wait_for(self._clock, self._wake, min(pause_s, LOOK_INTERVAL_S))

    async def _call_off_overdue(self) -> None:
        if self._steps is not None:
            for job_id in await self._gate.list_overdue():
                await self._steps.call_off(job_id)

    async def _show_places(self) -> None:
        """Where each job stands; while the line stands still, one of each member's says so instead."""
        if self._surface is None or not await self._is_our_turn():
            return
        notice = _find_notice(self._gate.state)
        # Those farther back were told that it stands still, so they are told that it goes on.
        goes_on = bool(self._told) and notice is None
        shown_max = NOTICES_MAX if goes_on else PLACES_SHOWN_MAX
        # While there is room, whoever joined since the admission is about to start.
        waiting = [] if self._gate.has_room else await self._gate.list_next(shown_max)
        behind, first = await self._database.read(lambda c: _list_others(c, stands_still=notice is not None))
        if notice is None:
            self._told.clear()
        for job in first[: NOTICES_MAX - len(self._told)]:
            self._told.setdefault(job.user_id, job.id)
        told = set(self._told.values())
        for place, job in enumerate(waiting, start=1):
            if job.id not in told:
                self._surface.show(job, place=place)
        for job in behind:
            if job.id not in told:
                self._surface.show(job, place=BEHIND_OWN)
        for job in first:
            if job.id in told:
                self._surface.show(job, place=notice)

    async def _is_our_turn(self) -> bool:
        """In a fleet one process at a time shows places: else all would edit the same cards."""
        return self._timers is None or await self._timers.claim(SHOW_TIMER, every_s=SHOW_INTERVAL_S)


def _find_notice(gate: KvidGate) -> int | None:
    if gate.refused is not None:
        return STUDIO_PAUSED
    return None if gate.breaker is Breaker.CLOSED else KVID_AWAY


def _list_others(c: Connection, *, stands_still: bool) -> tuple[list[Job], list[Job]]:
    """The jobs that wait for other jobs of their own member; and, if asked for, the first of each member."""
    crowded = find_crowded(line_queries.list_place_holders(c))
    return (
        queries.list_waiting(c, limit=PLACES_SHOWN_MAX, of=crowded) if crowded else [],
        queries.list_first_waiting(c, NOTICES_MAX) if stands_still else [],
    )

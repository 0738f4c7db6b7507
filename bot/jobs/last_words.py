"""Sees to it that whoever got no picture is told so, also when the process that knew it is gone.

That a member is owed a word is written with the job's end, that they have it once Discord took it. What is
owed for a while is shown again; how a member is told once, however often that is, is the surface's business.
So it is with the note below a reply, which others see and which is to go once the picture is there.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from bot.log import get_logger, tell_failed_round
from bot.tasks import TaskGroup, wait_for
from db.queries import jobs as queries

if TYPE_CHECKING:
    from bot.clock import Clock
    from bot.jobs.ports import Surface
    from db.engine import Database

log = get_logger(__name__)

LOOK_INTERVAL_S = 60.0
# What ended a moment ago is being said by whoever ended it.
SETTLED_S = 60.0
# Older news helps nobody.
OWED_S = 86_400.0
SHOWN_MAX = 50


class LastWords:
    """Started by the app wherever jobs run; several processes may do it at once."""

    def __init__(self, database: Database, clock: Clock, surface: Surface) -> None:
        self._database = database
        self._clock = clock
        self._surface = surface
        self._loop = TaskGroup("last-words", limit=1)
        self._stopping = asyncio.Event()

    def start(self) -> None:
        self._loop.start("look", self._run())

    async def stop(self, *, grace_s: float) -> None:
        self._stopping.set()
        await self._loop.stop(grace_s=grace_s)

    async def note_told(self, job_id: str) -> None:
        """The member knows. **Repeatable** yes."""
        now = self._clock.now()
        await self._database.transaction(lambda c: queries.note_told(c, job_id, now))

    async def _run(self) -> None:
        settled_s = 0.0
        while not self._stopping.is_set():
            try:
                await self._show_owed(settled_s)
                settled_s = SETTLED_S
            except Exception as error:  # noqa: BLE001 - told, and tried again in the next round
                tell_failed_round(log, "last_words.look_failed", error)
            await wait_for(self._clock, self._stopping, LOOK_INTERVAL_S)

    async def _show_owed(self, settled_s: float) -> None:
        now = self._clock.now()
        since, until = now - timedelta(seconds=OWED_S), now - timedelta(seconds=settled_s)
        owed = await self._database.read(
            lambda c: [
                *queries.list_untold(c, since, until, SHOWN_MAX),
                *queries.list_cards_left(c, since, until, SHOWN_MAX),
            ]
        )
        for job in owed:
            log.info("job.told_again", job=job.id, state=job.state.value)
            self._surface.show_again(job)

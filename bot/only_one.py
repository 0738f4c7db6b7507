"""Holds the database's lock while this process works: a second one would take running jobs for left-overs.

Owns the wait for a predecessor that is still leaving, and the watch over the lock. What the lock is stands in
`db.lock`. Taken first at the start, let go last at the stop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from bot.log import get_logger
from bot.tasks import TaskGroup, run_abandonable

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.clock import Clock
    from db.lock import ProcessLock

log = get_logger(__name__)

# A predecessor that was told to stop has ten seconds.
WAIT_S = 12.0
LOOK_INTERVAL_S = 0.2
WATCH_INTERVAL_S = 15.0
REFUSALS_MAX = 4


class AlreadyRunning(Exception):
    """Another process works on this database."""


class OnlyOne:
    def __init__(self, lock: ProcessLock, clock: Clock) -> None:
        self._lock = lock
        self._clock = clock
        self._watcher = TaskGroup("only-one", limit=1)
        self.on_taken_away: Callable[[], None] = lambda: None

    async def take(self) -> None:
        """**Raises** AlreadyRunning after WAIT_S; OSError or DBAPIError where the lock cannot be had at all."""
        deadline = self._clock.monotonic() + WAIT_S
        waiting = False
        while not await run_abandonable("lock", self._lock.take):
            if self._clock.monotonic() >= deadline:
                raise AlreadyRunning
            if not waiting:
                waiting = True
                log.info("lock.awaited", wait_s=WAIT_S)
            await self._clock.sleep(LOOK_INTERVAL_S)
        self._watcher.start("watch", self._watch())

    async def release(self) -> None:
        await self._watcher.stop(grace_s=0)
        await run_abandonable("lock", self._lock.release)

    async def _watch(self) -> None:
        lost, refusals = False, 0
        while True:
            await self._clock.sleep(WATCH_INTERVAL_S)
            if not lost and await run_abandonable("lock", self._lock.is_held):
                continue
            if not lost:
                lost = True
                log.error("lock.lost", hint="nothing else may work on this database until it is taken again")
            try:
                taken = await run_abandonable("lock", self._lock.take)
            except (OSError, DBAPIError):
                # The database does not answer, so nobody else can have it either.
                continue
            if taken:
                lost, refusals = False, 0
                log.info("lock.taken_again")
                continue
            # The server may hold on to our own dead session for a while before it counts as somebody else's.
            refusals += 1
            if refusals >= REFUSALS_MAX:
                log.error(
                    "lock.taken_away", hint="another kvid-bot works on this database now; this one stops"
                )
                self.on_taken_away()
                return

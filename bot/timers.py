"""Timers that fire once in the whole fleet: of all processes that ask, one gets each firing.

Must not know what fires. What fires must be repeatable: a process may die after its claim.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from db.queries import timers as queries

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from bot.clock import Clock
    from db.engine import Database


class Timers:
    """Shape: with `shared` other machines use the database too, so their times are PostgreSQL's."""

    def __init__(self, database: Database, clock: Clock, *, shared: bool = False) -> None:
        self._database = database
        self._clock = clock
        self._shared = shared

    async def claim(self, name: str, *, every_s: float) -> bool:
        """Take the firing that is due; False when none is, or another process took it.

        **Transaction** opens one.
        """

        def work(c: Connection) -> bool:
            now = queries.read_clock(c) if self._shared else self._clock.now()
            return queries.claim_timer(c, name, now=now, next_at=now + timedelta(seconds=every_s))

        return await self._database.transaction(work)

"""Which jobs in line get a place at kvid: the oldest first, and of each member no more than may run together.

Owns the number of places and the pauses that kvid asks for. Holds nothing else: who has a place stands in the
job rows.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from db.queries import jobs as queries
from db.queries import line as line_queries

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from bot.clock import Clock
    from bot.jobs.ports import Engine
    from db.engine import Database


class Places:
    def __init__(self, *, database: Database, clock: Clock, engine: Engine, concurrency: int) -> None:
        self._database = database
        self._clock = clock
        self._engine = engine
        self._concurrency = concurrency
        self._paused_until = 0.0

    def pause(self, delay_s: float) -> None:
        """Admit nobody for a while."""
        self._paused_until = max(self._paused_until, self._clock.monotonic() + delay_s)

    def pause_s(self) -> float:
        return max(0.0, self._paused_until - self._clock.monotonic())

    async def admit(self) -> list[str]:
        """Fill the free places; the ids of the jobs that got one. **Transaction** opens one."""
        if self.pause_s():
            return []
        now = self._clock.now()

        def work(c: Connection) -> list[str]:
            admitted = line_queries.admit_jobs(c, self._choose(c), now)
            self._engine.offer(c, admitted)
            return admitted

        return await self._database.transaction(work)

    def _choose(self, c: Connection) -> list[str]:
        holding = line_queries.list_place_holders(c)
        running = Counter(job.owner for job in holding)
        crowded = {job.owner for job in holding if running[job.owner] >= job.running_max}
        free = self._concurrency - len(holding)
        chosen: list[str] = []
        # Jobs behind their own member's may fill what one look sees, so a choice is followed by another look.
        while len(chosen) < free:
            before = len(chosen)
            for job in queries.list_waiting(c, limit=2 * free, without=crowded):
                owner = (job.user_id, job.guild_id or 0)
                if job.id in chosen or len(chosen) >= free:
                    continue
                if running[owner] >= job.running_max:
                    crowded.add(owner)
                    continue
                chosen.append(job.id)
                running[owner] += 1
            if len(chosen) == before:
                break
        return chosen

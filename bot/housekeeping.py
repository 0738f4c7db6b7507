"""What has to happen because time passed: grants expire, audit logs of servers that were left are forgotten.

Owns the one loop for it; of several processes one is at it each time. Every batch is a transaction of its
own, and doing it twice, or in two processes at once, changes nothing. Must not know Discord.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from bot.caps.policies import parse_policy
from bot.credits import grants
from bot.credits.values import Outrun
from bot.ids import new_transfer_id
from bot.log import get_logger, tell_failed_round
from bot.tasks import TaskGroup, wait_for
from db.queries import servers as server_queries
from db.queries import upkeep as queries

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from bot.clock import Clock
    from bot.timers import Timers
    from db.engine import Database
    from db.values import Server

log = get_logger(__name__)

INTERVAL_S = 60.0
BATCH_MAX = 100
# What is left over waits for the next time.
BATCHES_MAX = 50


class Housekeeping:
    def __init__(self, database: Database, clock: Clock, timers: Timers) -> None:
        self._database = database
        self._clock = clock
        self._timers = timers
        self._loop = TaskGroup("housekeeping", limit=1)
        self._stopping = asyncio.Event()

    def start(self) -> None:
        self._loop.start("look", self._run())

    async def stop(self, *, grace_s: float) -> None:
        self._stopping.set()
        await self._loop.stop(grace_s=grace_s)

    async def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                if await self._timers.claim("housekeeping", every_s=INTERVAL_S):
                    await self.tidy()
            except Exception as error:  # noqa: BLE001 - told, and tried again in the next round
                tell_failed_round(log, "housekeeping.failed", error)
            await wait_for(self._clock, self._stopping, INTERVAL_S)

    async def tidy(self) -> None:
        """Do all that is due. **Repeatable** yes. **Transaction** opens one for each batch."""
        await self._expire_grants()
        await self._forget_servers()

    async def _expire_grants(self) -> None:
        now = self._clock.now()

        def expire(c: Connection) -> int:
            return grants.expire(c, new_id=new_transfer_id, limit=BATCH_MAX, now=now)

        ended = 0
        for _ in range(BATCHES_MAX):
            if self._stopping.is_set():
                break
            try:
                batch = await self._database.transaction(expire)
            except Outrun:
                # A member spent one of them meanwhile, or another process was here.
                continue
            ended += batch
            if batch < BATCH_MAX:
                break
        if ended:
            log.info("grants.expired", count=ended)

    async def _forget_servers(self) -> None:
        now, after = self._clock.now(), 0
        for _ in range(BATCHES_MAX):
            page_after = after
            left = await self._database.read(
                lambda c, page_after=page_after: queries.list_left(  # type: ignore[misc]
                    c, after_guild_id=page_after, limit=BATCH_MAX
                )
            )
            for server in left:
                try:
                    if _is_over(server, now):
                        await self._forget(server.guild_id, now)
                except Exception:
                    # Settings that are damaged, or a server that came back at this moment: not the others' fault.
                    log.exception("housekeeping.server_failed", guild=server.guild_id)
            if len(left) < BATCH_MAX or self._stopping.is_set():
                break
            after = left[-1].guild_id

    async def _forget(self, guild_id: int, now: datetime) -> None:
        def delete(c: Connection) -> int:
            # Looked at again: the bot may have come back.
            server = queries.lock_left(c, guild_id)
            if server is None or not _is_over(server, now):
                return 0
            return server_queries.delete_entries_of_left(c, [guild_id], BATCH_MAX)

        deleted = 0
        for _ in range(BATCHES_MAX):
            batch = await self._database.transaction(delete)
            deleted += batch
            if batch < BATCH_MAX or self._stopping.is_set():
                break
        if deleted:
            log.info("audit.forgotten", guild=guild_id, count=deleted)


def _is_over(server: Server, now: datetime) -> bool:
    """Whether the server's own retention time has passed since the bot left."""
    kept = timedelta(days=parse_policy(server.policy).retention_days)
    return server.left_at is not None and server.left_at + kept <= now

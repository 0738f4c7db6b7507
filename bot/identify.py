"""When a shard may introduce itself to Discord: one of each bucket within five seconds, over all processes.

Owns that wait. Whose turn it is stands in the database's timers, by the database's clock. Stands in
`KvidBot.before_identify_hook`. **Source**: Discord, "Sharding for large bots", max_concurrency.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from bot.log import get_logger
from db.engine import is_outage
from db.queries import timers

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from bot.clock import Clock
    from db.engine import Database

log = get_logger(__name__)

SPACING_S = 5.0
LOOK_INTERVAL_S = 0.25
OUTAGE_PAUSE_S = 2.0


class IdentifyTurns:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def wait(self, bucket: int) -> None:
        """Return when a shard of this bucket may identify; as long as it takes, also while the database is away."""
        while True:
            try:
                if await self._database.transaction(lambda c: _claim(c, bucket)):
                    return
                pause_s = LOOK_INTERVAL_S
            except Exception as error:
                if not is_outage(error):
                    raise
                log.warning("identify.database_away", error=repr(error))
                pause_s = OUTAGE_PAUSE_S
            await self._clock.sleep(pause_s)


def _claim(c: Connection, bucket: int) -> bool:
    now = timers.read_clock(c)
    return timers.claim_timer(c, f"identify:{bucket}", now=now, next_at=now + timedelta(seconds=SPACING_S))

"""How long jobs like this one took at kvid lately, for the deadline of those that are there.

Owns a small memory of it, so that it is asked of the database once a minute at most.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

from bot.log import get_logger
from db.engine import is_outage
from db.queries import durations as queries

if TYPE_CHECKING:
    from bot.clock import Clock
    from db.engine import Database
    from db.enums import JobKind
    from db.values import Job

log = get_logger(__name__)

KEPT_S = 60.0
JOBS_MAX = 200
# Fewer say nothing about the slow ones.
JOBS_MIN = 20
SHARE = 0.99
KINDS_MAX = 32

_Like: TypeAlias = "tuple[JobKind, int]"


class Durations:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._known: dict[_Like, tuple[float, float | None]] = {}

    async def find_slow_s(self, job: Job) -> float | None:
        """What 99 of 100 jobs like it took at most; None while too few are known. Never raises for an outage."""
        like = (job.kind, job.image_count)
        now_s = self._clock.monotonic()
        known = self._known.get(like)
        if known is not None and now_s - known[0] < KEPT_S:
            return known[1]
        try:
            taken_s = await self._database.read(
                lambda c: queries.list_durations_s(c, kind=like[0], image_count=like[1], limit=JOBS_MAX)
            )
        except Exception as error:
            if not is_outage(error):
                raise
            log.warning("durations.unread", error=repr(error))
            return None if known is None else known[1]
        if len(self._known) >= KINDS_MAX:
            self._known.clear()
        slow_s = find_percentile(taken_s, SHARE) if len(taken_s) >= JOBS_MIN else None
        self._known[like] = (now_s, slow_s)
        return slow_s


def find_percentile(values: list[float], share: float) -> float:
    """The smallest of the values that at least this share of them does not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]

"""How often a member is told something small in public, so that help never becomes spam."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.clock import Clock

HINT_INTERVAL_S = 600.0
MEMBERS_MAX = 5000


class HintLimiter:
    def __init__(self, clock: Clock, interval_s: float = HINT_INTERVAL_S) -> None:
        self._clock = clock
        self._interval_s = interval_s
        self._told: OrderedDict[int, float] = OrderedDict()

    def may_tell(self, user_id: int) -> bool:
        """True, and counted as told, when the last time was long enough ago."""
        now = self._clock.monotonic()
        told = self._told.get(user_id)
        if told is not None and now - told < self._interval_s:
            return False
        self._told[user_id] = now
        self._told.move_to_end(user_id)
        while len(self._told) > MEMBERS_MAX:
            self._told.popitem(last=False)
        return True

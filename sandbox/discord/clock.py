"""Owns time and ids: a wall clock that can be moved forward, and snowflakes made from it.

The only place of the local Discord that reads the system clock.
"""

import time
from datetime import UTC, datetime

DISCORD_EPOCH_MS = 1_420_070_400_000


class Clock:
    """The wall clock plus an offset which tests move forward."""

    def __init__(self) -> None:
        self.offset_s = 0.0
        self._serial = 0

    def now_s(self) -> float:
        """Units: seconds since 1970."""
        return time.time() + self.offset_s

    def advance(self, seconds: float) -> None:
        self.offset_s += seconds

    def reset(self) -> None:
        self.offset_s = 0.0

    def now_iso(self) -> str:
        return format_iso(self.now_s())

    def make_id(self) -> str:
        """Make a snowflake: unique while fewer than 2**22 are made in one millisecond."""
        self._serial = (self._serial + 1) % (1 << 22)
        return make_snowflake(self.now_s(), self._serial)


def make_snowflake(at_s: float, serial: int) -> str:
    return str(((int(at_s * 1000) - DISCORD_EPOCH_MS) << 22) | serial)


def format_iso(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="microseconds")

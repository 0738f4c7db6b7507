"""Owns how often sessions may start: how many shards are advised, identifies a day, and the spacing between them.

Source: Discord developer docs, "Gateway" (rate limiting, sharding for large bots), read 2026-11-22: of the shards
with the same `shard_id % max_concurrency`, one may identify in 5 seconds.
"""

from sandbox.discord.clock import Clock
from sandbox.discord.settings import DiscordSettings
from sandbox.discord.state import Json

DAY_S = 86_400.0
INTERVAL_S = 5.0
CONCURRENCY_MAX = 16


class SessionStarts:
    """What /gateway/bot tells of, and what an identify is held to."""

    def __init__(self, settings: DiscordSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """As at the start; nobody has identified yet."""
        settings = self._settings
        self.shards = settings.shards
        self.max_concurrency = settings.max_concurrency
        self.interval_s = settings.identify_interval_s
        self.total = self.remaining = settings.session_starts_per_day
        if self.interval_s is None:
            self.interval_s = 0.0 if settings.rate_limits_relaxed else INTERVAL_S
        self._day_ends_at_s = self._clock.now_s() + DAY_S
        self._started_at_s: dict[int, float] = {}

    def take(self, shard: int) -> bool:
        """Count an identify; whether it may be."""
        now_s = self._clock.now_s()
        self._renew(now_s)
        bucket = shard % self.max_concurrency
        started_at_s = self._started_at_s.get(bucket)
        is_early = started_at_s is not None and 0 <= now_s - started_at_s < (self.interval_s or 0.0)
        if is_early or self.remaining <= 0:
            return False
        self.remaining -= 1
        self._started_at_s[bucket] = now_s
        return True

    def _renew(self, now_s: float) -> None:
        if now_s >= self._day_ends_at_s:
            self.remaining, self._day_ends_at_s = self.total, now_s + DAY_S

    def render(self) -> Json:
        now_s = self._clock.now_s()
        self._renew(now_s)
        return {
            "total": self.total,
            "remaining": self.remaining,
            "reset_after": int((self._day_ends_at_s - now_s) * 1000),
            "max_concurrency": self.max_concurrency,
        }

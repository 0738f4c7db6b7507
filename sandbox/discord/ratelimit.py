"""Owns rate limits: a window per route and major parameter, the global one, and the headers that tell of them.

Source: Discord developer docs, "Rate Limits", read 2026-11-22. Discord publishes no numbers per route; those
below are what its headers showed in 2026 for message routes, and generous for all others.
"""

import hashlib
from dataclasses import dataclass

from sandbox.discord.clock import Clock
from sandbox.discord.settings import DiscordSettings

BUCKETS_MAX = 5000
RELAXED_FACTOR = 1000


@dataclass(slots=True)
class Window:
    ends_at_s: float
    used: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Shape: `retry_after_s` is None when the request may pass."""

    headers: dict[str, str]
    retry_after_s: float | None = None
    is_global: bool = False


class RateLimits:
    """Fixed windows on the movable clock."""

    def __init__(self, settings: DiscordSettings, clock: Clock) -> None:
        self._clock = clock
        self._factor = RELAXED_FACTOR if settings.rate_limits_relaxed else 1
        self._global_max = settings.global_requests_per_s * self._factor
        self._windows: dict[str, Window] = {}
        self._rules = {
            ("POST", "/channels/{channel_id}/messages"): (settings.message_creates_per_5_s, 5.0),
            ("PATCH", "/channels/{channel_id}/messages/{message_id}"): (5, 5.0),
            ("DELETE", "/channels/{channel_id}/messages/{message_id}"): (5, 1.0),
            ("POST", "/channels/{channel_id}/typing"): (5, 5.0),
            ("POST", "/users/@me/channels"): (10, 10.0),
        }

    def clear(self) -> None:
        self._windows.clear()

    def check(self, method: str, route: str, major: str, *, counts_globally: bool) -> Verdict:
        """Count a request against its bucket.

        Shape: `major` is the channel, guild or webhook the bucket belongs to.
        """
        now = self._clock.now_s()
        if len(self._windows) > BUCKETS_MAX:
            self._windows = {key: one for key, one in self._windows.items() if one.ends_at_s > now}
        if counts_globally:
            window = self._window("global", now, 1.0)
            window.used += 1
            if window.used > self._global_max:
                wait_s = max(0.001, window.ends_at_s - now)
                return Verdict(headers={}, retry_after_s=wait_s, is_global=True)
        name, most, length_s = self._rule(method, route)
        window = self._window(f"{name}:{major}", now, length_s)
        wait_s = max(0.001, window.ends_at_s - now)
        refused = window.used >= most
        window.used += not refused
        headers = {
            "X-RateLimit-Limit": str(most),
            "X-RateLimit-Remaining": str(most - window.used),
            "X-RateLimit-Reset": f"{window.ends_at_s:.3f}",
            "X-RateLimit-Reset-After": f"{wait_s:.3f}",
            "X-RateLimit-Bucket": hashlib.sha256(name.encode()).hexdigest()[:32],
        }
        return Verdict(headers=headers, retry_after_s=wait_s if refused else None)

    def _rule(self, method: str, route: str) -> tuple[str, int, float]:
        if route.startswith(("/webhooks/", "/interactions/")):
            # Seen in practice: 5 calls per 2 s for one interaction token, whatever the call.
            return "webhook", 5 * self._factor, 2.0
        most, length_s = self._rules.get((method, route), (50, 1.0))
        return f"{method} {route}", most * self._factor, length_s

    def _window(self, key: str, now: float, length_s: float) -> Window:
        window = self._windows.get(key)
        if window is None or window.ends_at_s <= now or window.ends_at_s > now + length_s:
            window = self._windows[key] = Window(now + length_s)
        return window

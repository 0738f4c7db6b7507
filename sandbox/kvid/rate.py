"""The request rate: a bucket that fills at the allowed rate and holds one second of it.

Owns the bucket alone; `server` asks it before each contract endpoint, `settings` says the rate.
"""

from __future__ import annotations

import math
import time

from sandbox.kvid.contract import ApiError


class RequestGate:
    def __init__(self) -> None:
        self._tokens = math.inf
        self._seen_s = 0.0

    def check(self, requests_per_s: float) -> None:
        """Raises: ApiError RATE_LIMITED with the seconds until the next request is welcome."""
        if not requests_per_s:
            return
        now_s = time.monotonic()
        filled = self._tokens + (now_s - self._seen_s) * requests_per_s
        self._tokens = min(filled, max(requests_per_s, 1.0))
        self._seen_s = now_s
        if self._tokens < 1:
            raise ApiError("RATE_LIMITED", retry_after_s=math.ceil((1 - self._tokens) / requests_per_s))
        self._tokens -= 1

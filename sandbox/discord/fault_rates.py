"""Owns the fault rates: which share of the bot's requests is spoiled, and how. Beside `faults`, which counts requests.

Chance is seeded: the same requests in the same order meet the same faults. What a fault does is carried out by
`middleware`; the books count it.
"""

import re
from dataclasses import dataclass, field
from random import Random

from sandbox.discord.faults import Fault

RATES_MAX = 50
RATE_KINDS = (
    "429", "429_global", "429_shared", "429_no_via", "500", "502", "503", "504", "reset", "reset_after", "slow",
    "too_large",
)  # fmt: skip


@dataclass(slots=True, kw_only=True)
class FaultRate:
    """One rule: of the requests that match, the share `rate` meets one of `kinds`, each as likely.

    Shape: `too_large` is for requests that carry more than `upload_bytes_max` of files, and for no others.
    """

    rate: float
    kinds: tuple[str, ...]
    seed: int = 0
    method: str | None = None
    path: re.Pattern[str] = field(default_factory=lambda: re.compile(""))
    delay_s: float = 2.0
    retry_after_s: float = 1.0
    upload_bytes_max: int = 0
    random: Random = field(init=False)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)

    def draw(self, method: str, paths: tuple[str, ...], upload_bytes: int) -> Fault | None:
        if self.method not in (None, method) or not any(self.path.search(path) for path in paths):
            return None
        is_large = upload_bytes > self.upload_bytes_max
        kinds = [kind for kind in self.kinds if is_large or kind != "too_large"]
        if not kinds or self.random.random() >= self.rate:
            return None
        return self._build(self.random.choice(kinds))

    def _build(self, kind: str) -> Fault:
        fault = Fault(method=self.method, path=self.path, action="status", retry_after_s=self.retry_after_s)
        if kind in ("reset", "reset_after"):
            fault.action, fault.after = "drop", kind == "reset_after"
        elif kind == "slow":
            fault.action, fault.delay_s = "delay", self.delay_s
        elif kind == "too_large":
            fault.status, fault.code, fault.message = 413, 40005, "Request entity too large"
        else:
            fault.status = int(kind[:3])
            fault.via = kind != "429_no_via"
            fault.scope = {"429_global": "global", "429_shared": "shared"}.get(kind, "user")
        return fault


class FaultRates:
    """The rules, oldest first; a request is hit by the first that draws it."""

    def __init__(self) -> None:
        self._rates: list[FaultRate] = []

    def add(self, rate: FaultRate) -> bool:
        """Whether there was room."""
        if len(self._rates) >= RATES_MAX:
            return False
        self._rates.append(rate)
        return True

    def clear(self) -> None:
        self._rates.clear()

    def take(self, method: str, *paths: str, upload_bytes: int) -> Fault | None:
        for rate in self._rates:
            fault = rate.draw(method, paths, upload_bytes)
            if fault is not None:
                return fault
        return None

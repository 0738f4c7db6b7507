"""Fault rates: which share of the requests the local kvid spoils, and how. Beside the script in `faults`.

Owns the kinds and the chance, which is seeded: the same requests in the same order meet the same faults. Knows
nothing of HTTP or of jobs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, get_args

from sandbox.kvid.faults import DELAY_S_MAX, ENDPOINTS, Endpoint, Fault, FaultError

if TYPE_CHECKING:
    from collections.abc import Callable

RATES_MAX = 50
SEED_MAX = 2**53
OTHER_JOB_ID = "img_1777360165746_elsewhere"
ANYWHERE: tuple[Endpoint, ...] = get_args(Endpoint)
ASKING: tuple[Endpoint, ...] = ("status", "result")
SUBMIT: tuple[Endpoint, ...] = ("submit",)


@dataclass(slots=True, kw_only=True)
class FaultRate:
    """One rule: of the requests to `endpoint`, the share `rate` meets one of `kinds`, each as likely.

    Shape: a kind that makes no sense for an endpoint is never met there, see `KINDS`.
    """

    rate: float
    kinds: tuple[str, ...]
    seed: int = 0
    endpoint: str = "any"
    delay_s: float = 2.0
    retry_after_s: float = 1.0
    random: Random = field(init=False)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)

    def draw(self, endpoint: Endpoint) -> Fault | None:
        if self.endpoint not in {endpoint, "any"}:
            return None
        kinds = [kind for kind in self.kinds if endpoint in KINDS[kind][0]]
        if not kinds or self.random.random() >= self.rate:
            return None
        return KINDS[self.random.choice(kinds)][1](self)


# kind -> where it makes sense, and the fault
KINDS: dict[str, tuple[tuple[Endpoint, ...], Callable[[FaultRate], Fault]]] = {
    "429": (
        ANYWHERE,
        lambda rate: Fault(code="RATE_LIMITED", headers={"Retry-After": str(math.ceil(rate.retry_after_s))}),
    ),
    "429_bare": (ANYWHERE, lambda _: Fault(status=429, body={"success": False, "code": "RATE_LIMITED"})),
    "500": (ANYWHERE, lambda _: Fault(code="SERVER_ERROR")),
    "502": (
        ANYWHERE,
        lambda _: Fault(status=502, body="<html>Bad Gateway</html>", headers={"content-type": "text/html"}),
    ),
    "503": (ANYWHERE, lambda _: Fault(status=503, body="")),
    "reset": (ANYWHERE, lambda _: Fault(drop=True)),
    "reset_after": (ANYWHERE, lambda _: Fault(drop=True, after=True)),
    "half_body": (ANYWHERE, lambda _: Fault(cut=True)),
    "slow": (ANYWHERE, lambda rate: Fault(delay_s=rate.delay_s)),
    "wrong_job": (ASKING, lambda _: Fault(job_id=OTHER_JOB_ID)),
    "forgotten": (ASKING, lambda _: Fault(forget=True)),
    "never_finishes": (SUBMIT, lambda _: Fault(job="hang")),
    "job_failed": (SUBMIT, lambda _: Fault(job="fail")),
}


class FaultRates:
    """The rules, oldest first; a request is hit by the first that draws it."""

    def __init__(self) -> None:
        self._rates: list[FaultRate] = []

    def add(self, body: dict[str, Any]) -> None:
        """Raises: FaultError."""
        if len(self._rates) >= RATES_MAX:
            raise FaultError(f"at most {RATES_MAX} fault rates; DELETE /control/fault-rate forgets them")
        self._rates.append(parse_rate(body))

    def clear(self) -> None:
        self._rates.clear()

    def take(self, endpoint: Endpoint) -> Fault | None:
        for rate in self._rates:
            fault = rate.draw(endpoint)
            if fault is not None:
                return fault
        return None


def parse_rate(body: dict[str, Any]) -> FaultRate:
    """Raises: FaultError."""
    unknown = set(body) - {"rate", "seed", "kinds", "endpoint", "delay_s", "retry_after_s"}
    if unknown:
        raise FaultError(f"a fault rate has no field {min(unknown)!r}")
    kinds, seed, endpoint = body.get("kinds"), body.get("seed", 0), body.get("endpoint", "any")
    if (
        not isinstance(kinds, list)
        or not kinds
        or not all(isinstance(one, str) and one in KINDS for one in kinds)
    ):
        raise FaultError(f"kinds must be some of {', '.join(KINDS)}")
    if type(seed) is not int or not 0 <= seed <= SEED_MAX:
        raise FaultError("seed must be a whole number that is not negative")
    if not isinstance(endpoint, str) or endpoint not in ENDPOINTS:
        raise FaultError(f"endpoint must be one of {', '.join(ENDPOINTS)}")
    return FaultRate(
        rate=_parse_number(body, "rate", 0.0, 1.0),
        kinds=tuple(kinds),
        seed=seed,
        endpoint=endpoint,
        delay_s=_parse_number(body, "delay_s", 2.0, DELAY_S_MAX),
        retry_after_s=_parse_number(body, "retry_after_s", 1.0, DELAY_S_MAX),
    )


def _parse_number(body: dict[str, Any], name: str, default: float, highest: float) -> float:
    value = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= highest:
        raise FaultError(f"{name} must be a number from 0 to {highest}")
    return float(value)

"""What a run under chaos is to be: how much of what, which processes, and what goes wrong in which way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

# Each process by its name, with its arguments.
Processes: TypeAlias = dict[str, tuple[str, ...]]
ALONE: Processes = {"alone": ()}
FLEET: Processes = {
    "gateway-1": ("--role", "gateway", "--shards", "0-0/2"),
    "gateway-2": ("--role", "gateway", "--shards", "1-1/2"),
    "worker-1": ("--role", "worker"),
    "worker-2": ("--role", "worker"),
    "worker-3": ("--role", "worker"),
}
# Each line is one kind of trouble; its share of the requests meets one of its forms.
KVID_FAULTS: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (("429", "429_bare"), {"retry_after_s": 1}),
    (("500", "502", "503"), {}),
    (("reset", "reset_after"), {}),
    (("half_body",), {}),
    (("slow",), {"delay_s": 1.0}),
    (("wrong_job",), {}),
    (("forgotten",), {}),
    (("job_failed",), {}),
)
DISCORD_FAULTS: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (("429", "429_shared", "429_no_via"), {"retry_after_s": 0.5}),
    (("429_global",), {"retry_after_s": 0.3}),
    (("500", "502", "503", "504"), {}),
    (("reset", "reset_after"), {}),
    (("slow",), {"delay_s": 0.7}),
    (("too_large",), {"upload_bytes_max": 1_000}),
)
GATEWAY_TROUBLES: tuple[dict[str, Any], ...] = (
    {"action": "close", "resumable": True},
    {"action": "double", "times": 20},
    {"action": "close", "resumable": False},
    {"action": "reconnect"},
    {"action": "invalid_session", "resumable": False},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Units: `limit_s` bounds the requests, `rest_s` the wait for everything to come to rest.

    Shape: members look for the end of a request for `patience_s`; what became of it the books say.
    """

    jobs: int
    members: int
    guilds: int
    kills: int
    gateway_kills: int = 0
    outages: int
    rate: float
    hang_rate: float = 0.0
    empty_accounts: int = 0
    gateway_troubles: int = 0
    seed: int = 1
    requests_per_s: float
    patience_s: float = 60.0
    limit_s: float
    rest_s: float
    settings: dict[str, str] = field(default_factory=dict)

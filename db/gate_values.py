"""What the queries of the line and of the gate towards kvid return: frozen values, as those of `db.values`.

Owns their shape. Must not know SQL, or what decides on them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from db.enums import AccountRefusal, Breaker

if TYPE_CHECKING:
    from datetime import datetime

# A member in one server; 0 stands for direct messages.
Owner: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class KvidGate:
    """How much may be asked of kvid now, for all processes together.

    Shape: `window_jobs` is how many jobs may be there at once; `limits_in_a_row` counts the rate limits that
    `decreased_at` closed one after another. The breaker counts outages in a row since the last answer; while
    it is not closed, `probe_at` is when one job may try. While `refused`, `refused_probe_at` is.
    """

    window_jobs: float
    limits_in_a_row: int = 0
    decreased_at: datetime | None = None
    paused_until: datetime | None = None
    breaker: Breaker = Breaker.CLOSED
    failures_in_a_row: int = 0
    opened_at: datetime | None = None
    probe_at: datetime | None = None
    refused: AccountRefusal | None = None
    refusals_in_a_row: int = 0
    refused_since: datetime | None = None
    refused_probe_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerTurn:
    """Whose turn it is in the line: the lowest `turn` comes next.

    Shape: `flow_id` is a server's id, or a member's in direct messages. Units: whole credits.
    """

    flow_id: int
    deficit_credits: int
    turn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingJob:
    """What the order of the line needs to know of a job."""

    id: str
    number: int
    flow_id: int
    user_id: int
    guild_id: int | None
    cost_credits: int
    running_max: int

    @property
    def owner(self) -> Owner:
        return self.user_id, self.guild_id or 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceHolder:
    """A job that has a place at kvid. Shape: while `sending`, kvid has not answered its submit."""

    id: str
    user_id: int
    guild_id: int | None
    running_max: int
    sending: bool
    submitted_at: datetime | None
    estimated_s: float | None

    @property
    def owner(self) -> Owner:
        return self.user_id, self.guild_id or 0

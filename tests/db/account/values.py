"""What the model keeps: grants, offers, reservations and sums as plain values that change.

Owns which credits of one of them are left, held, used and exempt, and on which day a period begins. Knows nothing of
the ledger, nor how these values meet; that is `model.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime

DISTANT = datetime.max.replace(tzinfo=UTC)
EPOCH = date(1970, 1, 1)
Parts = list[tuple[str, int]]
# scope, guild, owner, period, first day
Key = tuple[str, int, int, str, date]


@dataclass
class Granted:
    guild_id: int
    user_id: int
    amount: int
    created_at: datetime
    expires_at: datetime | None
    held: int = 0
    used: int = 0
    removed: int = 0

    @property
    def left(self) -> int:
        return self.amount - self.held - self.used - self.removed


@dataclass
class Offer:
    guild_id: int
    role_id: int
    amount: int
    open_until: datetime
    expires_at: datetime | None


@dataclass
class Held:
    """One reservation and what became of it."""

    user_id: int
    guild_id: int | None
    channel_id: int | None
    amount: int
    at: datetime
    day: date
    parts: Parts
    limits: dict[Key, int]
    charged: int | None = None
    borne: Parts = field(default_factory=list)
    voided: bool = False
    refunded: bool = False
    # What of the refund each cap had forgiven before.
    forgiven: dict[Key, int] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        return self.charged is None and not self.voided

    @property
    def granted(self) -> int:
        """What no cap of the membership counts."""
        if self.is_open:
            return total(self.parts)
        return 0 if self.refunded else total(self.borne)

    @property
    def held(self) -> int:
        return self.amount if self.is_open else 0

    @property
    def used(self) -> int:
        return 0 if self.refunded else self.paid

    @property
    def paid(self) -> int:
        """What kvid got; a moderator's refund does not bring it back to the operator."""
        return self.charged or 0


@dataclass
class Sums:
    held: int = 0
    used: int = 0
    exempt: int = 0
    jobs: int = 0
    last: datetime | None = None

    @property
    def counted(self) -> int:
        return self.held + self.used - self.exempt


def total(parts: Parts) -> int:
    return sum(amount for _, amount in parts)


def first_day(period: str, day: date) -> date:
    if period == "day":
        return day
    if period == "week":
        year, week, _ = day.isocalendar()
        return date.fromisocalendar(year, week, 1)
    return date(day.year, day.month, 1) if period == "month" else EPOCH

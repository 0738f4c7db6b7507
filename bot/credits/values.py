"""What the ledger takes and answers.

Owns the values of this package. Must not know the database's rows, Discord or any language.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from db.enums import BalancePeriod
    from db.values import KeyLimit


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """What to hold for a job, and under which limits.

    Units: whole credits. `parts` are (grant id, credits) in the order of use; the rest is allowance.
    """

    transfer_id: str
    job_id: str
    user_id: int
    guild_id: int | None
    channel_id: int | None
    amount_credits: int
    counted: tuple[KeyLimit, ...]
    local_date: date
    now: datetime
    parts: tuple[tuple[str, int], ...] = ()

    @property
    def granted_credits(self) -> int:
        return sum(amount for _, amount in self.parts)


class Outrun(Exception):
    """Another reservation was faster, and a limit no longer holds: roll back, and decide anew."""


class ReservationMissing(LookupError):
    """A job without a reservation cannot be settled or voided."""

    def __init__(self, job_id: str) -> None:
        super().__init__(job_id)
        self.job_id = job_id


class TransferConflict(Exception):
    """A transfer's id, or its job's reserve, exists with other contents."""

    def __init__(self, transfer_id: str, job_id: str | None) -> None:
        super().__init__(transfer_id, job_id)
        self.transfer_id = transfer_id
        self.job_id = job_id


class NothingToTake(Exception):
    """A gift or a correction asks for more credits than are left."""

    def __init__(self, left_credits: int) -> None:
        super().__init__(left_credits)
        self.left_credits = left_credits


class TooManyGrants(Exception):
    """A member would have more separate grants in one server than are kept."""

    def __init__(self, grants_max: int) -> None:
        super().__init__(grants_max)
        self.grants_max = grants_max


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The outcome of a settle.

    Units: whole credits. `excess` is what kvid reported beyond what the member is charged: the operator bears
    it. `already`: an earlier call decided, and these are its numbers; `voided`: it was a void.
    """

    charged: int
    excess: int
    already: bool
    voided: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Voided:
    """The outcome of a void.

    Shape: `already`: an earlier call decided; `settled`: it was a settle, and its charge stands.
    """

    already: bool
    settled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Refunded:
    """The outcome of a refund. Units: whole credits. `already`: an earlier call gave them back.

    Shape: `allowance` of the amount had come from the allowance, as it was on `local_date`; `forgiven` says by
    period how much of that a reset had forgiven before.
    """

    amount: int
    already: bool
    allowance: int
    local_date: date
    forgiven: Mapping[BalancePeriod, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a member used in the running periods, and what running jobs hold.

    Shape: over all servers by UTC days (`week_credits` None), or in one server by its own days.
    """

    today_credits: int
    month_credits: int
    held_credits: int
    week_credits: int | None = None


class DifferenceKind(StrEnum):
    BALANCE_DIFFERS = "balance.differs"
    BALANCE_MISSING = "balance.missing"
    BALANCE_WITHOUT_TRANSFERS = "balance.without_transfers"
    BALANCE_NEGATIVE = "balance.negative"
    GRANT_DIFFERS = "grant.differs"
    GIFT_WITHOUT_GRANT = "gift.without_grant"
    GRANT_OF_ANOTHER = "grant.of_another"
    SHARE_DIFFERS = "share.differs"
    PARTS_DIFFER = "parts.differ"
    PART_EXCEEDS = "part.exceeds"
    RESERVATION_RESOLVED_TWICE = "reservation.resolved_twice"
    REFUND_DIFFERS = "refund.differs"
    JOB_STILL_HOLDS = "job.still_holds"
    JOB_ENDED_OTHERWISE = "job.ended_otherwise"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that the audit found wrong.

    Shape: `subject` is a balance ("member 123 day 2026-11-22"), a grant's, a reservation's or a job's id;
    `expected` and `found` name the numbers that should agree.
    """

    kind: DifferenceKind
    subject: str
    expected: Mapping[str, object]
    found: Mapping[str, object]

"""What the ledger takes and answers.

Owns the values of this package. Must not know the database's rows, Discord or any language.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


class LimitRule(StrEnum):
    MEMBER_DAILY = "member_daily"
    SERVER_MONTHLY = "server_monthly"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What may be held and used together; None is unlimited.

    Shape: the member's limit counts over all servers and direct messages per UTC day, the server's over all
    its members per UTC month.
    """

    member_daily_credits: int | None = None
    server_monthly_credits: int | None = None


class LimitReached(Exception):
    """A reservation does not fit into a limit; nothing was written."""

    def __init__(
        self,
        *,
        rule: LimitRule,
        limit_credits: int,
        used_credits: int,
        held_credits: int,
        needed_credits: int,
        resets_at: datetime,
    ) -> None:
        super().__init__(rule, needed_credits)
        self.rule = rule
        self.limit_credits = limit_credits
        self.used_credits = used_credits
        self.held_credits = held_credits
        self.left_credits = max(0, limit_credits - used_credits - held_credits)
        self.needed_credits = needed_credits
        self.resets_at = resets_at


class ReservationMissing(LookupError):
    """A job without a reservation cannot be settled or voided."""

    def __init__(self, job_id: str) -> None:
        super().__init__(job_id)
        self.job_id = job_id


class TransferConflict(Exception):
    """A transfer's id, or its job's reserve, exists with other contents."""

    def __init__(self, transfer_id: str, job_id: str) -> None:
        super().__init__(transfer_id, job_id)
        self.transfer_id = transfer_id
        self.job_id = job_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The outcome of a settle.

    Units: whole credits. `excess` is what kvid reported beyond reservation and tolerance: the operator bears
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
class Usage:
    """What a member used this UTC day and month, and what running jobs hold."""

    today_credits: int
    month_credits: int
    held_credits: int


class DifferenceKind(StrEnum):
    BALANCE_DIFFERS = "balance.differs"
    BALANCE_MISSING = "balance.missing"
    BALANCE_WITHOUT_TRANSFERS = "balance.without_transfers"
    BALANCE_NEGATIVE = "balance.negative"
    RESERVATION_RESOLVED_TWICE = "reservation.resolved_twice"
    JOB_STILL_HOLDS = "job.still_holds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that the audit found wrong.

    Shape: `subject` is a balance ("member 123 day 2026-11-22"), a reservation's or a job's id; `expected` and
    `found` name the numbers that should agree.
    """

    kind: DifferenceKind
    subject: str
    expected: Mapping[str, int]
    found: Mapping[str, int]

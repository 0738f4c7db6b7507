"""What reports say: values and the days a period covers (pure).

Owns the shape of a member's and of a server's report. Must not know the database's rows, Discord or any
language; `bot.caps.reports` fills these values and the surface renders them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, tzinfo

    from bot.caps.values import Allowance, Refusal
    from bot.credits.values import Usage
    from db.values import CreditGrant, Job


class ReportPeriod(StrEnum):
    """Which days a report or an export covers; the last of them is today, but for LAST_MONTH."""

    TODAY = "today"
    DAYS_7 = "days_7"
    DAYS_30 = "days_30"
    THIS_MONTH = "this_month"
    LAST_MONTH = "last_month"


class ExportKind(StrEnum):
    LEDGER = "ledger"
    AUDIT_LOG = "audit_log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Whole days of a server, and the same as times. Shape: `last` is within, `end` is not."""

    first: date
    last: date
    start: datetime
    end: datetime

    @property
    def days(self) -> list[date]:
        return [self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What the server may still spend this month; the lower of the operator's and the moderators' bound."""

    limit_credits: int
    left_credits: int
    resets_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReport:
    """What /usage shows. Shape: in a server by its own days, in direct messages over all servers by UTC days.

    `days` are the used credits of the last thirty days up to `today`, oldest first; days without any are left out.
    `daily` is the operator's limit, over all servers and direct messages; outside servers it is the allowance.
    `blocked` is what keeps the member from making pictures in this server, whatever is left.
    `refunded` are the ids of those of `recent` whose credits a moderator gave back.
    """

    usage: Usage
    allowance: Allowance
    daily: Allowance
    grants: tuple[CreditGrant, ...]
    recent: Sequence[Job]
    today: date
    refunded: frozenset[str] = frozenset()
    days: Sequence[tuple[date, int]] = ()
    guild_id: int | None = None
    budget: Budget | None = None
    blocked: Refusal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedDay:
    """What was asked for on one day of a server, by how it ended, and the credits used.

    Shape: `is_cut`: there were more than are counted.
    """

    day: date
    delivered: int = 0
    failed: int = 0
    refused: int = 0
    cancelled: int = 0
    open: int = 0
    used_credits: int = 0
    is_cut: bool = False

    @property
    def asked(self) -> int:
        return self.delivered + self.failed + self.refused + self.cancelled + self.open


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerReport:
    """What /studio report shows of one server, all of it by the server's days.

    Units: whole credits; `paid_credits` are those used on these days that were not given back, whenever
    that was done. Shape: `days` has every day of the span; `top_members` and `top_channels` are
    (id, paid credits), most first; `refusals` are counts by the failure's name, most first.
    """

    period: ReportPeriod
    span: Span
    time_zone: str
    days: Sequence[ReportedDay]
    granted_credits: int = 0
    paid_credits: int = 0
    budget: Budget | None = None
    top_members: Sequence[tuple[int, int]] = ()
    top_channels: Sequence[tuple[int, int]] = ()
    refusals: Mapping[str, int] = field(default_factory=dict)

    @property
    def returned_credits(self) -> int:
        """How many of the credits used on these days went back to members."""
        return self.total.used_credits - self.paid_credits

    @property
    def total(self) -> ReportedDay:
        """All days as one; its `day` is the last."""
        return ReportedDay(
            day=self.span.last,
            delivered=sum(day.delivered for day in self.days),
            failed=sum(day.failed for day in self.days),
            refused=sum(day.refused for day in self.days),
            cancelled=sum(day.cancelled for day in self.days),
            open=sum(day.open for day in self.days),
            used_credits=sum(day.used_credits for day in self.days),
            is_cut=any(day.is_cut for day in self.days),
        )


def find_span(period: ReportPeriod, today: date, zone: tzinfo) -> Span:
    """Which days `period` covers when it is `today` in a server, from midnight to midnight there."""
    first, last = _find_days(period, today)
    return Span(
        first=first,
        last=last,
        start=day_bounds(first, zone)[0],
        end=day_bounds(last, zone)[1],
    )


def day_bounds(day: date, zone: tzinfo) -> tuple[datetime, datetime]:
    """When a day begins and ends in a time zone. Shape: UTC; where midnight is skipped, as `next_reset` has it."""
    start, end = (datetime.combine(one, time(), zone) for one in (day, day + timedelta(days=1)))
    return start.astimezone(UTC), end.astimezone(UTC)


def _find_days(period: ReportPeriod, today: date) -> tuple[date, date]:
    match period:
        case ReportPeriod.TODAY:
            return today, today
        case ReportPeriod.DAYS_7:
            return today - timedelta(days=6), today
        case ReportPeriod.DAYS_30:
            return today - timedelta(days=29), today
        case ReportPeriod.THIS_MONTH:
            return today.replace(day=1), today
        case ReportPeriod.LAST_MONTH:
            last = today.replace(day=1) - timedelta(days=1)
            return last.replace(day=1), last
        case _:
            assert_never(period)

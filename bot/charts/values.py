"""What a chart shows, and how tall it is drawn (pure).

Owns the values charts are made from, the numbers their alternative text needs, and the decisions about
scale. Must not know the plotting library, Discord or any language.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

USAGE_DAYS = 30
REPORT_DAYS_MAX = 92
# A day stands out when it is this many times the next lower one; then its bar is broken.
OUTLIER_RATIO = 5
OUTLIERS_MAX = 2
# A limit further above the tallest bar than this would press all bars flat.
LIMIT_RATIO_MAX = 3
# Numbers over bars nearer than this would touch.
LABEL_GAP_BARS = 4
# What a column of the database holds.
NUMBER_MAX = 2**63 - 1

UsageDays = Sequence[tuple[date, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportDay:
    """One day of a server: jobs by how they ended, and the credits used."""

    day: date
    delivered: int
    failed: int
    refused: int
    credits: int

    @property
    def jobs(self) -> int:
        return self.delivered + self.failed + self.refused


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageChart:
    """A member's last thirty days; `limit_credits` is what a day may cost them."""

    days: UsageDays
    today: date
    limit_credits: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportChart:
    """A server's jobs over at most `REPORT_DAYS_MAX` days."""

    days: Sequence[ReportDay]


Chart = UsageChart | ReportChart


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageFacts:
    """The numbers an alternative text needs; `best_day` is None when nothing was used."""

    first_day: date
    last_day: date
    total_credits: int
    days_used: int
    best_day: date | None
    best_credits: int
    today_credits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Shape: a value above `top` is drawn up to the top with a break; `limit_at` is where the line lies."""

    top: float
    limit_at: float | None = None
    limit_is_above: bool = False


def check_amount(number: int) -> None:
    """Raises: ValueError for a number that cannot be drawn."""
    if not 0 <= number <= NUMBER_MAX:
        raise ValueError(number if abs(number) <= NUMBER_MAX else "too large")


def build_usage_window(days: UsageDays, *, today: date) -> list[tuple[date, int]]:
    """The days up to today, oldest first; days not given are 0, days outside are left out.

    Raises: ValueError as `check_amount` does.
    """
    given: dict[date, int] = {}
    for day, amount_credits in days:
        check_amount(amount_credits)
        given[day] = given.get(day, 0) + amount_credits
    first = today - timedelta(days=USAGE_DAYS - 1)
    return [(day, given.get(day, 0)) for day in (first + timedelta(days=n) for n in range(USAGE_DAYS))]


def build_report_window(days: Sequence[ReportDay]) -> list[ReportDay]:
    """Every day from the first to the last one given, oldest first, empty ones filled in.

    Raises: ValueError as `check_amount` does, for a day given twice, or more than `REPORT_DAYS_MAX` days.
    """
    given = {day.day: day for day in days}
    if not given:
        return []
    first, last = min(given), max(given)
    length = (last - first).days + 1
    if len(given) != len(days) or length > REPORT_DAYS_MAX:
        raise ValueError(length)
    for day in days:
        for number in (day.delivered, day.failed, day.refused, day.credits):
            check_amount(number)
    every = (first + timedelta(days=n) for n in range(length))
    return [given.get(d) or ReportDay(day=d, delivered=0, failed=0, refused=0, credits=0) for d in every]


def describe_usage(days: UsageDays, *, today: date) -> UsageFacts:
    """What the usage chart says, as numbers; of two equally good days the later one is the best."""
    window = build_usage_window(days, today=today)
    best_day, best_credits = max(window, key=lambda pair: (pair[1], pair[0]))
    return UsageFacts(
        first_day=window[0][0],
        last_day=today,
        total_credits=sum(amount for _, amount in window),
        days_used=sum(amount > 0 for _, amount in window),
        best_day=best_day if best_credits else None,
        best_credits=best_credits,
        today_credits=window[-1][1],
    )


def decide_scale(values: Sequence[int], *, limit: int | None = None) -> Scale:
    """How tall the axis is: the tallest bar fills it, a near limit fits in, a lone giant is broken.

    One or two days may be giants: at least `OUTLIER_RATIO` times every other day that was used, of which
    there are twice as many.
    """
    used = sorted((value for value in values if value > 0), reverse=True)
    if not used:
        return Scale(top=float(max(limit or 0, 4)) * 1.25, limit_at=limit)
    highest, top = used[0], float(used[0])
    for giants, (above, below) in enumerate(list(pairwise(used))[:OUTLIERS_MAX], 1):
        if above >= OUTLIER_RATIO * below and len(used) >= 3 * giants:
            highest, top = below, below * 1.6
            break
    if limit is None:
        return Scale(top=max(top, 4.0))
    if limit <= LIMIT_RATIO_MAX * highest:
        return Scale(top=max(top, limit * 1.12, 4.0), limit_at=limit)
    top = max(top * 1.25, 4.0)
    return Scale(top=top, limit_at=top, limit_is_above=True)


def render_number(value: int) -> str:
    """A number any language reads: thousands apart by a thin space, from 10 000 on as k, M, G or T."""
    if value < 10_000:
        return f"{value:,}".replace(",", "\u2009")
    shown, units = value / 1000, "kMGT"
    while shown >= 999.5 and len(units) > 1:
        shown, units = shown / 1000, units[1:]
    return f"{shown:.1f}".removesuffix(".0") + units[0] if shown < 99.95 else f"{shown:.0f}{units[0]}"


def render_day(day: date) -> str:
    """Month and day in the order of ISO 8601, which no reader takes for the other."""
    return f"{day.month:02}-{day.day:02}"


def decide_labels(values: Sequence[int], *, top: float) -> frozenset[int]:
    """Which bars carry their number: the broken ones, then today's, then the best, where there is room."""
    if not values:
        return frozenset()
    last = len(values) - 1
    wanted = [at for at, value in enumerate(values) if value > top]
    wanted += [last, max(range(len(values)), key=lambda at: (values[at], at))]
    chosen: list[int] = []
    for at in wanted:
        if values[at] > 0 and all(abs(at - other) >= LABEL_GAP_BARS for other in chosen):
            chosen.append(at)
    return frozenset(chosen)

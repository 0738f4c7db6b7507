"""What members and moderators are shown of credits: read, never written but for the note of an export.

Owns the questions behind /usage, /studio report and /studio export. Must not know Discord or any language;
who may ask for a server's report is checked by the surface.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, assert_never
from zoneinfo import ZoneInfo

from bot.caps.acts import run
from bot.caps.limits import budget_of, day_of, spendable
from bot.caps.report_values import (
    Budget,
    ExportKind,
    ReportedDay,
    ReportPeriod,
    ServerReport,
    UsageReport,
    day_bounds,
    find_span,
)
from bot.caps.rules import check_block, find_allowance
from bot.caps.values import Allowance, Cap
from bot.credits import spending
from bot.credits.rules import build_key, next_reset
from bot.exports import write_csv
from db.enums import OPEN, AuditAction, BalancePeriod, BalanceScope, JobState
from db.queries import balances as balance_queries
from db.queries import histories
from db.queries import jobs as job_queries
from db.queries import reports as queries
from db.values import Balance

if TYPE_CHECKING:
    from datetime import date, datetime

    from sqlalchemy import Connection

    from bot.caps.admission import Admission
    from bot.caps.pictures import Pictures
    from bot.caps.policies import Policies
    from bot.caps.report_values import Span
    from bot.caps.rules import Question
    from bot.caps.values import Asker, OperatorLimits, Policy
    from bot.clock import Clock
    from bot.exports import Export
    from db.engine import Database

RECENT_JOBS_MAX = 10
# How far back in a member's jobs those of one server are looked for.
RECENT_AMONG_MAX = 1_000
USAGE_DAYS = 30
TOP_MAX = 5
# Writing them takes seconds of CPU beside everything else that the process does.
EXPORT_ROWS_MAX = 20_000

_COUNTED_AS = {
    JobState.DELIVERED: "delivered",
    JobState.REFUSED: "refused",
    JobState.CANCELLED: "cancelled",
    **dict.fromkeys(OPEN, "open"),
    **dict.fromkeys((JobState.FAILED, JobState.UNKNOWN, JobState.UNDELIVERABLE), "failed"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A file for moderators. Shape: `left_out` older rows did not fit."""

    kind: ExportKind
    span: Span
    data: bytes
    rows: int
    left_out: int


class Reports:
    def __init__(
        self,
        database: Database,
        clock: Clock,
        policies: Policies,
        admission: Admission,
        pictures: Pictures,
    ) -> None:
        self._database = database
        self._clock = clock
        self._policies = policies
        self._admission = admission
        self._pictures = pictures

    async def report_usage(self, asker: Asker) -> UsageReport:
        """**Transaction** opens one: shares of role grants are taken by asking. **Raises** AppError: try again."""
        now = self._clock.now()

        def work(c: Connection) -> UsageReport:
            question = self._admission.ask(c, asker, prompt="", amount_credits=0, now=now)
            if asker.guild_id is None:
                return _report_everywhere(c, question)
            return _report_in_server(c, question, asker.guild_id)

        return await run(self._database, work)

    async def report_server(
        self, guild_id: int, period: ReportPeriod, locale: str | None = None
    ) -> ServerReport:
        """What happened in a server. **Transaction** opens one, and only reads."""
        now = self._clock.now()

        def work(c: Connection) -> ServerReport:
            policy = self._policies.load(c, guild_id, locale).policy
            span = find_span(period, day_of(now, policy), ZoneInfo(policy.time_zone))
            days, refusals = _count_days(c, guild_id, span, ZoneInfo(policy.time_zone))
            counted = _counted_by(period)
            return ServerReport(
                period=period,
                span=span,
                time_zone=policy.time_zone,
                days=days,
                granted_credits=queries.sum_granted(c, guild_id, span.start, span.end),
                paid_credits=queries.sum_paid(c, guild_id, period=counted, first=span.first, last=span.last),
                budget=_find_budget(c, guild_id, policy, self._admission.operator, now),
                top_members=_list_top(c, BalanceScope.MEMBERSHIP, guild_id, counted, span),
                top_channels=_list_top(c, BalanceScope.CHANNEL, guild_id, counted, span),
                refusals=dict(refusals.most_common()),
            )

        return await self._database.read(work)

    async def export(
        self,
        guild_id: int,
        actor_id: int,
        kind: ExportKind,
        period: ReportPeriod,
        locale: str | None = None,
    ) -> Exported:
        """A server's lines of the ledger (without prompts) or of its audit log, newest first, as a CSV file.

        **Transaction** opens one that only reads, then one that writes down who took the file.
        """
        now = self._clock.now()

        def work(c: Connection) -> Exported:
            policy = self._policies.load(c, guild_id, locale).policy
            span = find_span(period, day_of(now, policy), ZoneInfo(policy.time_zone))
            written, count = _write(c, guild_id, kind, span, ZoneInfo(policy.time_zone))
            return Exported(
                kind=kind, span=span, data=written.data, rows=written.rows, left_out=count - written.rows
            )

        # The table is written on the database's thread: tens of thousands of rows would hold up the event loop.
        exported = await self._database.read(work)
        await self._pictures.note(
            guild_id,
            actor_id,
            AuditAction.EXPORT,
            kind.value,
            after={
                "first_day": exported.span.first.isoformat(),
                "last_day": exported.span.last.isoformat(),
                "rows": exported.rows,
                "left_out": exported.left_out,
            },
        )
        return exported


def _find_budget(
    c: Connection, guild_id: int, policy: Policy, operator: OperatorLimits, now: datetime
) -> Budget | None:
    limit = budget_of(policy, operator)
    resets_at = next_reset(BalancePeriod.MONTH, now, ZoneInfo(policy.time_zone))
    if limit is None or resets_at is None:
        return None
    key = build_key(BalanceScope.SERVER, guild_id, guild_id, BalancePeriod.MONTH, day_of(now, policy))
    balance = balance_queries.find_balance(c, key) or Balance(key=key)
    left = min(limit, max(0, limit - balance.counted_credits))
    return Budget(limit_credits=limit, left_credits=left, resets_at=resets_at)


# --- a member ---


def _report_everywhere(c: Connection, question: Question) -> UsageReport:
    """Over all servers and direct messages, by UTC days, under the operator's limit."""
    user_id, now, today = question.asker.user_id, question.now, question.local_date
    daily = _find_daily(question)
    recent = job_queries.list_recent_jobs(c, user_id, RECENT_JOBS_MAX)
    return UsageReport(
        usage=spending.find_usage(c, user_id=user_id, now=now),
        allowance=daily,
        daily=daily,
        grants=(),
        recent=recent,
        refunded=histories.list_refunded(c, [job.id for job in recent]),
        today=today,
        days=_list_days(c, BalanceScope.MEMBER, 0, user_id, today),
    )


def _find_daily(question: Question) -> Allowance:
    """What the operator's limit leaves today, over all servers and direct messages."""
    limit = question.operator.member_daily_credits
    key = question.find_key(BalanceScope.MEMBER, BalancePeriod.DAY)
    if limit is None or key is None:
        return Allowance()
    counted = question.balance(key).counted_credits
    return Allowance(
        cap=Cap(credits=limit),
        used_credits=counted,
        left_credits=max(0, limit - counted),
        resets_at=next_reset(BalancePeriod.DAY, question.now),
    )


def _report_in_server(c: Connection, question: Question, guild_id: int) -> UsageReport:
    """In one server by its own days; the pictures too, so that the card's numbers are theirs."""
    user_id, today = question.asker.user_id, question.local_date
    recent = queries.list_recent_ids(c, guild_id, user_id, among=RECENT_AMONG_MAX, limit=RECENT_JOBS_MAX)
    return UsageReport(
        usage=spending.find_usage_in_server(c, guild_id=guild_id, user_id=user_id, local_date=today),
        allowance=find_allowance(question),
        daily=_find_daily(question),
        grants=tuple(spendable(question.snapshot.grants, question.now)),
        recent=[job_queries.get_job(c, job_id) for job_id in recent],
        refunded=histories.list_refunded(c, recent),
        today=today,
        days=_list_days(c, BalanceScope.MEMBERSHIP, guild_id, user_id, today),
        guild_id=guild_id,
        budget=_find_budget(c, guild_id, question.policy, question.operator, question.now),
        blocked=check_block(question),
    )


def _list_days(
    c: Connection, scope: BalanceScope, guild_id: int, owner_id: int, today: date
) -> list[tuple[date, int]]:
    first = today - timedelta(days=USAGE_DAYS - 1)
    return queries.list_days(c, scope, guild_id, owner_id, first, today)


# --- a server ---


def _count_days(
    c: Connection, guild_id: int, span: Span, zone: ZoneInfo
) -> tuple[list[ReportedDay], Counter[str]]:
    """Every day of the span, and why requests were refused on them.

    A statement a day: no database groups by the days of a time zone in a way that the other understands.
    """
    used = dict(queries.list_days(c, BalanceScope.SERVER, guild_id, guild_id, span.first, span.last))
    refusals: Counter[str] = Counter()
    days = []
    for day in span.days:
        found = queries.count_by_end(c, guild_id, *day_bounds(day, zone))
        counts: Counter[str] = Counter()
        for state, failure, count in found:
            counts[_COUNTED_AS[state]] += count
            if state is JobState.REFUSED:
                refusals[failure or ""] += count
        is_cut = counts.total() >= queries.JOBS_A_DAY_MAX
        days.append(ReportedDay(day=day, used_credits=used.get(day, 0), is_cut=is_cut, **counts))
    return days, refusals


def _counted_by(period: ReportPeriod) -> BalancePeriod:
    """The longest counters that these days are made of."""
    whole_month = period in {ReportPeriod.THIS_MONTH, ReportPeriod.LAST_MONTH}
    return BalancePeriod.MONTH if whole_month else BalancePeriod.DAY


def _list_top(
    c: Connection, scope: BalanceScope, guild_id: int, period: BalancePeriod, span: Span
) -> list[tuple[int, int]]:
    return queries.list_top(
        c, scope, guild_id, period=period, first=span.first, last=span.last, limit=TOP_MAX
    )


def _write(c: Connection, guild_id: int, kind: ExportKind, span: Span, zone: ZoneInfo) -> tuple[Export, int]:
    """The file, and how many rows there are altogether."""
    match kind:
        case ExportKind.LEDGER:
            rows = queries.read_lines(c, guild_id, span.start, span.end, EXPORT_ROWS_MAX, zone)
            count = queries.count_lines(c, guild_id, span.start, span.end)
            return write_csv(queries.LEDGER_COLUMNS, rows), count
        case ExportKind.AUDIT_LOG:
            rows = queries.read_entries(c, guild_id, span.start, span.end, EXPORT_ROWS_MAX)
            count = queries.count_entries(c, guild_id, span.start, span.end)
            return write_csv(queries.AUDIT_COLUMNS, rows), count
        case _:
            assert_never(kind)

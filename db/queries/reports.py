"""What reports and exports read: counters by day, jobs by how they ended, lines of the ledger and the audit log.

Owns read-only statements over all tables, each with a limit. Must not know what a period or a rule means.
Every function joins the caller's transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from db.enums import BalancePeriod, BalanceScope, JobState, TransferKind
from db.models import AUDIT_ENTRY, BALANCE, CREDIT_GRANT, JOB, TRANSFER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date, datetime, tzinfo

    from sqlalchemy import Connection, Select

# More than any report's days.
DAYS_MAX = 400
# Jobs that one statement looks at, at most; beyond it a number would be late rather than right.
JOBS_A_DAY_MAX = 50_000
_FETCHED_AT_ONCE = 500
_ABOUT_GRANTS = {TransferKind.GRANT, TransferKind.GIVE, TransferKind.EXPIRE, TransferKind.CORRECT}
_B, _J, _T, _A = BALANCE.c, JOB.c, TRANSFER.c, AUDIT_ENTRY.c


def list_days(
    c: Connection, scope: BalanceScope, guild_id: int, owner_id: int, first: date, last: date
) -> list[tuple[date, int]]:
    """List the credits used on each day that has a counter, oldest first."""
    statement = (
        select(_B.period_start, _B.used_credits)
        .where(
            _B.scope == scope,
            _B.guild_id == guild_id,
            _B.owner_id == owner_id,
            _B.period == BalancePeriod.DAY,
            _B.period_start.between(first, last),
        )
        .order_by(_B.period_start)
        .limit(DAYS_MAX)
    )
    return [(row.period_start, row.used_credits) for row in c.execute(statement)]


def list_top(
    c: Connection,
    scope: BalanceScope,
    guild_id: int,
    *,
    period: BalancePeriod,
    first: date,
    last: date,
    limit: int,
) -> list[tuple[int, int]]:
    """List who (or which channel) used most, by the counters of `period` that begin within these days.

    Shape: (owner id, credits), most first; whoever used nothing is left out.
    """
    used = func.sum(_B.used_credits)
    statement = (
        select(_B.owner_id, used)
        .where(
            _B.scope == scope,
            _B.guild_id == guild_id,
            _B.period == period,
            _B.period_start.between(first, last),
            _B.used_credits > 0,
        )
        .group_by(_B.owner_id)
        .order_by(used.desc(), _B.owner_id)
        .limit(limit)
    )
    return [(owner_id, int(amount)) for owner_id, amount in c.execute(statement)]


def count_by_end(
    c: Connection, guild_id: int, start: datetime, end: datetime
) -> list[tuple[JobState, str | None, int]]:
    """Count a server's jobs accepted within a time by state and failure; the first `JOBS_A_DAY_MAX` of them."""
    seen = (
        select(_J.state, _J.failure)
        .where(_J.guild_id == guild_id, _J.created_at >= start, _J.created_at < end)
        .order_by(_J.created_at)
        .limit(JOBS_A_DAY_MAX)
        .subquery()
    )
    statement = select(seen.c.state, seen.c.failure, func.count()).group_by(seen.c.state, seen.c.failure)
    return [(state, failure, count) for state, failure, count in c.execute(statement)]


def sum_granted(c: Connection, guild_id: int, start: datetime, end: datetime) -> int:
    """Sum what was granted in a server within a time; gifts between members are no grants."""
    statement = (
        select(func.sum(_T.amount_credits))
        .select_from(CREDIT_GRANT)
        .join(TRANSFER, _T.grant_id == CREDIT_GRANT.c.id)
        .where(
            CREDIT_GRANT.c.guild_id == guild_id,
            CREDIT_GRANT.c.created_at >= start,
            CREDIT_GRANT.c.created_at < end,
            _T.kind == TransferKind.GRANT,
            _T.source_id.is_(None),
        )
    )
    return int(c.execute(statement).scalar_one() or 0)


def sum_paid(c: Connection, guild_id: int, *, period: BalancePeriod, first: date, last: date) -> int:
    """Sum what a server's members used and were not given back, by their counters as `list_top` reads them."""
    statement = select(func.sum(_B.used_credits)).where(
        _B.scope == BalanceScope.MEMBERSHIP,
        _B.guild_id == guild_id,
        _B.period == period,
        _B.period_start.between(first, last),
    )
    return int(c.execute(statement).scalar_one() or 0)


def list_recent_ids(c: Connection, guild_id: int, user_id: int, *, among: int, limit: int) -> list[str]:
    """List a member's newest jobs in one server, looking through their `among` newest of all."""
    newest = (
        select(_J.id, _J.guild_id, _J.number)
        .where(_J.user_id == user_id)
        .order_by(_J.number.desc())
        .limit(among)
        .subquery()
    )
    statement = (
        select(newest.c.id).where(newest.c.guild_id == guild_id).order_by(newest.c.number.desc()).limit(limit)
    )
    return list(c.execute(statement).scalars())


# --- exports ---

LEDGER_COLUMNS = (
    "created_at",
    "kind",
    "user_id",
    "amount_credits",
    "granted_credits",
    "local_date",
    "job_id",
    "channel_id",
    "actor_id",
    "other_user_id",
    "reason",
    "period",
    "limits",
    "id",
    "reservation_id",
    "grant_id",
    "source_id",
    "reserved_at",
)
AUDIT_COLUMNS = ("at", "actor_id", "action", "subject", "target_id", "before", "after", "reason", "id")


def count_lines(c: Connection, guild_id: int, start: datetime, end: datetime) -> int:
    """Count a server's lines of the ledger within a time."""
    statement = select(func.count()).where(
        _T.guild_id == guild_id, _T.created_at >= start, _T.created_at < end
    )
    return c.execute(statement).scalar_one()


def read_lines(
    c: Connection, guild_id: int, start: datetime, end: datetime, limit: int, zone: tzinfo
) -> Iterator[Sequence[Any]]:
    """Read a server's lines of the ledger within a time, newest first, a few at a time.

    Shape: the values of `LEDGER_COLUMNS`, all with the server's days: lines about grants, which no counter
    of a day counts, are stored with those of UTC.
    """
    statement = (
        select(*(_T[name] for name in LEDGER_COLUMNS))
        .where(_T.guild_id == guild_id, _T.created_at >= start, _T.created_at < end)
        .order_by(_T.created_at.desc(), _T.id.desc())
        .limit(limit)
    )
    kind, day, made = (LEDGER_COLUMNS.index(name) for name in ("kind", "local_date", "created_at"))
    for line in _stream(c, statement):
        if line[kind] in _ABOUT_GRANTS:
            yield (*line[:day], line[made].astimezone(zone).date(), *line[day + 1 :])
        else:
            yield line


def count_entries(c: Connection, guild_id: int, start: datetime, end: datetime) -> int:
    """Count a server's entries of the audit log within a time."""
    statement = select(func.count()).where(_A.guild_id == guild_id, _A.at >= start, _A.at < end)
    return c.execute(statement).scalar_one()


def read_entries(
    c: Connection, guild_id: int, start: datetime, end: datetime, limit: int
) -> Iterator[Sequence[Any]]:
    """Read a server's entries of the audit log within a time, newest first, a few at a time.

    Shape: the values of `AUDIT_COLUMNS`.
    """
    statement = (
        select(*(_A[name] for name in AUDIT_COLUMNS))
        .where(_A.guild_id == guild_id, _A.at >= start, _A.at < end)
        .order_by(_A.id.desc())
        .limit(limit)
    )
    return _stream(c, statement)


def _stream(c: Connection, statement: Select[Any]) -> Iterator[Sequence[Any]]:
    for row in c.execute(statement.execution_options(yield_per=_FETCHED_AT_ONCE)):
        yield tuple(row)

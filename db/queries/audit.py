"""What an audit asks about counters: sums of the transfers beside the stored balances.

Owns the second, independent way to every balance: summed by the database from the ledger alone. Reads only;
every function joins the caller's transaction, and lists at most `ROWS_MAX` findings. What must hold between the
lines of the ledger themselves, and for grants, stands in `db.queries.audit_lines` and `audit_owners`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    CTE,
    BigInteger,
    Date,
    DateTime,
    Select,
    String,
    case,
    cast,
    column,
    func,
    literal,
    null,
    or_,
    select,
    text,
    true,
    type_coerce,
    union_all,
)

from db.enums import BalancePeriod, BalanceScope, TransferKind
from db.models import BALANCE, TRANSFER
from db.models.base import UtcDateTime
from db.values import Balance, BalanceKey

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import ColumnElement, Connection

ROWS_MAX: Final = 1_000

_EVER_START = date(1970, 1, 1)
_ALL = tuple(BalancePeriod)
_PERIODS: Mapping[BalanceScope, tuple[BalancePeriod, ...]] = {
    BalanceScope.MEMBER: (BalancePeriod.DAY, BalancePeriod.MONTH, BalancePeriod.EVER),
    BalanceScope.SERVER: (BalancePeriod.DAY, BalancePeriod.MONTH, BalancePeriod.EVER),
    BalanceScope.MEMBERSHIP: _ALL,
    BalanceScope.CHANNEL: (BalancePeriod.DAY, BalancePeriod.WEEK, BalancePeriod.MONTH),
}
# Where the operator's limits look: kvid was paid, whatever a moderator gives back.
_NEVER_REFUNDED = (BalanceScope.MEMBER, BalanceScope.SERVER)
_KEY = ("scope", "guild_id", "owner_id", "period", "period_start")
_SUMS = ("held_credits", "used_credits", "exempt_credits", "held_jobs")
_RESOLUTIONS = (TransferKind.SETTLE, TransferKind.VOID)
# What each refund says was forgiven before it: of which period, and how much.
_RECEIPTS = {
    "sqlite": "SELECT user_id, guild_id, local_date, json_extract(value, '$.period') AS period, "
    "json_extract(value, '$.forgiven') AS forgiven FROM transfer, json_each(limits)",
    "postgresql": "SELECT user_id, guild_id, local_date, value->>'period' AS period, "
    "CAST(value->>'forgiven' AS bigint) AS forgiven FROM transfer, json_array_elements(limits)",
}
# The transfers of each job stand beside its reserve, whatever indexes there are.
_OF_JOBS = (TransferKind.RESERVE, *_RESOLUTIONS, TransferKind.REFUND)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnequalBalance:
    """What the transfers say and what is stored; None where one side has nothing at all."""

    key: BalanceKey
    expected: Balance | None
    found: Balance | None


def list_unequal_balances(c: Connection) -> list[UnequalBalance]:
    """List every balance that is not the sum of its transfers."""
    rows = c.execute(_build_comparison(c.dialect.name)).mappings()
    return [_read_unequal(row) for row in rows]


def list_negative_balances(c: Connection) -> list[Balance]:
    statement = (
        select(BALANCE).where(or_(*(BALANCE.c[name] < 0 for name in _SUMS))).order_by(*BALANCE.primary_key)
    )
    rows = c.execute(statement.limit(ROWS_MAX)).mappings()
    return [
        Balance(
            key=_read_key(row),
            **{name: row[name] for name in _SUMS},
            last_reserved_at=row["last_reserved_at"],
        )
        for row in rows
    ]


@cache
def _build_comparison(dialect: str) -> Select[Any]:
    """Put what is expected beside what is stored, and keep the keys where the two differ."""
    both = union_all(*_select_expected(dialect), _select_found()).subquery()
    key = [both.c[name] for name in _KEY]
    total: dict[str, ColumnElement[Any]] = {
        name: func.sum(both.c[name]) for name in ("sources", "resets", "stored", *_SUMS)
    }
    total |= {f"stored_{name}": func.sum(both.c[f"stored_{name}"]) for name in _SUMS}
    total |= {name: func.max(both.c[name]) for name in ("last_reserved_at", "stored_last_reserved_at")}
    return (
        select(*key, *(column.label(name) for name, column in total.items()))
        .group_by(*key)
        .having(
            or_(
                *(total[name] != total[f"stored_{name}"] for name in _SUMS),
                total["last_reserved_at"].is_distinct_from(total["stored_last_reserved_at"]),
                total["stored"] > 1,
                (total["stored"] == 0) & (total["sources"] > 0),
                (total["stored"] > 0) & (total["sources"] + total["resets"] == 0),
            )
        )
        .order_by(*key)
        .limit(ROWS_MAX)
    )


def _select_expected(dialect: str) -> list[Select[Any]]:
    effect = _build_effect(dialect)
    server = effect.c.guild_id
    owners: Mapping[BalanceScope, ColumnElement[int]] = {
        BalanceScope.MEMBER: effect.c.user_id,
        BalanceScope.SERVER: server,
        BalanceScope.MEMBERSHIP: effect.c.user_id,
        BalanceScope.CHANNEL: effect.c.channel_id,
    }
    selects = []
    for scope, owner in owners.items():
        everywhere = scope is BalanceScope.MEMBER
        day = effect.c.utc_date if everywhere else effect.c.local_date
        counted = {name: effect.c[name] for name in (*_SUMS, "last_reserved_at")}
        if scope in _NEVER_REFUNDED:
            counted["used_credits"] = effect.c.paid_credits
        if scope is not BalanceScope.MEMBERSHIP:
            counted["exempt_credits"] = literal(0)
        for period in _PERIODS[scope]:
            row = _build_row(
                scope=literal(scope.value),
                guild_id=literal(0, BigInteger) if everywhere else server,
                owner_id=owner,
                period=literal(period.value),
                period_start=_build_period_start(dialect, day, period),
                sources=literal(1),
                **counted,
            )
            selects.append(
                select(*row).where(owner.is_not(None), true() if everywhere else server.is_not(None))
            )
    for period in BalancePeriod:
        selects += [_select_resets(dialect, period), _select_forgiven_before(dialect, period)]
    return selects


def _build_effect(dialect: str) -> CTE:
    """Build what each reservation leaves in its counters: held until resolved, then used until refunded.

    Shape: `paid_credits` is what a refund does not take back.
    """

    def of(kind: TransferKind, column: ColumnElement[Any]) -> ColumnElement[Any]:
        return case((TRANSFER.c.kind == kind, column))

    def take(column: ColumnElement[Any]) -> ColumnElement[Any]:
        return func.max(of(TransferKind.RESERVE, column))

    def add(kind: TransferKind, column: ColumnElement[Any]) -> ColumnElement[Any]:
        return func.coalesce(func.sum(of(kind, column)), 0)

    amount, granted = TRANSFER.c.amount_credits, TRANSFER.c.granted_credits
    is_open = func.sum(case((TRANSFER.c.kind.in_(_RESOLUTIONS), 1), else_=0)) == 0
    reserved_at = take(TRANSFER.c.reserved_at)
    utc_date = (
        func.date(reserved_at) if dialect == "sqlite" else cast(func.timezone("UTC", reserved_at), Date)
    )
    used, borne = (
        add(TransferKind.SETTLE, column) - add(TransferKind.REFUND, column) for column in (amount, granted)
    )
    return (
        select(
            *(take(TRANSFER.c[name]).label(name) for name in ("user_id", "guild_id", "channel_id")),
            take(TRANSFER.c.local_date).label("local_date"),
            type_coerce(utc_date, Date).label("utc_date"),
            reserved_at.label("last_reserved_at"),
            case((is_open, take(amount)), else_=0).label("held_credits"),
            used.label("used_credits"),
            add(TransferKind.SETTLE, amount).label("paid_credits"),
            (case((is_open, take(granted)), else_=0) + borne).label("exempt_credits"),
            case((is_open, 1), else_=0).label("held_jobs"),
        )
        .where(TRANSFER.c.kind.in_(_OF_JOBS))
        .group_by(func.coalesce(TRANSFER.c.reservation_id, TRANSFER.c.id))
        .having(reserved_at.is_not(None))
        .cte("effect")
    )


def _select_resets(dialect: str, period: BalancePeriod) -> Select[Any]:
    """Select what moderators forgave: it stays used, and the cap of that period no longer counts it."""
    row = _build_row(
        scope=literal(BalanceScope.MEMBERSHIP.value),
        guild_id=TRANSFER.c.guild_id,
        owner_id=TRANSFER.c.user_id,
        period=literal(period.value),
        period_start=_build_period_start(dialect, TRANSFER.c.local_date, period),
        resets=literal(1),
        exempt_credits=TRANSFER.c.amount_credits,
    )
    return select(*row).where(TRANSFER.c.kind == TransferKind.RESET, TRANSFER.c.period == period)


def _select_forgiven_before(dialect: str, period: BalancePeriod) -> Select[Any]:
    """Select what refunds gave back although it was forgiven: it is no longer used, so nothing is forgiven of it."""
    columns: list[ColumnElement[Any]] = [column("local_date", Date)]
    columns += [column(name) for name in ("user_id", "guild_id", "period", "forgiven")]
    receipts = text(f"{_RECEIPTS[dialect]} WHERE kind = 'refund'").columns(*columns)
    forgiven = receipts.subquery("forgiven")
    row = _build_row(
        scope=literal(BalanceScope.MEMBERSHIP.value),
        guild_id=forgiven.c.guild_id,
        owner_id=forgiven.c.user_id,
        period=literal(period.value),
        period_start=_build_period_start(dialect, forgiven.c.local_date, period),
        exempt_credits=-forgiven.c.forgiven,
    )
    return select(*row).where(forgiven.c.period == period.value)


def _select_found() -> Select[Any]:
    key = {name: BALANCE.c[name] for name in ("guild_id", "owner_id", "period_start")}
    stored = {f"stored_{name}": BALANCE.c[name] for name in (*_SUMS, "last_reserved_at")}
    words = {name: type_coerce(BALANCE.c[name], String) for name in ("scope", "period")}
    return select(*_build_row(**key, **words, **stored, stored=literal(1)))


def _build_row(**values: ColumnElement[Any]) -> list[ColumnElement[Any]]:
    """Build one row of the union, with nothing where there is nothing to say."""
    counted = ("sources", "resets", "stored", *_SUMS, *(f"stored_{name}" for name in _SUMS))
    absent: dict[str, ColumnElement[Any]] = {name: literal(0) for name in counted}
    for name in ("last_reserved_at", "stored_last_reserved_at"):
        absent[name] = type_coerce(cast(null(), DateTime(timezone=True)), UtcDateTime)
    return [
        (values[name] if name in values else absent[name]).label(name)
        for name in (*_KEY, *counted, "last_reserved_at", "stored_last_reserved_at")
    ]


def _build_period_start(
    dialect: str, day: ColumnElement[date], period: BalancePeriod
) -> ColumnElement[date | None]:
    if period is BalancePeriod.EVER:
        return literal(_EVER_START, Date)
    if dialect == "sqlite":
        # From six days earlier on to the next Monday: the Monday of the week.
        changes = {
            BalancePeriod.DAY: (),
            BalancePeriod.WEEK: ("-6 days", "weekday 1"),
            BalancePeriod.MONTH: ("start of month",),
        }
        return type_coerce(func.date(day, *changes[period]), Date)
    return cast(func.date_trunc(period.value, cast(day, DateTime)), Date)


def _read_unequal(row: Mapping[Any, Any]) -> UnequalBalance:
    key = _read_key(row)
    expected, found = (
        Balance(
            key=key,
            **{name: int(row[f"{side}{name}"]) for name in _SUMS},
            last_reserved_at=row[f"{side}last_reserved_at"],
        )
        for side in ("", "stored_")
    )
    return UnequalBalance(
        key=key,
        expected=expected if row["sources"] + row["resets"] else None,
        found=found if row["stored"] else None,
    )


def _read_key(row: Mapping[Any, Any]) -> BalanceKey:
    return BalanceKey(
        scope=BalanceScope(row["scope"]),
        guild_id=row["guild_id"],
        owner_id=row["owner_id"],
        period=BalancePeriod(row["period"]),
        period_start=row["period_start"],
    )

"""What an audit asks: sums of the transfers beside the stored balances, and facts that must not be.

Owns the second, independent way to every balance: summed by the database from the ledger alone. Reads only;
every function joins the caller's transaction, and lists at most `ROWS_MAX` findings.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import Date, Select, Subquery, case, cast, func, literal, select, type_coerce, union_all

from db.enums import TERMINAL, BalancePeriod, BalanceScope, TransferKind
from db.models import BALANCE, JOB, TRANSFER
from db.values import Balance, BalanceKey

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

ROWS_MAX = 1_000

_EVER_START = date(1970, 1, 1)
_SERVER_PERIODS = (BalancePeriod.MONTH, BalancePeriod.EVER)
_SUMMED = ("sources", "held", "used", "stored", "stored_held", "stored_used")


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
    statement = select(BALANCE).where((BALANCE.c.held_credits < 0) | (BALANCE.c.used_credits < 0))
    return [
        Balance(key=_read_key(row), held_credits=row["held_credits"], used_credits=row["used_credits"])
        for row in c.execute(statement.limit(ROWS_MAX)).mappings()
    ]


def list_resolved_twice(c: Connection) -> list[tuple[str, int]]:
    """List reservations with more than one settle or void, and how many there are."""
    count = func.count()
    statement = (
        select(TRANSFER.c.reservation_id, count)
        .where(TRANSFER.c.reservation_id.is_not(None))
        .group_by(TRANSFER.c.reservation_id)
        .having(count > 1)
        .limit(ROWS_MAX)
    )
    return [(row[0], row[1]) for row in c.execute(statement)]


def list_ended_jobs_that_hold(c: Connection) -> list[tuple[str, int]]:
    """List jobs in a terminal state whose reservation nobody resolved, and what it holds."""
    resolution = TRANSFER.alias("resolution")
    statement = (
        select(JOB.c.id, TRANSFER.c.amount_credits)
        .join_from(TRANSFER, JOB, JOB.c.id == TRANSFER.c.job_id)
        .outerjoin(resolution, resolution.c.reservation_id == TRANSFER.c.id)
        .where(
            TRANSFER.c.kind == TransferKind.RESERVE,
            resolution.c.id.is_(None),
            JOB.c.state.in_(sorted(TERMINAL)),
        )
        .order_by(JOB.c.number)
        .limit(ROWS_MAX)
    )
    return [(row[0], row[1]) for row in c.execute(statement)]


@cache
def _build_comparison(dialect: str) -> Select[Any]:
    """Put what is expected beside what is stored, and keep the keys where the two differ."""
    both = union_all(_select_expected(dialect), _select_found()).subquery()
    key = (both.c.scope, both.c.owner_id, both.c.period, both.c.period_start)
    total = {name: func.sum(both.c[name]) for name in _SUMMED}
    return (
        select(*key, *(column.label(name) for name, column in total.items()))
        .group_by(*key)
        .having(
            (total["held"] != total["stored_held"])
            | (total["used"] != total["stored_used"])
            | (total["stored"] != 1)
            | (total["sources"] == 0)
        )
        .order_by(*key)
        .limit(ROWS_MAX)
    )


def _select_expected(dialect: str) -> Select[Any]:
    effects = _select_effects()
    member, server = effects.c.user_id, effects.c.guild_id
    return (
        union_all(
            *(
                _select_period(dialect, effects, BalanceScope.MEMBER, member, period)
                for period in BalancePeriod
            ),
            *(
                _select_period(dialect, effects, BalanceScope.SERVER, server, period).where(
                    server.is_not(None)
                )
                for period in _SERVER_PERIODS
            ),
        )
        .subquery()
        .select()
    )


def _select_effects() -> Subquery:
    """Select what each reservation leaves in its balances: held until resolved, then used."""
    resolution = TRANSFER.alias("resolution")
    return (
        select(
            TRANSFER.c.user_id,
            TRANSFER.c.guild_id,
            TRANSFER.c.reserved_at,
            case((resolution.c.id.is_(None), TRANSFER.c.amount_credits), else_=0).label("held"),
            case((resolution.c.kind == TransferKind.SETTLE, resolution.c.amount_credits), else_=0).label(
                "used"
            ),
        )
        .outerjoin(resolution, resolution.c.reservation_id == TRANSFER.c.id)
        .where(TRANSFER.c.kind == TransferKind.RESERVE)
        .subquery()
    )


def _select_period(
    dialect: str, effects: Subquery, scope: BalanceScope, owner: ColumnElement[int], period: BalancePeriod
) -> Select[Any]:
    start = _build_period_start(dialect, effects.c.reserved_at, period)
    return select(
        literal(scope.value).label("scope"),
        owner.label("owner_id"),
        literal(period.value).label("period"),
        type_coerce(start, Date).label("period_start"),
        literal(1).label("sources"),
        effects.c.held.label("held"),
        effects.c.used.label("used"),
        literal(0).label("stored"),
        literal(0).label("stored_held"),
        literal(0).label("stored_used"),
    )


def _select_found() -> Select[Any]:
    return select(
        type_coerce(BALANCE.c.scope, literal("").type).label("scope"),
        BALANCE.c.owner_id,
        type_coerce(BALANCE.c.period, literal("").type).label("period"),
        BALANCE.c.period_start,
        literal(0).label("sources"),
        literal(0).label("held"),
        literal(0).label("used"),
        literal(1).label("stored"),
        BALANCE.c.held_credits.label("stored_held"),
        BALANCE.c.used_credits.label("stored_used"),
    )


def _build_period_start(
    dialect: str, reserved_at: ColumnElement[Any], period: BalancePeriod
) -> ColumnElement[Any]:
    if period is BalancePeriod.EVER:
        return literal(_EVER_START, Date)
    if dialect == "sqlite":
        return func.date(reserved_at, *(("start of month",) if period is BalancePeriod.MONTH else ()))
    return cast(func.date_trunc(period.value, func.timezone("UTC", reserved_at)), Date)


def _read_unequal(row: Any) -> UnequalBalance:
    key = _read_key(row)
    expected = Balance(key=key, held_credits=int(row["held"]), used_credits=int(row["used"]))
    found = Balance(key=key, held_credits=int(row["stored_held"]), used_credits=int(row["stored_used"]))
    return UnequalBalance(
        key=key, expected=expected if row["sources"] else None, found=found if row["stored"] else None
    )


def _read_key(row: Any) -> BalanceKey:
    return BalanceKey(
        scope=BalanceScope(row["scope"]),
        owner_id=row["owner_id"],
        period=BalancePeriod(row["period"]),
        period_start=row["period_start"],
    )

"""The ledger's running sums: balances whose check and write are one UPDATE over all of them.

Owns every statement on `balance`. Must not know prices, limits' names or periods' meaning: `bot.credits` and
`bot.caps` decide those. Every function joins the caller's transaction.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Date,
    Integer,
    String,
    and_,
    bindparam,
    case,
    column,
    or_,
    select,
    text,
    update,
)

from db.enums import BalanceScope
from db.models import BALANCE
from db.models.base import UtcDateTime, render_utc
from db.queries._prepared import Prepared
from db.queries._upsert import build_inserts
from db.values import Balance, BalanceKey, KeyLimit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, FromClause, Select, TextualSelect, Update
    from sqlalchemy.types import TypeEngine

KEY_COLUMNS = ("scope", "guild_id", "owner_id", "period", "period_start")
_TIMESTAMP, _IN_UTC = "timestamp", " AT TIME ZONE 'UTC'"
# Name -> type of the column here, and in PostgreSQL's words.
_WANTED_COLUMNS: Mapping[str, tuple[TypeEngine[Any], str]] = {
    "scope": (String(16), "text"),
    "guild_id": (BigInteger(), "bigint"),
    "owner_id": (BigInteger(), "bigint"),
    "period": (String(16), "text"),
    "period_start": (Date(), "date"),
    "position": (Integer(), "integer"),
    "limit_credits": (BigInteger(), "bigint"),
    "jobs_max": (Integer(), "integer"),
    "quiet_since": (UtcDateTime(), _TIMESTAMP),
}
_B = BALANCE.c
_IS_MEMBERSHIP = _B.scope == BalanceScope.MEMBERSHIP
_AMOUNT = bindparam("amount_credits", type_=BigInteger())
_GRANTED = bindparam("granted_credits", type_=BigInteger())
_NOW = bindparam("now", type_=UtcDateTime())
_ENSURE = build_inserts(BALANCE, lambda insert: insert.on_conflict_do_nothing())


class BalanceMissing(LookupError):
    """A balance that a reservation was counted in is not there, or holds less than the reservation."""

    def __init__(self, keys: Sequence[BalanceKey]) -> None:
        super().__init__(keys)
        self.keys = keys


def ensure_balances(c: Connection, keys: Sequence[BalanceKey]) -> None:
    """Create the balances that do not exist yet, at zero.

    Repeatable: by key. Give the keys sorted, as every caller that locks balances does.
    """
    zero = {
        "held_credits": 0,
        "used_credits": 0,
        "exempt_credits": 0,
        "held_jobs": 0,
        "last_reserved_at": None,
    }
    rows = [{name: getattr(key, name) for name in KEY_COLUMNS} | zero for key in keys]
    c.execute(_ENSURE[c.dialect.name], rows)


def hold_credits(
    c: Connection, counted: Sequence[KeyLimit], *, amount_credits: int, granted_credits: int, now: datetime
) -> bool:
    """Hold credits in all balances whose limits allow it: the check and the write are one statement.

    Shape: whether every balance allowed it. If not, some may have been written: roll the transaction back.
    Units: what grants bear does not count in the membership's limits.
    """
    params = {
        "wanted": _render_limits(counted),
        "amount_credits": amount_credits,
        "granted_credits": granted_credits,
        "now": now,
    }
    return _HOLD.run(c, params).rowcount == len(counted)


def move_credits(
    c: Connection,
    keys: Sequence[BalanceKey],
    *,
    held_credits: int = 0,
    used_credits: int = 0,
    exempt_credits: int = 0,
    held_jobs: int = 0,
) -> None:
    """Change all these balances by signed amounts; the exempt part of memberships alone.

    Raises: BalanceMissing when one is not there or would fall below zero; roll the transaction back.
    """
    params = {
        "wanted": render_keys(keys),
        "held_change": held_credits,
        "used_change": used_credits,
        "exempt_change": exempt_credits,
        "jobs_change": held_jobs,
    }
    if c.execute(_build_move(c.dialect.name), params).rowcount != len(keys):
        raise BalanceMissing(keys)


def find_balance(c: Connection, key: BalanceKey) -> Balance | None:
    return find_balances(c, [key]).get(key)


def find_balances(c: Connection, keys: Sequence[BalanceKey]) -> dict[BalanceKey, Balance]:
    """Read the balances that exist."""
    params = {"wanted": render_keys(keys)}
    rows = c.execute(_build_find(c.dialect.name), params).mappings()
    return {balance.key: balance for balance in (read_balance(row) for row in rows)}


def lock_balances(c: Connection, keys: Sequence[BalanceKey]) -> dict[BalanceKey, Balance]:
    """Read the balances that exist, and keep everybody else from changing them until the transaction ends."""
    params = {"wanted": render_keys(keys)}
    rows = c.execute(_build_lock(c.dialect.name), params).mappings()
    return {balance.key: balance for balance in map(read_balance, rows)}


def read_balance(row: Mapping[Any, Any]) -> Balance:
    return Balance(
        key=BalanceKey(**{name: row[name] for name in KEY_COLUMNS}),
        held_credits=row["held_credits"],
        used_credits=row["used_credits"],
        exempt_credits=row["exempt_credits"],
        held_jobs=row["held_jobs"],
        last_reserved_at=row["last_reserved_at"],
    )


# Built once for each dialect: building them anew costs more than running them.


def _build_hold(dialect: str) -> Update:
    locked = _lock_in_order(dialect)
    granted = case((_IS_MEMBERSHIP, _GRANTED), else_=0)
    # Written as a subtraction so that no sum can pass the column's range.
    room = locked.c.limit_credits - _B.held_credits - _B.used_credits + _B.exempt_credits
    return (
        update(BALANCE)
        .where(
            match_keys(locked),
            # What grants bear whole needs no room, also where a lowered cap leaves less than none.
            or_(locked.c.limit_credits.is_(None), granted >= _AMOUNT, room >= _AMOUNT - granted),
            or_(locked.c.jobs_max.is_(None), _B.held_jobs < locked.c.jobs_max),
            or_(
                locked.c.quiet_since.is_(None),
                _B.last_reserved_at.is_(None),
                _B.last_reserved_at <= locked.c.quiet_since,
            ),
        )
        .values(
            held_credits=_B.held_credits + _AMOUNT,
            exempt_credits=_B.exempt_credits + granted,
            held_jobs=_B.held_jobs + 1,
            # Requests may be written in another order than they came, or by a clock that is behind.
            last_reserved_at=case((_B.last_reserved_at > _NOW, _B.last_reserved_at), else_=_NOW),
        )
    )


_HOLD = Prepared(_build_hold)


@cache
def _build_move(dialect: str) -> Update:
    locked = _lock_in_order(dialect)
    held, used = bindparam("held_change", type_=BigInteger()), bindparam("used_change", type_=BigInteger())
    exempt = case((_IS_MEMBERSHIP, bindparam("exempt_change", type_=BigInteger())), else_=0)
    jobs = bindparam("jobs_change", type_=Integer())
    return (
        update(BALANCE)
        .where(
            match_keys(locked),
            _B.held_credits + held >= 0,
            _B.used_credits + used >= 0,
            _B.exempt_credits + exempt >= 0,
            _B.held_jobs + jobs >= 0,
        )
        .values(
            held_credits=_B.held_credits + held,
            used_credits=_B.used_credits + used,
            exempt_credits=_B.exempt_credits + exempt,
            held_jobs=_B.held_jobs + jobs,
        )
    )


@cache
def _build_find(dialect: str) -> Select[Any]:
    return select(BALANCE).join(wanted := build_keys(dialect).subquery("wanted"), match_keys(wanted))


@cache
def _build_lock(dialect: str) -> Select[Any]:
    found = _build_find(dialect)
    return found.order_by(*(_B[name] for name in KEY_COLUMNS)).with_for_update(of=BALANCE)


@cache
def build_keys(dialect: str) -> TextualSelect:
    """Build a table of the balances wanted, out of the one parameter `wanted` that `render_keys` makes.

    One JSON text instead of a hundred parameters: SQLAlchemy would compile such a statement anew each time,
    which costs twenty times what the statement does.
    """
    if dialect == "sqlite":
        shown = [f"json_extract(value, '$[{index}]') AS {name}" for index, name in enumerate(_WANTED_COLUMNS)]
        source = "json_each(:wanted)"
    else:
        shown = [
            f"CAST(value->>{index} AS {type_}){_IN_UTC if type_ == _TIMESTAMP else ''} AS {name}"
            for index, (name, (_, type_)) in enumerate(_WANTED_COLUMNS.items())
        ]
        source = "jsonb_array_elements(CAST(:wanted AS jsonb)) AS wanted(value)"
    columns = [column(name, type_) for name, (type_, _) in _WANTED_COLUMNS.items()]
    query = f"SELECT {', '.join(shown)} FROM {source}"  # noqa: S608 - names of our own columns
    return text(query).columns(*columns)


def render_keys(keys: Sequence[BalanceKey]) -> str:
    """Render the parameter of `build_keys`: a list for each balance, in the order of the columns."""
    return json.dumps(
        [
            (scope, guild_id, owner_id, period, start.isoformat(), position)
            for position, (scope, guild_id, owner_id, period, start) in enumerate(keys)
        ]
    )


def _render_limits(counted: Sequence[KeyLimit]) -> str:
    """As `render_keys`, with what must hold of each balance."""
    return json.dumps(
        [
            (
                *key[:4],
                key.period_start.isoformat(),
                position,
                limit_credits,
                jobs_max,
                render_utc(quiet_since),
            )
            for position, (key, _, limit_credits, jobs_max, quiet_since) in enumerate(counted)
        ]
    )


def match_keys(wanted: FromClause) -> ColumnElement[bool]:
    return and_(*(_B[name] == wanted.c[name] for name in KEY_COLUMNS))


def _lock_in_order(dialect: str) -> FromClause:
    """The balances wanted; PostgreSQL would lock their rows in whatever order it joins them, so it is told one."""
    if dialect == "sqlite":
        # Python's sqlite3 counts the rows of no statement that begins with WITH.
        return build_keys(dialect).subquery("wanted")
    wanted = build_keys(dialect).cte("wanted")
    return (
        select(*wanted.c)
        .select_from(BALANCE)
        .join(wanted, match_keys(wanted))
        .order_by(*(wanted.c[name] for name in KEY_COLUMNS))
        .with_for_update(of=BALANCE)
        .cte("locked")
    )

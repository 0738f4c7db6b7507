"""The ledger's statements: transfers, and balances whose check and write are one UPDATE.

Owns every statement on `transfer` and `balance`. Must not know prices, limits' names or periods' meaning:
`bot.credits` decides those. Every function joins the caller's transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, select, update

from db.enums import TransferKind
from db.models import BALANCE, TRANSFER
from db.queries._upsert import build_inserts
from db.values import Balance, BalanceKey, Transfer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Select

# Built once: a reservation runs nine of these, and building them anew costs more than running them.
_KEY_NAMES = ("scope", "owner_id", "period", "period_start")
_KEY = and_(*(BALANCE.c[name] == bindparam(f"key_{name}") for name in _KEY_NAMES))
_AMOUNT = bindparam("amount_credits", type_=BALANCE.c.held_credits.type)
_HOLD = (
    update(BALANCE)
    .where(_KEY)
    .values(held_credits=BALANCE.c.held_credits + _AMOUNT)
    .returning(BALANCE.c.held_credits)
)
# Written as a subtraction so that no sum can pass the column's range.
_ROOM = bindparam("limit_credits", type_=_AMOUNT.type) - BALANCE.c.used_credits - BALANCE.c.held_credits
_HOLD_WITHIN_LIMIT = _HOLD.where(_ROOM >= _AMOUNT)
_RELEASED = bindparam("released_credits", type_=_AMOUNT.type)
_RESOLVE = (
    update(BALANCE)
    .where(_KEY, BALANCE.c.held_credits >= _RELEASED)
    .values(
        held_credits=BALANCE.c.held_credits - _RELEASED,
        used_credits=BALANCE.c.used_credits + bindparam("charged_credits", type_=_AMOUNT.type),
    )
    .returning(BALANCE.c.held_credits)
)
_FIND_BALANCE = select(BALANCE.c.held_credits, BALANCE.c.used_credits).where(_KEY)
_ENSURE = build_inserts(BALANCE, lambda insert: insert.on_conflict_do_nothing())
_APPEND = build_inserts(TRANSFER, lambda insert: insert.on_conflict_do_nothing().returning(TRANSFER.c.id))
_FIND_RESERVATION = select(TRANSFER).where(
    TRANSFER.c.job_id == bindparam("value"), TRANSFER.c.kind == TransferKind.RESERVE
)
_FIND_RESOLUTION = select(TRANSFER).where(TRANSFER.c.reservation_id == bindparam("value"))


class BalanceMissing(LookupError):
    """A balance that a reservation was counted in is not there, or holds less than the reservation."""

    def __init__(self, key: BalanceKey) -> None:
        super().__init__(key)
        self.key = key


def insert_transfer(c: Connection, transfer: Transfer) -> bool:
    """Append one transfer unless its id, its job's reserve or its reservation's resolution exists.

    Shape: whether it was written.
    """
    values = {column.name: getattr(transfer, column.name) for column in TRANSFER.columns}
    return c.execute(_APPEND[c.dialect.name], values).one_or_none() is not None


def find_reservation(c: Connection, job_id: str) -> Transfer | None:
    """Find the one reserve of a job."""
    return _find_transfer(c, _FIND_RESERVATION, job_id)


def find_resolution(c: Connection, reservation_id: str) -> Transfer | None:
    """Find the settle or void that ended a reservation."""
    return _find_transfer(c, _FIND_RESOLUTION, reservation_id)


def ensure_balances(c: Connection, keys: Sequence[BalanceKey]) -> None:
    """Create the balances that do not exist yet, at zero.

    Repeatable: by key. Give the keys sorted, as every caller that locks balances does.
    """
    rows = [
        {
            "scope": key.scope,
            "owner_id": key.owner_id,
            "period": key.period,
            "period_start": key.period_start,
            "held_credits": 0,
            "used_credits": 0,
        }
        for key in keys
    ]
    c.execute(_ENSURE[c.dialect.name], rows)


def hold_credits(c: Connection, key: BalanceKey, amount_credits: int, limit_credits: int | None) -> bool:
    """Hold credits in one balance if the limit allows: the check and the write are one statement.

    Shape: whether they were held; an unlimited hold always is.
    """
    values = {**_key_values(key), "amount_credits": amount_credits}
    if limit_credits is None:
        return c.execute(_HOLD, values).one_or_none() is not None
    values["limit_credits"] = limit_credits
    return c.execute(_HOLD_WITHIN_LIMIT, values).one_or_none() is not None


def resolve_credits(c: Connection, key: BalanceKey, *, held_credits: int, used_credits: int) -> None:
    """Take a reservation's held credits out of one balance, and count what was used.

    Raises: BalanceMissing.
    """
    values = {**_key_values(key), "released_credits": held_credits, "charged_credits": used_credits}
    if c.execute(_RESOLVE, values).one_or_none() is None:
        raise BalanceMissing(key)


def find_balance(c: Connection, key: BalanceKey) -> Balance | None:
    row = c.execute(_FIND_BALANCE, _key_values(key)).one_or_none()
    return None if row is None else Balance(key=key, held_credits=row[0], used_credits=row[1])


def _key_values(key: BalanceKey) -> dict[str, Any]:
    return {f"key_{name}": getattr(key, name) for name in _KEY_NAMES}


def _find_transfer(c: Connection, statement: Select[Any], value: str) -> Transfer | None:
    row = c.execute(statement, {"value": value}).one_or_none()
    return None if row is None else Transfer(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name

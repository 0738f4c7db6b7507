"""The ledger's statements: transfers, and balances whose check and write are one UPDATE.

Owns every statement on `transfer` and `balance`. Must not know prices, limits' names or periods' meaning:
`bot.credits` decides those. Every function joins the caller's transaction.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, and_, select, update

from db.enums import TransferKind
from db.models import BALANCE, TRANSFER
from db.queries._upsert import build_insert
from db.values import Balance, BalanceKey, Transfer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Row


class BalanceMissing(LookupError):
    """A balance that a reservation was counted in is not there, or holds less than the reservation."""

    def __init__(self, key: BalanceKey) -> None:
        super().__init__(key)
        self.key = key


def insert_transfer(c: Connection, transfer: Transfer) -> bool:
    """Append one transfer unless its id, its job's reserve or its reservation's resolution exists.

    Shape: whether it was written.
    """
    statement = build_insert(c, TRANSFER).on_conflict_do_nothing().returning(TRANSFER.c.id)
    return c.execute(statement, asdict(transfer)).one_or_none() is not None


def find_reservation(c: Connection, job_id: str) -> Transfer | None:
    """Find the one reserve of a job."""
    return _find_transfer(c, and_(TRANSFER.c.job_id == job_id, TRANSFER.c.kind == TransferKind.RESERVE))


def find_resolution(c: Connection, reservation_id: str) -> Transfer | None:
    """Find the settle or void that ended a reservation."""
    return _find_transfer(c, TRANSFER.c.reservation_id == reservation_id)


def ensure_balances(c: Connection, keys: Sequence[BalanceKey]) -> None:
    """Create the balances that do not exist yet, at zero.

    Repeatable: by key. Give the keys sorted, as every caller that locks balances does.
    """
    rows = [{**asdict(key), "held_credits": 0, "used_credits": 0} for key in keys]
    c.execute(build_insert(c, BALANCE).on_conflict_do_nothing(), rows)


def hold_credits(c: Connection, key: BalanceKey, amount_credits: int, limit_credits: int | None) -> bool:
    """Hold credits in one balance if the limit allows: the check and the write are one statement.

    Shape: whether they were held; an unlimited hold always is.
    """
    statement = update(BALANCE).where(_match(key))
    if limit_credits is not None:
        # Written as a subtraction so that no sum can pass the column's range.
        room = limit_credits - BALANCE.c.used_credits - BALANCE.c.held_credits
        statement = statement.where(room >= amount_credits)
    statement = statement.values(held_credits=BALANCE.c.held_credits + amount_credits)
    return c.execute(statement.returning(BALANCE.c.held_credits)).one_or_none() is not None


def resolve_credits(c: Connection, key: BalanceKey, *, held_credits: int, used_credits: int) -> None:
    """Take a reservation's held credits out of one balance, and count what was used.

    Raises: BalanceMissing.
    """
    statement = (
        update(BALANCE)
        .where(_match(key), BALANCE.c.held_credits >= held_credits)
        .values(
            held_credits=BALANCE.c.held_credits - held_credits,
            used_credits=BALANCE.c.used_credits + used_credits,
        )
        .returning(BALANCE.c.held_credits)
    )
    if c.execute(statement).one_or_none() is None:
        raise BalanceMissing(key)


def find_balance(c: Connection, key: BalanceKey) -> Balance | None:
    statement = select(BALANCE.c.held_credits, BALANCE.c.used_credits).where(_match(key))
    row = c.execute(statement).one_or_none()
    return None if row is None else Balance(key=key, held_credits=row[0], used_credits=row[1])


def _match(key: BalanceKey) -> ColumnElement[bool]:
    return and_(
        BALANCE.c.scope == key.scope,
        BALANCE.c.owner_id == key.owner_id,
        BALANCE.c.period == key.period,
        BALANCE.c.period_start == key.period_start,
    )


def _find_transfer(c: Connection, condition: ColumnElement[bool]) -> Transfer | None:
    row: Row[Any] | None = c.execute(select(TRANSFER).where(condition)).one_or_none()
    return None if row is None else Transfer(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name

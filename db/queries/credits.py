"""The ledger's lines: transfers, and what each grant bears of them.

Owns every statement on `transfer` and `transfer_part`. Must not know prices or what a kind of transfer means:
`bot.credits` decides that. Every function joins the caller's transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    String,
    and_,
    bindparam,
    insert,
    select,
    text,
)

from db.enums import TransferKind
from db.models import TRANSFER, TRANSFER_PART
from db.queries._prepared import Prepared
from db.queries._upsert import build_inserts
from db.values import Transfer, TransferPart

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection, Select

_TRANSFER_COLUMNS = tuple(TRANSFER.columns.keys())
_APPEND = Prepared(build_inserts(TRANSFER, lambda insert: insert.on_conflict_do_nothing()).__getitem__)
_INSERT_PART = insert(TRANSFER_PART)
_VALUE = bindparam("value", type_=String())
# The kinds stand in the text: SQLite uses a partial index only where the query repeats its words.
_FIND_RESERVATION = select(TRANSFER).where(TRANSFER.c.job_id == _VALUE, text("kind = 'reserve'"))
_FIND_RESOLUTION = select(TRANSFER).where(
    TRANSFER.c.reservation_id == _VALUE, text("kind IN ('settle', 'void')")
)
_FIND_REFUND = select(TRANSFER).where(TRANSFER.c.reservation_id == _VALUE, text("kind = 'refund'"))
_LIST_PARTS = (
    select(TRANSFER_PART).where(TRANSFER_PART.c.transfer_id == _VALUE).order_by(TRANSFER_PART.c.position)
)


def insert_transfer(c: Connection, transfer: Transfer) -> bool:
    """Append one transfer unless its id, its job's reserve or its reservation's resolution exists.

    Shape: whether it was written.
    """
    row = {name: getattr(transfer, name) for name in _TRANSFER_COLUMNS}
    row["limits"] = [dict(limit) for limit in transfer.limits]
    return _APPEND.run(c, row).rowcount == 1


def insert_parts(c: Connection, transfer_id: str, parts: Sequence[tuple[str, int]]) -> None:
    """Append what each grant bears of a transfer, in the order of use."""
    if parts:
        rows = [
            {"transfer_id": transfer_id, "grant_id": grant_id, "position": position, "amount_credits": amount}
            for position, (grant_id, amount) in enumerate(parts)
        ]
        c.execute(_INSERT_PART, rows)


def list_parts(c: Connection, transfer_id: str) -> list[TransferPart]:
    rows = c.execute(_LIST_PARTS, {"value": transfer_id}).mappings()
    return [TransferPart(**row) for row in rows]


def find_reservation(c: Connection, job_id: str) -> Transfer | None:
    """Find the one reserve of a job."""
    return _find_transfer(c, _FIND_RESERVATION, job_id)


def find_resolution(c: Connection, reservation_id: str) -> Transfer | None:
    """Find the settle or void that ended a reservation."""
    return _find_transfer(c, _FIND_RESOLUTION, reservation_id)


def find_refund(c: Connection, reservation_id: str) -> Transfer | None:
    """Find the refund that gave a settled reservation back."""
    return _find_transfer(c, _FIND_REFUND, reservation_id)


def find_transfer(c: Connection, transfer_id: str) -> Transfer | None:
    return _find_transfer(c, select(TRANSFER).where(TRANSFER.c.id == _VALUE), transfer_id)


def list_open_reservations(c: Connection, guild_id: int, user_id: int, limit: int) -> list[Transfer]:
    """List a member's reservations in a server that nothing has resolved yet."""
    resolution = TRANSFER.alias("resolution")
    statement = (
        select(TRANSFER)
        .outerjoin(
            resolution,
            and_(resolution.c.reservation_id == TRANSFER.c.id, text("resolution.kind IN ('settle', 'void')")),
        )
        .where(
            TRANSFER.c.guild_id == guild_id,
            TRANSFER.c.user_id == user_id,
            TRANSFER.c.kind == TransferKind.RESERVE,
            resolution.c.id.is_(None),
        )
        .limit(limit)
    )
    return [_read_transfer(row) for row in c.execute(statement).mappings()]


def _find_transfer(c: Connection, statement: Select[Any], value: str) -> Transfer | None:
    row = c.execute(statement, {"value": value}).mappings().one_or_none()
    return None if row is None else _read_transfer(row)


def _read_transfer(row: Mapping[Any, Any]) -> Transfer:
    return Transfer(**{**row, "limits": tuple(row["limits"])})

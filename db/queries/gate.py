"""The one row of `kvid_gate`: read, lock, store. Must not know what the numbers in it mean.

Every function joins the caller's transaction.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from db.gate_values import KvidGate
from db.models import KVID_GATE
from db.queries._upsert import build_inserts

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

_ROW_ID = 1
_INSERT = build_inserts(KVID_GATE, lambda insert: insert.on_conflict_do_nothing(index_elements=["id"]))
_SELECT = select(*(column for column in KVID_GATE.c if column.name != "id")).where(KVID_GATE.c.id == _ROW_ID)


def find_gate(c: Connection) -> KvidGate | None:
    """Read the gate as it stands; None before its first use."""
    return _read(c.execute(_SELECT).one_or_none())


def lock_gate(c: Connection, new: KvidGate) -> KvidGate:
    """Read the gate and keep others from changing it until this transaction ends; without one, make it `new`.

    Whoever admits jobs holds this lock first of all: on PostgreSQL the row's, on SQLite the one of the file.
    """
    locking = _SELECT.with_for_update()
    gate = _read(c.execute(locking).one_or_none())
    if gate is None:
        c.execute(_INSERT[c.dialect.name], {"id": _ROW_ID, **asdict(new)})
        gate = _read(c.execute(locking).one())
    assert gate is not None  # noqa: S101 - inserted above, by us or by a rival
    return gate


def store_gate(c: Connection, gate: KvidGate) -> None:
    """Transaction: joins; the caller has locked the gate."""
    c.execute(update(KVID_GATE).where(KVID_GATE.c.id == _ROW_ID).values(**asdict(gate)))


def _read(row: Row[Any] | None) -> KvidGate | None:
    return None if row is None else KvidGate(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name

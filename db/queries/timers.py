"""Timers of the whole fleet: whoever claims a firing first has it alone; and the clock all machines share.

Owns every statement on `timer`. Must not know what fires. Every function joins the caller's transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select, update

from db.models import TIMER
from db.models.base import UtcDateTime
from db.queries._upsert import build_inserts

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

_ENSURE = build_inserts(
    TIMER, lambda insert: insert.on_conflict_do_nothing(index_elements=["name"]).returning(TIMER.c.name)
)


def claim_timer(c: Connection, name: str, *, now: datetime, next_at: datetime) -> bool:
    """Take the firing of a timer that is due and set when it is due next; False when it is not, or was taken.

    A timer that nobody has claimed yet is due at once.
    """
    claim = (
        update(TIMER)
        .where(TIMER.c.name == name, TIMER.c.due_at <= now)
        .values(due_at=next_at)
        .returning(TIMER.c.name)
    )
    if c.execute(claim).one_or_none() is not None:
        return True
    return c.execute(_ENSURE[c.dialect.name], {"name": name, "due_at": next_at}).one_or_none() is not None


def find_due_at(c: Connection, name: str) -> datetime | None:
    return c.execute(select(TIMER.c.due_at).where(TIMER.c.name == name)).scalar_one_or_none()


def read_clock(c: Connection) -> datetime:
    """Tell the time of PostgreSQL: the one clock that machines of a fleet can compare by."""
    return c.execute(select(func.clock_timestamp(type_=UtcDateTime()))).scalar_one()

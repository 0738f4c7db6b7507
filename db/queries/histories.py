"""What became of pictures after they were delivered, as moderators look back on it.

Owns statements that only read, across tables that other modules write. Every function joins the caller's
transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, select, text

from db.models import TRANSFER

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection


def list_refunded(c: Connection, job_ids: Collection[str]) -> frozenset[str]:
    """Tell which of these jobs a moderator gave the credits back for."""
    refund = TRANSFER.alias("refund")
    # The kinds stand in the text: SQLite uses a partial index only where the query repeats its words.
    statement = (
        select(TRANSFER.c.job_id)
        .join(refund, and_(refund.c.reservation_id == TRANSFER.c.id, text("refund.kind = 'refund'")))
        .where(TRANSFER.c.job_id.in_(sorted(job_ids)), text("transfer.kind = 'reserve'"))
    )
    return frozenset(c.execute(statement).scalars())

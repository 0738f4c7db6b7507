"""What Discord was told last about our commands, per scope ("global" or a guild's id)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from db.models import COMMAND_SYNC
from db.queries._upsert import build_insert

if TYPE_CHECKING:
    from sqlalchemy import Connection


def find_sync_hash(c: Connection, scope: str) -> str | None:
    return c.execute(select(COMMAND_SYNC.c.hash).where(COMMAND_SYNC.c.scope == scope)).scalar_one_or_none()


def set_sync_hash(c: Connection, scope: str, sync_hash: str) -> None:
    """Remember the hash of the tree that Discord accepted.

    Repeatable: by `scope`.
    """
    statement = build_insert(c, COMMAND_SYNC)
    statement = statement.on_conflict_do_update(
        index_elements=["scope"], set_={"hash": statement.excluded.hash}
    )
    c.execute(statement, {"scope": scope, "hash": sync_hash})

"""What Discord was told last about our commands, per scope ("global" or a guild's id)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from db.models import COMMAND_SYNC
from db.queries._upsert import Insert, build_inserts

if TYPE_CHECKING:
    from sqlalchemy import Connection, Executable


def _replace_hash(insert: Insert) -> Executable:
    return insert.on_conflict_do_update(index_elements=["scope"], set_={"hash": insert.excluded.hash})


_SET_HASH = build_inserts(COMMAND_SYNC, _replace_hash)


def find_sync_hash(c: Connection, scope: str) -> str | None:
    return c.execute(select(COMMAND_SYNC.c.hash).where(COMMAND_SYNC.c.scope == scope)).scalar_one_or_none()


def set_sync_hash(c: Connection, scope: str, sync_hash: str) -> None:
    """Remember the hash of the tree that Discord accepted.

    Repeatable: by `scope`.
    """
    c.execute(_SET_HASH[c.dialect.name], {"scope": scope, "hash": sync_hash})

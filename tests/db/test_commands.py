"""The hash of the command tree that Discord was told last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from db.queries.commands import find_sync_hash, set_sync_hash

if TYPE_CHECKING:
    from db.engine import Database


async def test_a_hash_is_kept_per_scope_and_replaced(database: Database) -> None:
    await database.transaction(lambda c: set_sync_hash(c, "global", "abc"))
    await database.transaction(lambda c: set_sync_hash(c, "123", "xyz"))
    await database.transaction(lambda c: set_sync_hash(c, "global", "def"))
    assert await database.read(lambda c: find_sync_hash(c, "global")) == "def"
    assert await database.read(lambda c: find_sync_hash(c, "123")) == "xyz"
    assert await database.read(lambda c: find_sync_hash(c, "456")) is None

"""What is looked for in the background, over all servers: unposted entries, entries to forget, AutoMod in use.

Owns these statements, each bounded and paged by the server's id. Must not know what is done with the answer.
Every function joins the caller's transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import and_, exists, select

from db.models import AUDIT_ENTRY, SERVER
from db.values import Server

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection

_S, _A = SERVER.c, AUDIT_ENTRY.c
PAGE_MAX = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Unposted:
    """A server whose log channel has not been told everything; None: it has no such channel."""

    guild_id: int
    posted_entry_id: int
    log_channel_id: int | None


def list_unposted(c: Connection, *, after_guild_id: int, limit: int) -> list[Unposted]:
    """List servers that the bot is in and that have entries behind the last posted one."""
    newer = exists().where(and_(_A.guild_id == _S.guild_id, _A.id > _S.posted_entry_id))
    # As text: PostgreSQL would read the number as one of four bytes.
    channel = _S.policy["log_channel_id"].as_string()
    statement = (
        select(_S.guild_id, _S.posted_entry_id, channel.label("channel"))
        .where(_S.left_at.is_(None), _S.guild_id != 0, _S.guild_id > after_guild_id, newer)
        .order_by(_S.guild_id)
        .limit(limit)
    )
    return [
        Unposted(
            guild_id=row.guild_id,
            posted_entry_id=row.posted_entry_id,
            log_channel_id=int(row.channel) if row.channel is not None else None,
        )
        for row in c.execute(statement)
    ]


def list_present(c: Connection, limit: int) -> list[int]:
    """List the ids of servers that the bot is in, as far as was noted."""
    statement = select(_S.guild_id).where(_S.left_at.is_(None), _S.guild_id != 0).limit(limit)
    return list(c.execute(statement).scalars())


def list_unzoned(c: Connection, guild_ids: Collection[int]) -> set[int]:
    """Tell which of these servers have settings without a time zone."""
    wanted = sorted(guild_ids)
    pages = (wanted[first : first + PAGE_MAX] for first in range(0, len(wanted), PAGE_MAX))
    zone = _S.policy["time_zone"].as_string()
    return {
        guild_id
        for page in pages
        for guild_id in c.execute(select(_S.guild_id).where(_S.guild_id.in_(page), zone.is_(None))).scalars()
    }


def list_left(c: Connection, *, after_guild_id: int, limit: int) -> list[Server]:
    """List servers that the bot has left and that still have entries in the audit log."""
    statement = (
        select(SERVER)
        .where(
            _S.left_at.is_not(None),
            _S.guild_id != 0,
            _S.guild_id > after_guild_id,
            exists().where(_A.guild_id == _S.guild_id),
        )
        .order_by(_S.guild_id)
        .limit(limit)
    )
    return [Server(**row) for row in c.execute(statement).mappings()]


def lock_left(c: Connection, guild_id: int) -> Server | None:
    """Find a server that the bot has left, and keep it from coming back until the transaction ends."""
    statement = select(SERVER).where(_S.guild_id == guild_id, _S.left_at.is_not(None)).with_for_update()
    row = c.execute(statement).mappings().one_or_none()
    return None if row is None else Server(**row)


def list_automod(c: Connection, *, after_guild_id: int, limit: int) -> list[int]:
    """List the ids of servers that the bot is in and that use the words of their AutoMod rules."""
    statement = (
        select(_S.guild_id)
        .where(
            _S.left_at.is_(None),
            _S.guild_id > after_guild_id,
            _S.policy["automod_action"].as_string().is_not(None),
        )
        .order_by(_S.guild_id)
        .limit(limit)
    )
    return list(c.execute(statement).scalars())

"""What moderators decided, and the record of it: settings, members' caps and blocks, the audit log.

Owns every statement on `server`, `membership` and `audit_entry`. Must not know what a setting means. Every
function joins the caller's transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from sqlalchemy import and_, delete, insert, select, update

from db.models import AUDIT_ENTRY, MEMBERSHIP, SERVER
from db.queries._upsert import build_inserts
from db.values import AuditEntry, Membership, Server

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from sqlalchemy import Connection

    from db.enums import BalancePeriod

_S, _M, _A = SERVER.c, MEMBERSHIP.c, AUDIT_ENTRY.c
_INSERT_SERVER = build_inserts(SERVER, lambda insert: insert.on_conflict_do_nothing().returning(_S.guild_id))
_ENSURE_MEMBERSHIP = build_inserts(MEMBERSHIP, lambda insert: insert.on_conflict_do_nothing())


class MembershipChanges(TypedDict, total=False):
    cap_credits: int | None
    cap_period: BalancePeriod | None
    blocked_until: datetime | None
    block_reason: str | None
    pass_until: datetime | None


# --- settings ---


def find_server(c: Connection, guild_id: int) -> Server | None:
    row = c.execute(select(SERVER).where(_S.guild_id == guild_id)).mappings().one_or_none()
    return None if row is None else Server(**row)


def write_policy(c: Connection, guild_id: int, policy: Mapping[str, object], *, version: int) -> bool:
    """Store a server's settings if they still have `version`; 0 for a server that has none yet.

    Shape: whether they were written; the version is then one higher.
    """
    if version == 0:
        row = {"guild_id": guild_id, "version": 1, "policy": policy, "left_at": None, "posted_entry_id": 0}
        return c.execute(_INSERT_SERVER[c.dialect.name], row).one_or_none() is not None
    statement = (
        update(SERVER)
        .where(_S.guild_id == guild_id, _S.version == version)
        .values(policy=policy, version=version + 1)
        .returning(_S.guild_id)
    )
    return c.execute(statement).one_or_none() is not None


def lock_server(c: Connection, guild_id: int) -> None:
    """Let nobody else pass here with this server until the transaction ends; its row must be there."""
    c.execute(select(_S.guild_id).where(_S.guild_id == guild_id).with_for_update())


def mark_left(c: Connection, guild_id: int, left_at: datetime | None) -> None:
    """Remember since when the bot is no longer in a server; None: it is there (again)."""
    condition = _S.left_at.is_(None) if left_at is not None else _S.left_at.is_not(None)
    c.execute(update(SERVER).where(_S.guild_id == guild_id, condition).values(left_at=left_at))


# --- members ---


def find_membership(c: Connection, guild_id: int, user_id: int) -> Membership | None:
    statement = select(MEMBERSHIP).where(_M.guild_id == guild_id, _M.user_id == user_id)
    row = c.execute(statement).mappings().one_or_none()
    return None if row is None else Membership(**row)


def change_membership(
    c: Connection, guild_id: int, user_id: int, **changes: Unpack[MembershipChanges]
) -> Membership:
    """Write what moderators decided about a member.

    Shape: what was decided before.
    """
    empty = {field.name: None for field in MEMBERSHIP.columns} | {"guild_id": guild_id, "user_id": user_id}
    c.execute(_ENSURE_MEMBERSHIP[c.dialect.name], empty)
    this = and_(_M.guild_id == guild_id, _M.user_id == user_id)
    before = c.execute(select(MEMBERSHIP).where(this).with_for_update()).mappings().one()
    c.execute(update(MEMBERSHIP).where(this).values(**changes))
    return Membership(**before)


def use_pass(c: Connection, guild_id: int, user_id: int, now: datetime) -> bool:
    """Use up a member's one pass; False when there is none any more."""
    statement = (
        update(MEMBERSHIP)
        .where(_M.guild_id == guild_id, _M.user_id == user_id, _M.pass_until > now)
        .values(pass_until=None)
        .returning(_M.user_id)
    )
    return c.execute(statement).one_or_none() is not None


def list_blocked(c: Connection, guild_id: int, now: datetime, limit: int) -> list[Membership]:
    statement = (
        select(MEMBERSHIP)
        .where(_M.guild_id == guild_id, _M.blocked_until > now)
        .order_by(_M.blocked_until, _M.user_id)
        .limit(limit)
    )
    return [Membership(**row) for row in c.execute(statement).mappings()]


def list_capped(c: Connection, guild_id: int, limit: int) -> list[Membership]:
    """List members with a cap of their own."""
    statement = (
        select(MEMBERSHIP)
        .where(_M.guild_id == guild_id, _M.cap_period.is_not(None))
        .order_by(_M.user_id)
        .limit(limit)
    )
    return [Membership(**row) for row in c.execute(statement).mappings()]


# --- the audit log ---


def append_entry(c: Connection, entry: AuditEntry) -> int:
    """Append to the audit log, and answer the entry's number."""
    row: dict[str, Any] = {
        field.name: getattr(entry, field.name) for field in AUDIT_ENTRY.columns if field.name != "id"
    }
    entry_id: int = c.execute(insert(AUDIT_ENTRY).returning(_A.id), row).scalar_one()
    return entry_id


def list_entries(
    c: Connection,
    guild_id: int,
    *,
    limit: int,
    after_id: int = 0,
    since: datetime | None = None,
    target_id: int | None = None,
    newest_first: bool = False,
) -> list[AuditEntry]:
    statement = select(AUDIT_ENTRY).where(_A.guild_id == guild_id, _A.id > after_id)
    if since is not None:
        statement = statement.where(_A.at >= since)
    if target_id is not None:
        statement = statement.where(_A.target_id == target_id)
    statement = statement.order_by(_A.id.desc() if newest_first else _A.id).limit(limit)
    return [AuditEntry(**row) for row in c.execute(statement).mappings()]


def mark_posted(c: Connection, guild_id: int, entry_id: int) -> None:
    """Remember how far the log channel has been told; never backwards."""
    c.execute(
        update(SERVER)
        .where(_S.guild_id == guild_id, _S.posted_entry_id < entry_id)
        .values(posted_entry_id=entry_id)
    )


def delete_entries_of_left(c: Connection, guild_ids: Collection[int], limit: int) -> int:
    """Delete entries of servers that the bot has left, at most `limit`; the database refuses any other.

    Shape: how many went.
    """
    chosen = select(_A.id).where(_A.guild_id.in_(sorted(guild_ids))).order_by(_A.id).limit(limit)
    return len(c.execute(delete(AUDIT_ENTRY).where(_A.id.in_(chosen)).returning(_A.id)).all())

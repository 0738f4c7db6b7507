"""Rows written by SQL alone, for tests of what the database itself promises at any revision.

Owns plain dictionaries of columns. Must not know the models or the ledger: they know only the newest schema.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

NOW = datetime(2026, 3, 14, 15, 9, 26, 535897, tzinfo=UTC)
USER, OTHER_USER = 111_111_111_111_111_111, 111_111_111_111_111_112
GUILD, OTHER_GUILD = 222_222_222_222_222_222, 222_222_222_222_222_223
CHANNEL, OTHER_CHANNEL = 333_333_333_333_333_333, 333_333_333_333_333_334


def render_time(at: datetime) -> str:
    """As SQLite keeps it, and as PostgreSQL reads it in a session in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def insert_row(c: Connection, table: str, **values: object) -> None:
    names = ", ".join(values)
    places = ", ".join(f":{name}" for name in values)
    c.execute(text(f"INSERT INTO {table} ({names}) VALUES ({places})"), values)  # noqa: S608 - the test's own words


def list_rows(c: Connection, table: str) -> list[Mapping[str, Any]]:
    rows = [dict(row) for row in c.execute(text(f"SELECT * FROM {table}")).mappings()]  # noqa: S608 - the test's own words
    return sorted(rows, key=str)


def insert_job(
    c: Connection, job_id: str, *, at: datetime = NOW, guild: int | None = GUILD, **values: object
) -> None:
    row: dict[str, object] = {
        "id": job_id,
        "request_id": int.from_bytes(job_id.encode()[-7:]),
        "epoch": 0,
        "state": "reserved",
        "kind": "text_to_image",
        "surface": "interaction",
        "delivery": "channel",
        "user_id": USER,
        "guild_id": guild,
        "channel_id": CHANNEL,
        "locale": "en-US",
        "private": False,
        "prompt": "a stage at night, 무대",
        "image_count": 1,
        "seed": 1,
        "output_format": "jpeg",
        "reserved_credits": 8,
        "results": "[]",
        "nonce": job_id,
        "created_at": render_time(at),
        "updated_at": render_time(at),
    }
    insert_row(c, "job", **row | values)


def insert_transfer(
    c: Connection, transfer_id: str, kind: str, *, at: datetime = NOW, **values: object
) -> None:
    """A line of the newest schema; give what its kind needs."""
    row: dict[str, object] = {
        "id": transfer_id,
        "kind": kind,
        "user_id": USER,
        "guild_id": GUILD,
        "channel_id": CHANNEL if kind in ("reserve", "settle", "void", "refund") else None,
        "amount_credits": 8,
        "granted_credits": 0,
        "local_date": at.date().isoformat(),
        "limits": "[]",
        "reserved_at": render_time(at),
        "created_at": render_time(at),
    }
    insert_row(c, "transfer", **row | values)


def insert_grant(c: Connection, grant_id: str, amount_credits: int, **values: object) -> None:
    row: dict[str, object] = {
        "id": grant_id,
        "guild_id": GUILD,
        "user_id": USER,
        "amount_credits": amount_credits,
        "held_credits": 0,
        "used_credits": 0,
        "removed_credits": 0,
        "granted_by": OTHER_USER,
        "reason": "a contest",
        "created_at": render_time(NOW),
    }
    insert_row(c, "credit_grant", **row | values)


def insert_role_grant(c: Connection, role_grant_id: str) -> None:
    insert_row(
        c,
        "role_grant",
        id=role_grant_id,
        guild_id=GUILD,
        role_id=GUILD,
        amount_credits=5,
        granted_by=OTHER_USER,
        reason="a contest",
        open_until=render_time(NOW),
        created_at=render_time(NOW),
    )


def insert_entry(c: Connection, guild_id: int) -> None:
    at = render_time(NOW)
    insert_row(
        c, "audit_entry", guild_id=guild_id, at=at, actor_id=USER, action="setting", subject="member_cap"
    )


def insert_server(c: Connection, guild_id: int, left_at: datetime | None = None) -> None:
    left = None if left_at is None else render_time(left_at)
    insert_row(c, "server", guild_id=guild_id, version=1, policy="{}", left_at=left, posted_entry_id=0)

"""The tables `server`, `membership` and `audit_entry`: what moderators decided, and the record of it.

Owns their columns and constraints. An audit entry is append-only: triggers of the migration refuse every
change, and a deletion too while the bot is in the server.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - SQLModel reads the annotations at run time
from typing import ClassVar

from sqlalchemy import JSON, BigInteger, CheckConstraint, Index, String, Table, Text
from sqlmodel import Field, SQLModel

from db.enums import AuditAction, BalancePeriod
from db.models.base import RowNumber, UtcDateTime, build_choice, metadata


class ServerRow(SQLModel, table=True):
    """Id 0 is the operator's row. `posted_entry_id`: how far the log channel has been told."""

    __tablename__: ClassVar[str] = "server"
    __table_args__ = (CheckConstraint("version >= 1", name="version"),)

    guild_id: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    version: int
    policy: dict[str, object] = Field(sa_type=JSON)
    left_at: datetime | None = Field(sa_type=UtcDateTime)
    posted_entry_id: int = Field(sa_type=BigInteger)


class MembershipRow(SQLModel, table=True):
    __tablename__: ClassVar[str] = "membership"
    __table_args__ = (
        CheckConstraint("cap_credits IS NULL OR cap_credits >= 0", name="cap_credits"),
        CheckConstraint("cap_credits IS NULL OR cap_period IS NOT NULL", name="cap_has_period"),
        Index(None, "guild_id", "blocked_until"),
    )

    guild_id: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    user_id: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    cap_credits: int | None
    cap_period: BalancePeriod | None = Field(sa_type=build_choice(BalancePeriod, "cap_period"))
    blocked_until: datetime | None = Field(sa_type=UtcDateTime)
    block_reason: str | None = Field(sa_type=Text)
    pass_until: datetime | None = Field(sa_type=UtcDateTime)


class AuditEntryRow(SQLModel, table=True):
    __tablename__: ClassVar[str] = "audit_entry"
    __table_args__ = (
        Index(None, "guild_id", "id"),
        Index(None, "guild_id", "target_id", "id"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=RowNumber)
    guild_id: int = Field(sa_type=BigInteger)
    at: datetime = Field(sa_type=UtcDateTime)
    actor_id: int = Field(sa_type=BigInteger)
    action: AuditAction = Field(sa_type=build_choice(AuditAction, "action"))
    subject: str = Field(sa_type=String(64))
    target_id: int | None = Field(sa_type=BigInteger)
    before: dict[str, object] | None = Field(sa_type=JSON)
    after: dict[str, object] | None = Field(sa_type=JSON)
    reason: str | None = Field(sa_type=Text)


SERVER: Table = metadata.tables["server"]
MEMBERSHIP: Table = metadata.tables["membership"]
AUDIT_ENTRY: Table = metadata.tables["audit_entry"]

"""The tables of the ledger: `transfer` (append-only), its parts, `balance` (running sums) and the grants.

Owns the constraints that keep an account honest whatever the code above does: one reserve per job, one
resolution and one refund per reservation, nothing below zero, no grant overdrawn.
"""

from __future__ import annotations

from datetime import date, datetime  # noqa: TC003 - SQLModel reads the annotations at run time
from typing import ClassVar

from sqlalchemy import JSON, BigInteger, CheckConstraint, Index, String, Table, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from db.enums import BalancePeriod, BalanceScope, TransferKind
from db.models.base import UtcDateTime, build_choice, metadata

JOB_KINDS = "('reserve', 'settle', 'void', 'refund')"
GRANT_KINDS = "('grant', 'give', 'expire', 'correct')"


def _unique_where(name: str, column: str, condition: str) -> Index:
    return Index(name, column, unique=True, sqlite_where=text(condition), postgresql_where=text(condition))


class TransferRow(SQLModel, table=True):
    """Append-only: triggers of the migration refuse UPDATE and DELETE."""

    __tablename__: ClassVar[str] = "transfer"
    __table_args__ = (
        CheckConstraint("amount_credits >= 0", name="amount_credits"),
        CheckConstraint("granted_credits >= 0 AND granted_credits <= amount_credits", name="granted_credits"),
        CheckConstraint("reported_credits IS NULL OR reported_credits >= 0", name="reported_credits"),
        CheckConstraint(f"(kind IN {JOB_KINDS}) = (job_id IS NOT NULL)", name="job_id"),
        CheckConstraint(f"(kind IN {GRANT_KINDS}) = (grant_id IS NOT NULL)", name="grant_id"),
        CheckConstraint(
            "(kind IN ('settle', 'void', 'refund')) = (reservation_id IS NOT NULL)", name="reservation_id"
        ),
        CheckConstraint("(kind = 'settle') = (reported_credits IS NOT NULL)", name="settle_reports"),
        CheckConstraint("(kind = 'reset') = (period IS NOT NULL)", name="period"),
        _unique_where("uq_transfer_one_reserve_per_job", "job_id", "kind = 'reserve'"),
        _unique_where("uq_transfer_one_resolution", "reservation_id", "kind IN ('settle', 'void')"),
        _unique_where("uq_transfer_one_refund", "reservation_id", "kind = 'refund'"),
        _unique_where("uq_transfer_one_grant_per_gift", "source_id", "source_id IS NOT NULL"),
        Index(None, "guild_id", "created_at"),
        Index(None, "guild_id", "user_id", "created_at"),
        Index(None, "grant_id"),
    )

    id: str = Field(sa_type=String(32), primary_key=True)
    kind: TransferKind = Field(sa_type=build_choice(TransferKind, "kind"))
    job_id: str | None = Field(sa_type=String(20), foreign_key="job.id")
    reservation_id: str | None = Field(sa_type=String(32), foreign_key="transfer.id")
    grant_id: str | None = Field(sa_type=String(32), foreign_key="credit_grant.id")
    source_id: str | None = Field(sa_type=String(32), foreign_key="transfer.id")
    user_id: int = Field(sa_type=BigInteger)
    guild_id: int | None = Field(sa_type=BigInteger)
    channel_id: int | None = Field(sa_type=BigInteger)
    amount_credits: int
    granted_credits: int
    reported_credits: int | None
    local_date: date
    period: BalancePeriod | None = Field(sa_type=build_choice(BalancePeriod, "period_choice"))
    limits: list[dict[str, object]] = Field(sa_type=JSON)
    actor_id: int | None = Field(sa_type=BigInteger)
    other_user_id: int | None = Field(sa_type=BigInteger)
    reason: str | None = Field(sa_type=Text)
    reserved_at: datetime = Field(sa_type=UtcDateTime)
    created_at: datetime = Field(sa_type=UtcDateTime)


class TransferPartRow(SQLModel, table=True):
    """Append-only, as the transfers are."""

    __tablename__: ClassVar[str] = "transfer_part"
    __table_args__ = (CheckConstraint("amount_credits > 0", name="amount_credits"), Index(None, "grant_id"))

    transfer_id: str = Field(sa_type=String(32), foreign_key="transfer.id", primary_key=True)
    grant_id: str = Field(sa_type=String(32), foreign_key="credit_grant.id", primary_key=True)
    position: int
    amount_credits: int


class BalanceRow(SQLModel, table=True):
    __tablename__: ClassVar[str] = "balance"
    __table_args__ = (
        CheckConstraint("held_credits >= 0", name="held_credits"),
        CheckConstraint("used_credits >= 0", name="used_credits"),
        CheckConstraint("exempt_credits >= 0", name="exempt_credits"),
        CheckConstraint("held_jobs >= 0", name="held_jobs"),
        Index(None, "scope", "guild_id", "period", "period_start"),
    )

    scope: BalanceScope = Field(sa_type=build_choice(BalanceScope, "scope"), primary_key=True)
    guild_id: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    owner_id: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    period: BalancePeriod = Field(sa_type=build_choice(BalancePeriod, "period"), primary_key=True)
    period_start: date = Field(primary_key=True)
    held_credits: int = Field(sa_type=BigInteger)
    used_credits: int = Field(sa_type=BigInteger)
    exempt_credits: int = Field(sa_type=BigInteger)
    held_jobs: int
    last_reserved_at: datetime | None = Field(sa_type=UtcDateTime)


class CreditGrantRow(SQLModel, table=True):
    __tablename__: ClassVar[str] = "credit_grant"
    __table_args__ = (
        CheckConstraint("amount_credits > 0", name="amount_credits"),
        CheckConstraint("held_credits >= 0 AND used_credits >= 0 AND removed_credits >= 0", name="parts"),
        CheckConstraint("held_credits + used_credits + removed_credits <= amount_credits", name="left"),
        UniqueConstraint("role_grant_id", "user_id"),
        Index(None, "guild_id", "user_id"),
        Index(None, "expires_at"),
    )

    id: str = Field(sa_type=String(32), primary_key=True)
    guild_id: int = Field(sa_type=BigInteger)
    user_id: int = Field(sa_type=BigInteger)
    amount_credits: int
    held_credits: int
    used_credits: int
    removed_credits: int
    granted_by: int = Field(sa_type=BigInteger)
    reason: str = Field(sa_type=Text)
    role_grant_id: str | None = Field(sa_type=String(32), foreign_key="role_grant.id")
    expires_at: datetime | None = Field(sa_type=UtcDateTime)
    created_at: datetime = Field(sa_type=UtcDateTime)


class RoleGrantRow(SQLModel, table=True):
    __tablename__: ClassVar[str] = "role_grant"
    __table_args__ = (
        CheckConstraint("amount_credits > 0", name="amount_credits"),
        Index(None, "guild_id", "open_until"),
    )

    id: str = Field(sa_type=String(32), primary_key=True)
    guild_id: int = Field(sa_type=BigInteger)
    role_id: int = Field(sa_type=BigInteger)
    amount_credits: int
    granted_by: int = Field(sa_type=BigInteger)
    reason: str = Field(sa_type=Text)
    expires_at: datetime | None = Field(sa_type=UtcDateTime)
    open_until: datetime = Field(sa_type=UtcDateTime)
    created_at: datetime = Field(sa_type=UtcDateTime)


TRANSFER: Table = metadata.tables["transfer"]
TRANSFER_PART: Table = metadata.tables["transfer_part"]
BALANCE: Table = metadata.tables["balance"]
CREDIT_GRANT: Table = metadata.tables["credit_grant"]
ROLE_GRANT: Table = metadata.tables["role_grant"]

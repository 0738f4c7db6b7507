"""The tables `transfer` (the ledger, append-only) and `balance` (its running sums).

Owns the constraints that keep an account honest whatever the code above does: one reserve per job, one
resolution per reservation, nothing below zero.
"""

from __future__ import annotations

from datetime import date, datetime  # noqa: TC003 - SQLModel reads the annotations at run time
from typing import ClassVar

from sqlalchemy import BigInteger, CheckConstraint, Index, String, Table, text
from sqlmodel import Field, SQLModel

from db.enums import BalancePeriod, BalanceScope, TransferKind
from db.models.base import UtcDateTime, build_choice, metadata


class TransferRow(SQLModel, table=True):
    """Append-only: triggers of the migration refuse UPDATE and DELETE."""

    __tablename__: ClassVar[str] = "transfer"
    __table_args__ = (
        CheckConstraint("amount_credits >= 0", name="amount_credits"),
        CheckConstraint("reported_credits IS NULL OR reported_credits >= 0", name="reported_credits"),
        CheckConstraint("(kind = 'reserve') = (reservation_id IS NULL)", name="reservation_id"),
        CheckConstraint("(kind = 'settle') = (reported_credits IS NOT NULL)", name="settle_reports"),
        Index(
            "uq_transfer_one_reserve_per_job",
            "job_id",
            unique=True,
            sqlite_where=text("kind = 'reserve'"),
            postgresql_where=text("kind = 'reserve'"),
        ),
    )

    id: str = Field(sa_type=String(32), primary_key=True)
    kind: TransferKind = Field(sa_type=build_choice(TransferKind, "kind"))
    job_id: str = Field(sa_type=String(20), foreign_key="job.id")
    reservation_id: str | None = Field(sa_type=String(32), foreign_key="transfer.id", unique=True)
    user_id: int = Field(sa_type=BigInteger)
    guild_id: int | None = Field(sa_type=BigInteger)
    amount_credits: int
    reported_credits: int | None
    reserved_at: datetime = Field(sa_type=UtcDateTime)
    created_at: datetime = Field(sa_type=UtcDateTime)


class BalanceRow(SQLModel, table=True):
    __tablename__: ClassVar[str] = "balance"
    __table_args__ = (
        CheckConstraint("held_credits >= 0", name="held_credits"),
        CheckConstraint("used_credits >= 0", name="used_credits"),
    )

    scope: BalanceScope = Field(sa_type=build_choice(BalanceScope, "scope"), primary_key=True)
    owner_id: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    period: BalancePeriod = Field(sa_type=build_choice(BalancePeriod, "period"), primary_key=True)
    period_start: date = Field(primary_key=True)
    held_credits: int = Field(sa_type=BigInteger)
    used_credits: int = Field(sa_type=BigInteger)


TRANSFER: Table = metadata.tables["transfer"]
BALANCE: Table = metadata.tables["balance"]

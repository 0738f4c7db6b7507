"""The tables of what the whole fleet shares: the gate towards kvid, the turns of servers, and timers.

Owns their columns and constraints. `db.queries.gate`, `.line` and `.timers` are the only ones to touch them.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - SQLModel reads the annotations at run time
from typing import ClassVar

from sqlalchemy import BigInteger, CheckConstraint, String, Table
from sqlmodel import Field, SQLModel

from db.enums import AccountRefusal, Breaker
from db.models.base import UtcDateTime, build_choice, metadata


class KvidGateRow(SQLModel, table=True):
    """One row, id 1, made by the first that asks for it."""

    __tablename__: ClassVar[str] = "kvid_gate"
    __table_args__ = (
        CheckConstraint("id = 1", name="one_row"),
        CheckConstraint("window_jobs >= 1", name="window_jobs"),
    )

    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    window_jobs: float
    limits_in_a_row: int
    decreased_at: datetime | None = Field(sa_type=UtcDateTime)
    paused_until: datetime | None = Field(sa_type=UtcDateTime)
    breaker: Breaker = Field(sa_type=build_choice(Breaker, "breaker"))
    failures_in_a_row: int
    opened_at: datetime | None = Field(sa_type=UtcDateTime)
    probe_at: datetime | None = Field(sa_type=UtcDateTime)
    refused: AccountRefusal | None = Field(sa_type=build_choice(AccountRefusal, "refused"))
    refusals_in_a_row: int
    refused_since: datetime | None = Field(sa_type=UtcDateTime)
    refused_probe_at: datetime | None = Field(sa_type=UtcDateTime)


class ServerTurnRow(SQLModel, table=True):
    """A server (or a member in direct messages) that has jobs in line."""

    __tablename__: ClassVar[str] = "server_turn"
    __table_args__ = (CheckConstraint("deficit_credits >= 0", name="deficit_credits"),)

    flow_id: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    deficit_credits: int
    turn: int = Field(sa_type=BigInteger)


class TimerRow(SQLModel, table=True):
    __tablename__: ClassVar[str] = "timer"

    name: str = Field(sa_type=String(64), primary_key=True)
    due_at: datetime = Field(sa_type=UtcDateTime)


KVID_GATE: Table = metadata.tables["kvid_gate"]
SERVER_TURN: Table = metadata.tables["server_turn"]
TIMER: Table = metadata.tables["timer"]

"""The tables `job` and `job_event`: the truth about every request, and what happened to it.

Owns their columns, constraints and indexes. Stands under `db.queries.jobs`; rows never leave `db`.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - SQLModel reads the annotations at run time
from typing import ClassVar

from sqlalchemy import JSON, BigInteger, CheckConstraint, Index, String, Table, Text, text
from sqlmodel import Field, SQLModel

from db.enums import DeliveryMode, JobKind, JobState, Surface
from db.models.base import RowNumber, UtcDateTime, build_choice, metadata

# Words, not parameters, also in the queries: SQLite uses a partial index only where it reads its condition.
IN_LINE = "state = 'reserved' AND admitted_at IS NULL"
ADMITTED = "state = 'reserved' AND admitted_at IS NOT NULL"
# An event whose job's member is owed a word about its end.
NOTICE_IS_DUE = "name = 'notice.due'"


def _index_where(name: str, column: str | None, condition: str) -> Index:
    columns = ["number"] if column is None else [column, "number"]
    return Index(name, *columns, sqlite_where=text(condition), postgresql_where=text(condition))


class JobRow(SQLModel, table=True):
    __tablename__: ClassVar[str] = "job"
    __table_args__ = (
        CheckConstraint("epoch >= 0", name="epoch"),
        CheckConstraint("image_count >= 1", name="image_count"),
        CheckConstraint("reserved_credits >= 0", name="reserved_credits"),
        CheckConstraint("running_max >= 1", name="running_max"),
        CheckConstraint("used_credits IS NULL OR used_credits >= 0", name="used_credits"),
        Index(None, "state", "number"),
        Index(None, "user_id", "number"),
        Index(None, "message_id"),
        Index(None, "guild_id", "created_at"),
        _index_where("ix_job_waiting_in_server", "guild_id", f"{IN_LINE} AND guild_id IS NOT NULL"),
        _index_where("ix_job_waiting_direct", "user_id", f"{IN_LINE} AND guild_id IS NULL"),
        _index_where("ix_job_admitted", None, ADMITTED),
        {"sqlite_autoincrement": True},
    )

    number: int | None = Field(default=None, primary_key=True, sa_type=RowNumber)
    id: str = Field(sa_type=String(20), unique=True)
    request_id: int = Field(sa_type=BigInteger, unique=True)
    epoch: int
    state: JobState = Field(sa_type=build_choice(JobState, "state"))
    kind: JobKind = Field(sa_type=build_choice(JobKind, "kind"))
    surface: Surface = Field(sa_type=build_choice(Surface, "surface"))
    delivery: DeliveryMode = Field(sa_type=build_choice(DeliveryMode, "delivery"))
    user_id: int = Field(sa_type=BigInteger)
    guild_id: int | None = Field(sa_type=BigInteger)
    channel_id: int = Field(sa_type=BigInteger)
    locale: str = Field(sa_type=String(16))
    private: bool
    prompt: str = Field(sa_type=Text)
    negative_prompt: str | None = Field(sa_type=Text)
    aspect_ratio: str | None = Field(sa_type=String(16))
    width: int | None
    height: int | None
    image_count: int
    steps: int | None
    guidance: float | None
    seed: int = Field(sa_type=BigInteger)
    output_format: str = Field(sa_type=String(16))
    running_max: int
    source_url: str | None = Field(sa_type=Text)
    source_channel_id: int | None = Field(sa_type=BigInteger)
    source_message_id: int | None = Field(sa_type=BigInteger)
    source_attachment_id: int | None = Field(sa_type=BigInteger)
    parent_job_id: str | None = Field(sa_type=String(20))
    parent_image_index: int | None
    application_id: int | None = Field(sa_type=BigInteger)
    interaction_token: str | None = Field(sa_type=Text, repr=False)
    interaction_expires_at: datetime | None = Field(sa_type=UtcDateTime)
    request_message_id: int | None = Field(sa_type=BigInteger)
    card_message_id: int | None = Field(sa_type=BigInteger)
    reserved_credits: int
    used_credits: int | None
    kvid_job_id: str | None = Field(sa_type=Text)
    estimated_s: float | None
    results: list[dict[str, str | int]] = Field(sa_type=JSON)
    nonce: str = Field(sa_type=String(25))
    message_id: int | None = Field(sa_type=BigInteger)
    failure: str | None = Field(sa_type=String(64))
    failure_detail: str | None = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=UtcDateTime)
    updated_at: datetime = Field(sa_type=UtcDateTime)
    admitted_at: datetime | None = Field(sa_type=UtcDateTime)
    submitted_at: datetime | None = Field(sa_type=UtcDateTime)
    finished_at: datetime | None = Field(sa_type=UtcDateTime)
    hidden_at: datetime | None = Field(sa_type=UtcDateTime)


class JobEventRow(SQLModel, table=True):
    """Append-only: triggers of the migration refuse UPDATE and DELETE."""

    __tablename__: ClassVar[str] = "job_event"
    __table_args__ = (
        Index(
            "ix_job_event_notice_due",
            "at",
            sqlite_where=text(NOTICE_IS_DUE),
            postgresql_where=text(NOTICE_IS_DUE),
        ),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=RowNumber)
    job_id: str = Field(sa_type=String(20), foreign_key="job.id", index=True)
    at: datetime = Field(sa_type=UtcDateTime)
    name: str = Field(sa_type=String(64))
    state: JobState = Field(sa_type=build_choice(JobState, "state"))
    detail: dict[str, object] = Field(sa_type=JSON)


JOB: Table = metadata.tables["job"]
JOB_EVENT: Table = metadata.tables["job_event"]

"""The table `command_sync`: which command tree Discord was told last, per scope."""

from __future__ import annotations

from typing import ClassVar

from sqlalchemy import String, Table
from sqlmodel import Field, SQLModel

from db.models.base import metadata


class CommandSyncRow(SQLModel, table=True):
    __tablename__: ClassVar[str] = "command_sync"

    scope: str = Field(sa_type=String(64), primary_key=True)
    hash: str = Field(sa_type=String(64))


COMMAND_SYNC: Table = metadata.tables["command_sync"]

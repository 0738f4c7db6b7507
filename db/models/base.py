"""Column types that mean the same on SQLite and PostgreSQL, and the names constraints are given.

Owns types and the metadata. Must not know any table.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, DateTime, Dialect, Enum, Integer
from sqlalchemy.types import TypeDecorator
from sqlmodel import SQLModel

if TYPE_CHECKING:
    from collections.abc import Callable
    from enum import StrEnum

metadata = SQLModel.metadata
# Migrations drop constraints by name, so every database must have given them the same ones.
metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

# SQLite numbers rows only in a column declared INTEGER.
RowNumber = BigInteger().with_variant(Integer, "sqlite")


def read_utc(value: datetime | str) -> datetime:
    """A stored time as an aware UTC datetime, also from the text that SQLite keeps."""
    if isinstance(value, str):
        # The zone in the text spares a second datetime.
        return datetime.fromisoformat(value + "+00:00")
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def render_utc(value: datetime | None) -> str | None:
    """A time as SQLite stores it, so that texts compare as times do.

    Raises: ValueError for a naive datetime.
    """
    if value is None:
        return None
    # As SQLAlchemy writes it, without the zone, in a fifth of the time.
    return to_utc(value).isoformat(" ", "microseconds")[:-6]


def to_utc(value: datetime) -> datetime:
    """Raises: ValueError for a naive datetime."""
    if value.tzinfo is None:
        raise ValueError("a stored time must be aware")
    return value.astimezone(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime on both databases; SQLite alone would drop the zone.

    Raises: ValueError for a naive datetime.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        return None if value is None else to_utc(value)

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], object] | None:
        return render_utc if dialect.name == "sqlite" else super().bind_processor(dialect)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        return None if value is None else read_utc(value)


def build_choice(words: type[StrEnum], name: str) -> Enum:
    """Build the type of a column that stores one word of `words`, held to them by a CHECK."""
    return Enum(
        words,
        name=name,
        native_enum=False,
        length=16,
        create_constraint=True,
        values_callable=lambda members: [member.value for member in members],
    )

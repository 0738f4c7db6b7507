"""INSERT .. ON CONFLICT, built once for each dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Executable, Table

Insert: TypeAlias = postgresql.Insert | sqlite.Insert


def build_inserts(table: Table, finish: Callable[[Insert], Executable]) -> Mapping[str, Executable]:
    """Build the statement that `finish` makes of an INSERT, for each dialect's name."""
    return {
        "sqlite": finish(sqlite.insert(table)),
        "postgresql": finish(postgresql.insert(table)),
    }

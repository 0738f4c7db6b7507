"""INSERT .. ON CONFLICT in the dialect of the connection at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table


def build_insert(c: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    return postgresql.insert(table) if c.dialect.name == "postgresql" else sqlite.insert(table)

"""The ledger and the events cannot be rewritten, and nothing outside the word lists is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from tests.db.builders import store_reserved

if TYPE_CHECKING:
    from db.engine import Database


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE transfer SET amount_credits = 0",
        "DELETE FROM transfer",
        "UPDATE job_event SET name = 'job.other'",
        "DELETE FROM job_event",
    ],
)
async def test_a_written_line_stays_as_it_is(database: Database, statement: str) -> None:
    await database.transaction(store_reserved)
    with pytest.raises(DBAPIError, match="append-only"):
        await database.transaction(lambda c: c.execute(text(statement)))


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("table", ["transfer", "job_event"])
async def test_truncating_is_refused_too(database: Database, table: str) -> None:
    with pytest.raises(DBAPIError, match="append-only"):
        await database.transaction(lambda c: c.execute(text(f"TRUNCATE {table}")))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE job SET state = 'lost'",
        "UPDATE balance SET held_credits = -1",
        "UPDATE balance SET used_credits = -1",
        "UPDATE balance SET scope = 'planet'",
        "UPDATE balance SET period = 'year'",
    ],
)
async def test_the_tables_hold_only_what_has_a_meaning(database: Database, statement: str) -> None:
    await database.transaction(store_reserved)
    with pytest.raises(IntegrityError):
        await database.transaction(lambda c: c.execute(text(statement)))

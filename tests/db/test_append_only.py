"""The ledger, the events and the audit log cannot be rewritten; nothing outside the word lists is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from db.models import metadata
from tests.db.raw_rows import (
    GUILD,
    NOW,
    OTHER_GUILD,
    USER,
    insert_entry,
    insert_grant,
    insert_job,
    insert_row,
    insert_server,
    insert_transfer,
    list_rows,
    render_time,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from db.engine import Database

APPEND_ONLY = {
    "transfer": "amount_credits = 0",
    "transfer_part": "amount_credits = 1",
    "job_event": "name = 'job.other'",
    "audit_entry": "reason = 'none'",
}


@pytest.mark.parametrize("table", APPEND_ONLY)
async def test_a_written_line_stays_as_it_is(database: Database, table: str) -> None:
    await database.transaction(fill)
    before = await database.read(lambda c: list_rows(c, table))
    assert before
    for statement in (f"UPDATE {table} SET {APPEND_ONLY[table]}", f"DELETE FROM {table}"):  # noqa: S608 - constants
        with pytest.raises(DBAPIError, match="append-only"):
            await run(database, statement)
    assert await database.read(lambda c: list_rows(c, table)) == before


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("table", APPEND_ONLY)
async def test_sqlite_replaces_no_line_either(database: Database, table: str) -> None:
    """REPLACE deletes without a word to the triggers, unless they are told to look."""
    await database.transaction(fill)
    before = await database.read(lambda c: list_rows(c, table))
    with pytest.raises(DBAPIError, match="append-only"):
        await run(database, f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")  # noqa: S608 - constants
    assert await database.read(lambda c: list_rows(c, table)) == before


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("table", APPEND_ONLY)
async def test_truncating_is_refused_too(database: Database, table: str) -> None:
    with pytest.raises(DBAPIError, match="append-only"):
        await run(database, f"TRUNCATE {table} CASCADE")


async def test_audit_entries_go_only_when_the_bot_has_left_their_server(database: Database) -> None:
    def leave_one(c: Connection) -> None:
        for guild in (GUILD, OTHER_GUILD):
            insert_entry(c, guild)
            insert_server(c, guild)
        insert_entry(c, 0)
        c.execute(
            text("UPDATE server SET left_at = :at WHERE guild_id = :guild"),
            {"at": render_time(NOW), "guild": GUILD},
        )

    await database.transaction(leave_one)
    for others in ("", f" WHERE guild_id = {OTHER_GUILD}", " WHERE guild_id = 0"):
        with pytest.raises(DBAPIError, match="append-only"):
            await run(database, f"DELETE FROM audit_entry{others}")  # noqa: S608 - constants
    await run(database, f"DELETE FROM audit_entry WHERE guild_id = {GUILD}")  # noqa: S608 - a constant
    left = await database.read(lambda c: list_rows(c, "audit_entry"))
    assert {row["guild_id"] for row in left} == {OTHER_GUILD, 0}


async def test_audit_entries_of_a_server_that_was_left_cannot_be_changed_either(database: Database) -> None:
    def leave(c: Connection) -> None:
        insert_entry(c, GUILD)
        insert_server(c, GUILD, left_at=NOW)

    await database.transaction(leave)
    with pytest.raises(DBAPIError, match="append-only"):
        await run(database, "UPDATE audit_entry SET actor_id = 0")


async def test_the_number_of_a_deleted_audit_entry_is_not_given_again(database: Database) -> None:
    """The log channel is told what comes after the last number it was told."""

    def leave_and_return(c: Connection) -> None:
        insert_server(c, GUILD, left_at=NOW)
        insert_entry(c, GUILD)
        c.execute(text("DELETE FROM audit_entry"))
        insert_entry(c, GUILD)

    await database.transaction(leave_and_return)
    (row,) = await database.read(lambda c: list_rows(c, "audit_entry"))
    assert row["id"] == 2


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE job SET state = 'lost'",
        "UPDATE job SET running_max = 0",
        "UPDATE balance SET held_credits = -1",
        "UPDATE balance SET used_credits = -1",
        "UPDATE balance SET exempt_credits = -1",
        "UPDATE balance SET held_jobs = -1",
        "UPDATE balance SET scope = 'planet'",
        "UPDATE balance SET period = 'year'",
        "UPDATE credit_grant SET amount_credits = 0",
        "UPDATE credit_grant SET used_credits = -1",
        "UPDATE credit_grant SET used_credits = 21",
        "UPDATE credit_grant SET used_credits = 10, removed_credits = 11",
        "UPDATE membership SET cap_credits = -1",
        "UPDATE membership SET cap_period = NULL",
        "UPDATE membership SET cap_period = 'year'",
        "UPDATE server SET version = 0",
    ],
)
async def test_the_tables_hold_only_what_has_a_meaning(database: Database, statement: str) -> None:
    await database.transaction(fill)
    with pytest.raises(IntegrityError):
        await run(database, statement)


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "gift", "grant_id": "grant"},
        {"kind": "reserve"},
        {"kind": "reserve", "job_id": "job"},
        {"kind": "void", "job_id": "job", "reservation_id": "reserve"},
        {"kind": "settle", "job_id": "job", "reported_credits": 1},
        {"kind": "refund", "job_id": "job"},
        {"kind": "refund", "job_id": "job", "reservation_id": "reserve"},
        {"kind": "refund", "job_id": "job", "reservation_id": "settle", "granted_credits": 9},
        {"kind": "grant", "grant_id": "unknown"},
        {"kind": "grant", "grant_id": "grant", "source_id": "give"},
        {"kind": "expire"},
        {"kind": "correct", "grant_id": "grant", "amount_credits": -1},
        {"kind": "reset"},
        {"kind": "reset", "period": "year"},
        {"kind": "expire", "grant_id": "grant", "period": "day"},
    ],
    ids=lambda values: " ".join(str(value) for value in values.values()),
)
async def test_a_line_that_contradicts_itself_or_the_others_is_refused(
    database: Database, values: dict[str, str]
) -> None:
    await database.transaction(fill)
    kind, rest = values["kind"], {name: value for name, value in values.items() if name != "kind"}
    with pytest.raises(IntegrityError):
        await database.transaction(lambda c: insert_transfer(c, "wrong", kind, **rest))  # type: ignore[arg-type]


async def test_the_rows_of_these_tests_fill_every_table_of_the_ledger(database: Database) -> None:
    """An UPDATE that finds no row is refused by no check, and would prove nothing."""
    await database.transaction(fill)
    # How jobs reach kvid is no part of it.
    others = {"command_sync", "role_grant", "kvid_gate", "server_turn", "timer"}
    for table in set(metadata.tables) - others:
        assert await database.read(lambda c, name=table: list_rows(c, name)), table  # type: ignore[misc]


def fill(c: Connection) -> None:
    at = render_time(NOW)
    insert_job(c, "job", running_max=3)
    insert_row(c, "job_event", job_id="job", at=at, name="job.reserved", state="reserved", detail="{}")
    insert_grant(c, "grant", 20)
    insert_transfer(c, "granted", "grant", grant_id="grant", amount_credits=20)
    insert_transfer(c, "reserve", "reserve", job_id="job", granted_credits=2)
    insert_row(c, "transfer_part", transfer_id="reserve", grant_id="grant", position=0, amount_credits=2)
    charge = {"job_id": "job", "reservation_id": "reserve", "reported_credits": 8}
    insert_transfer(c, "settle", "settle", **charge)  # type: ignore[arg-type]
    insert_transfer(c, "refund", "refund", job_id="job", reservation_id="reserve")
    insert_transfer(c, "give", "give", grant_id="grant")
    insert_transfer(c, "given", "grant", grant_id="grant", source_id="give")
    insert_row(
        c,
        "balance",
        scope="membership",
        guild_id=GUILD,
        owner_id=USER,
        period="ever",
        period_start="1970-01-01",
        held_credits=8,
        used_credits=0,
        exempt_credits=2,
        held_jobs=1,
    )
    insert_server(c, GUILD)
    insert_row(c, "membership", guild_id=GUILD, user_id=USER, cap_credits=5, cap_period="week")
    insert_entry(c, GUILD)


async def run(database: Database, statement: str) -> None:
    await database.transaction(lambda c: c.execute(text(statement)))

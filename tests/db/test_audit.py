"""The audit finds what somebody changed behind the ledger's back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from bot.credits import audit, ledger
from bot.credits.values import Difference, DifferenceKind
from db.enums import OPEN, JobState
from db.queries import jobs
from tests.db.builders import GUILD, NOW, USER, store_reserved

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from db.engine import Database

DAY_SUBJECT = f"member {USER} day 2026-03-14"
# One reservation of 8 credits, as each balance counts it.
HONEST = {
    "held_credits": 8,
    "used_credits": 0,
    "exempt_credits": 0,
    "held_jobs": 1,
    "last_reserved_at": NOW.isoformat(),
}


async def tamper(database: Database, *statements: str) -> None:
    def work(c: Connection) -> None:
        for statement in statements:
            c.execute(text(statement))

    await database.transaction(work)


async def test_an_empty_ledger_and_an_honest_one_are_clean(database: Database) -> None:
    assert await database.read(audit.find_differences) == []
    await database.transaction(store_reserved)
    assert await database.read(audit.find_differences) == []


@pytest.mark.parametrize("column", ["held_credits", "used_credits"])
async def test_a_changed_balance_is_found_and_nothing_else_is(database: Database, column: str) -> None:
    await database.transaction(store_reserved)
    statement = "UPDATE balance SET {0} = {0} + 3 WHERE period = 'day' AND scope = 'member'"
    await tamper(database, statement.format(column))
    assert await database.read(audit.find_differences) == [
        Difference(
            kind=DifferenceKind.BALANCE_DIFFERS,
            subject=DAY_SUBJECT,
            expected=HONEST,
            found=HONEST | {column: {"held_credits": 11, "used_credits": 3}[column]},
        )
    ]


async def test_changes_that_cancel_out_over_two_periods_are_both_found(database: Database) -> None:
    await database.transaction(store_reserved)
    await tamper(
        database,
        "UPDATE balance SET held_credits = held_credits + 1 WHERE period = 'day' AND scope = 'member'",
        "UPDATE balance SET held_credits = held_credits - 1 WHERE period = 'ever' AND scope = 'server'",
    )
    subjects = [difference.subject for difference in await database.read(audit.find_differences)]
    assert subjects == [DAY_SUBJECT, f"server {GUILD} {GUILD} ever 1970-01-01"]


async def test_a_removed_balance_is_found(database: Database) -> None:
    await database.transaction(store_reserved)
    await tamper(database, "DELETE FROM balance WHERE scope = 'server' AND period = 'month'")
    (difference,) = await database.read(audit.find_differences)
    assert difference.kind is DifferenceKind.BALANCE_MISSING
    assert difference.subject == f"server {GUILD} {GUILD} month 2026-03-01"
    assert (difference.expected, difference.found) == (HONEST, {})


@pytest.mark.parametrize("used_credits", [0, 5])
async def test_a_balance_that_no_transfer_explains_is_found(database: Database, used_credits: int) -> None:
    statement = "INSERT INTO balance VALUES ('member', 0, 7, 'month', '2026-01-01', 0, {}, 0, 0, NULL)"
    await tamper(database, statement.format(used_credits))
    (difference,) = await database.read(audit.find_differences)
    assert difference.kind is DifferenceKind.BALANCE_WITHOUT_TRANSFERS
    assert difference.subject == "member 7 month 2026-01-01"
    assert difference.found == {
        "held_credits": 0,
        "used_credits": used_credits,
        "exempt_credits": 0,
        "held_jobs": 0,
        "last_reserved_at": None,
    }


async def test_a_negative_balance_is_found_even_where_a_check_was_removed(database: Database) -> None:
    await database.transaction(store_reserved)
    await remove_constraints(database, "balance")
    await tamper(database, "UPDATE balance SET held_credits = -1 WHERE period = 'day' AND scope = 'member'")
    kinds = [difference.kind for difference in await database.read(audit.find_differences)]
    assert kinds == [DifferenceKind.BALANCE_DIFFERS, DifferenceKind.BALANCE_NEGATIVE]


async def test_a_reservation_resolved_twice_is_found_even_where_the_key_was_removed(
    database: Database,
) -> None:
    job = await database.transaction(store_reserved)
    await database.transaction(lambda c: ledger.void(c, transfer_id="first", job_id=job.id, now=NOW))
    await remove_constraints(database, "transfer")
    await tamper(
        database,
        "CREATE TABLE copy AS SELECT * FROM transfer WHERE id = 'first'",
        "UPDATE copy SET id = 'second'",
        "INSERT INTO transfer SELECT * FROM copy",
    )
    found = {difference.kind: difference for difference in await database.read(audit.find_differences)}
    twice = found[DifferenceKind.RESERVATION_RESOLVED_TWICE]
    assert (twice.subject, twice.found) == (f"reserve-{job.id}", {"resolutions": 2})


async def test_an_ended_job_that_still_holds_credits_is_found_and_a_running_one_is_not(
    database: Database,
) -> None:
    forgotten, _running = await database.transaction(lambda c: [store_reserved(c), store_reserved(c)])
    await database.transaction(
        lambda c: jobs.advance_job(
            c, forgotten.id, from_states=OPEN, to=JobState.FAILED, now=NOW, event="job.failed"
        )
    )
    assert await database.read(audit.find_differences) == [
        Difference(
            kind=DifferenceKind.JOB_STILL_HOLDS,
            subject=forgotten.id,
            expected={"held_credits": 0},
            found={"held_credits": 8},
        )
    ]
    await database.transaction(lambda c: ledger.void(c, transfer_id="late", job_id=forgotten.id, now=NOW))
    assert await database.read(audit.find_differences) == []


async def remove_constraints(database: Database, table: str) -> None:
    """Rebuild a table from its rows alone, as a careless repair by hand would."""
    others = " CASCADE" if database.dialect == "postgresql" else ""
    await tamper(
        database,
        f"CREATE TABLE bare AS SELECT * FROM {table}",  # noqa: S608 - the test's own table names
        f"DROP TABLE {table}{others}",
        f"ALTER TABLE bare RENAME TO {table}",
    )

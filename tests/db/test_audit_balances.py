"""The audit proves every kept number of every balance, in a ledger that was honest before."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from db.enums import BalancePeriod, BalanceScope
from db.queries import audit, audit_lines
from db.queries.audit import UnequalBalance
from db.values import Balance, BalanceKey
from tests.db.honest import AT, KEYS, LOCAL_DATE, fill, insert_balance, tamper
from tests.db.raw_rows import GUILD, USER, insert_transfer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy import Connection

    from db.engine import Database

WEEK = Balance(
    key=BalanceKey(
        scope=BalanceScope.MEMBERSHIP,
        guild_id=GUILD,
        owner_id=USER,
        period=BalancePeriod.WEEK,
        period_start=date(2026, 3, 30),
    ),
    held_credits=8,
    used_credits=4,
    exempt_credits=6,
    held_jobs=1,
    last_reserved_at=AT,
)
IN_WEEK = "scope = 'membership' AND period = 'week'"
CHECKS: tuple[Callable[[Connection], Iterable[object]], ...] = (
    audit.list_unequal_balances,
    audit.list_negative_balances,
    audit_lines.list_unequal_grants,
    audit_lines.list_gifts_without_grant,
    audit_lines.list_unequal_parts,
    audit_lines.list_resolved_twice,
    audit_lines.list_unequal_refunds,
    audit_lines.list_ended_jobs_that_hold,
)


async def test_an_honest_ledger_is_clean(database: Database) -> None:
    await database.transaction(fill)
    for check in CHECKS:
        assert await database.read(check) == [], check


@pytest.mark.parametrize(
    ("column", "value", "found"),
    [
        ("held_credits", "9", 9),
        ("used_credits", "3", 3),
        ("exempt_credits", "2", 2),
        ("held_jobs", "0", 0),
        ("last_reserved_at", "NULL", None),
        ("last_reserved_at", "'2026-03-31 20:00:00.400000'", AT.replace(microsecond=400_000)),
    ],
)
async def test_each_kept_number_of_a_balance_is_proved(
    database: Database, column: str, value: str, found: object
) -> None:
    await database.transaction(fill)
    await tamper(database, f"UPDATE balance SET {column} = {value} WHERE {IN_WEEK}")  # noqa: S608 - constants
    changed: dict[str, Any] = {column: found}
    assert await database.read(audit.list_unequal_balances) == [
        UnequalBalance(key=WEEK.key, expected=WEEK, found=WEEK._replace(**changed))
    ]


@pytest.mark.parametrize("key", KEYS, ids=lambda key: f"{key[0]} {key[3]}")
async def test_every_balance_is_missed(database: Database, key: tuple[str, int, int, str, str]) -> None:
    await database.transaction(fill)
    await tamper(database, f"DELETE FROM balance WHERE scope = '{key[0]}' AND period = '{key[3]}'")  # noqa: S608 - constants
    (finding,) = await database.read(audit.list_unequal_balances)
    at = finding.key
    assert (at.scope, at.guild_id, at.owner_id, at.period, at.period_start.isoformat()) == key
    assert finding.expected is not None
    assert finding.found is None


async def test_a_balance_that_no_transfer_explains_is_found(database: Database) -> None:
    await database.transaction(fill)
    await database.transaction(
        lambda c: insert_balance(c, ("channel", GUILD, 7, "day", "2026-04-01"), held=0)
    )
    (finding,) = await database.read(audit.list_unequal_balances)
    assert (finding.key.owner_id, finding.expected) == (7, None)
    assert finding.found is not None


async def test_a_reset_of_another_period_forgives_nothing_in_this_one(database: Database) -> None:
    await database.transaction(fill)
    reset: dict[str, Any] = {"amount_credits": 2, "period": "day", "local_date": LOCAL_DATE}
    await database.transaction(lambda c: insert_transfer(c, "again", "reset", **reset))
    (finding,) = await database.read(audit.list_unequal_balances)
    assert finding.key.period is BalancePeriod.DAY
    assert finding.expected is not None
    assert finding.expected.exempt_credits == 4


@pytest.mark.parametrize("column", ["held_credits", "used_credits", "exempt_credits", "held_jobs"])
async def test_a_negative_number_is_found_even_where_a_check_was_removed(
    database: Database, column: str
) -> None:
    await database.transaction(fill)
    await tamper(
        database,
        "CREATE TABLE bare AS SELECT * FROM balance",
        "DROP TABLE balance",
        "ALTER TABLE bare RENAME TO balance",
        f"UPDATE balance SET {column} = -1 WHERE {IN_WEEK}",  # noqa: S608 - constants
    )
    changed: dict[str, Any] = {column: -1}
    assert await database.read(audit.list_negative_balances) == [WEEK._replace(**changed)]

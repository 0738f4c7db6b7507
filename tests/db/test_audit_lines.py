"""The audit finds lines of the ledger, and grants, that contradict each other."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from db.queries import audit_lines
from db.queries.audit_lines import GrantSums, UnequalGift, UnequalGrant, UnequalParts, UnequalRefund
from tests.db.honest import AT, LOCAL_DATE, fill, insert_line, insert_part, tamper
from tests.db.raw_rows import OTHER_USER, USER, insert_grant, insert_job, insert_transfer

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from db.engine import Database

GRANT = GrantSums(grants=1, amount_credits=20, held_credits=2, used_credits=0, removed_credits=7)
GIFT = UnequalGift(transfer_id="give", given_credits=5, grants=1, receivers_grants=1, granted_credits=5)
REFUND = UnequalRefund(
    reservation_id="r-kept",
    refunds=1,
    settled_credits=4,
    refunded_credits=4,
    settled_granted_credits=0,
    refunded_granted_credits=0,
)


@pytest.mark.parametrize(
    ("column", "value"),
    [("held_credits", 3), ("used_credits", 1), ("removed_credits", 6), ("amount_credits", 21)],
)
async def test_each_kept_number_of_a_grant_is_proved(database: Database, column: str, value: int) -> None:
    await database.transaction(fill)
    await tamper(database, f"UPDATE credit_grant SET {column} = {value} WHERE id = 'g1'")  # noqa: S608 - constants
    changed: dict[str, Any] = {column: value}
    assert await database.read(audit_lines.list_unequal_grants) == [
        UnequalGrant(grant_id="g1", expected=GRANT, found=replace(GRANT, **changed))
    ]


async def test_a_grant_that_no_transfer_made_or_two_did_is_found(database: Database) -> None:
    def work(c: Connection) -> None:
        fill(c)
        insert_grant(c, "unmade", 4)
        insert_transfer(c, "twice", "grant", grant_id="g1", amount_credits=0)

    await database.transaction(work)
    found = await database.read(audit_lines.list_unequal_grants)
    assert [(one.grant_id, one.expected.grants) for one in found] == [("g1", 2), ("unmade", 0)]
    assert (found[1].expected.amount_credits, found[1].found.amount_credits) == (0, 4)


async def test_an_overdrawn_grant_is_found_even_where_a_check_was_removed(database: Database) -> None:
    def work(c: Connection) -> None:
        fill(c)
        insert_transfer(c, "too-much", "correct", grant_id="g1", amount_credits=12)

    await database.transaction(work)
    await tamper(
        database,
        "CREATE TABLE bare AS SELECT * FROM credit_grant",
        "UPDATE bare SET removed_credits = 19 WHERE id = 'g1'",
        "ALTER TABLE credit_grant RENAME TO checked",
        "ALTER TABLE bare RENAME TO credit_grant",
    )
    (found,) = await database.read(audit_lines.list_unequal_grants)
    assert found.expected == found.found == replace(GRANT, removed_credits=19)
    assert found.found.left_credits == -1


async def test_a_gift_that_reached_nobody_is_found(database: Database) -> None:
    def work(c: Connection) -> None:
        fill(c)
        insert_transfer(c, "lost", "give", grant_id="g1", amount_credits=3, other_user_id=OTHER_USER)

    await database.transaction(work)
    lost = replace(GIFT, transfer_id="lost", given_credits=3, grants=0, receivers_grants=0, granted_credits=0)
    assert await database.read(audit_lines.list_gifts_without_grant) == [lost]


async def test_a_gift_that_reached_somebody_else_is_found(database: Database) -> None:
    await database.transaction(fill)
    await tamper(database, f"UPDATE credit_grant SET user_id = {USER} WHERE id = 'g2'")  # noqa: S608 - a constant
    assert await database.read(audit_lines.list_gifts_without_grant) == [replace(GIFT, receivers_grants=0)]


async def test_a_gift_that_grew_on_its_way_is_found_and_credits_from_no_gift_too(database: Database) -> None:
    def work(c: Connection) -> None:
        fill(c)
        given: dict[str, Any] = {"amount_credits": 3, "other_user_id": OTHER_USER}
        insert_transfer(c, "grown", "give", grant_id="g1", **given)
        insert_grant(c, "g3", 4, user_id=OTHER_USER)
        insert_transfer(c, "grant-3", "grant", grant_id="g3", amount_credits=4, source_id="grown")
        insert_grant(c, "g4", 9)
        insert_transfer(c, "grant-4", "grant", grant_id="g4", amount_credits=9, source_id="expire")

    await database.transaction(work)
    assert await database.read(audit_lines.list_gifts_without_grant) == [
        UnequalGift(
            transfer_id="expire", given_credits=None, grants=1, receivers_grants=0, granted_credits=9
        ),
        replace(GIFT, transfer_id="grown", given_credits=3, granted_credits=4),
    ]


async def test_a_gift_that_became_no_grant_but_another_line_is_found(database: Database) -> None:
    def work(c: Connection) -> None:
        fill(c)
        line: dict[str, Any] = {"amount_credits": 1, "other_user_id": OTHER_USER}
        insert_transfer(c, "turned", "give", grant_id="g1", **line)
        insert_transfer(c, "taken", "expire", grant_id="g2", amount_credits=1, source_id="turned")

    await database.transaction(work)
    turned = replace(GIFT, transfer_id="turned", given_credits=1, receivers_grants=0, granted_credits=1)
    assert await database.read(audit_lines.list_gifts_without_grant) == [turned]


async def test_parts_that_do_not_add_up_are_found(database: Database) -> None:
    def work(c: Connection) -> None:
        fill(c)
        insert_part(c, "v-void", 1)
        insert_job(c, "partless", running_max=3)
        insert_transfer(c, "r-partless", "reserve", job_id="partless", granted_credits=2)

    await database.transaction(work)
    assert await database.read(audit_lines.list_unequal_parts) == [
        UnequalParts(transfer_id="r-partless", granted_credits=2, parts_credits=0),
        UnequalParts(transfer_id="v-void", granted_credits=0, parts_credits=1),
    ]


async def test_a_reservation_resolved_twice_is_found_even_where_the_key_was_removed(
    database: Database,
) -> None:
    await database.transaction(fill)
    await tamper(database, "DROP INDEX uq_transfer_one_resolution")
    again: dict[str, Any] = {"at": AT, "job_id": "kept", "reservation_id": "r-kept", "local_date": LOCAL_DATE}
    await database.transaction(lambda c: insert_transfer(c, "again", "void", **again))
    assert await database.read(audit_lines.list_resolved_twice) == [("r-kept", 2)]


@pytest.mark.parametrize(
    ("job", "amount", "expected"),
    [
        ("kept", 3, replace(REFUND, refunded_credits=3)),
        ("void", 4, replace(REFUND, reservation_id="r-void", settled_credits=None)),
        (
            "refunded",
            6,
            replace(
                REFUND,
                reservation_id="r-refunded",
                refunds=2,
                settled_credits=6,
                refunded_credits=12,
                settled_granted_credits=1,
                refunded_granted_credits=1,
            ),
        ),
    ],
    ids=["another amount", "nothing charged", "twice"],
)
async def test_a_refund_that_is_not_the_charge_is_found(
    database: Database, job: str, amount: int, expected: UnequalRefund
) -> None:
    await database.transaction(fill)
    await tamper(database, "DROP INDEX uq_transfer_one_refund")
    refund: dict[str, Any] = {"at": AT, "job_id": job, "reservation_id": f"r-{job}", "amount_credits": amount}
    await database.transaction(lambda c: insert_transfer(c, "wrong", "refund", **refund))
    assert await database.read(audit_lines.list_unequal_refunds) == [expected]


async def test_a_refund_that_keeps_the_grants_part_is_found(database: Database) -> None:
    def work(c: Connection) -> None:
        fill(c)
        insert_line(c, "s-open", "settle", "open", amount_credits=5, granted_credits=2, reported_credits=5)
        insert_line(c, "f-open", "refund", "open", amount_credits=5)

    await database.transaction(work)
    (found,) = await database.read(audit_lines.list_unequal_refunds)
    assert (found.reservation_id, found.settled_credits, found.refunded_credits) == ("r-open", 5, 5)
    assert (found.settled_granted_credits, found.refunded_granted_credits) == (2, 0)


async def test_an_ended_job_that_still_holds_is_found(database: Database) -> None:
    await database.transaction(fill)
    await tamper(database, "UPDATE job SET state = 'failed'")
    assert await database.read(audit_lines.list_ended_jobs_that_hold) == [("open", 8)]

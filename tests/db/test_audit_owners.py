"""The audit finds credits that changed hands without a line of the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bot.credits import audit
from bot.credits.values import DifferenceKind
from db.queries import audit_owners
from db.queries.audit_owners import ExceedingPart, OtherOwner
from tests.db.honest import fill, insert_line, insert_part, tamper
from tests.db.raw_rows import (
    GUILD,
    NOW,
    OTHER_GUILD,
    OTHER_USER,
    USER,
    insert_grant,
    insert_job,
    insert_role_grant,
    insert_transfer,
    render_time,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from db.engine import Database

LINES_OF_G1 = {"expire", "f-refunded", "give", "grant-1", "r-open", "r-refunded", "s-refunded"}


async def test_an_honest_ledger_has_no_such_finding(database: Database) -> None:
    await database.transaction(fill)
    assert await database.read(audit.find_differences) == []


@pytest.mark.parametrize(("column", "value"), [("user_id", OTHER_USER), ("guild_id", OTHER_GUILD)])
async def test_a_grant_in_other_hands_is_found_by_each_of_its_lines_and_parts(
    database: Database, column: str, value: int
) -> None:
    await database.transaction(fill)
    await tamper(database, f"UPDATE credit_grant SET {column} = {value} WHERE id = 'g1'")  # noqa: S608 - constants
    found = await database.read(audit_owners.list_other_owners)
    assert {one.transfer_id for one in found} == LINES_OF_G1
    owner: dict[str, Any] = {"grant_user_id": USER, "grant_guild_id": GUILD} | {f"grant_{column}": value}
    assert found[0] == OtherOwner(transfer_id="expire", grant_id="g1", user_id=USER, guild_id=GUILD, **owner)
    kinds = {one.kind for one in await database.read(audit.find_differences)}
    assert kinds == {DifferenceKind.GRANT_OF_ANOTHER}


async def test_a_picture_in_direct_messages_that_a_servers_grant_paid_is_found(database: Database) -> None:
    def work(c: Connection) -> None:
        fill(c)
        insert_job(c, "direct", running_max=3, guild=None)
        insert_line(c, "r-direct", "reserve", "direct", guild_id=None, channel_id=None, granted_credits=1)
        insert_part(c, "r-direct", 1)

    await database.transaction(work)
    assert [one.transfer_id for one in await database.read(audit_owners.list_other_owners)] == ["r-direct"]


@pytest.mark.parametrize(
    ("column", "value"), [("amount_credits", 6), ("guild_id", OTHER_GUILD), ("expires_at", render_time(NOW))]
)
async def test_a_share_that_is_not_what_the_role_was_offered_is_found(
    database: Database, column: str, value: object
) -> None:
    def work(c: Connection) -> None:
        insert_role_grant(c, "everyone")
        for share, changed in (("honest", {}), ("other", {column: value})):
            row: dict[str, Any] = {"user_id": USER if share == "honest" else OTHER_USER, "guild_id": GUILD}
            amount = changed.get("amount_credits", 5)
            row |= {name: one for name, one in changed.items() if name != "amount_credits"}
            insert_grant(c, share, int(str(amount)), role_grant_id="everyone", **row)
            line = {"user_id": row["user_id"], "guild_id": row["guild_id"], "amount_credits": amount}
            insert_transfer(c, f"of-{share}", "grant", grant_id=share, **line)

    await database.transaction(work)
    (found,) = await database.read(audit_owners.list_unequal_shares)
    assert (found.grant_id, found.offered_credits, found.offered_guild_id) == ("other", 5, GUILD)
    assert [one.kind for one in await database.read(audit.find_differences)] == [DifferenceKind.SHARE_DIFFERS]


async def test_a_settle_beyond_what_was_held_of_a_grant_and_a_refund_beyond_the_settle_are_found(
    database: Database,
) -> None:
    def work(c: Connection) -> None:
        fill(c)
        insert_line(c, "s-open", "settle", "open", amount_credits=8, granted_credits=3, reported_credits=8)
        insert_part(c, "s-open", 3)
        insert_line(c, "f-open", "refund", "open", amount_credits=8, granted_credits=4)
        insert_part(c, "f-open", 4)
        insert_line(c, "f-kept", "refund", "kept", amount_credits=4, granted_credits=1)
        insert_part(c, "f-kept", 1)

    await database.transaction(work)
    assert await database.read(audit_owners.list_exceeding_parts) == [
        ExceedingPart(transfer_id="f-kept", grant_id="g1", earlier_credits=0, credits=1),
        ExceedingPart(transfer_id="f-open", grant_id="g1", earlier_credits=3, credits=4),
        ExceedingPart(transfer_id="s-open", grant_id="g1", earlier_credits=2, credits=3),
    ]
    found = [one for one in await database.read(audit.find_differences) if one.kind == "part.exceeds"]
    assert [one.subject for one in found] == ["f-kept of g1", "f-open of g1", "s-open of g1"]


@pytest.mark.parametrize(
    ("job", "ended", "honest", "said"),
    [
        # A charge without a picture, whichever way the job went wrong.
        *(
            ("kept", state, "delivered", "delivered")
            for state in ("failed", "refused", "unknown", "undeliverable", "cancelled")
        ),
        ("void", "delivered", "cancelled", "ended without a picture"),
    ],
)
async def test_a_job_that_was_not_charged_as_it_ended_is_found(
    database: Database, job: str, ended: str, honest: str, said: str
) -> None:
    end = "UPDATE job SET state = '{0}', finished_at = created_at WHERE id = '{1}'"
    await database.transaction(fill)
    await tamper(database, end.format(honest, job))
    assert await database.read(audit.find_differences) == []
    await tamper(database, end.format(ended, job))
    (found,) = await database.read(audit.find_differences)
    assert (found.kind, found.subject) == (DifferenceKind.JOB_ENDED_OTHERWISE, job)
    assert (found.expected, found.found) == ({"state": said}, {"state": ended})

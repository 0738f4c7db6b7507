"""Offers to roles, on a real database: however many there are, a member gets theirs and is never locked out."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete

from bot.caps.acts import ATTEMPTS_MAX
from bot.caps.values import Asker, Cap
from bot.credits import audit, grants
from bot.credits.values import Outrun
from bot.errors import AppError
from db.enums import AuditAction
from db.models import SERVER
from db.queries import grants as grant_queries
from db.queries import servers as server_queries
from db.queries.decisions import OFFERS_MAX
from db.values import RoleGrant
from tests.service.doubles import PRICE
from tests.service.world import CHANNEL, GUILD, MEMBER, World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import Connection

    from bot.caps.rules import Question
    from db.engine import Database

MODERATOR, ROLE, OTHER_ROLE = 10**18 + 90, 10**18 + 100, 10**18 + 101


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    """Nobody has an allowance; after each test the books agree."""
    made = World(database)
    await made.caps.policies.change(
        GUILD, MODERATOR, lambda policy: replace(policy, member_cap=Cap(credits=0)), subject="test"
    )
    yield made
    assert await database.read(audit.find_differences) == []


def asker(*roles: int, user_id: int = MEMBER) -> Asker:
    return Asker(user_id=user_id, guild_id=GUILD, channel_id=CHANNEL, role_ids=frozenset(roles))


async def store_offers(world: World, count: int, role_id: int, amount: int = 1) -> None:
    """Offers that were made one after the other, more than moderators may have open."""

    def work(c: Connection) -> None:
        for number in range(count):
            at = world.clock.now() + timedelta(milliseconds=number)
            offer = RoleGrant(
                id=f"{role_id}-{number}",
                guild_id=GUILD,
                role_id=role_id,
                amount_credits=amount,
                granted_by=MODERATOR,
                reason="",
                created_at=at,
                open_until=at + timedelta(days=30),
            )
            grant_queries.insert_role_grant(c, offer)

    await world.database.transaction(work)


async def left_of(world: World, user_id: int = MEMBER) -> int:
    now = world.clock.now()
    found = await world.database.read(lambda c: grants.list_spendable(c, GUILD, user_id, now))
    return sum(one.left_credits for one in found)


async def test_offers_to_other_roles_hide_none_to_ones_own(world: World) -> None:
    await store_offers(world, 60, OTHER_ROLE)
    world.clock.elapsed_s += 1
    await store_offers(world, 1, ROLE, 3 * PRICE)
    seen = await world.caps.histories.find_member(GUILD, MEMBER, frozenset({ROLE}))
    assert [one.role_id for one in seen.offers] == [ROLE]
    await world.accept(asker=asker(ROLE, 7))
    assert await left_of(world) == 2 * PRICE


async def test_a_member_of_many_offers_is_never_locked_out(world: World) -> None:
    await store_offers(world, 160, ROLE)
    world.clock.elapsed_s += 1
    for _ in range(2):
        await world.accept(asker=asker(ROLE))
    assert await left_of(world) == 2 * OFFERS_MAX - 2 * PRICE


async def offer(world: World) -> RoleGrant:
    return await world.caps.grants.grant_role(GUILD, MODERATOR, ROLE, 1, reason="one more")


async def test_of_many_offers_at_once_as_many_pass_as_may_be_open(world: World) -> None:
    """One that ends makes room for another."""
    await store_offers(world, OFFERS_MAX - 3, OTHER_ROLE)
    answers = await asyncio.gather(*(offer(world) for _ in range(8)), return_exceptions=True)
    refused = [one for one in answers if isinstance(one, AppError)]
    made = [one for one in answers if isinstance(one, RoleGrant)]
    assert (len(made), len(refused)) == (3, 5)
    assert {one.key for one in refused} == {"moderate.offers_full"}
    ends = int((world.clock.now() + timedelta(days=30)).timestamp())
    assert refused[0].params == {"most": OFFERS_MAX, "ends": ends}
    await world.caps.grants.close_offer(GUILD, MODERATOR, made[0].id)
    await offer(world)
    entries = await world.database.read(lambda c: server_queries.list_entries(c, GUILD, limit=50))
    assert [one.action for one in entries].count(AuditAction.ROLE_GRANT) == 5


async def test_the_first_offers_in_a_server_that_nobody_has_set_up_are_counted_too(world: World) -> None:
    await world.database.transaction(lambda c: c.execute(delete(SERVER)))
    await store_offers(world, OFFERS_MAX - 1, OTHER_ROLE)
    answers = await asyncio.gather(*(offer(world) for _ in range(2)), return_exceptions=True)
    assert sum(isinstance(one, RoleGrant) for one in answers) == 1


async def test_a_card_that_is_outrun_each_time_asks_to_try_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    def ask(*_: object, **__: object) -> Question:
        nonlocal asked
        asked += 1
        raise Outrun

    monkeypatch.setattr(world.caps.admission, "ask", ask)
    with pytest.raises(AppError, match=r"error\.try_again"):
        await world.caps.reports.report_usage(asker(ROLE))
    assert asked == ATTEMPTS_MAX

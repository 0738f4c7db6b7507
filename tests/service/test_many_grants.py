"""Members with very many separate grants, on a real database: every credit counts, and there is an end to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bot.caps.operator import Operator
from bot.caps.values import Asker, Cap, OperatorLimits
from bot.credits import audit, grants
from bot.credits.grants import GRANTS_MAX
from bot.errors import AppError
from bot.ids import new_transfer_id
from db.queries import grants as grant_queries
from db.values import CreditGrant
from tests.service.doubles import PRICE
from tests.service.world import CHANNEL, GUILD, MEMBER, World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from sqlalchemy import Connection

    from db.engine import Database

MODERATOR, FRIEND, ROLE = 10**18 + 90, 10**18 + 92, 10**18 + 100


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    """Nobody has an allowance; after each test the books agree."""
    made = World(database)
    await made.caps.policies.change(
        GUILD,
        MODERATOR,
        lambda policy: replace(policy, member_cap=Cap(credits=0), gifts_allowed=True),
        subject="test",
    )
    yield made
    assert await database.read(audit.find_differences) == []


def asker(user_id: int = MEMBER, *roles: int) -> Asker:
    return Asker(user_id=user_id, guild_id=GUILD, channel_id=CHANNEL, role_ids=frozenset(roles))


async def store_grants(
    world: World, count: int, expires_at: datetime | None = None, user_id: int = MEMBER
) -> None:
    """Grants of one credit each, however many."""

    def work(c: Connection) -> None:
        for _ in range(count):
            made = CreditGrant(
                id=new_transfer_id(),
                guild_id=GUILD,
                user_id=user_id,
                amount_credits=1,
                granted_by=MODERATOR,
                reason="",
                expires_at=expires_at,
                created_at=world.clock.now(),
            )
            grants.grant(c, made, transfer_id=new_transfer_id())

    await world.database.transaction(work)


async def left_of(world: World, user_id: int = MEMBER) -> int:
    now = world.clock.now()
    return await world.database.read(lambda c: grant_queries.sum_spendable(c, GUILD, user_id, now))


async def grant(world: World, amount: int = 1) -> CreditGrant:
    return await world.caps.grants.grant(GUILD, MODERATOR, MEMBER, amount, reason="for fun")


async def test_every_grant_counts_however_many_there_are(world: World) -> None:
    await store_grants(world, GRANTS_MAX + 30)
    assert await world.caps.grants.correct(GUILD, MODERATOR, MEMBER, GRANTS_MAX + 10, reason="much") == 20
    with pytest.raises(AppError) as refused:
        await world.caps.grants.correct(GUILD, MODERATOR, MEMBER, 21, reason="more")
    assert refused.value.params == {"left": 20}
    assert await world.caps.gifts.give(asker(), FRIEND, 15, request_id=1) == 5
    assert await left_of(world, FRIEND) == 15


async def test_ended_grants_that_nobody_swept_yet_hide_none(world: World) -> None:
    await store_grants(world, GRANTS_MAX, world.clock.now() + timedelta(days=1))
    world.clock.elapsed_s += 2 * 86_400
    await grant(world, 30)
    assert await world.caps.gifts.give(asker(), FRIEND, 10, request_id=1) == 20
    operator = Operator(world.database, world.clock, world.caps.policies, OperatorLimits())
    shown = await operator.show_member(GUILD, MEMBER)
    assert shown is not None
    assert [one.left_credits for one in shown.grants] == [20]
    assert await world.caps.grants.correct(GUILD, MODERATOR, MEMBER, 20, reason="all") == 0


async def test_more_separate_grants_than_are_kept_are_refused(world: World) -> None:
    await store_grants(world, GRANTS_MAX - 1)
    await grant(world)
    await store_grants(world, 2, user_id=FRIEND)
    for act in (grant(world), world.caps.gifts.give(asker(FRIEND), MEMBER, 1, request_id=1)):
        with pytest.raises(AppError) as refused:
            await act
        assert (refused.value.key, refused.value.params) == ("grant.too_many", {"most": GRANTS_MAX})
    assert (await left_of(world), await left_of(world, FRIEND)) == (GRANTS_MAX, 2)
    await world.caps.grants.correct(GUILD, MODERATOR, MEMBER, 1, reason="room")
    with pytest.raises(AppError, match=r"grant\.too_many"):
        await world.caps.gifts.give(asker(FRIEND), MEMBER, 2, request_id=2)
    await world.caps.gifts.give(asker(FRIEND), MEMBER, 1, request_id=3)


async def test_an_offer_waits_for_a_member_with_too_many_grants(world: World) -> None:
    await store_grants(world, GRANTS_MAX)
    await world.caps.grants.grant_role(GUILD, MODERATOR, ROLE, 7, reason="theirs")
    await world.accept(asker=asker(MEMBER, ROLE))
    assert await left_of(world) == GRANTS_MAX - PRICE
    await world.accept(asker=asker(MEMBER, ROLE))
    assert await left_of(world) == GRANTS_MAX - 2 * PRICE + 7

"""Offers to roles, on a real database: however many there are, a member gets theirs and is never locked out."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bot.caps.values import Asker, Cap
from bot.credits import audit, grants
from db.queries import grants as grant_queries
from db.values import RoleGrant
from tests.service.world import CHANNEL, GUILD, MEMBER, PRICE, World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import Connection

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
    await world.caps.grants.grant_role(GUILD, MODERATOR, ROLE, 3 * PRICE, reason="theirs")
    seen = await world.caps.histories.find_member(GUILD, MEMBER, frozenset({ROLE}))
    assert [one.role_id for one in seen.offers] == [ROLE]
    await world.accept(asker=asker(ROLE, 7))
    assert await left_of(world) == 2 * PRICE

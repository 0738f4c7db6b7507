"""What moderators see of a member's past, on a real database: their own server's alone, and looking changes nothing."""

from __future__ import annotations

import pytest

from bot.caps.values import Asker, Cap, CapOf
from bot.errors import NotEnoughCredits
from db.enums import AuditAction, BalancePeriod, JobState
from db.queries import grants as grant_queries
from tests.service.doubles import PRICE
from tests.service.moderation_parts import (
    DAY_S,
    FRIEND,
    MODERATOR,
    OTHER_GUILD,
    ROLE,
    history,
    pass_s,
    set_policy,
    world,
)
from tests.service.world import GUILD, MEMBER, World, deliver

__all__ = ["world"]


async def test_a_history_says_where_the_cap_comes_from_and_what_became_of_pictures(world: World) -> None:
    await set_policy(
        world,
        member_cap=Cap(credits=2 * PRICE),
        role_caps=(CapOf(id=ROLE, cap=Cap(credits=9 * PRICE, period=BalancePeriod.WEEK)),),
    )
    first = await deliver(world)
    await world.caps.pictures.refund(GUILD, MODERATOR, first.id, "sorry")
    second = await deliver(world)
    waiting = await world.accept()
    with pytest.raises(NotEnoughCredits):
        await world.accept()
    await world.accept(guild_id=None)
    await world.accept(asker=Asker(user_id=MEMBER, guild_id=OTHER_GUILD, channel_id=5))
    seen = await history(world)
    assert (seen.allowance.cap.credits, seen.allowance.own, seen.allowance.role_id) == (
        2 * PRICE,
        False,
        None,
    )
    assert seen.allowance.left_credits == 0
    assert (seen.usage.today_credits, seen.usage.held_credits) == (PRICE, PRICE)
    assert [one.job.state for one in seen.pictures] == [
        JobState.REFUSED,
        JobState.RESERVED,
        JobState.DELIVERED,
        JobState.DELIVERED,
    ], "this server's alone, newest first"
    assert [one.job.id for one in seen.pictures[1:]] == [waiting.id, second.id, first.id]
    assert [one.refunded for one in seen.pictures] == [False, False, False, True]
    assert [one.action for one in seen.acts] == [AuditAction.REFUND]
    with_role = await history(world, MEMBER, ROLE)
    assert (with_role.allowance.role_id, with_role.allowance.cap.period) == (ROLE, BalancePeriod.WEEK)
    assert (await history(world, FRIEND)).pictures == ()


async def test_looking_back_takes_nothing_for_the_member(world: World) -> None:
    """An offer stays an offer until they ask for something themselves."""
    await world.caps.grants.grant_role(GUILD, MODERATOR, ROLE, 6, reason="comeback")
    for _ in range(2):
        seen = await history(world, MEMBER, ROLE)
        assert [one.amount_credits for one in seen.offers] == [6]
        assert seen.granted_credits == 0
    assert (await history(world, MEMBER)).offers == ()
    assert await world.database.read(lambda c: grant_queries.list_grants(c, GUILD, MEMBER, 10)) == []


async def test_blocks_and_passes_of_the_past_are_none(world: World) -> None:
    await world.caps.members.block(GUILD, MODERATOR, MEMBER, for_s=60)
    await world.caps.members.let_pass(GUILD, MODERATOR, MEMBER)
    assert (await history(world)).blocked_until
    assert (await history(world)).has_pass
    pass_s(world, 60)
    assert (await history(world)).blocked_until is None
    pass_s(world, DAY_S)
    assert not (await history(world)).has_pass

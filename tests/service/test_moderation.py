"""What moderators do about a member, on a real database: blocks end in time, passes count once, caps are theirs."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bot.caps.values import Cap, CapOf
from bot.errors import AppError, NotEnoughCredits, Refused
from bot.safety.words import WordAction, WordList
from db.enums import BalancePeriod
from db.values import FOREVER
from tests.service.doubles import PRICE
from tests.service.moderation_parts import (
    DAY_S,
    FRIEND,
    HOUR_S,
    MODERATOR,
    ROLE,
    asker,
    entries,
    history,
    pass_s,
    set_policy,
    world,
)
from tests.service.world import GUILD, MEMBER, World, deliver

__all__ = ["world"]


@pytest.mark.parametrize("for_s", [HOUR_S, DAY_S])
async def test_a_block_ends_by_itself_to_the_second(world: World, for_s: int) -> None:
    until = await world.caps.members.block(GUILD, MODERATOR, MEMBER, for_s=for_s)
    assert until == world.clock.now() + timedelta(seconds=for_s)
    pass_s(world, for_s - 1)
    with pytest.raises(Refused) as refused:
        await world.accept()
    assert (refused.value.key, refused.value.params["until"]) == ("failure.blocked", int(until.timestamp()))
    pass_s(world, 1)
    await world.accept()
    assert await world.caps.members.unblock(GUILD, MODERATOR, MEMBER) is False


async def test_a_block_for_good_ends_only_by_hand(world: World) -> None:
    assert await world.caps.members.block(GUILD, MODERATOR, MEMBER, for_s=None) == FOREVER
    pass_s(world, 300 * DAY_S)
    with pytest.raises(Refused, match="blocked_for_good"):
        await world.accept()
    await world.accept(user_id=FRIEND)
    await world.accept(guild_id=None)
    assert await world.caps.members.unblock(GUILD, MODERATOR, MEMBER)
    await world.accept()


async def test_a_shorter_block_never_takes_the_place_of_a_longer_one(world: World) -> None:
    members = world.caps.members
    await members.block(GUILD, MODERATOR, MEMBER, for_s=86_400, reason="spam")
    for longest in ("blocked_longer", "blocked_for_good"):
        with pytest.raises(AppError, match=longest):
            await members.block(GUILD, MODERATOR, MEMBER, for_s=3_600)
        seen = (await world.caps.histories.find_member(GUILD, MEMBER, frozenset())).membership
        assert seen is not None
        assert seen.block_reason == "spam", "the refused one left everything as it was"
        await members.block(GUILD, MODERATOR, MEMBER, for_s=None, reason="spam")
    await members.unblock(GUILD, MODERATOR, MEMBER)
    await members.block(GUILD, MODERATOR, MEMBER, for_s=3_600)


async def test_a_pass_lets_one_picture_through_and_expires_after_a_day(world: World) -> None:
    words = WordList(name="no", action=WordAction.REFUSE, words=("banned",))
    await set_policy(world, word_lists=(words,))
    await world.caps.members.let_pass(GUILD, MODERATOR, MEMBER)
    assert (await world.accept("a banned thing")).prompt == "a banned thing"
    with pytest.raises(Refused, match="words"):
        await world.accept("a banned thing")
    await world.caps.members.let_pass(GUILD, MODERATOR, MEMBER)
    pass_s(world, DAY_S)
    with pytest.raises(Refused, match="words"):
        await world.accept("a banned thing")


async def test_one_pass_is_used_once_by_many_at_once(world: World) -> None:
    words = WordList(name="no", action=WordAction.REFUSE, words=("banned",))
    await set_policy(world, word_lists=(words,))
    await world.caps.members.let_pass(GUILD, MODERATOR, MEMBER)
    tried = [world.accept("a banned thing") for _ in range(6)]
    answers = await asyncio.gather(*tried, return_exceptions=True)
    assert sum(isinstance(one, Refused) for one in answers) == 5


async def test_an_own_cap_goes_before_roles_and_can_be_taken_away(world: World) -> None:
    await set_policy(world, member_cap=Cap(credits=0), role_caps=(CapOf(id=ROLE, cap=Cap(credits=PRICE)),))
    await world.accept(asker=asker(MEMBER, ROLE))
    own = Cap(credits=2 * PRICE, period=BalancePeriod.WEEK)
    await world.caps.members.set_member_cap(GUILD, MODERATOR, MEMBER, own)
    await world.accept(asker=asker(MEMBER, ROLE))
    with pytest.raises(NotEnoughCredits, match="cap_week"):
        await world.accept(asker=asker(MEMBER, ROLE))
    await world.caps.members.set_member_cap(GUILD, MODERATOR, MEMBER, Cap(credits=None))
    await world.accept(asker=asker(MEMBER, ROLE))
    await world.caps.members.set_member_cap(GUILD, MODERATOR, MEMBER, None)
    with pytest.raises(NotEnoughCredits, match="cap_day"):
        await world.accept(asker=asker(MEMBER, ROLE))


async def test_a_fresh_start_forgives_what_was_used_and_not_what_is_held(world: World) -> None:
    await set_policy(world, member_cap=Cap(credits=3 * PRICE))
    await deliver(world)
    await world.accept()
    assert (await history(world)).forgivable_credits == PRICE
    assert await world.caps.members.reset(GUILD, MODERATOR, MEMBER, ()) == PRICE
    assert (await history(world)).allowance.left_credits == 2 * PRICE
    assert (await history(world)).forgivable_credits == 0
    assert await world.caps.members.reset(GUILD, MODERATOR, MEMBER, ()) == 0
    assert len(await entries(world)) == 1


async def test_without_a_cap_there_is_nothing_to_start_over(world: World) -> None:
    await deliver(world)
    with pytest.raises(AppError, match=r"moderate\.no_cap"):
        await world.caps.members.reset(GUILD, MODERATOR, MEMBER, ())
    assert (await history(world)).forgivable_credits == 0

"""Grants, offers and gifts, on a real database: given once, never more than there is, with their own expiry."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from bot.caps.values import Cap
from bot.credits import grants
from bot.errors import AppError, NotEnoughCredits
from bot.ids import new_transfer_id
from db.enums import AuditAction
from tests.service.doubles import PRICE
from tests.service.moderation_parts import (
    DAY_S,
    FRIEND,
    HOUR_S,
    MODERATOR,
    OTHER_GUILD,
    ROLE,
    SECOND_MODERATOR,
    asker,
    entries,
    grant,
    left_of,
    pass_s,
    set_policy,
    world,
)
from tests.service.world import GUILD, MEMBER, World, deliver

__all__ = ["world"]


# --- grants ---


async def test_an_offer_to_a_role_is_taken_once_by_two_requests_at_once(world: World) -> None:
    """And by each holder once, before the next decision, with the offer's own expiry."""
    await set_policy(world, member_cap=Cap(credits=0))
    ends = world.clock.now() + timedelta(days=60)
    await world.caps.grants.grant_role(GUILD, MODERATOR, ROLE, 3 * PRICE, reason="comeback", expires_at=ends)
    with pytest.raises(NotEnoughCredits):
        await world.accept(asker=asker(FRIEND))
    await asyncio.gather(*(world.accept(asker=asker(MEMBER, ROLE)) for _ in range(2)))
    assert await left_of(world) == [(PRICE, ends)]
    await world.accept(asker=asker(FRIEND, ROLE))
    assert await left_of(world, FRIEND) == [(2 * PRICE, ends)]


async def test_an_offer_ends_after_a_month_with_its_expiry_or_by_hand(world: World) -> None:
    members = world.caps.grants
    await members.grant_role(GUILD, MODERATOR, ROLE, 1, reason="a month")
    soon = world.clock.now() + timedelta(days=1)
    await members.grant_role(GUILD, MODERATOR, ROLE, 2, reason="a day", expires_at=soon)
    closed = await members.grant_role(GUILD, MODERATOR, ROLE, 4, reason="taken back")
    assert await members.close_offer(GUILD, MODERATOR, closed.id) is True
    assert await members.close_offer(GUILD, MODERATOR, closed.id) is False
    await world.accept(asker=asker(1, ROLE))
    assert sum(amount for amount, _ in await left_of(world, 1)) == 3
    pass_s(world, DAY_S)
    await world.accept(asker=asker(2, ROLE))
    assert await left_of(world, 2) == [(1, None)]
    pass_s(world, 29 * DAY_S)
    await world.accept(asker=asker(3, ROLE))
    assert await left_of(world, 3) == []
    await world.database.transaction(
        lambda c: grants.expire(c, new_id=new_transfer_id, limit=100, now=world.clock.now())
    )


async def test_what_is_left_of_a_partly_used_grant_can_be_taken_back(world: World) -> None:
    await set_policy(world, member_cap=Cap(credits=0))
    made = await grant(world, 3 * PRICE)
    await deliver(world)
    held = await world.accept()
    assert await world.caps.grants.take_back(GUILD, MODERATOR, made.id) == PRICE
    assert await world.caps.grants.take_back(GUILD, MODERATOR, made.id) == 0
    await world.jobs.cancel(held.id, MEMBER)
    assert await left_of(world) == [(PRICE, None)], "what a job held came back, and is theirs again"
    assert await world.caps.grants.take_back(GUILD, SECOND_MODERATOR, made.id) == PRICE
    with pytest.raises(AppError, match=r"moderate\.no_grant"):
        await world.caps.grants.take_back(OTHER_GUILD, MODERATOR, made.id)
    with pytest.raises(AppError, match=r"moderate\.no_grant"):
        await world.caps.grants.close_offer(OTHER_GUILD, MODERATOR, made.id)


async def test_a_correction_takes_what_expires_first_and_never_more_than_there_is(world: World) -> None:
    soon = world.clock.now() + timedelta(days=1)
    await grant(world, 5)
    await grant(world, 5, expires_at=soon)
    assert await world.caps.grants.correct(GUILD, MODERATOR, MEMBER, 7, reason="too many") == 3
    assert await left_of(world) == [(3, None)]
    with pytest.raises(AppError, match=r"gift\.too_little") as refused:
        await world.caps.grants.correct(GUILD, MODERATOR, MEMBER, 4, reason="more")
    assert refused.value.params == {"left": 3}
    assert len(await entries(world)) == 3


async def test_two_moderators_take_the_same_credits_back_once(world: World) -> None:
    made = await grant(world, 10)
    taken = await asyncio.gather(
        world.caps.grants.take_back(GUILD, MODERATOR, made.id),
        world.caps.grants.take_back(GUILD, SECOND_MODERATOR, made.id),
    )
    assert sorted(taken) == [0, 10]
    assert len(await entries(world)) == 2


async def test_a_grant_that_would_be_over_already_is_refused(world: World) -> None:
    with pytest.raises(AppError, match=r"moderate\.expiry_past"):
        await grant(world, expires_at=world.clock.now())
    assert await left_of(world) == []


# --- gifts ---


async def test_a_gift_keeps_its_expiry_however_often_it_is_passed_on(world: World) -> None:
    await set_policy(world, gifts_allowed=True)
    soon = world.clock.now() + timedelta(days=1)
    await grant(world, 5)
    await grant(world, 5, expires_at=soon)
    gifts = world.caps.gifts
    assert await gifts.check(asker(), FRIEND, 7) == 3
    assert await gifts.give(asker(), FRIEND, 7, request_id=1) == 3
    assert await left_of(world, FRIEND) == [(5, soon), (2, None)]
    assert await gifts.give(asker(FRIEND), 77, 6, request_id=2) == 1
    assert await left_of(world, 77) == [(5, soon), (1, None)]
    pass_s(world, DAY_S)
    assert await left_of(world, 77) == [(1, None)]
    with pytest.raises(AppError, match=r"gift\.too_little"):
        await gifts.give(asker(77), MEMBER, 2, request_id=3)
    await world.database.transaction(
        lambda c: grants.expire(c, new_id=new_transfer_id, limit=100, now=world.clock.now())
    )


async def test_a_gift_that_is_confirmed_many_times_at_once_is_given_once(world: World) -> None:
    await set_policy(world, gifts_allowed=True)
    await grant(world, 20)
    tried = [world.caps.gifts.give(asker(), FRIEND, 5, request_id=99) for _ in range(5)]
    answers = await asyncio.gather(*tried, return_exceptions=True)
    assert [one for one in answers if isinstance(one, int)] == [15]
    assert {one.key for one in answers if isinstance(one, AppError)} == {"gift.already"}
    assert await left_of(world, FRIEND) == [(5, None)]
    assert [one.action for one in await entries(world)] == [AuditAction.GRANT, AuditAction.GIVE]


async def test_two_gifts_at_once_give_no_more_than_there_is(world: World) -> None:
    await set_policy(world, gifts_allowed=True)
    await grant(world, 8)
    tried = [world.caps.gifts.give(asker(), FRIEND, 5, request_id=number) for number in range(4)]
    answers = await asyncio.gather(*tried, return_exceptions=True)
    assert [one for one in answers if isinstance(one, int)] == [3]
    assert {one.key for one in answers if isinstance(one, AppError)} == {"gift.too_little"}


async def test_a_giver_may_give_what_their_role_was_just_granted(world: World) -> None:
    await set_policy(world, gifts_allowed=True)
    await world.caps.grants.grant_role(GUILD, MODERATOR, ROLE, 6, reason="comeback")
    assert await world.caps.gifts.give(asker(MEMBER, ROLE), FRIEND, 4, request_id=1) == 2


@pytest.mark.parametrize(
    ("prepare", "to", "key"),
    [
        ({"gifts_allowed": False}, FRIEND, "gift.not_allowed"),
        ({"blocked_roles": (ROLE,)}, FRIEND, "gift.blocked"),
        ({}, MEMBER, "gift.self"),
    ],
)
async def test_a_gift_that_may_not_be_is_refused(
    world: World, prepare: dict[str, Any], to: int, key: str
) -> None:
    await set_policy(world, **{"gifts_allowed": True} | prepare)
    await grant(world)
    for act in (world.caps.gifts.check, lambda *given: world.caps.gifts.give(*given, request_id=1)):
        with pytest.raises(AppError) as refused:
            await act(asker(MEMBER, ROLE), to, 5)
        assert refused.value.key == key
    assert await left_of(world) == [(20, None)]
    assert len(await entries(world)) == 1


async def test_who_is_blocked_gives_nothing_until_the_block_ends(world: World) -> None:
    await set_policy(world, gifts_allowed=True)
    await grant(world)
    await world.caps.members.block(GUILD, MODERATOR, MEMBER, for_s=HOUR_S)
    with pytest.raises(AppError, match=r"gift\.blocked"):
        await world.caps.gifts.give(asker(), FRIEND, 5, request_id=1)
    pass_s(world, HOUR_S)
    assert await world.caps.gifts.give(asker(), FRIEND, 5, request_id=1) == 15

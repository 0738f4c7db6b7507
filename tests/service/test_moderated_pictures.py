"""Pictures that moderators refund or hide, on a real database: each once, and only those of their own server."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.caps.pictures import Returned
from bot.caps.values import Cap, CapOf
from bot.credits import grants
from bot.errors import AppError, Refused
from bot.ids import new_transfer_id
from bot.jobs.service import Picture, Source
from db.enums import AuditAction, BalancePeriod, JobState
from db.queries import jobs as job_queries
from tests.service.doubles import PRICE
from tests.service.moderation_parts import (
    DAY_S,
    FRIEND,
    MODERATOR,
    OTHER_GUILD,
    ROLE,
    SECOND_MODERATOR,
    entries,
    grant,
    history,
    left_of,
    pass_s,
    set_policy,
    world,
)
from tests.service.world import DELIVERY, GUILD, MEMBER, World, deliver

__all__ = ["world"]


# --- refunds ---


async def test_a_refund_goes_back_to_the_allowance_and_to_the_grants_that_paid(world: World) -> None:
    await set_policy(world, member_cap=Cap(credits=5))
    await grant(world, 20)
    job = await deliver(world)
    assert await left_of(world) == [(20 - (PRICE - 5), None)]
    assert await world.caps.pictures.refund(GUILD, MODERATOR, job.id, "bad picture") == Returned(
        amount_credits=PRICE
    )
    assert await left_of(world) == [(20, None)]
    assert (await history(world)).allowance.left_credits == 5
    assert await world.caps.pictures.refund(GUILD, MODERATOR, job.id) == Returned()
    (entry,) = [one for one in await entries(world) if one.action is AuditAction.REFUND]
    assert (entry.subject, entry.target_id, entry.reason) == (job.id, MEMBER, "bad picture")


async def test_after_a_fresh_start_a_refund_fills_the_allowance_and_no_further(world: World) -> None:
    """What was forgiven is not given back once more, and what was shown as left is what fits."""
    await set_policy(world, member_cap=Cap(credits=2 * PRICE), waiting_max=50)
    old = [await deliver(world), await deliver(world)]
    assert await world.caps.members.reset(GUILD, MODERATOR, MEMBER, ()) == 2 * PRICE
    await deliver(world)
    for job in old:
        await world.caps.pictures.refund(GUILD, MODERATOR, job.id)
    assert (await history(world)).allowance.left_credits == 2 * PRICE
    for left in (PRICE, 0):
        await deliver(world)
        assert (await history(world)).allowance.left_credits == left
    with pytest.raises(Refused, match=r"failure\.cap_day"):
        await world.accept()
    # The next day begins as every other.
    pass_s(world, DAY_S)
    await deliver(world)
    assert (await history(world)).allowance.left_credits == PRICE


async def test_a_refund_says_how_much_of_it_changes_nothing_for_its_member(world: World) -> None:
    await set_policy(world, member_cap=Cap(credits=3 * PRICE))
    forgiven, counted, old = [await deliver(world) for _ in range(3)]
    await world.caps.members.reset(GUILD, MODERATOR, MEMBER, ())
    await deliver(world)
    refund = world.caps.pictures.refund
    assert await refund(GUILD, MODERATOR, forgiven.id) == Returned(amount_credits=PRICE)
    assert await refund(GUILD, MODERATOR, counted.id) == Returned(amount_credits=PRICE, over_credits=PRICE)
    assert (await history(world)).allowance.left_credits == 3 * PRICE
    pass_s(world, DAY_S)
    assert await refund(GUILD, MODERATOR, old.id, role_ids=(ROLE,)) == Returned(
        amount_credits=PRICE, over_credits=PRICE
    )


async def test_a_refund_under_no_cap_or_a_role_s_longer_one_counts_whole(world: World) -> None:
    month = Cap(credits=9 * PRICE, period=BalancePeriod.MONTH)
    await set_policy(world, member_cap=Cap(credits=9 * PRICE), role_caps=(CapOf(id=ROLE, cap=month),))
    first, second = await deliver(world), await deliver(world)
    pass_s(world, DAY_S)
    refund = world.caps.pictures.refund
    assert await refund(GUILD, MODERATOR, first.id, role_ids=(ROLE,)) == Returned(amount_credits=PRICE)
    await set_policy(world, member_cap=None)
    assert await refund(GUILD, MODERATOR, second.id) == Returned(amount_credits=PRICE)


async def test_a_picture_that_cost_nothing_is_not_refunded(world: World) -> None:
    """kvid may report that nothing was used."""
    job = await deliver(world, used=0)
    with pytest.raises(AppError, match=r"moderate\.nothing_charged"):
        await world.caps.pictures.refund(GUILD, MODERATOR, job.id)
    assert await entries(world) == []


async def test_two_moderators_refund_a_picture_once(world: World) -> None:
    job = await deliver(world)
    returned = await asyncio.gather(
        *(world.caps.pictures.refund(GUILD, who, job.id) for who in (MODERATOR, SECOND_MODERATOR) * 2)
    )
    assert sorted(one.amount_credits for one in returned) == [0, 0, 0, PRICE]
    assert len(await entries(world)) == 1
    # Over all servers, where the operator's limit looks, kvid was paid all the same.
    await world.assert_account(used=PRICE)


async def test_a_refund_into_a_grant_that_ended_meanwhile_expires_again(world: World) -> None:
    """And the moderator is told how much of it can still be spent."""
    await set_policy(world, member_cap=Cap(credits=1))
    soon = world.clock.now() + timedelta(days=1)
    await grant(world, PRICE - 3, expires_at=soon)
    await grant(world, 2, expires_at=soon + timedelta(days=1, seconds=1))
    job = await deliver(world)
    pass_s(world, 2 * DAY_S)
    returned = await world.caps.pictures.refund(GUILD, MODERATOR, job.id)
    assert returned == Returned(amount_credits=PRICE, ended_credits=PRICE - 3, over_credits=1)
    assert await left_of(world) == [(2, soon + timedelta(days=1, seconds=1))]
    ended = await world.database.transaction(
        lambda c: grants.expire(c, new_id=new_transfer_id, limit=100, now=world.clock.now())
    )
    assert ended == 1


async def test_what_cost_nothing_or_is_elsewhere_is_not_refunded(world: World) -> None:
    waiting = await world.accept()
    with pytest.raises(AppError, match=r"moderate\.nothing_charged"):
        await world.caps.pictures.refund(GUILD, MODERATOR, waiting.id)
    await world.jobs.cancel(waiting.id, MEMBER)
    with pytest.raises(AppError, match=r"moderate\.nothing_charged"):
        await world.caps.pictures.refund(GUILD, MODERATOR, waiting.id)
    job = await deliver(world)
    for guild_id, job_id in ((OTHER_GUILD, job.id), (GUILD, "0" * 20)):
        with pytest.raises(AppError, match=r"moderate\.no_picture"):
            await world.caps.pictures.refund(guild_id, MODERATOR, job_id)
        with pytest.raises(AppError, match=r"moderate\.no_picture"):
            await world.caps.pictures.hide(guild_id, MODERATOR, job_id)
        with pytest.raises(AppError, match=r"moderate\.no_picture"):
            await world.caps.histories.find_picture(guild_id, job_id)
    assert await entries(world) == []


# --- hiding ---


async def test_a_hidden_picture_is_no_source_and_nothing_to_repeat(world: World) -> None:
    job = await deliver(world)
    edit = Source(url="https://cdn.example/a.png", job_id=job.id, image_index=0)
    await world.accept(source=edit)
    hidden = await asyncio.gather(
        *(world.caps.pictures.hide(GUILD, who, job.id, "rule 3") for who in (MODERATOR, SECOND_MODERATOR))
    )
    assert {one.id for one in hidden} == {job.id}
    (entry,) = await entries(world)
    assert (entry.action, entry.target_id, entry.reason) == (AuditAction.HIDE, MEMBER, "rule 3")
    before = await world.count(*JobState)
    for user_id in (MEMBER, FRIEND):
        with pytest.raises(AppError, match=r"job\.hidden"):
            await world.jobs.get_for(job.id, user_id)
        with pytest.raises(AppError, match=r"job\.hidden"):
            await world.accept(source=edit, user_id=user_id)
    assert await world.count(*JobState) == before
    assert (await world.caps.histories.find_picture(GUILD, job.id)).job.hidden_at == world.clock.now()


async def test_a_picture_on_its_way_is_not_hidden_yet(world: World) -> None:
    """Its message may be posted once more, and would bring the picture back."""
    job = await world.put(await world.accept(), *DELIVERY[:-1])
    with pytest.raises(AppError, match=r"moderate\.not_posted"):
        await world.caps.pictures.hide(GUILD, MODERATOR, job.id)
    assert (await world.jobs.get(job.id)).hidden_at is None


async def test_a_private_picture_is_nobodys_to_moderate(world: World) -> None:
    job = await world.accept(picture=Picture(prompt="mine alone"))
    private = replace(job, id="f" * 20, request_id=job.request_id + 10**15, private=True, number=0)
    await world.database.transaction(lambda c: job_queries.insert_job(c, private))
    for act in (
        world.caps.histories.find_picture(GUILD, private.id),
        world.caps.pictures.hide(GUILD, MODERATOR, private.id),
        world.caps.pictures.refund(GUILD, MODERATOR, private.id),
    ):
        with pytest.raises(AppError, match=r"moderate\.no_picture"):
            await act

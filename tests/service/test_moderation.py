"""What moderators and givers do, on a real database: each act counts once, is written down once, and adds up."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bot.caps.pictures import Returned
from bot.caps.values import Asker, Cap, CapOf
from bot.credits import audit, grants, ledger
from bot.errors import AppError, NotEnoughCredits, Refused
from bot.ids import new_transfer_id
from bot.jobs.service import Picture, Source
from bot.safety.words import WordAction, WordList
from db.enums import AuditAction, BalancePeriod, JobState
from db.queries import grants as grant_queries
from db.queries import jobs as job_queries
from db.queries import servers as queries
from db.values import FOREVER
from tests.service.doubles import PRICE
from tests.service.world import CHANNEL, GUILD, MEMBER, World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from db.engine import Database
    from db.values import AuditEntry, CreditGrant, Job

MODERATOR, SECOND_MODERATOR, FRIEND = 10**18 + 90, 10**18 + 91, 10**18 + 92
ROLE, OTHER_GUILD = 10**18 + 100, 10**18 + 500
HOUR_S, DAY_S = 3_600, 86_400
DELIVERY = (
    JobState.SUBMITTING,
    JobState.SUBMITTED,
    JobState.SUCCEEDED,
    JobState.DELIVERING,
    JobState.DELIVERED,
)


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    """After each test the books agree."""
    made = World(database)
    yield made
    assert await database.read(audit.find_differences) == []


def asker(user_id: int = MEMBER, *roles: int) -> Asker:
    return Asker(user_id=user_id, guild_id=GUILD, channel_id=CHANNEL, role_ids=frozenset(roles))


def pass_s(world: World, delay_s: float) -> None:
    """Time passes while nothing happens."""
    world.clock.elapsed_s += delay_s


async def set_policy(world: World, **changes: Any) -> None:
    await world.caps.policies.change(
        GUILD, MODERATOR, lambda policy: replace(policy, **changes), subject="test"
    )


async def deliver(world: World, who: Asker | None = None, *, used: int = PRICE, **more: Any) -> Job:
    """A picture that was asked for, made and charged at this moment."""
    job = await world.accept(asker=who or asker(), **more)
    job = await world.put(job, *DELIVERY, used_credits=used, message_id=job.number + 10**17)

    await world.database.transaction(
        lambda c: ledger.settle(
            c,
            transfer_id=new_transfer_id(),
            job_id=job.id,
            used_credits=used,
            tolerance_credits=0,
            now=world.clock.now(),
        )
    )
    return job


async def entries(world: World, guild_id: int = GUILD) -> list[AuditEntry]:
    found = await world.database.read(lambda c: queries.list_entries(c, guild_id, limit=1000))
    return [one for one in found if one.action is not AuditAction.SETTING]


async def left_of(world: World, user_id: int = MEMBER) -> list[tuple[int, datetime | None]]:
    """What is left of a member's grants, soonest to expire first."""
    now = world.clock.now()
    found = await world.database.read(lambda c: grants.list_spendable(c, GUILD, user_id, now))
    return [(one.left_credits, one.expires_at) for one in found]


async def grant(world: World, amount: int = 20, user_id: int = MEMBER, **more: Any) -> CreditGrant:
    return await world.caps.grants.grant(GUILD, MODERATOR, user_id, amount, reason="for fun", **more)


# --- blocks, passes, caps ---


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


# --- pictures ---


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


# --- the audit log ---

ACTS: dict[str, tuple[AuditAction, Callable[[World, Job, CreditGrant], Awaitable[object]]]] = {
    "block": (
        AuditAction.BLOCK,
        lambda w, _, __: w.caps.members.block(GUILD, MODERATOR, MEMBER, for_s=60, reason="why"),
    ),
    "unblock": (
        AuditAction.UNBLOCK,
        lambda w, _, __: w.caps.members.unblock(GUILD, MODERATOR, FRIEND, "why"),
    ),
    "cap": (
        AuditAction.MEMBER_CAP,
        lambda w, _, __: w.caps.members.set_member_cap(GUILD, MODERATOR, MEMBER, Cap(credits=None), "why"),
    ),
    "pass": (AuditAction.PASS, lambda w, _, __: w.caps.members.let_pass(GUILD, MODERATOR, MEMBER, "why")),
    "reset": (AuditAction.RESET, lambda w, _, __: w.caps.members.reset(GUILD, MODERATOR, MEMBER, (), "why")),
    "grant": (
        AuditAction.GRANT,
        lambda w, _, __: w.caps.grants.grant(GUILD, MODERATOR, MEMBER, 5, reason="why"),
    ),
    "role": (
        AuditAction.ROLE_GRANT,
        lambda w, _, __: w.caps.grants.grant_role(GUILD, MODERATOR, ROLE, 5, reason="why"),
    ),
    "take_back": (
        AuditAction.CORRECT,
        lambda w, _, g: w.caps.grants.take_back(GUILD, MODERATOR, g.id, "why"),
    ),
    "correct": (
        AuditAction.CORRECT,
        lambda w, _, __: w.caps.grants.correct(GUILD, MODERATOR, MEMBER, 2, reason="why"),
    ),
    "refund": (AuditAction.REFUND, lambda w, j, _: w.caps.pictures.refund(GUILD, MODERATOR, j.id, "why")),
    "hide": (AuditAction.HIDE, lambda w, j, _: w.caps.pictures.hide(GUILD, MODERATOR, j.id, "why")),
}


@pytest.mark.parametrize("name", ACTS)
async def test_each_act_is_written_down_exactly_once(world: World, name: str) -> None:
    """Who, when, about whom, what before, what after, why."""
    await set_policy(world, member_cap=Cap(credits=100))
    job, made = await deliver(world), await grant(world)
    await world.caps.members.block(GUILD, MODERATOR, FRIEND, for_s=None)
    before = await entries(world)
    pass_s(world, 5)
    action, act = ACTS[name]
    await act(world, job, made)
    (entry,) = (await entries(world))[len(before) :]
    assert (entry.action, entry.actor_id, entry.at, entry.reason) == (
        action,
        MODERATOR,
        world.clock.now(),
        "why",
    )
    assert entry.target_id in {MEMBER, FRIEND, ROLE}
    assert entry.before is not None
    assert entry.after is not None
    assert entry.before != entry.after
    assert set(entry.before) & set(entry.after), "what it was and what it is are of the same thing"


@pytest.mark.parametrize("amount", [0, -1, 1_000_001])
async def test_an_amount_out_of_range_changes_nothing(world: World, amount: int) -> None:
    await set_policy(world, gifts_allowed=True)
    caps = world.caps
    for act in (
        caps.grants.grant(GUILD, MODERATOR, MEMBER, amount, reason="x"),
        caps.grants.grant_role(GUILD, MODERATOR, ROLE, amount, reason="x"),
        caps.grants.correct(GUILD, MODERATOR, MEMBER, amount, reason="x"),
        caps.gifts.give(asker(), FRIEND, amount, request_id=1),
        caps.gifts.check(asker(), FRIEND, amount),
    ):
        with pytest.raises(AppError, match=r"moderate\.amount"):
            await act
    assert await entries(world) == []


async def test_a_reason_that_is_too_long_changes_nothing(world: World) -> None:
    long = "x" * 201
    job = await deliver(world)
    for act in (
        grant_for(world, long),
        world.caps.members.block(GUILD, MODERATOR, MEMBER, for_s=60, reason=long),
        world.caps.pictures.refund(GUILD, MODERATOR, job.id, long),
        world.caps.pictures.hide(GUILD, MODERATOR, job.id, long),
    ):
        with pytest.raises(AppError, match=r"moderate\.reason_long"):
            await act
    assert await entries(world) == []
    assert (await world.jobs.get(job.id)).hidden_at is None
    await world.assert_account(used=PRICE)


async def grant_for(world: World, reason: str) -> CreditGrant:
    return await world.caps.grants.grant(GUILD, MODERATOR, MEMBER, 5, reason=reason)


async def test_a_grant_that_would_be_over_already_is_refused(world: World) -> None:
    with pytest.raises(AppError, match=r"moderate\.expiry_past"):
        await grant(world, expires_at=world.clock.now())
    assert await left_of(world) == []


# --- looking back ---


async def history(world: World, user_id: int = MEMBER, *roles: int) -> Any:
    return await world.caps.histories.find_member(GUILD, user_id, frozenset(roles))


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

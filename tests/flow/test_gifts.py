"""/gift through the real process, and how credits work in words."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from db.enums import AuditAction
from tests.flow.acts import change_policy, entries, open_card, press_and_see, see
from tests.support.member import UserOption, buttons_of, text_of

if TYPE_CHECKING:
    from tests.flow.conftest import Stack
    from tests.support.member import Member

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def ask_to_give(giver: Member, to_id: str, amount: int, said: str) -> dict[str, Any]:
    studio = giver.channel("studio")
    newest = await giver.newest_id(studio)
    await giver.slash(studio, "gift", member=UserOption(to_id), amount=amount)
    answer = await giver.wait_for_text(studio, said, after=newest)
    assert answer["ephemeral_to"] == giver.user_id
    return answer


async def grant(stack: Stack, member: Member, amount: int) -> None:
    moderator = await stack.member(moderator=True)
    studio = moderator.channel("studio")
    newest = await moderator.newest_id(studio)
    await moderator.slash(
        studio, "studio grant", amount=amount, reason="for gifts", member=UserOption(member.user_id)
    )
    await moderator.wait_for_text(studio, f"got {amount} credits", after=newest)


async def allow_gifts(stack: Stack, *, allowed: bool) -> None:
    moderator = await stack.member(moderator=True)
    await change_policy(stack, moderator, lambda policy: replace(policy, gifts_allowed=allowed))


async def test_a_gift_is_confirmed_once_and_told_to_the_giver_alone(shared: Stack) -> None:
    giver, receiver = await shared.member(skip=0), await shared.member(skip=1)
    studio = giver.channel("studio")
    await grant(shared, giver, 20)
    await ask_to_give(giver, receiver.user_id, 5, "Members can't give credits to each other")
    await allow_gifts(shared, allowed=True)
    question = await ask_to_give(giver, receiver.user_id, 5, "Granted credits that are then left: **15**")
    assert f"Give 5 credits to <@{receiver.user_id}>?" in text_of(question)
    yes = next(one["custom_id"] for one in buttons_of(question) if one["label"] == "Give 5 credits")
    before = await entries(shared, giver)
    newest = await receiver.newest_id(studio)
    await giver.press(question, "Give 5 credits")
    answer = await see(giver, question, "got 5 credits from you")
    assert "Granted credits that you have left: **15**" in text_of(answer)
    assert "I send them no message: they see it in /usage" in text_of(answer)
    assert buttons_of(answer) == []
    newest_own = await giver.newest_id(studio)
    await giver.press(question, custom_id=yes, forge=True)
    await giver.wait_for_text(studio, "You have confirmed this gift before", after=newest_own)
    (entry,) = (await entries(shared, giver))[len(before) :]
    assert (entry.action, entry.actor_id, entry.target_id) == (
        AuditAction.GIVE,
        int(giver.user_id),
        int(receiver.user_id),
    )
    assert (entry.before, entry.after) == (
        {"granted_credits": 20},
        {"granted_credits": 15, "amount_credits": 5},
    )
    told = [one for one in await receiver.messages(studio) if int(one["id"]) > int(newest)]
    direct = await receiver.messages(receiver.direct_channel())
    assert (told, direct) == ([], []), "nobody is written to who did not ask"
    moderator = await shared.member(moderator=True)
    card = await open_card(moderator, moderator.channel("studio"), receiver.user_id)
    assert "Granted credits left: **5**" in text_of(card)
    assert f"<@{giver.user_id}> gave them 5 credits" in text_of(card)
    await shared.assert_books_agree()


async def test_a_gift_can_be_called_off(shared: Stack) -> None:
    giver, receiver = await shared.member(skip=0), await shared.member(skip=2)
    await grant(shared, giver, 3)
    await allow_gifts(shared, allowed=True)
    before = await entries(shared, giver)
    question = await ask_to_give(giver, receiver.user_id, 3, "Give 3 credits")
    await press_and_see(giver, question, "Keep them", "Nothing was given")
    assert await entries(shared, giver) == before


async def test_gifts_that_cannot_be_are_refused_with_their_reason(shared: Stack) -> None:
    giver, receiver = await shared.member(skip=3), await shared.member(skip=0)
    await allow_gifts(shared, allowed=True)
    await ask_to_give(giver, giver.user_id, 1, "Those are yours already")
    await ask_to_give(giver, giver.state["bot"]["id"], 1, "Bots make no pictures")
    await ask_to_give(giver, receiver.user_id, 1, "Too few granted credits are left: 0")
    await grant(shared, giver, 4)
    await ask_to_give(giver, receiver.user_id, 5, "Too few granted credits are left: 4")
    gone = await shared.servers.add_member("left_already")
    await shared.servers.remove_member(gone)
    await ask_to_give(giver, gone, 1, "not in this server any more")


async def test_who_is_blocked_gives_nothing_not_even_what_was_asked_before(shared: Stack) -> None:
    giver, receiver = await shared.member(skip=2), await shared.member(skip=0)
    moderator = await shared.member(moderator=True)
    studio = giver.channel("studio")
    await allow_gifts(shared, allowed=True)
    await grant(shared, giver, 4)
    question = await ask_to_give(giver, receiver.user_id, 4, "Give 4 credits")
    card = await open_card(moderator, studio, giver.user_id)
    card = await press_and_see(moderator, card, "Block 1 h", "is blocked until")
    newest = await giver.newest_id(studio)
    await giver.press(question, "Give 4 credits")
    await giver.wait_for_text(studio, "A moderator has paused you here", after=newest)
    await ask_to_give(giver, receiver.user_id, 4, "A moderator has paused you here")
    await press_and_see(moderator, card, "Unblock", "may make pictures again")
    role = int(giver.role("Lightstick"))
    await change_policy(shared, moderator, lambda policy: replace(policy, blocked_roles=(role,)))
    await ask_to_give(giver, receiver.user_id, 4, "A moderator has paused you here")
    await change_policy(shared, moderator, lambda policy: replace(policy, blocked_roles=()))


async def test_a_forged_confirmation_gives_no_more_than_there_is(shared: Stack) -> None:
    giver, receiver = await shared.member(skip=1), await shared.member(skip=0)
    studio = giver.channel("studio")
    await allow_gifts(shared, allowed=True)
    await grant(shared, giver, 10)
    question = await ask_to_give(giver, receiver.user_id, 1, "Give 1 credit")
    before = await entries(shared, giver)
    for custom_id, said in (
        (f"gift1:yes:{receiver.user_id}:100000", "Too few granted credits are left"),
        (f"gift1:yes:{receiver.user_id}:0", "a whole number of credits"),
        (f"gift1:yes:{receiver.user_id}:-5", "That button is too old"),
        (f"gift1:yes:{giver.user_id}:5", "Those are yours already"),
        (f"gift1:yes:{giver.state['bot']['id']}:5", "Bots make no pictures"),
        ("gift1:yes:1:5", "not in this server any more"),
        ("gift1:maybe", "That button is too old"),
        ("help:something", "That button is too old"),
    ):
        newest = await giver.newest_id(studio)
        await giver.press(question, custom_id=custom_id, forge=True)
        await giver.wait_for_text(studio, said, after=newest)
    assert await entries(shared, giver) == before


async def test_a_gift_confirmed_too_late_is_not_lost_to_somebody_who_left(shared: Stack) -> None:
    giver, leaver = await shared.member(skip=3), await shared.servers.add_member("leaves_soon")
    await giver.refresh()
    studio = giver.channel("studio")
    await allow_gifts(shared, allowed=True)
    await grant(shared, giver, 6)
    question = await ask_to_give(giver, leaver, 6, "Give 6 credits")
    await shared.servers.remove_member(leaver)
    before = await entries(shared, giver)
    newest = await giver.newest_id(studio)
    await giver.press(question, "Give 6 credits")
    await giver.wait_for_text(studio, "not in this server any more", after=newest)
    assert await entries(shared, giver) == before
    receiver = await shared.member(skip=0)
    await ask_to_give(giver, receiver.user_id, 6, "Give 6 credits")


async def test_how_credits_work_is_a_press_away_from_usage(shared: Stack) -> None:
    member = await shared.member(skip=0)
    studio = member.channel("studio")
    newest = await member.newest_id(studio)
    await member.slash(studio, "usage")
    usage = await member.wait_for(studio, lambda m: bool(buttons_of(m)), after=newest)
    await member.press(usage, custom_id="help:credits")
    told = await member.wait_for_text(studio, "How credits work", after=usage["id"])
    assert told["ephemeral_to"] == member.user_id
    for promise in (
        "Nothing is charged",
        "the difference returns",
        "at most a small tolerance",
        "Your allowance",
    ):
        assert promise in text_of(told)

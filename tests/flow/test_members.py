"""/studio member and /studio grant through the real process: what a moderator sees and does about one member."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from bot.safety.words import WordAction, WordList
from db.enums import AuditAction
from tests.flow.acts import change_policy, entries_about, open_card, press_and_see, see
from tests.support.member import RoleOption, UserOption, buttons_of, text_of

if TYPE_CHECKING:
    from tests.flow.conftest import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_member_is_blocked_and_let_in_again_on_one_card(shared: Stack) -> None:
    moderator, member = await shared.member(moderator=True), await shared.member(skip=0)
    studio = moderator.channel("studio")
    card = await open_card(moderator, studio, member.user_id)
    assert card["ephemeral_to"] == moderator.user_id
    assert f"<@{member.user_id}>" in text_of(card)
    assert "No cap" in text_of(card)
    assert "Unblock" not in [button["label"] for button in buttons_of(card)]
    card = await press_and_see(moderator, card, "Block 1 h", "is blocked until")
    newest = await member.newest_id(studio)
    await member.slash(studio, "imagine", prompt="while blocked", width=512, height=512)
    refusal = await member.wait_for_text(studio, "A moderator has paused you here", after=newest)
    assert refusal["ephemeral_to"] == member.user_id
    card = await press_and_see(moderator, card, "Unblock", "may make pictures again")
    assert "refused: blocked · while blocked" in text_of(card)


async def test_a_block_for_good_asks_first_and_keeps_its_reason(shared: Stack) -> None:
    moderator, member = await shared.member(moderator=True), await shared.member(skip=1)
    studio = moderator.channel("studio")
    card = await open_card(moderator, studio, member.user_id)
    window = await moderator.open_modal(lambda: moderator.press(card, "Block for good"))
    assert window["title"] == "Block for good"
    assert await entries_about(shared, member) == [], "opening the window is no act"
    await moderator.submit(studio, window, {"reason": "kept posting *spoilers*"}, message=card)
    card = await see(moderator, card, "is blocked for good.")
    assert "Reason: kept posting \\*spoilers\\*" in text_of(card)
    (entry,) = await entries_about(shared, member)
    assert (entry.action, entry.actor_id) == (AuditAction.BLOCK, int(moderator.user_id))
    assert (entry.before, entry.reason) == ({"blocked_until": None}, "kept posting *spoilers*")
    newest = await member.newest_id(studio)
    await member.slash(studio, "imagine", prompt="never again")
    await member.wait_for_text(studio, "A moderator has blocked you", after=newest)
    await press_and_see(moderator, card, "Unblock", "may make pictures again")
    stale = next(button["custom_id"] for button in buttons_of(card) if button["label"] == "Unblock")
    await moderator.press(card, custom_id=stale, forge=True)
    await see(moderator, card, "was not blocked, so nothing was changed")
    assert len(await entries_about(shared, member)) == 2


async def test_credits_are_granted_and_taken_back_by_windows(shared: Stack) -> None:
    moderator, member = await shared.member(moderator=True), await shared.member(skip=2)
    studio = moderator.channel("studio")
    card = await open_card(moderator, studio, member.user_id)
    window = await moderator.open_modal(lambda: moderator.press(card, "Grant"))
    await moderator.submit(
        studio, window, {"typed": "1,050", "reason": "won the contest", "days": "30"}, message=card
    )
    card = await see(moderator, card, "got 1\u202f050 credits, until <t:")
    assert "Granted credits left: **1\u202f050**" in text_of(card)
    window = await moderator.open_modal(lambda: moderator.press(card, "Take back"))
    assert "Of 1\u202f050 credits" in str(window).replace("\\u202f", "\u202f")
    await moderator.submit(studio, window, {"typed": "50", "reason": "typed too much"}, message=card)
    card = await see(moderator, card, "50 credits taken back")
    assert "Granted credits left: 1\u202f000." in text_of(card)
    shown = text_of(card)
    assert "granted 1\u202f050 credits · won the contest" in shown
    assert "took back 50 credits · typed too much" in shown
    newest = await moderator.newest_id(studio)
    window = await moderator.open_modal(lambda: moderator.press(card, "Take back"))
    await moderator.submit(studio, window, {"typed": "5000", "reason": "x"}, message=card)
    await moderator.wait_for_text(studio, "Too few granted credits are left: 1\u202f000.", after=newest)
    window = await moderator.open_modal(lambda: moderator.press(card, "Grant"))
    await moderator.submit(studio, window, {"typed": "lots", "reason": "x"}, message=card)
    refusal = await moderator.wait_for_text(studio, "a whole number of credits", after=newest)
    assert "> lots" in text_of(refusal), "what was typed need not be typed again"
    assert refusal["ephemeral_to"] == moderator.user_id
    assert [entry.action for entry in await entries_about(shared, member)] == [
        AuditAction.GRANT,
        AuditAction.CORRECT,
    ]


async def test_an_own_cap_is_set_used_started_over_and_taken_away(shared: Stack) -> None:
    moderator, member = await shared.member(moderator=True), await shared.member(skip=3)
    studio = moderator.channel("studio")
    card = await open_card(moderator, studio, member.user_id)
    window = await moderator.open_modal(lambda: moderator.press(card, "Own cap"))
    await moderator.submit(studio, window, {"typed": "3", "cap": "week"}, message=card)
    card = await see(moderator, card, "may now spend 3 credits a week")
    assert "**3** left of 3 credits a week" in text_of(card)
    assert "By a cap of their own" in text_of(card)
    newest = await member.newest_id(studio)
    await member.slash(studio, "imagine", prompt="within the cap", width=512, height=512)
    await member.wait_for_text(studio, "Here it is", after=newest)
    newest = await member.newest_id(studio)
    await member.slash(studio, "imagine", prompt="above the cap", width=512, height=512)
    await member.wait_for_text(studio, "you have 1 of 3 left this week", after=newest)
    card = await open_card(moderator, studio, member.user_id)
    assert "✅ <t:" in text_of(card)
    assert "· 2 credits · within the cap" in text_of(card)
    assert "refused: cap · above the cap" in text_of(card)
    window = await moderator.open_modal(lambda: moderator.press(card, "Start over"))
    assert "has used 2 credits" in str(window)
    await moderator.submit(studio, window, {"reason": "the server was down"}, message=card)
    card = await see(moderator, card, "starts over: 2 credits forgiven")
    assert "**3** left of 3" in text_of(card)
    assert next(one for one in buttons_of(card) if one["label"] == "Start over")["disabled"]
    for chosen, said in (("unlimited", "as much as they like"), ("none", "has no cap of their own any more")):
        window = await moderator.open_modal(partial(moderator.press, card, "Own cap"))
        await moderator.submit(studio, window, {"cap": chosen}, message=card)
        card = await see(moderator, card, said)
    assert "No cap" in text_of(card)


async def test_one_picture_may_pass_the_word_lists(shared: Stack) -> None:
    moderator, member = await shared.member(moderator=True), await shared.member(skip=0)
    studio = moderator.channel("studio")
    words = WordList(name="Names", action=WordAction.REFUSE, words=("voldemort",))
    await change_policy(shared, moderator, lambda policy: replace(policy, word_lists=(words,)))
    newest = await member.newest_id(studio)
    await member.slash(studio, "imagine", prompt="voldemort smiles", width=512, height=512)
    await member.wait_for_text(studio, "does not allow the word", after=newest)
    card = await open_card(moderator, studio, member.user_id)
    assert "refused: banned word “voldemort” · voldemort smiles" in text_of(card)
    await press_and_see(moderator, card, "Let one pass", "may pass the word lists")
    await member.slash(studio, "imagine", prompt="voldemort smiles", width=512, height=512)
    await member.wait_for_result(studio, after=newest)
    newest = await member.newest_id(studio)
    await member.slash(studio, "imagine", prompt="voldemort again", width=512, height=512)
    await member.wait_for_text(studio, "does not allow the word", after=newest)
    await change_policy(shared, moderator, lambda policy: replace(policy, word_lists=()))


async def test_a_grant_by_command_can_be_undone(shared: Stack) -> None:
    moderator, member = await shared.member(moderator=True), await shared.member(skip=1)
    studio = moderator.channel("studio")
    newest = await moderator.newest_id(studio)
    await moderator.slash(
        studio, "studio grant", amount=20, reason="welcome", member=UserOption(member.user_id), days=7
    )
    answer = await moderator.wait_for_text(studio, "got 20 credits, until <t:", after=newest)
    assert answer["ephemeral_to"] == moderator.user_id
    await moderator.press(answer, "Undo")
    answer = await see(moderator, answer, "20 credits taken back")
    assert buttons_of(answer) == []


async def test_a_grant_to_a_role_says_how_it_works_and_can_be_ended(shared: Stack) -> None:
    """Each holder gets it once, at their next request; after the end nobody new does."""
    moderator = await shared.member(moderator=True)
    first, late = await shared.member(skip=0), await shared.member(skip=1)
    studio, role = moderator.channel("studio"), moderator.role("Lightstick")
    newest = await moderator.newest_id(studio)
    window = await moderator.open_modal(
        lambda: moderator.slash(
            studio, "studio grant", amount=9, reason="comeback day", role=RoleOption(role), days=60
        )
    )
    shown = str(window)
    assert f"Each member with <@&{role}> gets 9 credits once" in shown
    assert "within 30 days" in shown
    assert "expires 60 days from now" in shown
    await moderator.submit(studio, window)
    answer = await moderator.wait_for_text(studio, "get 9 credits each", after=newest)
    card = await open_card(moderator, studio, first.user_id)
    assert f"9 credits more for <@&{role}>" in text_of(card), "not theirs until they ask"
    assert "Granted credits left: **0**" in text_of(card)
    newest = await first.newest_id(studio)
    await first.slash(studio, "imagine", prompt="with a role", width=512, height=512)
    await first.wait_for_result(studio, after=newest)
    card = await open_card(moderator, studio, first.user_id)
    assert "Granted credits left: **9**" in text_of(card)
    await moderator.press(answer, "Undo")
    await see(moderator, answer, "Nobody gets these any more")
    newest = await late.newest_id(studio)
    await late.slash(studio, "usage")
    await late.wait_for(studio, lambda m: m["ephemeral_to"] == late.user_id, after=newest)
    card = await open_card(moderator, studio, late.user_id)
    assert "Granted credits left: **0**" in text_of(card)


@pytest.mark.parametrize("named", [(), ("member", "role")])
async def test_a_grant_is_for_either_a_member_or_a_role(shared: Stack, named: tuple[str, ...]) -> None:
    moderator = await shared.member(moderator=True)
    studio = moderator.channel("studio")
    newest = await moderator.newest_id(studio)
    whom = {"member": UserOption(moderator.user_id), "role": RoleOption(moderator.role("Lightstick"))}
    chosen: dict[str, Any] = {name: whom[name] for name in named}
    await moderator.slash(studio, "studio grant", amount=1, reason="x", **chosen)
    await moderator.wait_for_text(studio, "Choose either a member or a role", after=newest)


async def test_a_bot_is_granted_nothing_and_has_no_card(shared: Stack) -> None:
    moderator = await shared.member(moderator=True)
    studio, newest = moderator.channel("studio"), await moderator.newest_id(moderator.channel("studio"))
    bot = UserOption(moderator.state["bot"]["id"])
    await moderator.slash(studio, "studio grant", amount=1, reason="x", member=bot)
    await moderator.wait_for_text(studio, "Bots make no pictures. Nothing was granted", after=newest)
    await moderator.slash(studio, "studio member", member=bot)
    await moderator.wait_for_text(studio, "Bots make no pictures, so there is nothing to see", after=newest)


async def test_somebody_who_left_can_still_be_looked_at(shared: Stack) -> None:
    """Their history stays; that their roles are not known is said."""
    moderator = await shared.member(moderator=True)
    studio = moderator.channel("studio")
    user_id = await shared.servers.add_member("gone_soon")
    await shared.servers.remove_member(user_id)
    card = await open_card(moderator, studio, user_id)
    assert "No pictures in this server yet" in text_of(card)
    assert "Their roles can't be seen now" in text_of(card)
    await press_and_see(moderator, card, "Block 1 d", "is blocked until")

"""The menu "Moderate picture" through the real process: what moderators do to a picture, and to its member."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from db.enums import AuditAction
from tests.flow.acts import (
    MENU,
    entries,
    entries_about,
    find_job_id,
    make_picture,
    open_card,
    open_picture,
    press_and_see,
    see,
    see_message,
)
from tests.support.member import buttons_of, pictures_of, text_of

if TYPE_CHECKING:
    from tests.flow.conftest import Stack
    from tests.support.member import Member

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def hide(
    moderator: Member, card: dict[str, Any], label: str = "Hide", said: str = "is hidden"
) -> dict[str, Any]:
    window = await moderator.open_modal(partial(moderator.press, card, label))
    assert "cannot be brought back" in str(window)
    await moderator.submit(card["channel_id"], window, {"reason": "against rule 3"}, message=card)
    return await see(moderator, card, said)


@pytest.mark.parametrize(("place", "skip"), [("studio", 0), ("stage outfits", 2)])
async def test_a_hidden_picture_is_gone_for_good(shared: Stack, place: str, skip: int) -> None:
    """In channels and threads: the picture and its buttons go, and no button, window or reply brings it back."""
    moderator, member = await shared.member(moderator=True), await shared.member(skip=skip)
    other, channel = await shared.member(skip=1), moderator.channel(place)
    result = await make_picture(member, channel, f"to be hidden in {place}")
    job_id = find_job_id(result)
    edit_window = await other.open_modal(partial(other.press, result, "Edit"))
    card = await open_picture(moderator, result)
    shown = text_of(card)
    assert f"<@{member.user_id}>" in shown
    assert f"to be hidden in {place}" in shown
    assert "2 credits" in shown
    assert f"/{channel}/{result['id']}" in shown
    card = await hide(moderator, card)
    note = await other.wait_for_text(channel, "Hidden by")
    assert note["id"] == result["id"]
    assert text_of(note) == (
        f"Hidden by <@{moderator.user_id}>: a picture that <@{member.user_id}> asked for."
    )
    assert (pictures_of(note), buttons_of(note), note["attachments"]) == ([], [], [])
    assert note.get("sandbox_notified") in (None, [])
    entry = (await entries_about(shared, member))[-1]
    assert (entry.action, entry.subject, entry.reason) == (AuditAction.HIDE, job_id, "against rule 3")
    assert entry.before == {"hidden_at": None}

    submits = (await shared.servers.kvid_books())["submits"]
    for who in (member, other):
        for act in ("again", "edit"):
            await who.press(note, custom_id=f"v1:{act}:{job_id}:2", forge=True)
    newest = await other.newest_id(channel)
    await other.submit(channel, edit_window, {"prompt": "bring it back"}, message=result)
    await other.wait_for_text(channel, "has hidden that picture", after=newest)
    newest = await member.newest_id(channel)
    await member.say(channel, "make it blue", reply_to=result["id"])
    await member.wait_for_text(channel, "has hidden that picture", after=newest)
    assert (await shared.servers.kvid_books())["submits"] == submits
    hides = [one for one in await entries(shared, member) if one.subject == job_id]
    await hide(moderator, card)
    assert [one for one in await entries(shared, member) if one.subject == job_id] == hides


async def test_repeating_an_edit_of_a_hidden_picture_is_refused(shared: Stack) -> None:
    moderator, member = await shared.member(moderator=True), await shared.member(skip=1)
    studio = moderator.channel("studio")
    first = await make_picture(member, studio, "the first of two")
    await member.say(studio, "make it blue", reply_to=first["id"])
    edited = await member.wait_for_result(studio, after=first["id"])
    await hide(moderator, await open_picture(moderator, first))
    newest = await member.newest_id(studio)
    await member.press(edited, "Again")
    await member.wait_for_text(studio, "has hidden that picture", after=newest)


async def test_a_private_picture_is_its_members_alone_and_the_menu_says_so(shared: Stack) -> None:
    moderator = await shared.member(moderator=True)
    studio = moderator.channel("studio")
    newest = await moderator.newest_id(studio)
    await moderator.slash(studio, "imagine", prompt="for nobody else", width=256, height=256, private=True)
    result = await moderator.wait_for(studio, lambda m: bool(pictures_of(m)), after=newest)
    assert result["ephemeral_to"] == moderator.user_id
    before = await entries(shared, moderator)
    newest = await moderator.newest_id(studio)
    await moderator.menu(result, "Moderate picture")
    await moderator.wait_for_text(studio, "Private pictures are their member's alone", after=newest)
    assert await entries(shared, moderator) == before


async def test_a_refund_gives_back_once(shared: Stack) -> None:
    moderator, member = await shared.member(moderator=True), await shared.member(skip=2)
    studio = moderator.channel("studio")
    before = (await shared.usage(member)).today_credits
    result = await make_picture(member, studio, "not what was wanted")
    card = await open_picture(moderator, result)
    stale = next(one["custom_id"] for one in buttons_of(card) if one["label"] == "Refund")
    card = await press_and_see(moderator, card, "Refund", f"2 credits went back to <@{member.user_id}>")
    assert "2 credits, refunded" in text_of(card)
    assert [one["label"] for one in buttons_of(card) if one.get("disabled")] == ["Refund", "Hide and refund"]
    await moderator.press(card, custom_id=stale, forge=True)
    await see(moderator, card, "had gone back already")
    # Over all servers, where the operator's limit looks, kvid was paid all the same.
    assert (await shared.usage(member)).today_credits == before + 2
    (entry,) = [one for one in await entries_about(shared, member) if one.subject == find_job_id(result)]
    assert (entry.before, entry.after) == ({"charged_credits": 2}, {"charged_credits": 0})
    await shared.assert_books_agree()


async def test_hide_and_refund_are_two_acts_of_one_press(shared: Stack) -> None:
    moderator, member = await shared.member(moderator=True), await shared.member(skip=3)
    studio = moderator.channel("studio")
    result = await make_picture(member, studio, "both at once")
    card = await hide(moderator, await open_picture(moderator, result), "Hide and refund", "went back to")
    assert "is hidden" in text_of(card)
    assert "2 credits, refunded, hidden" in text_of(card)
    about = await entries_about(shared, member)
    assert [one.action for one in about[-2:]] == [AuditAction.REFUND, AuditAction.HIDE]
    assert {one.reason for one in about[-2:]} == {"against rule 3"}
    again = await open_picture(moderator, await see_message(moderator, result))
    assert "refunded, hidden" in text_of(again), "a hidden picture can still be looked up"


async def test_a_member_is_blocked_from_their_picture(shared: Stack) -> None:
    moderator, member = await shared.member(moderator=True), await shared.member(skip=3)
    studio = moderator.channel("studio")
    card = await open_picture(moderator, await make_picture(member, studio, "one too many"))
    for label, for_s in (("Block 1 h", 3_600), ("Block 1 d", 86_400)):
        earlier = text_of(card)
        await moderator.press(card, label)
        card = await moderator.wait_for(studio, partial(has_changed, card["id"], earlier))
        assert f"<@{member.user_id}> is blocked until <t:" in text_of(card)
        entry = (await entries_about(shared, member))[-1]
        until = datetime.fromisoformat(str((entry.after or {})["blocked_until"]))
        assert (until - entry.at).total_seconds() == pytest.approx(for_s, abs=5)
    window = await moderator.open_modal(partial(moderator.press, card, "Block for good"))
    await moderator.submit(studio, window, {"reason": "enough"}, message=card)
    card = await see(moderator, card, "is blocked for good")
    await press_and_see(moderator, card, "Allow once", "may pass the word lists")
    off = [one["custom_id"] for one in buttons_of(card) if one.get("disabled")]
    assert [one.split(":")[1] for one in off] == ["hour", "day"]
    newest = await moderator.newest_id(studio)
    await moderator.press(card, custom_id=off[0], forge=True)
    await moderator.wait_for_text(studio, "They are blocked for good already", after=newest)
    card = await press_and_see(moderator, card, "Unblock", "may make pictures again")
    assert "Unblock" not in [one["label"] for one in buttons_of(card)]


async def test_a_message_that_was_deleted_meanwhile_is_said_to_be_gone(shared: Stack) -> None:
    moderator, member = await shared.member(moderator=True), await shared.member(skip=0)
    studio = moderator.channel("studio")
    result = await make_picture(member, studio, "deleted meanwhile")
    card = await open_picture(moderator, result)
    url = (
        f"{shared.servers.discord_url}/page/channels/{studio}/messages/{result['id']}?as={moderator.user_id}"
    )
    async with shared.servers.session.delete(url) as answer:
        assert answer.status < 300
    card = await hide(moderator, card, said="was deleted already")
    assert "hidden" in text_of(card)


async def test_when_discord_does_not_take_the_picture_off_it_can_be_tried_again(shared: Stack) -> None:
    moderator, member = await shared.member(moderator=True), await shared.member(skip=0)
    studio = moderator.channel("studio")
    result = await make_picture(member, studio, "stubborn")
    card = await open_picture(moderator, result)
    await shared.servers.discord_fault(
        method="PATCH", path_regex=f"/messages/{result['id']}", status=403, code=50013, message="no", times=1
    )
    newest = await moderator.newest_id(studio)
    card = await hide(moderator, card, "Hide and refund", "Discord did not let me take it off")
    assert f"2 credits went back to <@{member.user_id}>" in text_of(card), "what was done is said too"
    assert "2 credits, refunded, hidden" in text_of(card)
    await member.press(result, "Again")
    await member.wait_for_text(studio, "has hidden that picture", after=newest)
    await hide(moderator, card)
    assert pictures_of(await see_message(moderator, result)) == []
    kept = [one for one in await entries(shared, member) if one.subject == find_job_id(result)]
    assert [one.action for one in kept] == [AuditAction.REFUND, AuditAction.HIDE]
    assert {one.reason for one in kept} == {"against rule 3"}, "trying again is no second act"


@pytest.mark.parametrize("kind", ["said", "refusal"])
async def test_another_message_has_no_card(shared: Stack, kind: str) -> None:
    moderator = await shared.member(moderator=True)
    studio = moderator.channel("studio")
    if kind == "said":
        message = await moderator.say(studio, "just talking")
    else:
        newest = await moderator.newest_id(studio)
        await moderator.slash(studio, "usage")
        message = await moderator.wait_for_text(studio, "Your credits", after=newest)
    newest = await moderator.newest_id(studio)
    await moderator.menu(message, MENU)
    refusal = await moderator.wait_for_text(studio, "no picture that I made in this server", after=newest)
    assert refusal["ephemeral_to"] == moderator.user_id


async def test_private_pictures_are_their_members_alone(shared: Stack) -> None:
    """A moderator sees that there was one and what it cost, but neither its words nor a card of it."""
    moderator, member = await shared.member(moderator=True), await shared.member(skip=2)
    studio = moderator.channel("studio")
    result = await make_picture(member, studio, "my secret", private=True)
    job_id = find_job_id(result)
    card = await open_card(moderator, studio, member.user_id)
    assert "my secret" not in text_of(card)
    assert "*private*" in text_of(card)
    newest = await moderator.newest_id(studio)
    await moderator.press(card, custom_id=f"picture1:refund:{job_id}", forge=True)
    await moderator.wait_for_text(studio, "no picture that I made in this server", after=newest)


async def test_a_forged_press_is_never_written_over_another_message(shared: Stack) -> None:
    """Even a moderator's: what is no private card stays as it is."""
    moderator, member = await shared.member(moderator=True), await shared.member(skip=0)
    studio = moderator.channel("studio")
    result = await make_picture(member, studio, "stays as it is")
    for custom_id in (f"member1:hour:{member.user_id}", f"picture1:hour:{find_job_id(result)}", "gift1:no"):
        newest = await moderator.newest_id(studio)
        await moderator.press(result, custom_id=custom_id, forge=True)
        await moderator.wait_for_text(studio, "That button is too old", after=newest)
    assert await see_message(moderator, result) == result


@pytest.mark.parametrize(
    "rest",
    ["0", ":", "x:y", "hour:-1", "hour:\u0663", "hour:1:2:3", "grant:99999999999999999999", "nothing:1"],
)
async def test_a_custom_id_of_junk_is_refused(shared: Stack, rest: str) -> None:
    moderator, member = await shared.member(moderator=True), await shared.member(skip=0)
    studio = moderator.channel("studio")
    card = await open_card(moderator, studio, member.user_id)
    before = await entries(shared, moderator)
    for prefix in ("member1", "picture1"):
        newest = await moderator.newest_id(studio)
        await moderator.press(card, custom_id=f"{prefix}:{rest}", forge=True)
        refusal = await moderator.wait_for(
            studio, lambda m: "too old" in text_of(m) or "no picture" in text_of(m), after=newest
        )
        assert refusal["ephemeral_to"] == moderator.user_id
    assert await entries(shared, moderator) == before


def has_changed(message_id: str, earlier: str, message: dict[str, Any]) -> bool:
    return bool(message["id"] == message_id) and text_of(message) != earlier

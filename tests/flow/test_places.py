"""Where a result goes, who sees it, and what is checked before anything is held."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from bot.i18n import Catalogue
from db.enums import JobState
from db.queries import jobs as queries
from tests.support.member import Member, buttons_of, pictures_of, text_of

if TYPE_CHECKING:
    from tests.flow.conftest import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")
CATALOGUE = Catalogue.load()
# Discord's message flag of an answer that is still to come ("thinking").
IS_LOADING = 1 << 7


def says(key: str, **params: object) -> str:
    return CATALOGUE.text("en-US", key, **params)


@pytest.mark.parametrize(
    ("place", "denied", "key"),
    [
        ("studio", "VIEW_CHANNEL", "place.view"),
        ("studio", "SEND_MESSAGES", "place.send"),
        ("studio", "ATTACH_FILES", "place.attach"),
        ("stage outfits", "SEND_MESSAGES_IN_THREADS", "place.send_thread"),
        ("stage outfits", "ATTACH_FILES", "place.attach"),
    ],
)
async def test_a_missing_permission_is_named_privately_before_anything_is_held(
    shared: Stack, place: str, denied: str, key: str
) -> None:
    member = await shared.member()
    channel = member.channel(place)
    submits = (await shared.servers.kvid_books())["submits"]
    newest = await member.newest_id(channel)
    await shared.servers.set_bot_permissions(channel, deny=[denied])
    try:
        await member.slash(channel, "imagine", prompt="nowhere to go")
        answer = await member.wait_for_exactly(channel, says(key), after=newest)
    finally:
        await shared.servers.set_bot_permissions(channel, allow=[denied])
    assert answer["ephemeral_to"] == member.user_id
    assert (await shared.usage(member)).held_credits == 0
    assert (await shared.servers.kvid_books())["submits"] == submits


async def test_a_channel_closed_to_the_bot_is_named(shared: Stack) -> None:
    moderator = await shared.member(moderator=True)
    channel = moderator.channel("announcements")
    await moderator.slash(channel, "imagine", prompt="breaking news")
    await moderator.wait_for_exactly(channel, says("place.send"))


async def test_a_result_in_a_thread_stays_in_the_thread(shared: Stack) -> None:
    member = await shared.member(skip=1)
    thread = member.channel("stage outfits")
    await member.slash(thread, "imagine", prompt="a stage outfit", width=256, height=256)
    result = await member.wait_for_result(thread)
    assert result["channel_id"] == thread
    assert result["ephemeral_to"] is None


async def test_where_the_bot_is_no_member_the_answer_itself_becomes_the_result(shared: Stack) -> None:
    """A user install: no channel message is possible, and buttons work all the same."""
    member = await shared.member()
    channel = member.channel("showcase")
    await member.slash(channel, "imagine", prompt="brought along", width=256, height=256)
    result = await member.wait_for_result(channel)
    assert result["ephemeral_to"] is None
    assert "brought along" in text_of(result)
    posts = [
        r for r in await shared.servers.bot_requests() if r["path"].endswith(f"/channels/{channel}/messages")
    ]
    assert posts == []
    await member.press(result, "Again")
    again = await member.wait_for_result(channel, after=result["id"])
    assert "brought along" in text_of(again)


async def test_a_direct_message_works_like_a_channel(shared: Stack) -> None:
    """In direct messages a reply needs no ping: the bot reads them anyway."""
    member = await shared.member(skip=2)
    direct = member.direct_channel()
    await member.slash(direct, "imagine", prompt="just between us", width=256, height=256)
    result = await member.wait_for_result(direct)
    await member.say(direct, "make it night", reply_to=result["id"], ping=False)
    edited = await member.wait_for_result(direct, after=result["id"])
    assert "make it night" in text_of(edited)


async def test_a_private_picture_is_seen_by_its_member_alone(shared: Stack) -> None:
    member = await shared.member(skip=1)
    other = await shared.member(skip=2)
    studio = member.channel("studio")
    newest = await member.newest_id(studio)
    await member.slash(studio, "imagine", prompt="my secret concept", width=256, height=256, private=True)
    result = await member.wait_for_result(studio, after=newest)
    assert result["ephemeral_to"] == member.user_id
    assert "my secret concept" not in " ".join(text_of(m) for m in await other.messages(studio))
    await member.press(result, "Again")
    again = await member.wait_for_result(studio, after=result["id"])
    assert again["ephemeral_to"] == member.user_id, "repeating a private picture stays private"
    modal = await member.open_modal(lambda: member.press(again, "Edit"))
    await member.submit(studio, modal, message=again, prompt="still secret")
    edited = await member.wait_for_result(studio, after=again["id"])
    assert edited["ephemeral_to"] == member.user_id, "editing a private picture stays private"


async def test_several_pictures_share_one_message_and_any_can_be_edited(shared: Stack) -> None:
    member = await shared.member(skip=3)
    studio = member.channel("studio")
    newest = await member.newest_id(studio)
    await member.slash(
        studio, "imagine", prompt="four of us", width=256, height=256, images=4, format="png", seed=7
    )
    result = await member.wait_for_result(studio, after=newest)
    pictures = pictures_of(result)
    assert len(pictures) == 4
    assert all(picture["url"].split("?")[0].endswith(".png") for picture in pictures)
    assert "seed 7 · 4 credits" in text_of(result)
    assert [b["label"] for b in buttons_of(result)] == ["Again · 4 credits", "Edit"]

    modal = await member.open_modal(lambda: member.press(result, "Edit"))
    await member.submit(studio, modal, prompt="only the third", picture="3")
    await member.wait_for_result(studio, after=result["id"])
    job = await shared.last_job(member)
    assert job.parent_image_index == 2

    await member.say(studio, "#2 only the second", reply_to=result["id"])
    edited = await member.wait_for(studio, lambda m: pictures_of(m) and "only the second" in text_of(m))
    assert "#2" not in text_of(edited)
    assert (await shared.last_job(member)).parent_image_index == 1


async def test_hostile_prompts_do_nothing(shared: Stack) -> None:
    """No ping, no heading, no link, no formatting comes out of a prompt."""
    member = await shared.member(skip=1)
    studio = member.channel("studio")
    newest = await member.newest_id(studio)
    links = "[x](https://example.invalid) <t:0:R>"
    hostile = f"@everyone <@{member.user_id}> # big\n> quote **bold** `code` {links} ||s||"
    await member.slash(studio, "imagine", prompt=hostile, width=256, height=256)
    result = await member.wait_for_result(studio, after=newest)
    assert result["sandbox_notified"] == []
    shown = text_of(result).split("\n")[1]
    assert shown.startswith("> ")
    for raw in ("@everyone", "**", "<@", "](", "<t:", "||", " `code`"):
        assert raw not in shown.replace("\\*", "").replace("\\|", "").replace("\\<", "").replace("\\`", ""), (
            raw
        )


async def test_an_acknowledgement_comes_first(shared: Stack) -> None:
    """Whatever a press starts, the first request it causes is the acknowledgement."""
    member = await shared.member(skip=3)
    studio = member.channel("studio")
    since = len(await shared.servers.bot_requests())
    await member.slash(studio, "usage")
    await member.wait_for_text(studio, "Your credits")
    first = (await shared.servers.bot_requests())[since]
    assert first["route"] == "/interactions/{interaction_id}/{interaction_token}/callback"


async def test_an_acknowledgement_waits_for_nothing(shared: Stack) -> None:
    """The database is locked and kvid is slow: the press is acknowledged all the same, and goes on later."""
    member = await shared.member(skip=3)
    studio = member.channel("studio")
    newest = await member.newest_id(studio)
    await shared.servers.kvid_fault("submit", {"delay_s": 1.0})
    lock = sqlite3.connect(shared.database_url.removeprefix("sqlite:///"), isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    try:
        await member.slash(studio, "imagine", prompt="patience", width=256, height=256)
        thinking = await member.wait_for(studio, lambda m: m["flags"] & IS_LOADING, after=newest)
    finally:
        lock.execute("ROLLBACK")
        lock.close()
    assert thinking["ephemeral_to"] == member.user_id
    await member.wait_for(studio, lambda m: pictures_of(m) and "patience" in text_of(m), after=newest)


async def test_forged_options_are_refused_by_the_bot_itself(shared: Stack) -> None:
    """A client that does not keep Discord's ranges changes nothing."""
    member = await shared.member(skip=3)
    studio = member.channel("studio")
    forged: list[tuple[dict[str, object], str]] = [
        ({"prompt": "x", "width": 100, "height": 100}, says("input.size_range")),
        ({"prompt": "x", "width": 512}, says("input.size_half")),
        ({"prompt": "x", "width": 512, "height": 512, "aspect_ratio": "1:1"}, says("input.size_both")),
        ({"prompt": "x", "steps": 1000}, says("input.value", option="steps")),
        ({"prompt": "x", "guidance": 99.0}, says("input.value", option="guidance")),
        ({"prompt": "x", "format": "exe"}, says("input.value", option="format")),
        ({"prompt": "x", "aspect_ratio": "999:1"}, says("input.value", option="aspect_ratio")),
        ({"prompt": "   "}, says("input.prompt_empty")),
    ]
    for options, answer in forged:
        newest = await member.newest_id(studio)
        await member.slash(studio, "imagine", forge=True, **options)
        told = await member.wait_for_exactly(studio, answer, after=newest)
        assert told["ephemeral_to"] == member.user_id
    assert (await shared.usage(member)).held_credits == 0


async def test_the_buttons_of_others_charge_whoever_presses(shared: Stack) -> None:
    maker = await shared.member(skip=1)
    fan = await shared.member(skip=2)
    studio = maker.channel("studio")
    newest = await maker.newest_id(studio)
    await maker.slash(studio, "imagine", prompt="shared taste", width=256, height=256)
    result = await maker.wait_for_result(studio, after=newest)
    await maker.wait_for_text(studio, f"/{result['id']}")
    before = (await shared.usage(maker)).today_credits, (await shared.usage(fan)).today_credits
    await fan.press(result, "Again")
    again = await fan.wait_for_result(studio, after=result["id"])
    assert f"<@{fan.user_id}>" in text_of(again)
    await fan.wait_for_text(studio, "Here it is", after=result["id"])
    after = (await shared.usage(maker)).today_credits, (await shared.usage(fan)).today_credits
    assert after == (before[0], before[1] + 1)


async def test_a_waiting_job_shows_its_place_and_is_cancelled_for_nothing(shared: Stack) -> None:
    member = await shared.member(skip=1)
    studio = member.channel("studio")
    async with shared.servers.kvid_held():
        # Eight places at kvid, and at most three of them for one member.
        for skip in (0, 2, 3):
            other = await shared.member(skip=skip)
            for number in range(3):
                prompt = f"before {skip}.{number}"
                await other.slash(studio, "imagine", prompt=prompt, width=256, height=256)
                await other.wait_for_text(studio, prompt)
        await member.slash(studio, "imagine", prompt="behind nine", width=256, height=256)
        card = await member.wait_for_text(studio, "**In line**: you are number 2.")
        job_id = buttons_of(card)[0]["custom_id"].split(":")[-1]
        assert "Costs up to 1 credit" in text_of(card)
        held = (await shared.usage(member)).held_credits
        await member.press(card, "Cancel")
        cancelled = await member.wait_for(
            studio, lambda m: m["id"] == card["id"] and "Cancelled" in text_of(m)
        )
        assert "Nothing was charged" in text_of(cancelled)
        assert buttons_of(cancelled) == []
        assert (await shared.usage(member)).held_credits < held
    await member.wait_for(studio, lambda m: pictures_of(m) and "before 3.2" in text_of(m))
    job = await shared.database.read(lambda c: queries.get_job(c, job_id))
    assert (job.state, job.used_credits, job.kvid_job_id) == (JobState.CANCELLED, None, None)


async def test_a_job_behind_its_own_members_says_so(shared: Stack) -> None:
    member = await shared.member(skip=3)
    studio = member.channel("studio")
    async with shared.servers.kvid_held():
        for number in range(4):
            await member.slash(studio, "imagine", prompt=f"one of four {number}", width=256, height=256)
        await member.wait_for_text(studio, "**Waiting for your other pictures**: 3 are being made at once")
    await member.wait_for(studio, lambda m: pictures_of(m) and "one of four 3" in text_of(m))


async def test_every_member_joins_the_world(shared: Stack) -> None:
    state = await Member._state(shared.servers, "")
    assert {c["name"] for c in state["commands"]} == {
        *("imagine", "edit", "usage", "gift", "studio"),
        *("Edit image", "Moderate picture"),
    }

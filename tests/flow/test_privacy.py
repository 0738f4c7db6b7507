"""What others must not see, and prices that are known before a press."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bot.i18n import Catalogue
from tests.support.member import File, pictures_of, text_of

if TYPE_CHECKING:
    from tests.flow.conftest import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")
CATALOGUE = Catalogue.load()


def says(key: str, **params: object) -> str:
    return CATALOGUE.text("en-US", key, **params)


async def test_a_refusal_is_private_also_where_the_result_would_be_public(shared: Stack) -> None:
    """A user install: the public answer that was promised is taken back, the reason told to one."""
    member = await shared.member()
    other = await shared.member(skip=1)
    channel = member.channel("showcase")
    newest = await member.newest_id(channel)
    fake = File("cute.png", b"no picture at all", "image/png")
    await member.slash(channel, "edit", image=fake, prompt="anything")
    refusal = await member.wait_for_exactly(channel, says("source.not_image"), after=newest)
    assert refusal["ephemeral_to"] == member.user_id
    assert [m["id"] for m in await other.messages(channel) if int(m["id"]) > int(newest)] == []


async def test_a_failure_s_reason_is_private_also_where_the_result_would_be_public(shared: Stack) -> None:
    """The public answer says only that there is no picture; why is behind a button, for the member alone."""
    member = await shared.member()
    other = await shared.member(skip=1)
    channel = member.channel("showcase")
    newest = await member.newest_id(channel)
    await shared.servers.kvid_fault("submit", {"code": "SAFETY_CHECK_FAILED"})
    await member.slash(channel, "imagine", prompt="a forbidden thing", width=256, height=256)
    note = await member.wait_for_text(channel, "did not work out", after=newest)
    await member.press(note, says("card.why"))
    failure = await member.wait_for_text(channel, says("failure.safety"), after=newest)
    assert failure["ephemeral_to"] == member.user_id
    seen = " ".join(text_of(m) for m in await other.messages(channel))
    assert "forbidden" not in seen
    assert says("failure.safety") not in seen


async def test_an_edit_of_a_private_picture_stays_private_by_the_menu_too(shared: Stack) -> None:
    member = await shared.member(skip=1)
    studio = member.channel("studio")
    newest = await member.newest_id(studio)
    await member.slash(studio, "imagine", prompt="between me and me", width=256, height=256, private=True)
    first = await member.wait_for_result(studio, after=newest)
    modal = await member.open_modal(lambda: member.menu(first, "Edit image"))
    await member.submit(studio, modal, prompt="still between us")
    edited = await member.wait_for_result(studio, after=first["id"])
    assert edited["ephemeral_to"] == member.user_id


async def test_a_number_without_a_picture_is_refused_for_nothing(shared: Stack) -> None:
    member = await shared.member(skip=2)
    studio = member.channel("studio")
    newest = await member.newest_id(studio)
    await member.slash(studio, "imagine", prompt="a pair", width=256, height=256, images=2)
    pair = await member.wait_for_result(studio, after=newest)
    used = (await shared.usage(member)).today_credits
    reply = await member.say(studio, "#4 make it rainy", reply_to=pair["id"])
    await member.wait_for_exactly(studio, says("input.which", count=2), after=reply["id"])
    usage = await shared.usage(member)
    assert usage.held_credits == 0
    assert usage.today_credits in {used, used + 2}, "the pair itself may have been settled meanwhile"


async def test_every_window_says_its_price(shared: Stack) -> None:
    member = await shared.member(skip=3)
    studio = member.channel("studio")
    newest = await member.newest_id(studio)
    await member.slash(studio, "imagine", prompt="priced", width=512, height=512, images=2)
    result = await member.wait_for_result(studio, after=newest)
    for act in (lambda: member.press(result, "Edit"), lambda: member.menu(result, "Edit image")):
        modal = await member.open_modal(act)
        assert "2 credits" in modal["components"][0]["description"]


async def test_choices_say_what_they_cost(shared: Stack) -> None:
    member = await shared.member()
    imagine = next(c for c in member.state["commands"] if c["name"] == "imagine")
    ratios = next(o for o in imagine["options"] if o["name"] == "aspect_ratio")["choices"]
    assert {c["name"] for c in ratios if c["value"] in {"1:1", "16:9"}} == {
        "1:1 square · 8 credits",
        "16:9 wide · 5 credits",
    }


async def test_a_refusal_gives_the_prompt_back(shared: Stack) -> None:
    """On a phone a long prompt is not typed twice."""
    member = await shared.member(skip=3)
    studio = member.channel("studio")
    newest = await member.newest_id(studio)
    await member.slash(studio, "imagine", prompt="긴 프롬프트, a long one", width=512)
    refusal = await member.wait_for_exactly(studio, says("input.size_half"), after=newest)
    assert text_of(refusal).endswith("\n> 긴 프롬프트, a long one")


async def test_talk_in_direct_messages_is_answered_once_with_what_works(shared: Stack) -> None:
    member = await shared.member(skip=3)
    direct = member.direct_channel()
    first = await member.say(direct, "hello bot")
    await member.wait_for_exactly(direct, says("hint.direct"), after=first["id"])
    await member.say(direct, "hello again")
    await member.slash(direct, "usage")
    await member.wait_for_text(direct, "Your credits", after=first["id"])
    hints = [m for m in await member.messages(direct) if text_of(m) == says("hint.direct")]
    assert len(hints) == 1


async def test_no_message_of_the_bot_notifies_anybody(shared: Stack) -> None:
    """Neither what it posts nor what it edits, in all that this module made it do."""
    member = await shared.member()
    for name in ("studio", "showcase"):
        for message in await shared.servers.all_messages(member.channel(name)):
            if message["author"].get("bot"):
                assert message["sandbox_notified"] == [], text_of(message)
    assert any(pictures_of(m) for m in await member.messages(member.channel("studio")))

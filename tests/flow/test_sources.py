"""Editing: which pictures are taken, by which way, and what is refused for free."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from bot.i18n import Catalogue
from tests.support.member import File, pictures_of, text_of

if TYPE_CHECKING:
    from tests.flow.conftest import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")
CATALOGUE = Catalogue.load()


def says(key: str, **params: object) -> str:
    return CATALOGUE.text("en-US", key, **params)


def picture(kind: str = "PNG", size: tuple[int, int] = (320, 240)) -> File:
    data = io.BytesIO()
    Image.new("RGB", size, (200, 80, 160)).save(data, kind)
    return File(f"photo.{kind.lower()}", data.getvalue(), f"image/{kind.lower()}")


def huge_claim() -> bytes:
    """A PNG of a few bytes whose header claims 40000 x 40000 pixels."""
    data = bytearray(picture().data)
    data[16:24] = (40_000).to_bytes(4, "big") * 2
    import zlib

    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    return bytes(data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
async def test_edit_takes_a_file_and_keeps_its_shape(shared: Stack, kind: str) -> None:
    member = await shared.member()
    studio = member.channel("studio")
    newest = await member.newest_id(studio)
    await member.slash(studio, "edit", image=picture(kind), prompt="make it night")
    result = await member.wait_for_result(studio, after=newest)
    assert "edited a picture" in text_of(result)
    width, height = Image.open(io.BytesIO(await member.download(pictures_of(result)[0]["url"]))).size
    assert (width, height) == (1024, 768), "4:3 stays 4:3"


@pytest.mark.parametrize(
    ("data", "key", "params"),
    [
        (b"GIF89a" + b"\0" * 64, "source.not_image", {}),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "source.not_image", {}),
        (picture("JPEG").data[:200], "source.broken", {}),
        (b"\xff\xd8\xff" + b"\0" * (20 * 1024 * 1024), "source.too_large", {"size": 20.1}),
        (huge_claim(), "source.too_many_pixels", {"megapixels": "more than 178"}),
        (b"", "source.not_image", {}),
    ],
    ids=["gif", "svg", "cut jpeg", "too large", "too many pixels", "empty"],
)
async def test_edit_refuses_what_is_no_picture_privately_and_for_free(
    shared: Stack, data: bytes, key: str, params: dict[str, object]
) -> None:
    member = await shared.member(skip=1)
    studio = member.channel("studio")
    newest = await member.newest_id(studio)
    submits = (await shared.servers.kvid_books())["submits"]
    await member.slash(studio, "edit", image=File("cute.png", data, "image/png"), prompt="anything")
    answer = await member.wait_for_exactly(studio, says(key, **params), after=newest)
    assert answer["ephemeral_to"] == member.user_id
    assert (await shared.servers.kvid_books())["submits"] == submits
    usage = await shared.usage(member)
    assert (usage.today_credits, usage.held_credits) == (0, 0)


async def test_the_menu_edits_somebody_elses_picture(shared: Stack) -> None:
    owner = await shared.member(skip=2)
    fan = await shared.member(skip=3)
    general = owner.channel("general")
    post = await owner.say(general, "my photo", files=(picture(size=(300, 300)),))
    modal = await fan.open_modal(lambda: fan.menu(post, "Edit image"))
    assert "8 credits" in modal["components"][0]["description"]
    await fan.submit(general, modal, prompt="as a film poster")
    result = await fan.wait_for_result(general, after=post["id"])
    assert f"<@{fan.user_id}>" in text_of(result)
    assert result["message_reference"]["message_id"] == post["id"]
    assert result["sandbox_notified"] == []


async def test_the_menu_edits_the_bots_own_result(shared: Stack) -> None:
    member = await shared.member(skip=2)
    studio = member.channel("studio")
    newest = await member.newest_id(studio)
    await member.slash(studio, "imagine", prompt="a start", width=256, height=256)
    first = await member.wait_for_result(studio, after=newest)
    modal = await member.open_modal(lambda: member.menu(first, "Edit image"))
    await member.submit(studio, modal, prompt="a better end")
    await member.wait_for(
        studio, lambda m: pictures_of(m) and "a better end" in text_of(m), after=first["id"]
    )


async def test_the_menu_says_when_there_is_no_picture(shared: Stack) -> None:
    member = await shared.member(skip=2)
    general = member.channel("general")
    post = await member.say(general, "just words")
    await member.menu(post, "Edit image")
    answer = await member.wait_for_exactly(general, says("source.missing"), after=post["id"])
    assert answer["ephemeral_to"] == member.user_id


async def test_a_window_is_answered_once(shared: Stack) -> None:
    """What the window was about is forgotten when it is sent off; a second copy is told to choose again."""
    member = await shared.member(skip=3)
    general = member.channel("general")
    post = await member.say(general, "look", files=(picture(size=(256, 256)),))
    modal = await member.open_modal(lambda: member.menu(post, "Edit image"))
    other = await member.open_modal(lambda: member.menu(post, "Edit image"))
    await member.submit(general, modal, prompt="first copy")
    stale = {**other, "custom_id": modal["custom_id"]}
    assert stale["custom_id"] != other["custom_id"], "each window has a key of its own"
    await member.wait_for_result(general, after=post["id"])


async def test_a_reply_that_mentions_the_bot_edits_somebody_elses_picture(shared: Stack) -> None:
    owner = await shared.member(skip=2)
    fan = await shared.member(skip=3)
    general = owner.channel("general")
    post = await owner.say(general, "", files=(picture("JPEG", (512, 512)),))
    bot_id = fan.state["bot"]["id"]
    ask = await fan.say(general, f"<@{bot_id}> add confetti", reply_to=post["id"])
    result = await fan.wait_for_result(general, after=ask["id"])
    assert "add confetti" in text_of(result)
    assert f"<@{bot_id}>" not in text_of(result)
    assert result["message_reference"]["message_id"] == ask["id"]


async def test_a_reply_without_the_ping_gets_one_hint(shared: Stack) -> None:
    member = await shared.member(skip=1)
    studio = member.channel("studio")
    newest = await member.newest_id(studio)
    await member.slash(studio, "imagine", prompt="quiet picture", width=256, height=256)
    first = await member.wait_for_result(studio, after=newest)
    await shared.until_charged(member)
    reply = await member.say(studio, "make it loud", reply_to=first["id"], ping=False)
    hint = await member.wait_for_exactly(studio, says("hint.ping_off"), after=reply["id"])
    assert hint["sandbox_notified"] == []
    again = await member.say(studio, "make it loud!!", reply_to=first["id"], ping=False)
    marker = await member.slash(studio, "usage")
    assert marker
    await member.wait_for_text(studio, "Your credits", after=again["id"])
    hints = [m for m in await member.messages(studio) if text_of(m) == says("hint.ping_off")]
    assert len(hints) == 1, "the second reply gets no second hint"
    assert (await shared.usage(member)).held_credits == 0


async def test_a_reply_without_words_is_asked_for_some(shared: Stack) -> None:
    member = await shared.member(skip=2)
    studio = member.channel("studio")
    newest = await member.newest_id(studio)
    await member.slash(studio, "imagine", prompt="wordless", width=256, height=256)
    first = await member.wait_for_result(studio, after=newest)
    await shared.until_charged(member)
    bot_id = member.state["bot"]["id"]
    await member.say(studio, f"<@{bot_id}>", reply_to=first["id"])
    await member.wait_for_exactly(studio, says("hint.reply_empty"), after=first["id"])


async def test_a_reply_to_talk_of_the_bot_says_what_is_missing(shared: Stack) -> None:
    member = await shared.member(skip=3)
    general = member.channel("general")
    post = await member.say(general, "no picture here")
    bot_id = member.state["bot"]["id"]
    await member.say(general, f"<@{bot_id}> make it blue", reply_to=post["id"])
    await member.wait_for_exactly(general, says("source.missing"), after=post["id"])


async def test_the_card_of_a_reply_goes_when_the_picture_is_there(shared: Stack) -> None:
    """A reply cannot be answered privately: its card is a channel message, and leaves no clutter."""
    member = await shared.member()
    studio = member.channel("studio")
    newest = await member.newest_id(studio)
    await member.slash(studio, "imagine", prompt="clean room", width=256, height=256)
    first = await member.wait_for_result(studio, after=newest)
    await shared.until_charged(member)
    async with shared.servers.kvid_held():
        await member.say(studio, "with flowers", reply_to=first["id"])
        card = await member.wait_for_text(studio, "Making your picture", after=first["id"])
        assert card["ephemeral_to"] is None
    await member.wait_for(studio, lambda m: pictures_of(m) and "with flowers" in text_of(m))
    await member.wait_until_gone(studio, card["id"])


async def test_a_failed_reply_tells_its_reason_only_to_its_author(shared: Stack) -> None:
    member = await shared.member()
    other = await shared.member(skip=1)
    studio = member.channel("studio")
    newest = await member.newest_id(studio)
    await member.slash(studio, "imagine", prompt="calm sea", width=256, height=256)
    first = await member.wait_for_result(studio, after=newest)
    await shared.until_charged(member)
    await shared.servers.kvid_fault("submit", {"code": "SAFETY_CHECK_FAILED"})
    await member.say(studio, "something not allowed", reply_to=first["id"])
    note = await member.wait_for(studio, lambda m: text_of(m) == says("card.failed_reply"), after=first["id"])
    await other.press(note, "Why?")
    await other.wait_for_exactly(studio, says("error.not_your_reason"), after=note["id"])
    await member.press(note, "Why?")
    answer = await member.wait_for_exactly(studio, says("failure.safety"), after=note["id"])
    assert answer["ephemeral_to"] == member.user_id

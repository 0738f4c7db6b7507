"""The main job, end to end, against the real process: imagine, reply, again, usage."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from PIL import Image

from tests.support.member import buttons_of, pictures_of, text_of

if TYPE_CHECKING:
    from tests.flow.conftest import Stack


async def test_imagine_reply_again_and_usage(stack: Stack) -> None:
    """A member gets a picture, changes it by replying, repeats it, and sees what all three cost."""
    member = await stack.member()
    studio = member.channel("studio")

    await member.slash(
        studio, "imagine", prompt="silver stage lights, 은하수", width=512, height=512, steps=20
    )
    first = await member.wait_for_result(studio)
    assert f"<@{member.user_id}>" in text_of(first)
    assert "silver stage lights, 은하수" in text_of(first)
    assert re.search(r"512×512 · seed \d+ · 2 credits", text_of(first))
    assert first.get("sandbox_notified") in (None, [])
    assert first["ephemeral_to"] is None
    picture = pictures_of(first)[0]
    data = await member.download(picture["url"])
    assert Image.open(io.BytesIO(data)).size == (512, 512)
    assert "silver stage lights" in picture["description"]
    card = await member.wait_for_text(studio, "Here it is")
    assert card["ephemeral_to"] == member.user_id
    assert f"/{studio}/{first['id']}" in text_of(card)

    await member.say(studio, "make everything blue", reply_to=first["id"])
    second = await member.wait_for_result(studio, after=first["id"])
    assert "make everything blue" in text_of(second)
    edited = await member.download(pictures_of(second)[0]["url"])
    assert edited != data
    assert Image.open(io.BytesIO(edited)).size == (512, 512)

    await member.press(first, "Again")
    third = await member.wait_for_result(studio, after=second["id"])
    assert "silver stage lights" in text_of(third)
    assert await member.download(pictures_of(third)[0]["url"]) != data

    await stack.until_charged(member)
    await member.slash(studio, "usage")
    usage = await member.wait_for_text(studio, "Your credits")
    assert usage["ephemeral_to"] == member.user_id
    assert "Today: **6** used" in text_of(usage)
    assert text_of(usage).count("2 credits") == 3
    await stack.assert_books_agree()
    assert (await stack.servers.kvid_books())["charged_credits"] == 6


async def test_buttons_work_after_a_restart(stack: Stack) -> None:
    """Nothing about a result lives in the process: its buttons carry all they need."""
    member = await stack.member()
    studio = member.channel("studio")
    await member.slash(studio, "imagine", prompt="before the restart", width=256, height=256)
    first = await member.wait_for_result(studio)
    assert [button["label"] for button in buttons_of(first)] == ["Again · 1 credit", "Edit"]
    assert await stack.bot.stop() == 0
    from tests.support.process import start_bot

    bot = await start_bot(stack.servers, stack.database_url, stack.bot._log_path)
    try:
        await member.press(first, "Again")
        again = await member.wait_for_result(studio, after=first["id"])
        modal = await member.open_modal(lambda: member.press(again, "Edit"))
        assert modal["title"] == "Edit image"
        await member.submit(studio, modal, prompt="after the restart")
        edited = await member.wait_for_result(studio, after=again["id"])
        assert "after the restart" in text_of(edited)
    finally:
        assert await bot.stop() == 0
    assert not bot.events("commands.synced")[1:], "unchanged commands are not registered again"

"""/usage through the real process: the card with its chart, in a server and in direct messages, and without one."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from bot.caps.values import Cap
from tests.flow.acts import change_policy, make_picture
from tests.support.member import Member, buttons_of, pictures_of, text_of
from tests.support.process import run_bot
from tests.support.servers import run_servers

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flow.conftest import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def ask_usage(member: Member, channel: str) -> dict[str, Any]:
    newest = await member.newest_id(channel)
    await member.slash(channel, "usage")
    return await member.wait_for_text(channel, "Your credits", after=newest)


async def test_the_card_shows_what_is_left_and_thirty_days_as_a_picture(shared: Stack) -> None:
    moderator, member = await shared.member(moderator=True), await shared.member()
    await change_policy(shared, moderator, lambda policy: replace(policy, member_cap=Cap(credits=30)))
    studio = member.channel("studio")
    card = await ask_usage(member, studio)
    assert "**30** of 30 credits left today · starts over <t:" in text_of(card)
    assert pictures_of(card) == []
    await make_picture(member, studio, "aurora stage")
    card = await ask_usage(member, studio)
    assert card["ephemeral_to"] == member.user_id
    shown = text_of(card)
    assert "**28** of 30 credits left today" in shown
    assert "The cap of every member here" in shown
    assert "Today: **2** used · this week: **2** · this month: **2**" in shown
    assert "2 credits · aurora stage" in shown
    [chart] = pictures_of(card)
    assert "2 credits in all, used on 1 of the days" in chart["description"]
    picture = Image.open(io.BytesIO(await member.download(chart["url"])))
    assert (picture.format, picture.width) == ("PNG", 800)
    assert [button["custom_id"] for button in buttons_of(card)] == ["help:credits"]
    assert card["id"] not in [message["id"] for message in await moderator.messages(studio)]


async def test_in_direct_messages_the_card_counts_all_servers(shared: Stack) -> None:
    member = await shared.member(skip=1)
    await make_picture(member, member.channel("studio"), "aurora stage")
    direct = member.direct_channel()
    await make_picture(member, direct, "aurora stage")
    shown = text_of(await ask_usage(member, direct))
    assert "Today: **4** used · this month: **4**" in shown
    assert "No limit" in shown
    assert shown.count("2 credits · aurora stage") == 2
    shown = text_of(await ask_usage(member, member.channel("studio")))
    assert "Today: **2** used" in shown
    assert shown.count("aurora stage") == 1


async def test_a_newcomer_is_told_how_to_begin(shared: Stack) -> None:
    member = await shared.member(skip=2)
    card = await ask_usage(member, member.channel("studio"))
    assert "Type `/imagine`" in text_of(card)
    assert pictures_of(card) == []


async def test_a_chart_that_cannot_be_drawn_leaves_the_card_and_a_warning(tmp_path: Path) -> None:
    """The plotting library is broken: the numbers come all the same."""
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "matplotlib.py").write_text("raise OSError('broken')\n")
    url = f"sqlite:///{tmp_path / 'bot.db'}"
    async with (
        run_servers() as servers,
        run_bot(servers, url, tmp_path / "bot.log", PYTHONPATH=str(broken), MEMBER_DAILY_CREDITS="50") as bot,
    ):
        member = await Member.join(servers)
        studio = member.channel("studio")
        await make_picture(member, studio, "aurora stage")
        card = await ask_usage(member, studio)
        assert "Today: **2** used" in text_of(card)
        assert "In all servers together: **48** of 50 left today" in text_of(card)
        assert pictures_of(card) == []
        assert bot.events("chart.lost")
        shown = text_of(await ask_usage(member, member.direct_channel()))
        assert "**48** of 50 credits left today" in shown

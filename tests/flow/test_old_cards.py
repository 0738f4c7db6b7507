"""What was opened before a restart is pressed and sent off after it: cards of members, pictures, gifts, grants."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bot.caps.policies import Policies
from bot.clock import SystemClock
from db import migrate
from db.engine import Database
from tests.flow.acts import make_picture, open_card, open_picture, press_and_see, see
from tests.flow.test_gifts import ask_to_give
from tests.support.member import Member, UserOption
from tests.support.process import run_bot
from tests.support.servers import run_servers

if TYPE_CHECKING:
    from pathlib import Path


async def allow_gifts(url: str, guild_id: int) -> None:
    database = Database(url)
    try:
        await Policies(database, SystemClock()).change(
            guild_id, 1, lambda policy: replace(policy, gifts_allowed=True), subject="test"
        )
    finally:
        await database.close()


async def test_cards_and_windows_outlive_a_restart_and_say_what_they_did_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'bot.db'}"
    migrate.upgrade(url)
    async with run_servers() as servers:
        member = await Member.join(servers)
        other = await Member.join(servers, skip=1)
        await allow_gifts(url, int(member.state["guild"]["id"]))
        async with run_bot(servers, url, tmp_path / "first.log"):
            moderator = await Member.join(servers, moderator=True)
            await member.refresh()
            studio = moderator.channel("studio")
            result = await make_picture(member, studio, "seen before the restart")
            newest = await moderator.newest_id(studio)
            who = UserOption(member.user_id)
            await moderator.slash(studio, "studio grant", amount=9, reason="for the fan art", member=who)
            granted = await moderator.wait_for_text(studio, "got 9 credits", after=newest)
            question = await ask_to_give(member, other.user_id, 2, "Give 2 credits")
            card = await open_card(moderator, studio, member.user_id)
            window = await moderator.open_modal(lambda: moderator.press(card, "Own cap"))
            picture = await open_picture(moderator, result)
            hiding = await moderator.open_modal(lambda: moderator.press(picture, "Hide"))
        async with run_bot(servers, url, tmp_path / "second.log"):
            await moderator.submit(studio, window, {"cap": "week", "typed": "1,000"}, message=card)
            card = await see(moderator, card, "may now spend 1\u202f000 credits a week")
            await press_and_see(member, question, "Give 2 credits", "got 2 credits from you")
            await press_and_see(moderator, granted, "Undo", "7 credits taken back")
            newest = await moderator.newest_id(studio)
            picture = await press_and_see(moderator, picture, "Refund", "2 credits went back")
            # The same press as its old look still offers it.
            await moderator.press(picture, custom_id="picture1:refund", forge=True)
            await see(moderator, picture, "had gone back already")
            await moderator.submit(studio, hiding, {"reason": "rule 3"}, message=picture)
            await see(moderator, picture, "is hidden")
            assert await moderator.messages(studio)
            await moderator.wait_for_text(studio, "Hidden by")

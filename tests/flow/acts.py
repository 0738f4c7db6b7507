"""What the tests of moderators do again and again, and what they look up in the database."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from bot.caps.policies import Policies
from bot.clock import SystemClock
from db.queries import servers as queries
from tests.support.member import UserOption, buttons_of, text_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.caps.values import Policy
    from db.values import AuditEntry
    from tests.flow.conftest import Stack
    from tests.support.member import Member

MENU = "Moderate picture"


async def open_card(moderator: Member, channel: str, user_id: str) -> dict[str, Any]:
    """The card, once it is drawn."""
    newest = await moderator.newest_id(channel)
    await moderator.slash(channel, "studio member", member=UserOption(user_id))
    return await moderator.wait_for_text(channel, "### Member", after=newest)


async def press_and_see(moderator: Member, card: dict[str, Any], label: str, said: str) -> dict[str, Any]:
    """The same card, as soon as it says what was done."""
    await moderator.press(card, label)
    return await see(moderator, card, said)


async def see(moderator: Member, card: dict[str, Any], said: str) -> dict[str, Any]:
    found = await moderator.wait_for(
        card["channel_id"], lambda m: m["id"] == card["id"] and said in text_of(m)
    )
    assert found["ephemeral_to"] == moderator.user_id
    return found


async def make_picture(member: Member, channel: str, prompt: str, **options: Any) -> dict[str, Any]:
    newest = await member.newest_id(channel)
    await member.slash(channel, "imagine", prompt=prompt, width=512, height=512, **options)
    result = await member.wait_for_result(channel, after=newest)
    if not options.get("private"):
        # Posted is not yet charged, and a card about it looks at what was charged.
        await member.wait_for_text(channel, "Here it is", after=newest)
    return result


async def open_picture(moderator: Member, message: dict[str, Any]) -> dict[str, Any]:
    newest = await moderator.newest_id(message["channel_id"])
    await moderator.menu(message, MENU)
    card = await moderator.wait_for_text(message["channel_id"], "### A picture", after=newest)
    assert card["ephemeral_to"] == moderator.user_id
    return card


async def see_message(member: Member, message: dict[str, Any]) -> dict[str, Any]:
    return await member.wait_for(message["channel_id"], lambda m: m["id"] == message["id"])


def find_job_id(message: dict[str, Any]) -> str:
    ids = [re.fullmatch(r"v1:again:([0-9a-f]{20}).*", one["custom_id"]) for one in buttons_of(message)]
    return next(str(found[1]) for found in ids if found)


async def entries(stack: Stack, member: Member) -> list[AuditEntry]:
    """The whole audit log of this member's server, oldest first."""
    guild_id = int(member.state["guild"]["id"])
    return await stack.database.read(lambda c: queries.list_entries(c, guild_id, limit=1000))


async def entries_about(stack: Stack, member: Member) -> list[AuditEntry]:
    return [one for one in await entries(stack, member) if one.target_id == int(member.user_id)]


async def change_policy(stack: Stack, moderator: Member, change: Callable[[Policy], Policy]) -> None:
    """Change the server's settings behind the bot's back, as another process would."""
    guild_id = int(moderator.state["guild"]["id"])
    policies = Policies(stack.database, SystemClock())
    await policies.change(guild_id, int(moderator.user_id), change, subject="test")

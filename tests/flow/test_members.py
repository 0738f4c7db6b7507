"""/studio member and /studio grant through the real process: what a moderator sees and does about one member."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.member import RoleOption, UserOption, buttons_of, text_of

if TYPE_CHECKING:
    from tests.flow.conftest import Stack
    from tests.support.member import Member

pytestmark = pytest.mark.asyncio(loop_scope="module")


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

"""/studio settings and /studio timezone through the real process, as a moderator and as somebody who is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bot.caps.policies import Policies
from bot.caps.values import Cap
from bot.clock import SystemClock
from db.enums import BalancePeriod

if TYPE_CHECKING:
    from bot.caps.values import Policy
    from tests.flow.conftest import Stack
    from tests.support.member import Member

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def policy_of(stack: Stack, member: Member) -> Policy:
    """What the bot's next decision goes by."""
    policies = Policies(stack.database, SystemClock())
    return await policies.find(int(member.state["guild"]["id"]))


async def test_the_time_zone_is_suggested_and_set(shared: Stack) -> None:
    moderator = await shared.member(moderator=True)
    studio = moderator.channel("studio")
    offered = await moderator.autocomplete(studio, "studio timezone", "zone", "")
    assert offered[0]["value"] == "America/New_York", "the first zone comes from the server's language"
    [seoul] = await moderator.autocomplete(studio, "studio timezone", "zone", "seou")
    await moderator.slash(studio, "studio timezone", zone=seoul["value"])
    told = await moderator.wait_for_text(studio, "now begin by **Asia/Seoul**")
    assert told["ephemeral_to"] == moderator.user_id
    assert (await policy_of(shared, moderator)).time_zone == "Asia/Seoul"
    await moderator.slash(studio, "studio timezone", zone="Nowhere")
    await moderator.wait_for_text(studio, "I don't know the time zone “Nowhere”")


async def open_panel(moderator: Member, channel_id: str, topic: str = "caps") -> dict[str, Any]:
    after = await moderator.newest_id(channel_id)
    await moderator.slash(channel_id, "studio settings")
    panel = await moderator.wait_for_text(channel_id, "Studio settings", after=after)
    if topic != "caps":
        await moderator.choose(panel, "studio1:show", topic)
    return panel


async def test_a_cap_is_changed_shown_and_undone_in_the_same_message(shared: Stack) -> None:
    moderator = await shared.member(moderator=True)
    studio = moderator.channel("studio")
    panel = await open_panel(moderator, studio)
    assert panel["ephemeral_to"] == moderator.user_id
    window = await moderator.open_modal(lambda: moderator.press(panel, custom_id="studio1:cap"))
    await moderator.submit(studio, window, message=panel, typed=" 20 ", period="week")
    changed = await moderator.wait_for_text(studio, "Default cap: no cap → **20 credits a week**")
    assert changed["id"] == panel["id"]
    assert (await policy_of(shared, moderator)).member_cap == Cap(credits=20, period=BalancePeriod.WEEK)
    await moderator.press(changed, "Undo")
    await moderator.wait_for_text(studio, "Default cap: 20 credits a week → **no cap**")
    assert (await policy_of(shared, moderator)).member_cap is None

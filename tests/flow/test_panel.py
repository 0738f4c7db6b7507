"""/studio settings and /studio timezone through the real process, as a moderator and as somebody who is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bot.caps.policies import Policies
from bot.clock import SystemClock
from tests.support.member import Refused, text_of

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

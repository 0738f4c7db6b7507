"""What the tests of the settings panel do again and again: begin anew, open it, fill one of its windows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.caps.policies import Policies
from bot.caps.values import Policy
from bot.clock import SystemClock
from tests.flow.acts import change_policy, see
from tests.support.member import selects_of

if TYPE_CHECKING:
    from tests.flow.conftest import Stack
    from tests.support.member import Member


async def policy_of(stack: Stack, member: Member) -> Policy:
    """What the bot's next decision goes by."""
    return await Policies(stack.database, SystemClock()).find(int(member.state["guild"]["id"]))


async def begin(stack: Stack, **settings: Any) -> Member:
    """A moderator of a server with these settings and otherwise new ones."""
    moderator = await stack.member(moderator=True)
    await change_policy(stack, moderator, lambda _: Policy(**settings))
    return moderator


async def open_panel(moderator: Member, topic: str = "caps") -> dict[str, Any]:
    studio = moderator.channel("studio")
    newest = await moderator.newest_id(studio)
    await moderator.slash(studio, "studio settings")
    panel = await moderator.wait_for_text(studio, "Studio settings", after=newest)
    assert panel["ephemeral_to"] == moderator.user_id
    if topic == "caps":
        return panel
    await moderator.choose(panel, "studio1:show", topic)
    return await moderator.wait_for(
        studio, lambda m: m["id"] == panel["id"] and shows_topic(m, topic), after=newest
    )


def shows_topic(panel: dict[str, Any], topic: str) -> bool:
    select = next(one for one in selects_of(panel) if one["custom_id"] == "studio1:show")
    return any(one["value"] == topic and one.get("default") for one in select["options"])


async def fill(
    moderator: Member, panel: dict[str, Any], part: str, said: str, /, **fields: str
) -> dict[str, Any]:
    """Press a button of the panel, fill its window, and see the same panel say what changed."""
    window = await moderator.open_modal(lambda: moderator.press(panel, custom_id=f"studio1:{part}"))
    await moderator.submit(panel["channel_id"], window, dict(fields), message=panel)
    return await see(moderator, panel, said)

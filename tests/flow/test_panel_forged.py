"""The settings panel in the hands of members who may not manage the server: nothing of it works."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest.mock import MagicMock

import pytest

from bot.caps.values import Policy
from bot.safety.words import WordAction, WordList
from cogs._panel_input import key_of
from cogs._studio_panel import build_desk
from tests.flow.acts import entries
from tests.flow.panel_acts import begin, open_panel, policy_of

if TYPE_CHECKING:
    from tests.flow.conftest import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")
DESK = build_desk(MagicMock())
REFUSAL = "Only members who may manage this server can do that. Nothing was changed."
RUDE = WordList(name="Rude", action=WordAction.REFUSE, words=("foo",))
# How each window of the panel is opened: the part, and what is chosen in it.
OPENED_BY = {
    "cap": ("cap", None),
    "budget": ("budget", None),
    "role": ("role", "Lightstick"),
    "chan": ("chan", "studio"),
    "running": ("running", None),
    "waiting": ("waiting", None),
    "cooldown": ("cooldown", None),
    "tenure": ("tenure", None),
    "new": ("new", None),
    "edit": (f"edit/{key_of('Rude')}/0", None),
    "rename": (f"rename/{key_of('Rude')}", None),
    "allow": ("allow/0", None),
    "retention": ("retention", None),
    "zone": ("zone", None),
}


@pytest.mark.parametrize("command", ["studio settings", "studio timezone"])
async def test_a_command_is_refused_for_a_member_who_forges_it(shared: Stack, command: str) -> None:
    moderator, member = await begin(shared), await shared.member()
    studio = member.channel("studio")
    assert not member.offers(studio, "studio")
    assert moderator.offers(studio, "studio")
    assert not moderator.offers(moderator.direct_channel(), "studio")
    newest = await member.newest_id(studio)
    options = {"zone": "Asia/Seoul"} if command == "studio timezone" else {}
    await member.slash(studio, command, forge=True, **options)
    told = await member.wait_for_text(studio, REFUSAL, after=newest)
    assert told["ephemeral_to"] == member.user_id
    assert await policy_of(shared, moderator) == Policy()


@pytest.mark.parametrize("part", sorted(DESK.parts))
async def test_a_part_is_refused_for_a_member_who_forges_it(shared: Stack, part: str) -> None:
    """Whatever is pressed by its custom_id: nothing is shown, nothing is changed."""
    moderator, member = await begin(shared, word_lists=(RUDE,), allowed_words=("bar",)), await shared.member()
    studio = member.channel("studio")
    await member.slash(studio, "usage")
    card = await member.wait_for_text(studio, "credits")
    before = await policy_of(shared, moderator)
    arguments = {"undo": f"/caps/{(await entries(shared, moderator))[-1].id}", "gifts": "/on"}
    argument = arguments.get(part, f"/{key_of('Rude')}/drop")
    await member.press(card, custom_id=f"studio1:{part}{argument}", forge=True)
    told = await member.wait_for_text(studio, REFUSAL, after=card["id"])
    assert told["ephemeral_to"] == member.user_id
    assert await policy_of(shared, moderator) == before


@pytest.mark.parametrize("window", sorted(DESK.windows))
async def test_a_window_is_refused_once_its_moderator_is_none_any_more(shared: Stack, window: str) -> None:
    moderator = await begin(shared, word_lists=(RUDE,))
    other = await shared.member(skip=3)
    await shared.servers.set_member_roles(other.user_id, [moderator.role("Moderator")])
    await other.refresh()
    panel = await open_panel(other)
    part, chosen = OPENED_BY[window]
    custom_id = f"studio1:{part}"
    if chosen is None:
        opened = await other.open_modal(lambda: other.press(panel, custom_id=custom_id, forge=True))
    else:
        target = other.role(chosen) if window == "role" else other.channel(chosen)
        opened = await other.open_modal(lambda: other.choose(panel, custom_id, target))
    before = await policy_of(shared, moderator)
    await shared.servers.set_member_roles(other.user_id, [moderator.role("Lightstick")])
    newest = await other.newest_id(panel["channel_id"])
    await other.submit(panel["channel_id"], opened, message=panel, typed="7")
    await other.wait_for_text(panel["channel_id"], REFUSAL, after=newest)
    assert await policy_of(shared, moderator) == before

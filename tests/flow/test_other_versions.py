"""Presses on cards of another version, on the real process: each is answered, in private."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.member import text_of

if TYPE_CHECKING:
    from tests.flow.conftest import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    ("custom_id", "said"),
    [
        ("studio9:cap", "open a new one with **/studio settings**"),
        ("report2:period", "open a new one with **/studio report**"),
        ("member9:hour:1", "open a new one with **/studio member**"),
        ("v2:again:1", "open a new one with **/imagine**"),
        ("v1:later:1", "open a new one with **/imagine**"),
        ("something", "Please use its command again"),
    ],
)
async def test_a_button_of_another_version_is_answered_in_private(
    shared: Stack, custom_id: str, said: str
) -> None:
    member = await shared.member()
    studio = member.channel("studio")
    newest = await member.newest_id(studio)
    await member.slash(studio, "usage")
    card = await member.wait_for_text(studio, "### Your credits", after=newest)
    await member.press(card, custom_id=custom_id, forge=True)
    told = await member.wait_for_text(studio, said, after=card["id"])
    assert told["ephemeral_to"] == member.user_id
    assert "from another version of me" in text_of(told)


async def test_a_report_s_menu_of_another_version_is_answered_so(shared: Stack) -> None:
    moderator = await shared.member(moderator=True)
    studio = moderator.channel("studio")
    newest = await moderator.newest_id(studio)
    await moderator.slash(studio, "studio report")
    card = await moderator.wait_for_text(studio, "### Report", after=newest)
    for custom_id, chosen in (("report:quarter", "today"), ("report:period", "days_90")):
        newest = await moderator.newest_id(studio)
        await moderator.choose(card, custom_id, chosen, forge=True)
        await moderator.wait_for_text(studio, "open a new one with **/studio report**", after=newest)

"""Nobody but moderators gets anything of theirs through the real process: no card, no window, no act."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.flow.acts import (
    MENU,
    entries,
    find_job_id,
    make_picture,
    open_card,
    open_picture,
    press_and_see,
    see_message,
)
from tests.support.member import RoleOption, UserOption, pictures_of, text_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.flow.conftest import Stack
    from tests.support.member import Member

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True, slots=True, kw_only=True)
class Forged:
    """Something that a member without any permission sends all the same; `{member}` and `{job}` are filled in."""

    command: str = ""
    custom_id: str = ""


FORGED = [
    Forged(command="studio member"),
    Forged(command="studio grant member"),
    Forged(command="studio grant role"),
    Forged(command=MENU),
    *(
        Forged(custom_id=f"member1:{verb}:{{member}}:3")
        for verb in (
            *("hour", "day", "forever", "unblock", "grant", "take", "cap", "reset", "pass"),
            "nothing",
        )
    ),
    *(
        Forged(custom_id=f"picture1:{verb}:{{job}}")
        for verb in ("hide", "refund", "both", "hour", "day", "forever", "unblock", "pass", "nothing")
    ),
    Forged(custom_id="grant1:undo:{grant}"),
    Forged(custom_id="grant1:close:{grant}"),
]


@pytest.mark.parametrize("forged", FORGED, ids=lambda one: one.command or one.custom_id.rpartition(":{")[0])
async def test_a_member_is_refused_everything_that_is_for_moderators(shared: Stack, forged: Forged) -> None:
    member = await shared.member(skip=1)
    studio = member.channel("studio")
    result = await last_result(member)
    before = await entries(shared, member)
    newest = await member.newest_id(studio)
    if forged.custom_id:
        filled = forged.custom_id.format(member=member.user_id, job=find_job_id(result), grant="0" * 32)
        await member.press(result, custom_id=filled, forge=True)
    elif forged.command == MENU:
        await member.menu(result, MENU, forge=True)
    else:
        await forge_command(member, studio, forged.command)
    refusal = await member.wait_for_text(studio, "Only members who may manage", after=newest)
    assert refusal["ephemeral_to"] == member.user_id
    assert "Nothing was changed" in text_of(refusal)
    assert await entries(shared, member) == before
    assert await see_message(member, result) == result


WINDOWS = ["Block for good", "Grant", "Take back", "Own cap", "Start over"]


@pytest.mark.parametrize("label", [*WINDOWS, "Hide", "Hide and refund", "role", "picture: Block for good"])
async def test_a_window_is_refused_when_its_permission_is_gone(shared: Stack, label: str) -> None:
    """Opened as a moderator, sent off as none."""
    moderator, member = await shared.member(moderator=True), await shared.member(skip=1)
    studio = moderator.channel("studio")
    opened: Callable[[], Awaitable[Any]]
    card: dict[str, Any] | None = None
    if label == "role":
        role = RoleOption(moderator.role("Lightstick"))
        opened = partial(moderator.slash, studio, "studio grant", amount=5, reason="x", role=role)
    else:
        in_picture = label not in WINDOWS
        card = (
            await open_picture(moderator, await last_result(member))
            if in_picture
            else await open_card(moderator, studio, member.user_id)
        )
        custom_id = {"Take back": "member1:take", "Start over": "member1:reset"}.get(label)
        if custom_id:
            opened = partial(moderator.press, card, custom_id=f"{custom_id}:{member.user_id}:5", forge=True)
        else:
            opened = partial(moderator.press, card, label.removeprefix("picture: "))
    window = await moderator.open_modal(opened)
    before = await entries(shared, member)
    role_id = moderator.role("Moderator")
    await shared.servers.set_member_roles(moderator.user_id, [])
    try:
        newest = await moderator.newest_id(studio)
        fields = {"typed": "5", "reason": "x"} if label in ("Grant", "Take back") else {}
        await moderator.submit(studio, window, fields, message=card)
        await moderator.wait_for_text(studio, "Only members who may manage", after=newest)
    finally:
        await shared.servers.set_member_roles(moderator.user_id, [role_id])
    assert await entries(shared, member) == before


async def test_who_may_manage_messages_moderates_pictures_and_nothing_else(shared: Stack) -> None:
    """The menu asks for Manage Messages alone; members' cards for Manage Server."""
    member = await shared.member(skip=2)
    studio = member.channel("studio")
    role = await shared.servers.add_role("Helper")
    await shared.servers.set_role_permissions(role, allow=("MANAGE_MESSAGES",))
    before = member.role("Lightstick")
    await shared.servers.set_member_roles(member.user_id, [before, role])
    try:
        card = await open_picture(member, await last_result(await shared.member(skip=1)))
        await press_and_see(member, card, "Allow once", "may pass the word lists")
        newest = await member.newest_id(studio)
        await forge_command(member, studio, "studio member")
        await member.wait_for_text(studio, "Only members who may manage this server", after=newest)
    finally:
        await shared.servers.set_member_roles(member.user_id, [before])


async def forge_command(member: Member, channel: str, command: str) -> None:
    if command == "studio member":
        await member.slash(channel, command, forge=True, member=UserOption(member.user_id))
    elif command == "studio grant member":
        await member.slash(
            channel, "studio grant", forge=True, amount=100, reason="me", member=UserOption(member.user_id)
        )
    else:
        role = RoleOption(member.role("Lightstick"))
        await member.slash(channel, "studio grant", forge=True, amount=100, reason="us", role=role)


async def last_result(member: Member) -> dict[str, Any]:
    """A picture of this member's in the studio, made when there is none."""
    studio = member.channel("studio")
    message: dict[str, Any]
    for message in reversed(await member.messages(studio)):
        if pictures_of(message) and f"<@{member.user_id}> imagined" in text_of(message):
            return message
    return await make_picture(member, studio, "one to look at")

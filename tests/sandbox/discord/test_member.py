"""The hands of the flow tests: what a member does with them arrives at the bot as Discord would send it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.sandbox.discord.support import FLAG_V2, PIXEL, Gateway, Json, Local
from tests.support.member import (
    ChannelOption,
    File,
    Member,
    MentionableOption,
    Refused,
    RoleOption,
    UserOption,
    files_of,
    selects_of,
)
from tests.support.servers import Servers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ZONE: Json = {"type": 3, "name": "zone", "description": "d", "autocomplete": True}
COUNT: Json = {"type": 4, "name": "n", "description": "d"}
STUDIO: Json = {
    "name": "studio",
    "description": "d",
    "default_member_permissions": "32",
    "options": [
        {"type": 1, "name": "settings", "description": "d"},
        {"type": 1, "name": "member", "description": "d", "options": [{"type": 6, "name": "who", "description": "d"}]},
        {"type": 1, "name": "timezone", "description": "d", "options": [ZONE, COUNT]},
        {
            "type": 2,
            "name": "caps",
            "description": "d",
            "options": [
                {
                    "type": 1,
                    "name": "set",
                    "description": "d",
                    "options": [
                        {"type": 8, "name": "role", "description": "d"},
                        {"type": 7, "name": "place", "description": "d"},
                        {"type": 9, "name": "anybody", "description": "d"},
                        {"type": 11, "name": "file", "description": "d"},
                    ],
                }
            ],
        },
    ],
}  # fmt: skip
PANEL: list[Json] = [
    {
        "type": 9,
        "components": [{"type": 10, "content": "words"}],
        "accessory": {"type": 2, "style": 2, "label": "Change", "custom_id": "v1:change:1"},
    },
    {
        "type": 1,
        "components": [{"type": 2, "style": 4, "label": "Gone", "custom_id": "off", "disabled": True}],
    },
    {
        "type": 1,
        "components": [
            {
                "type": 3,
                "custom_id": "v1:page:9",
                "min_values": 0,
                "options": [{"label": "A", "value": "a"}, {"label": "B", "value": "b"}],
            }
        ],
    },
    {"type": 1, "components": [{"type": 6, "custom_id": "v1:roles:9", "min_values": 0, "max_values": 5}]},
    {"type": 13, "file": {"url": "attachment://book.csv"}},
]
WINDOW: list[Json] = [
    {"type": 10, "content": "words"},
    {
        "type": 18,
        "label": "Text",
        "component": {"type": 4, "custom_id": "text:1", "style": 1, "value": "old"},
    },
    {
        "type": 18,
        "label": "Period",
        "component": {
            "type": 3,
            "custom_id": "period",
            "options": [{"label": "Day", "value": "d"}, {"label": "Week", "value": "w", "default": True}],
        },
    },
    {
        "type": 18,
        "label": "Who",
        "component": {"type": 5, "custom_id": "who", "required": False, "max_values": 2},
    },
    {
        "type": 18,
        "label": "How",
        "component": {
            "type": 21,
            "custom_id": "how",
            "options": [{"label": "X", "value": "x"}, {"label": "Y", "value": "y"}],
        },
    },
]
BOXES: list[Json] = [
    {
        "type": 18,
        "label": "Which",
        "component": {
            "type": 22,
            "custom_id": "which",
            "options": [{"label": "X", "value": "x"}, {"label": "Y", "value": "y"}],
        },
    },
    {"type": 18, "label": "Sure", "component": {"type": 23, "custom_id": "sure"}},
    {"type": 18, "label": "File", "component": {"type": 19, "custom_id": "file"}},
    {
        "type": 1,
        "components": [{"type": 4, "custom_id": "note", "style": 2, "label": "Note", "required": False}],
    },
]


@pytest.fixture
async def servers(local: Local) -> Servers:
    return Servers(discord_url=local.base, kvid_url="", session=local.session)


@pytest.fixture
async def gateway(local: Local) -> AsyncIterator[Gateway]:
    await local.register(STUDIO, {"name": "Member card", "type": 2}, {"name": "Moderate picture", "type": 3})
    async with local.online() as connected:
        yield connected


@pytest.fixture
async def moderator(gateway: Gateway, servers: Servers) -> Member:
    assert gateway.session_id
    return await Member.join(servers, moderator=True)


async def heard(gateway: Gateway) -> Json:
    event = await gateway.wait_for("INTERACTION_CREATE")
    data: Json = event["data"]
    return data


async def test_a_subcommand_names_a_member(local: Local, gateway: Gateway, moderator: Member) -> None:
    await moderator.slash(local.channel(), "studio member", who=UserOption(local.user()))
    data = await heard(gateway)
    who = {"type": 6, "name": "who", "value": local.user()}
    assert data["options"] == [{"type": 1, "name": "member", "options": [who]}]
    assert data["resolved"]["members"][local.user()]["roles"] == [moderator.role("Lightstick")]


async def test_a_subcommand_of_a_group_names_roles_channels_and_files(
    local: Local, gateway: Gateway, moderator: Member
) -> None:
    await moderator.slash(
        local.channel(),
        "studio caps set",
        role=RoleOption(moderator.role("Lightstick")),
        place=ChannelOption(moderator.category("Cafe")),
        anybody=MentionableOption(local.user()),
        file=File("a.png", PIXEL, "image/png"),
    )
    data = await heard(gateway)
    [group] = data["options"]
    assert (group["name"], group["type"], group["options"][0]["name"]) == ("caps", 2, "set")
    assert [one["type"] for one in group["options"][0]["options"]] == [8, 7, 9, 11]
    assert set(data["resolved"]) == {"users", "members", "roles", "channels", "attachments"}


async def test_a_plain_member_is_refused_unless_the_command_is_forged(
    local: Local, gateway: Gateway, servers: Servers, moderator: Member
) -> None:
    member = await Member.join(servers)
    assert (moderator.offers(local.channel(), "studio"), member.offers(local.channel(), "studio")) == (
        True,
        False,
    )
    with pytest.raises(Refused):
        await member.slash(local.channel(), "studio settings")
    await member.slash(local.channel(), "studio settings", forge=True)
    assert (await heard(gateway))["options"] == [{"type": 1, "name": "settings", "options": []}]


async def test_choices_are_asked_for_while_typing(local: Local, gateway: Gateway, moderator: Member) -> None:
    asking = asyncio.create_task(
        moderator.autocomplete(local.channel(), "studio timezone", "zone", "seo", n=3)
    )
    event = await gateway.wait_for("INTERACTION_CREATE")
    inner = event["data"]["options"][0]["options"]
    assert inner[-1] == {"type": 3, "name": "zone", "value": "seo", "focused": True}
    interaction = next(one for one in local.core.interactions if one.id == event["id"])
    choices = [{"name": "Seoul", "value": "Asia/Seoul"}]
    await local.answer(interaction, 8, {"choices": choices})
    assert await asking == choices


async def test_menus_of_people_and_of_messages_are_used(
    local: Local, gateway: Gateway, moderator: Member
) -> None:
    await moderator.user_menu(local.channel(), local.user(), "Member card")
    data = await heard(gateway)
    assert (data["type"], data["target_id"], list(data["resolved"]["users"])) == (
        2,
        local.user(),
        [local.user()],
    )
    made = (await local.say("x")).body
    await moderator.menu(made, "Moderate picture")
    assert (await heard(gateway))["target_id"] == made["id"]


async def test_buttons_and_selects_are_found_by_label_and_custom_id(
    local: Local, gateway: Gateway, moderator: Member
) -> None:
    files = (("book.csv", b"a,b"),)
    message = (await local.post({"flags": FLAG_V2, "components": PANEL}, files=files)).body
    assert [(one["name"], one["size"]) for one in files_of(message)] == [("book.csv", 3)]
    assert len(selects_of(message)) == 2
    await moderator.press(message, "Chan")
    assert (await heard(gateway))["custom_id"] == "v1:change:1"
    await moderator.press(message, custom_id="v1:change")
    assert (await heard(gateway))["custom_id"] == "v1:change:1"
    await moderator.choose(message, "v1:page", "b")
    assert (await heard(gateway))["values"] == ["b"]
    await moderator.choose(message, "v1:roles", [moderator.role("Lightstick")])
    assert list((await heard(gateway))["resolved"]["roles"]) == [moderator.role("Lightstick")]
    await moderator.choose(message, "v1:page", [])
    assert (await heard(gateway))["values"] == []


async def test_what_the_page_would_not_send_can_be_forged(
    local: Local, gateway: Gateway, servers: Servers
) -> None:
    member = await Member.join(servers)
    files = (("book.csv", b"a,b"),)
    message = (await local.post({"flags": FLAG_V2, "components": PANEL}, files=files)).body
    with pytest.raises(Refused):
        await member.press(message, "Gone")
    with pytest.raises(AssertionError, match="no button"):
        await member.press(message, "Nowhere")
    await member.press(message, "Gone", forge=True)
    await member.press(message, custom_id="v1:nowhere", forge=True)
    assert [(await heard(gateway))["custom_id"] for _ in range(2)] == ["off", "v1:nowhere"]
    with pytest.raises(Refused):
        await member.choose(message, "v1:page", "z")
    await member.choose(message, "v1:page", "z", forge=True)
    assert (await heard(gateway))["values"] == ["z"]
    await member.choose(message, "v1:gone", [local.guild], kind=6, forge=True)
    assert (await heard(gateway))["component_type"] == 6


@pytest.mark.parametrize(
    ("window", "given", "expected"),
    [
        (WINDOW, {"how": "y"}, ["old", ["w"], [], "y"]),
        (WINDOW, {"text": "new", "period": "d", "who": "mina", "how": "x"}, ["new", ["d"], ["mina"], "x"]),
        (BOXES, {"which": ["x", "y"], "sure": True, "file": "upload"}, [["x", "y"], True, 1, ""]),
        (BOXES, {"which": "y", "file": "upload", "note": "n"}, [["y"], False, 1, "n"]),
    ],
)
async def test_a_window_is_filled_field_by_field(
    local: Local, gateway: Gateway, moderator: Member, window: list[Json], given: Json, expected: list[object]
) -> None:
    stand_ins = {"mina": local.user(), "upload": File("a.png", PIXEL, "image/png")}

    async def open_it() -> None:
        await moderator.slash(local.channel(), "studio settings")
        event = await gateway.wait_for("INTERACTION_CREATE")
        interaction = next(one for one in local.core.interactions if one.id == event["id"])
        await local.answer(interaction, 9, {"title": "t", "custom_id": "c", "components": window})

    modal = await moderator.open_modal(open_it)
    filled = {key: stand_ins.get(str(value), value) for key, value in given.items()}
    await moderator.submit(local.channel(), modal, filled)
    sent = [
        one.get("component") or one["components"][0]
        for one in (await heard(gateway))["components"]
        if one["type"] != 10
    ]
    shown = [one["value"] if "value" in one else one["values"] for one in sent]
    wanted = [[stand_ins["mina"]] if one == ["mina"] else one for one in expected]
    assert [
        len(one) if two == 1 and isinstance(one, list) else one
        for one, two in zip(shown, wanted, strict=True)
    ] == wanted
    with pytest.raises(AssertionError, match="no fields"):
        await moderator.submit(local.channel(), modal, nothing="x")


async def test_the_server_is_changed_by_short_helpers(local: Local, servers: Servers) -> None:
    guild = local.core.world.guilds[local.guild]
    mina, managed = guild.members[local.user()], await servers.managed_role()
    await servers.set_locale("ko")
    await servers.set_joined_at(local.user(), datetime(2026, 11, 1, tzinfo=UTC))
    made = await servers.add_role("Studio", permissions=["MANAGE_GUILD"])
    await servers.set_member_roles(local.user(), [made])
    await servers.set_role_permissions(managed, allow=("MANAGE_GUILD",))
    assert (guild.preferred_locale, mina.joined_at[:10], mina.roles) == ("ko", "2026-11-01", [made])
    assert (guild.roles[made].permissions, guild.roles[managed].permissions & 32) == (32, 32)
    await servers.set_role_permissions(managed, deny=("MANAGE_GUILD",))
    await servers.delete_role(made)
    assert (guild.roles[managed].permissions & 32, mina.roles) == (0, [])
    rule = await servers.put_automod_rule("Words", "spoiler")
    await servers.put_automod_rule("Words", "leak", rule_id=rule)
    assert guild.automod_rules[rule]["trigger_metadata"]["keyword_filter"] == ["leak"]
    await servers.delete_automod_rule(rule)
    assert guild.automod_rules == {}


async def test_people_channels_and_the_bot_come_and_go(local: Local, servers: Servers) -> None:
    guild, channels = local.core.world.guilds[local.guild], local.core.world.channels
    somebody = await servers.add_member("new_star")
    await servers.remove_member(somebody)
    assert somebody not in guild.members
    category = await servers.add_channel("Stage", type=4)
    gallery = await servers.add_channel("gallery")
    await servers.move_channel(gallery, category)
    assert channels[gallery].parent_id == category
    await servers.delete_channel(category)
    assert channels[gallery].parent_id is None
    await servers.kick_bot()
    assert local.core.bot_id not in guild.members
    await servers.invite_bot()
    assert local.core.bot_id in guild.members
    [command] = await local.register(STUDIO)
    await servers.set_command_permissions(command, (1, guild.id, False))
    assert guild.command_permissions[command][0]["permission"] is False

"""Servers that change while the bot runs: locale, members, roles, channels, and the bot's own leave and return."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.discord.permissions import Permission
from sandbox.discord.state import ChannelType
from tests.sandbox.discord.support import INTENTS, SLASH, Gateway, Local, serve_local

MEMBERS_INTENT = 1 << 1


async def change(local: Local, what: str, **body: Any) -> Any:
    answer = await local.control(what, body)
    assert answer.status < 300, answer.body
    return answer.body


async def take(local: Local, path: str) -> None:
    answer = await local.request("DELETE", f"/control/{path}")
    assert answer.status == 204, answer.body


def role(local: Local, name: str) -> str:
    return next(one.id for one in local.core.world.guilds[local.guild].roles.values() if one.name == name)


async def events_until_said(local: Local, gateway: Gateway) -> list[str]:
    """What came before a message that is said now."""
    await local.say("marker", channel=local.channel("announcements"), act="mod_moonbeam")
    return (await gateway.seen_until("MESSAGE_CREATE"))[:-1]


async def test_a_server_has_a_locale_and_tells_of_its_change(local: Local) -> None:
    assert (await local.bot("GET", f"/guilds/{local.guild}")).body["preferred_locale"] == "en-US"
    async with local.online() as gateway:
        await change(local, "guild", preferred_locale="ko", name="Starlight")
        told = await gateway.wait_for("GUILD_UPDATE")
        assert (told["preferred_locale"], told["name"]) == ("ko", "Starlight")
        await local.slash()
        interaction = await gateway.wait_for("INTERACTION_CREATE")
        assert (interaction["guild_locale"], interaction["guild"]["locale"]) == ("ko", "ko")
    assert (await local.control("guild", {"preferred_locale": "xx"})).refusal == (400, 50035)
    assert (await local.control("guild", {"guild_id": "1"})).refusal == (404, 10004)


async def test_the_first_servers_locale_can_be_set_at_the_start() -> None:
    async with serve_local(guild_locale="ja") as local:
        assert (await local.bot("GET", f"/guilds/{local.guild}")).body["preferred_locale"] == "ja"


async def test_channels_stand_in_a_category(local: Local) -> None:
    category = local.channel("Cafe")
    async with local.gateway() as gateway:
        await gateway.identify()
        sent = {one["name"]: one for one in (await gateway.wait_for("GUILD_CREATE"))["channels"]}
    assert (sent["Cafe"]["type"], sent["Cafe"]["parent_id"]) == (4, None)
    assert [sent[one]["parent_id"] for one in ("general", "studio", "announcements")] == [
        category,
        category,
        None,
    ]
    state = (await local.page("GET", "state")).body
    assert [one["name"] for one in state["categories"]] == ["Cafe"]
    assert category not in [one["id"] for one in state["channels"]]


async def test_a_category_takes_no_messages(local: Local) -> None:
    path = f"/channels/{local.channel('Cafe')}/messages"
    assert (await local.bot("POST", path, {"content": "x"})).refusal == (400, 50024)
    assert (await local.bot("GET", path)).refusal == (400, 50024)
    assert (await local.say("x", channel=local.channel("Cafe"))).refusal == (400, 50024)


async def test_a_category_is_resolved_in_a_channel_select(local: Local) -> None:
    select = {"type": 8, "custom_id": "where", "channel_types": [4], "min_values": 0, "max_values": 5}
    made = await local.post({"components": [{"type": 1, "components": [select]}]})
    component = {"custom_id": "where", "component_type": 8, "values": [local.channel("Cafe")]}
    async with local.online() as gateway:
        await local.interact({"type": 3, "message_id": made.body["id"], "component": component})
        data = (await gateway.wait_for("INTERACTION_CREATE"))["data"]
    resolved = data["resolved"]["channels"][local.channel("Cafe")]
    assert (resolved["name"], resolved["type"]) == ("Cafe", 4)


async def test_an_interaction_tells_of_its_members_roles_tenure_and_permissions(local: Local) -> None:
    async with local.online() as gateway:
        await local.slash(act="mod_moonbeam")
        member = (await gateway.wait_for("INTERACTION_CREATE"))["member"]
        assert member["roles"] == [role(local, "Moderator")]
        assert member["joined_at"].startswith("2026-01-01T")
        assert int(member["permissions"]) & Permission.MANAGE_GUILD
        await local.say("x", channel=local.channel("announcements"), act="mod_moonbeam")
        author = (await gateway.wait_for("MESSAGE_CREATE"))["member"]
        assert (author["roles"], author["joined_at"]) == (member["roles"], member["joined_at"])


async def test_a_members_roles_and_tenure_change(local: Local) -> None:
    mina, moderator = local.user(), role(local, "Moderator")
    async with local.online() as gateway:
        at = "2026-11-20T10:00:00+09:00"
        await change(local, "member", user_id=mina, roles=[moderator], joined_at=at)
        assert await events_until_said(local, gateway) == []
        await local.slash()
        member = (await gateway.wait_for("INTERACTION_CREATE"))["member"]
    assert (member["roles"], member["joined_at"]) == ([moderator], "2026-11-20T01:00:00.000000+00:00")
    assert int(member["permissions"]) & Permission.MANAGE_GUILD


async def test_changes_of_members_are_told_with_the_members_intent_only() -> None:
    async with (
        serve_local(members_intent_allowed=True) as local,
        local.online(intents=INTENTS | MEMBERS_INTENT) as gateway,
    ):
        made = await change(local, "member", username="new_star", global_name="New Star")
        assert (await gateway.wait_for("GUILD_MEMBER_ADD"))["user"]["username"] == "new_star"
        await change(local, "member", user_id=made["user"]["id"], roles=[role(local, "Lightstick")])
        assert (await gateway.wait_for("GUILD_MEMBER_UPDATE"))["roles"] == [role(local, "Lightstick")]
        await change(local, "member", user_id=made["user"]["id"], member=False)
        assert (await gateway.wait_for("GUILD_MEMBER_REMOVE"))["user"]["id"] == made["user"]["id"]


async def test_the_bots_own_roles_are_told_without_the_intent(local: Local) -> None:
    async with local.online() as gateway:
        await change(local, "member", user_id=local.core.bot_id, roles=[role(local, "Moderator")])
        assert (await gateway.wait_for("GUILD_MEMBER_UPDATE"))["roles"] == [role(local, "Moderator")]


async def test_who_was_taken_out_of_a_server_sees_it_no_more_until_let_in(local: Local) -> None:
    mina = local.user()
    await change(local, "member", user_id=mina, member=False)
    await change(local, "member", user_id=mina, member=False)
    assert (await local.bot("GET", f"/guilds/{local.guild}/members/{mina}")).refusal == (404, 10007)
    assert (await local.say("x")).refusal == (404, 10003)
    await change(local, "member", user_id=mina)
    assert (await local.say("x")).status == 200


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({"user_id": "1"}, (400, 50035)),
        ({"username": "x" * 33}, (400, 50035)),
        ({"username": "new_star", "roles": ["1"]}, (404, 10011)),
        ({"username": "new_star", "joined_at": "yesterday"}, (400, 50035)),
    ],
)
async def test_a_member_that_cannot_be_is_refused(
    local: Local, body: dict[str, Any], refusal: tuple[int, int]
) -> None:
    assert (await local.control("member", body)).refusal == refusal


async def test_a_role_is_made_changed_and_deleted_with_its_traces(local: Local) -> None:
    mina = local.user()
    async with local.online() as gateway:
        made = await change(local, "role", name="Studio", permissions=["MANAGE_GUILD"], color=255)
        told = await gateway.wait_for("GUILD_ROLE_CREATE")
        assert (told["role"]["name"], told["role"]["permissions"]) == ("Studio", "32")
        await change(local, "role", role_id=made["id"], deny=["MANAGE_GUILD"], allow=["ADD_REACTIONS"])
        assert (await gateway.wait_for("GUILD_ROLE_UPDATE"))["role"]["permissions"] == "64"
        await change(local, "member", user_id=mina, roles=[made["id"]])
        await take(local, f"role/{made['id']}")
        assert (await gateway.wait_for("GUILD_ROLE_DELETE"))["role_id"] == made["id"]
        await take(local, f"role/{role(local, 'Moderator')}")
        assert await gateway.seen_until("CHANNEL_UPDATE") == ["GUILD_ROLE_DELETE", "CHANNEL_UPDATE"]
    assert local.core.world.guilds[local.guild].members[mina].roles == []


async def test_roles_that_cannot_go_or_do_not_exist_are_refused(local: Local) -> None:
    for one, refusal in (
        (local.guild, (400, 50028)),
        (role(local, "kvid"), (400, 50028)),
        ("1", (404, 10011)),
    ):
        assert (await local.request("DELETE", f"/control/role/{one}")).refusal == refusal
    assert (await local.control("role", {"role_id": "1"})).refusal == (404, 10011)
    assert (await local.control("role", {"name": "x", "permissions": ["FLY"]})).refusal == (400, 50035)


async def test_a_channel_is_opened_moved_and_deleted(local: Local) -> None:
    async with local.online() as gateway:
        made = await change(local, "channel", name="gallery", parent_id=local.channel("Cafe"))
        assert (await gateway.wait_for("CHANNEL_CREATE"))["parent_id"] == local.channel("Cafe")
        await change(local, "channel", channel_id=made["id"], parent_id=None)
        assert (await gateway.wait_for("CHANNEL_UPDATE"))["parent_id"] is None
        await take(local, f"channel/{made['id']}")
        assert (await gateway.wait_for("CHANNEL_DELETE"))["id"] == made["id"]
    assert (await local.bot("GET", f"/channels/{made['id']}")).refusal == (404, 10003)
    refused = await local.control("channel", {"name": "x", "parent_id": local.channel()})
    assert refused.refusal == (400, 50035)
    assert (await local.control("channel", {"channel_id": local.direct(), "name": "x"})).refusal == (
        404,
        10003,
    )


async def test_a_deleted_channel_takes_messages_threads_and_interactions_along(local: Local) -> None:
    studio, thread = local.channel("studio"), local.channel("stage outfits")
    interaction = await local.slash(channel_id=studio)
    await local.answer(interaction, 4, {"content": "private", "flags": 64})
    async with local.online() as gateway, local.events() as page:
        await take(local, f"channel/{studio}")
        await gateway.wait_for("CHANNEL_DELETE")
        await page.wait_for("STATE")
    assert {studio, thread} & set(local.core.world.channels) == set()
    assert (await local.hook(interaction, "GET")).refusal == (401, 50027)
    assert (await local.bot("GET", f"/channels/{thread}")).refusal == (404, 10003)
    assert (await local.request("GET", f"/control/messages?channel_id={studio}")).body["messages"] == []


async def test_a_deleted_category_leaves_its_channels(local: Local) -> None:
    async with local.online() as gateway:
        await take(local, f"channel/{local.channel('Cafe')}")
        await gateway.wait_for("CHANNEL_DELETE")
        assert (await gateway.wait_for("CHANNEL_UPDATE"))["parent_id"] is None
    assert local.core.world.channels[local.channel("studio")].parent_id is None


async def test_the_bot_is_kicked_and_comes_back(local: Local) -> None:
    async with local.online() as gateway:
        await change(local, "bot", member=False)
        assert await gateway.wait_for("GUILD_DELETE") == {"id": local.guild}
        await change(local, "bot", member=False)
        assert (await local.bot("GET", f"/guilds/{local.guild}")).refusal == (403, 50001)
        assert (await local.post({"content": "x"})).refusal == (403, 50001)
        [command] = await local.register({**SLASH, "integration_types": [0]})
        options = [{"name": "prompt", "type": 3, "value": "x"}]
        used = {"type": 2, "command_id": command, "options": options}
        assert (await local.interact({**used, "forge": True}, act="lilac_sky")).refusal == (403, 50013)
        state = (await local.page("GET", "state")).body
        shown = next(one for one in state["channels"] if one["name"] == "studio")
        assert (shown["bot_member"], shown["command_ids"]) == (False, [])
        assert local.core.bot_id not in state["guilds"][0]["member_ids"]
        await change(local, "bot", member=True)
        back = await gateway.wait_for("GUILD_CREATE")
        assert (back["id"], back["unavailable"]) == (local.guild, False)
        assert back["members"][0]["roles"] == [role(local, "kvid")]
        assert (await local.post({"content": "x"})).status == 200
    assert (await local.control("bot", {})).refusal == (400, 50035)


async def test_members_are_listed_only_for_an_application_with_the_members_intent(local: Local) -> None:
    assert (await local.bot("GET", f"/guilds/{local.guild}/members?limit=1000")).refusal == (403, 50001)
    async with serve_local(members_intent_allowed=True) as open_to_all:
        path = f"/guilds/{open_to_all.guild}/members"
        first = (await open_to_all.bot("GET", f"{path}?limit=2")).body
        rest = (await open_to_all.bot("GET", f"{path}?limit=1000&after={first[-1]['user']['id']}")).body
        assert len(first) + len(rest) == len(open_to_all.core.world.guilds[open_to_all.guild].members)
        for query in ("limit=0", "limit=1001", "after=x"):
            assert (await open_to_all.bot("GET", f"{path}?{query}")).refusal == (400, 50035)


async def test_a_reset_takes_back_what_was_changed(local: Local) -> None:
    async with local.online() as gateway:
        managed = role(local, "kvid")
        await change(local, "role", role_id=managed, allow=["MANAGE_GUILD"])
        made = await change(local, "role", name="Studio")
        await change(local, "guild", preferred_locale="ko")
        await change(local, "member", user_id=local.core.bot_id, roles=[])
        opened = await change(local, "channel", name="gallery")
        await take(local, f"channel/{local.channel('announcements')}")
        await gateway.wait_for("CHANNEL_DELETE")
        await local.control("reset", {})
        assert (await gateway.wait_for("GUILD_UPDATE"))["preferred_locale"] == "en-US"
        assert not int((await gateway.wait_for("GUILD_ROLE_UPDATE"))["role"]["permissions"]) & 32
        assert (await gateway.wait_for("GUILD_ROLE_DELETE"))["role_id"] == made["id"]
        assert (await gateway.wait_for("GUILD_MEMBER_UPDATE"))["roles"] == [managed]
        assert (await gateway.wait_for("CHANNEL_DELETE"))["id"] == opened["id"]
        assert (await gateway.wait_for("CHANNEL_CREATE"))["name"] == "announcements"
    assert local.core.world.channels[local.channel("Cafe")].type is ChannelType.CATEGORY

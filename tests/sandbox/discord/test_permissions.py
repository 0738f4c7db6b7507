"""Permissions, truly computed: what the bot and the members may do in each channel."""

from __future__ import annotations

import pytest

from sandbox.discord.permissions import ALL, Permission, compute_guild_permissions, compute_permissions
from sandbox.discord.world import find_user
from tests.sandbox.discord.support import PIXEL, Local


async def deny(local: Local, *names: str, channel: str = "general") -> None:
    answer = await local.control("permissions", {"channel_id": local.channel(channel), "deny": list(names)})
    assert answer.status == 204


async def test_a_private_channel_is_out_of_reach(local: Local) -> None:
    path = f"/channels/{local.channel('mods')}"
    said = await local.say("psst", channel=local.channel("mods"), act="mod_moonbeam")
    for method, tail, body in (
        ("GET", "", None),
        ("GET", "/messages", None),
        ("GET", f"/messages/{said.body['id']}", None),
        ("POST", "/messages", {"content": "x"}),
        ("PATCH", f"/messages/{said.body['id']}", {"content": "x"}),
        ("DELETE", f"/messages/{said.body['id']}", None),
        ("POST", "/typing", None),
        ("PUT", f"/messages/{said.body['id']}/reactions/%E2%AD%90/@me", None),
    ):
        assert (await local.bot(method, path + tail, body)).refusal == (403, 50001), (method, tail)


async def test_without_send_messages_nothing_is_posted(local: Local) -> None:
    assert (await local.post({"content": "x"}, channel="announcements")).refusal == (403, 50013)
    typing = f"/channels/{local.channel('announcements')}/typing"
    assert (await local.bot("POST", typing)).refusal == (403, 50013)


async def test_without_attach_files_only_text_is_posted(local: Local) -> None:
    await deny(local, "ATTACH_FILES")
    made = await local.post({"content": "x"})
    assert made.status == 200
    assert (await local.post({}, files=(("a.png", PIXEL),))).refusal == (403, 50013)
    path = f"/channels/{local.channel()}/messages/{made.body['id']}"
    assert (await local.upload("PATCH", path, {}, ("a.png", PIXEL))).refusal == (403, 50013)


async def test_a_thread_has_its_own_send_permission(local: Local) -> None:
    await deny(local, "SEND_MESSAGES", channel="studio")
    assert (await local.post({"content": "x"}, channel="stage outfits")).status == 200
    assert (await local.post({"content": "x"}, channel="studio")).refusal == (403, 50013)
    await deny(local, "SEND_MESSAGES_IN_THREADS", channel="stage outfits")
    assert (await local.post({"content": "x"}, channel="stage outfits")).refusal == (403, 50013)
    assert (await local.post({"content": "x"}, channel="studio")).status == 200


async def test_without_history_messages_are_neither_listed_read_nor_answered(local: Local) -> None:
    made = await local.post({"content": "x"})
    await deny(local, "READ_MESSAGE_HISTORY")
    path = f"/channels/{local.channel()}/messages"
    assert (await local.bot("GET", path)).body == []
    assert (await local.bot("GET", f"{path}/{made.body['id']}")).refusal == (403, 50013)
    reply = {"content": "x", "message_reference": {"message_id": made.body["id"]}}
    assert (await local.post(reply)).refusal == (400, 160002)
    reaction = f"{path}/{made.body['id']}/reactions/%E2%AD%90/@me"
    assert (await local.bot("PUT", reaction)).refusal == (403, 50013)


async def test_a_new_reaction_needs_its_permission_and_a_second_one_does_not(local: Local) -> None:
    made = await local.post({"content": "x"})
    await deny(local, "ADD_REACTIONS")
    path = f"/channels/{local.channel()}/messages/{made.body['id']}/reactions/%E2%AD%90/@me"
    assert (await local.bot("PUT", path)).refusal == (403, 50013)
    local.core.world.messages[local.channel()][made.body["id"]].reactions["\u2b50"] = [local.user()]
    assert (await local.bot("PUT", path)).status == 204


async def test_manage_messages_lets_the_bot_delete_others_messages(local: Local) -> None:
    said = await local.say("x")
    path = f"/channels/{local.channel()}/messages/{said.body['id']}"
    await local.control("permissions", {"channel_id": local.channel(), "allow": ["MANAGE_MESSAGES"]})
    assert (await local.bot("DELETE", path)).status == 204


async def test_embeds_vanish_without_their_permission(local: Local) -> None:
    await deny(local, "EMBED_LINKS")
    made = await local.post({"content": "x", "embeds": [{"title": "t"}]})
    assert made.body["embeds"] == []
    assert (await local.post({"embeds": [{"title": "t"}]})).refusal == (400, 50006)


async def test_a_server_the_bot_left_is_out_of_reach(local: Local) -> None:
    async with local.online() as gateway:
        body = {"channel_id": local.channel(), "bot_member": False}
        await local.control("permissions", body)
        assert (await gateway.wait_for("GUILD_DELETE"))["id"] == local.guild
        assert (await local.post({"content": "x"})).refusal == (403, 50001)
        assert (await local.bot("GET", f"/guilds/{local.guild}")).refusal == (403, 50001)
        await local.control("permissions", {**body, "bot_member": True})
        assert (await gateway.wait_for("GUILD_CREATE"))["id"] == local.guild
        assert (await local.post({"content": "x"})).status == 200
        await local.control("permissions", {**body, "bot_member": True})


async def test_a_channel_the_bot_cannot_view_keeps_only_its_place(local: Local) -> None:
    async with local.gateway() as gateway:
        await gateway.identify()
        guild = await gateway.wait_for("GUILD_CREATE")
        hidden = next(one for one in guild["channels"] if one["id"] == local.channel("mods"))
        assert (hidden["name"], hidden["flags"]) == ("___hidden___", 1 << 17)
        await deny(local, "VIEW_CHANNEL")
        changed = await gateway.wait_for("CHANNEL_UPDATE")
        assert (changed["id"], changed["name"]) == (local.channel(), "___hidden___")
        await local.say("unheard")
        await local.say("heard", channel=local.channel("studio"))
        assert (await gateway.wait_for("MESSAGE_CREATE"))["channel_id"] == local.channel("studio")
    listed = await local.bot("GET", f"/guilds/{local.guild}/channels")
    assert sorted(one["name"] for one in listed.body) == ["Cafe", "announcements", "studio"]


async def test_an_unknown_permission_or_channel_is_refused(local: Local) -> None:
    assert (
        await local.control("permissions", {"channel_id": local.channel(), "deny": ["FLY"]})
    ).status == 400
    assert (await local.control("permissions", {"channel_id": local.direct(), "deny": []})).status == 404


def _bits(local: Local, handle: str, channel: str) -> int:
    world = local.core.world
    return compute_permissions(world, world.channels[local.channel(channel)], find_user(world, handle).id)


async def test_roles_and_overwrites_add_up(local: Local) -> None:
    assert _bits(local, "mod_moonbeam", "announcements") & Permission.SEND_MESSAGES
    assert not _bits(local, "mina_fan", "announcements") & Permission.SEND_MESSAGES
    assert not _bits(local, "mina_fan", "announcements") & Permission.ATTACH_FILES
    assert _bits(local, "mina_fan", "mods") == 0
    assert _bits(local, "cafe_keeper", "mods") == ALL
    assert _bits(local, "lilac_sky", "showcase") == 0
    guild = local.core.world.guilds[local.guild]
    guild.roles[guild.id].permissions |= Permission.ADMINISTRATOR
    assert compute_guild_permissions(guild, local.user()) == ALL


@pytest.mark.parametrize("path", ["", "/channels", "/roles", "/members/{me}"])
async def test_a_server_is_described(local: Local, path: str) -> None:
    tail = path.format(me=local.core.bot_id)
    assert (await local.bot("GET", f"/guilds/{local.guild}{tail}")).status == 200
    assert (await local.bot("GET", f"/guilds/1{tail}")).refusal == (404, 10004)


async def test_members_and_users_are_described(local: Local) -> None:
    mine = await local.bot("GET", f"/users/@me/guilds/{local.guild}/member")
    assert mine.body["user"]["id"] == local.core.bot_id
    assert (await local.bot("GET", f"/guilds/{local.guild}/members/1")).refusal == (404, 10007)
    assert (await local.bot("GET", f"/users/{local.user()}")).body["username"] == "mina_fan"
    assert (await local.bot("GET", "/users/1")).refusal == (404, 10013)
    [guild] = (await local.bot("GET", "/users/@me/guilds")).body
    assert guild["id"] == local.guild
    thread = await local.bot("GET", f"/channels/{local.channel('stage outfits')}")
    assert thread.body["thread_metadata"]["archived"] is False

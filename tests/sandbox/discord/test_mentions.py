"""Allowed mentions: what is parsed, and who would hear a notification."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.discord.support import FLAG_V2, Local


async def _notified(local: Local, body: dict[str, Any]) -> tuple[list[str], list[str], bool]:
    made = await local.post(body)
    assert made.status == 200, made.body
    shown = await local.request("GET", f"/control/messages?channel_id={local.channel()}")
    message = shown.body["messages"][-1]
    names = {one.id: one.username for one in local.core.world.users.values()}
    notified = sorted(names[one] for one in message["sandbox_notified"])
    return [one["username"] for one in message["mentions"]], notified, message["mention_everyone"]


async def test_without_allowed_mentions_everything_is_parsed(local: Local) -> None:
    body = {"content": f"<@{local.user()}> <@!{local.user('neon_otter')}>"}
    assert await _notified(local, body) == (["mina_fan", "neon_otter"], ["mina_fan", "neon_otter"], False)


async def test_parsing_nothing_notifies_nobody(local: Local) -> None:
    body = {"content": f"<@{local.user()}> @everyone", "allowed_mentions": {"parse": []}}
    assert await _notified(local, body) == ([], [], False)


async def test_only_the_listed_users_are_mentioned(local: Local) -> None:
    body = {
        "content": f"<@{local.user()}> <@{local.user('neon_otter')}>",
        "allowed_mentions": {"parse": [], "users": [local.user("neon_otter")]},
    }
    assert await _notified(local, body) == (["neon_otter"], ["neon_otter"], False)


async def test_a_role_notifies_its_members(local: Local) -> None:
    role = next(one for one in local.core.world.guilds[local.guild].roles.values() if one.name == "Moderator")
    body = {"content": f"<@&{role.id}>"}
    assert await _notified(local, body) == ([], ["mod_moonbeam"], False)
    assert await _notified(local, {**body, "allowed_mentions": {"parse": ["users"]}}) == ([], [], False)
    listed = {"parse": [], "roles": [role.id]}
    assert (await _notified(local, {**body, "allowed_mentions": listed}))[1] == ["mod_moonbeam"]


async def test_everyone_needs_the_permission(local: Local) -> None:
    body = {"content": "@everyone"}
    assert await _notified(local, body) == ([], [], False)
    await local.control("permissions", {"channel_id": local.channel(), "allow": ["MENTION_EVERYONE"]})
    _, notified, everyone = await _notified(local, body)
    assert everyone
    assert "paper_comet" in notified
    assert not (await _notified(local, {**body, "allowed_mentions": {"parse": ["users"]}}))[2]


@pytest.mark.parametrize("template", ["`<@{}>`", "```\n<@{}>\n```", "``<@{}>``"])
async def test_a_mention_inside_code_is_text(local: Local, template: str) -> None:
    assert await _notified(local, {"content": template.format(local.user())}) == ([], [], False)


async def test_a_reply_pings_unless_told_not_to(local: Local) -> None:
    said = await local.say("hello")
    body = {"content": "hi", "message_reference": {"message_id": said.body["id"]}}
    assert (await _notified(local, body))[1] == ["mina_fan"]
    quiet = {"parse": [], "replied_user": False}
    assert (await _notified(local, {**body, "allowed_mentions": quiet}))[1] == []


async def test_text_displays_mention_as_content_does(local: Local) -> None:
    shown = [{"type": 10, "content": f"<@{local.user()}>"}]
    assert (await _notified(local, {"flags": FLAG_V2, "components": shown}))[1] == ["mina_fan"]


async def test_a_silent_message_notifies_nobody(local: Local) -> None:
    body = {"content": f"<@{local.user()}>", "flags": 1 << 12}
    assert await _notified(local, body) == (["mina_fan"], [], False)


async def test_an_edit_notifies_nobody_anew(local: Local) -> None:
    made = await local.post({"content": "x"})
    path = f"/channels/{local.channel()}/messages/{made.body['id']}"
    edited = await local.bot("PATCH", path, {"content": f"<@{local.user()}>"})
    assert [one["username"] for one in edited.body["mentions"]] == ["mina_fan"]
    shown = await local.request("GET", "/control/messages")
    assert shown.body["messages"][-1]["sandbox_notified"] == []


async def test_an_interaction_mentions_users_only_by_default(local: Local) -> None:
    role = next(one for one in local.core.world.guilds[local.guild].roles.values() if one.name == "Moderator")
    interaction = await local.slash()
    await local.answer(interaction, 4, {"content": f"<@{local.user()}> <@&{role.id}> @everyone"})
    shown = await local.request("GET", "/control/messages")
    message = shown.body["messages"][-1]
    assert (len(message["mentions"]), message["mention_roles"]) == (1, [])

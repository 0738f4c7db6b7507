"""Message content without the intent: hidden and shown exactly where Discord does, gateway and REST alike."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.discord.support import INTENTS, PIXEL, Json, Local, serve_local

EMPTY: tuple[Any, ...] = ("", [], [], [])


def _shown(message: Json) -> tuple[Any, ...]:
    return message["content"], message["attachments"], message["embeds"], message["components"]


async def _both_ways(local: Local, message_id: str, event: Json, channel: str | None = None) -> Json:
    """The message over the gateway, after REST has shown the same."""
    path = f"/channels/{channel or local.channel()}/messages/{message_id}"
    fetched = (await local.bot("GET", path)).body
    assert _shown(fetched) == _shown(event)
    return event


async def test_a_members_message_is_empty_for_the_bot(local: Local) -> None:
    async with local.online() as gateway:
        said = await local.say("secret", ("a.png", PIXEL))
        event = await gateway.wait_for("MESSAGE_CREATE")
        assert _shown(await _both_ways(local, said.body["id"], event)) == EMPTY
        assert event["member"]["roles"]
        assert event["guild_id"] == local.guild


async def test_a_mention_shows_the_message(local: Local) -> None:
    async with local.online() as gateway:
        said = await local.say(f"<@{local.core.bot_id}> look", ("a.png", PIXEL))
        event = await _both_ways(local, said.body["id"], await gateway.wait_for("MESSAGE_CREATE"))
        assert "look" in event["content"]
        assert len(event["attachments"]) == 1


async def test_a_role_mention_of_the_bot_shows_nothing(local: Local) -> None:
    role = next(one for one in local.core.world.guilds[local.guild].roles.values() if one.managed_by)
    async with local.online() as gateway:
        await local.say(f"<@&{role.id}> look")
        assert _shown(await gateway.wait_for("MESSAGE_CREATE")) == EMPTY


async def test_a_direct_message_is_shown(local: Local) -> None:
    async with local.online() as gateway:
        said = await local.say("hello", channel=local.direct())
        event = await gateway.wait_for("MESSAGE_CREATE")
        assert (await _both_ways(local, said.body["id"], event, local.direct()))["content"] == "hello"
        assert "guild_id" not in event


async def test_a_reply_with_ping_to_a_regular_message_is_shown(local: Local) -> None:
    async with local.online() as gateway:
        made = await local.post({"content": "picture"})
        await gateway.wait_for("MESSAGE_CREATE")
        said = await local.say("bluer", reply_to=made.body["id"], ping=True)
        event = await _both_ways(local, said.body["id"], await gateway.wait_for("MESSAGE_CREATE"))
        assert event["content"] == "bluer"
        assert event["mentions"][0]["id"] == local.core.bot_id
        assert event["referenced_message"]["content"] == "picture"


async def test_a_reply_without_ping_is_hidden_but_says_what_it_answers(local: Local) -> None:
    async with local.online() as gateway:
        made = await local.post({"content": "picture"})
        await gateway.wait_for("MESSAGE_CREATE")
        await local.say("bluer", reply_to=made.body["id"], ping=False)
        event = await gateway.wait_for("MESSAGE_CREATE")
        assert _shown(event) == EMPTY
        assert event["mentions"] == []
        assert event["message_reference"]["message_id"] == made.body["id"]
        assert event["referenced_message"]["content"] == "picture"


async def test_a_reply_with_ping_to_an_interaction_answer_is_hidden(local: Local) -> None:
    async with local.online() as gateway:
        interaction = await local.slash()
        answered = await local.answer(interaction, 4, {"content": "picture"})
        await gateway.wait_for("MESSAGE_CREATE")
        await local.say("bluer", reply_to=answered.body["interaction"]["response_message_id"])
        event = await gateway.wait_for("MESSAGE_CREATE")
        assert _shown(event) == EMPTY
        assert event["mentions"][0]["id"] == local.core.bot_id


@pytest.mark.parametrize("shown", [True, False])
async def test_what_a_mentioning_reply_answers_is_shown_by_a_setting(*, shown: bool) -> None:
    async with (
        serve_local(show_referenced_content_to_mentioned_bot=shown) as local,
        local.online() as gateway,
    ):
        first = await local.say("a photo", ("a.png", PIXEL), act="neon_otter")
        await gateway.wait_for("MESSAGE_CREATE")
        await local.say(f"<@{local.core.bot_id}> bluer", reply_to=first.body["id"])
        event = await gateway.wait_for("MESSAGE_CREATE")
        assert "bluer" in event["content"]
        assert bool(event["referenced_message"]["content"]) is shown
        assert len(event["referenced_message"]["attachments"]) == shown


async def test_a_reply_between_members_shows_nothing_of_either(local: Local) -> None:
    async with local.online() as gateway:
        first = await local.say("one", act="neon_otter")
        await gateway.wait_for("MESSAGE_CREATE")
        await local.say("two", reply_to=first.body["id"])
        event = await gateway.wait_for("MESSAGE_CREATE")
        assert _shown(event) == EMPTY
        assert _shown(event["referenced_message"]) == EMPTY


async def test_a_deleted_message_is_referenced_as_none(local: Local) -> None:
    made = await local.post({"content": "picture"})
    said = await local.say("bluer", reply_to=made.body["id"])
    await local.bot("DELETE", f"/channels/{local.channel()}/messages/{made.body['id']}")
    path = f"/channels/{local.channel()}/messages/{said.body['id']}"
    assert (await local.bot("GET", path)).body["referenced_message"] is None


async def test_the_target_of_a_message_menu_is_shown(local: Local) -> None:
    [command] = await local.register({"name": "Edit image", "type": 3})
    said = await local.say("a photo", ("a.png", PIXEL), act="neon_otter")
    async with local.online() as gateway:
        answer = await local.interact({"type": 2, "command_id": command, "target_id": said.body["id"]})
        assert answer.status == 202
        data = (await gateway.wait_for("INTERACTION_CREATE"))["data"]
        target = data["resolved"]["messages"][data["target_id"]]
        assert (target["content"], len(target["attachments"])) == ("a photo", 1)


async def test_with_the_intent_allowed_and_asked_for_everything_is_shown() -> None:
    async with serve_local(message_content_intent_allowed=True) as local:
        async with local.online(intents=INTENTS | 1 << 15) as gateway, local.online() as blind:
            said = await local.say("open")
            assert (await gateway.wait_for("MESSAGE_CREATE"))["content"] == "open"
            assert (await blind.wait_for("MESSAGE_CREATE"))["content"] == ""
        path = f"/channels/{local.channel()}/messages/{said.body['id']}"
        assert (await local.bot("GET", path)).body["content"] == "open"


async def test_own_messages_are_always_shown(local: Local) -> None:
    async with local.online() as gateway:
        await local.post({"content": "mine", "nonce": "n1"})
        event = await gateway.wait_for("MESSAGE_CREATE")
        assert (event["content"], event["nonce"]) == ("mine", "n1")


async def test_an_ephemeral_message_reaches_the_gateway_without_its_server(local: Local) -> None:
    async with local.online() as gateway:
        await local.answer(await local.slash(), 4, {"content": "private", "flags": 64})
        event = await gateway.wait_for("MESSAGE_CREATE")
        assert event["flags"] & 64
        assert "guild_id" not in event
        assert "member" not in event

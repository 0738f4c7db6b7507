"""The life of an interaction: one acknowledgement within three seconds, fifteen minutes for the rest."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.sandbox.discord.support import FLAG_V2, PIXEL, SLASH, Json, Local, serve_local

BUTTONS = [{"type": 1, "components": [{"type": 2, "style": 1, "label": "Again", "custom_id": "again"}]}]
LABEL = {"type": 18, "label": "Prompt", "component": {"type": 4, "custom_id": "p", "style": 1}}
WINDOW: Json = {"title": "Edit", "custom_id": "edit", "components": [LABEL]}


async def press(local: Local, message_id: str, **more: Any) -> Any:
    component = {"custom_id": "again", "component_type": 2}
    answer = await local.interact({"type": 3, "message_id": message_id, "component": component, **more})
    assert answer.status == 202, answer.body
    return next(one for one in local.core.interactions if one.id == answer.body["interaction_id"])


async def pressed(local: Local) -> Any:
    made = await local.post({"content": "x", "components": BUTTONS})
    return await press(local, made.body["id"])


async def test_the_payload_says_who_where_and_with_what_rights(local: Local) -> None:
    async with local.online() as gateway:
        await local.slash()
        payload = await gateway.wait_for("INTERACTION_CREATE")
    assert (payload["type"], payload["version"], payload["context"]) == (2, 1, 0)
    assert payload["member"]["user"]["username"] == "mina_fan"
    assert int(payload["member"]["permissions"]) & 1 << 11
    assert int(payload["app_permissions"]) & 1 << 15
    assert payload["attachment_size_limit"] == 20 * 1024 * 1024
    assert payload["authorizing_integration_owners"] == {"0": local.guild, "1": local.user()}
    assert payload["channel"]["id"] == local.channel()
    assert payload["data"]["options"] == [{"type": 3, "name": "prompt", "value": "stage lights"}]
    assert (payload["locale"], payload["guild_locale"], payload["entitlements"]) == ("en-US", "en-US", [])


async def test_app_permissions_are_those_of_the_channel(local: Local) -> None:
    await local.control("permissions", {"channel_id": local.channel(), "deny": ["ATTACH_FILES"]})
    async with local.online() as gateway:
        await local.slash()
        payload = await gateway.wait_for("INTERACTION_CREATE")
    assert not int(payload["app_permissions"]) & 1 << 15


async def test_a_direct_message_has_a_user_and_no_member(local: Local) -> None:
    async with local.online() as gateway:
        await local.slash(channel_id=local.direct())
        payload = await gateway.wait_for("INTERACTION_CREATE")
    assert payload["user"]["id"] == local.user()
    assert "member" not in payload
    assert payload["context"] == 1
    assert payload["authorizing_integration_owners"] == {"0": "0", "1": local.user()}


async def test_an_answer_after_three_seconds_is_an_unknown_interaction(local: Local) -> None:
    async with local.events() as events:
        interaction = await local.slash()
        await local.control("clock", {"advance_s": 3.1})
        failed = await events.wait_for("INTERACTION_FAILED")
    assert failed == {"interaction_id": interaction.id, "message": "The application did not respond"}
    assert (await local.answer(interaction, 5)).refusal == (404, 10062)
    assert (await local.hook(interaction, "GET")).refusal == (404, 10015)


async def test_nobody_needs_to_move_the_clock_for_the_deadline() -> None:
    async with serve_local(acknowledge_within_s=0.02) as local, local.events() as events:
        interaction = await local.slash()
        await events.wait_for("INTERACTION_FAILED")
        assert (await local.answer(interaction, 5)).refusal == (404, 10062)


async def test_a_late_answer_is_refused_before_any_timer_fired(local: Local) -> None:
    interaction = await local.slash()
    local.core.clock.advance(3.1)
    async with local.events() as events:
        assert (await local.answer(interaction, 5)).refusal == (404, 10062)
        assert (await events.wait_for("INTERACTION_FAILED"))["interaction_id"] == interaction.id


async def test_a_wrong_token_or_id_is_an_unknown_interaction(local: Local) -> None:
    interaction = await local.slash()
    forged = SimpleNamespace(id=interaction.id, token="t")
    assert (await local.answer(forged, 5)).refusal == (404, 10062)
    assert (await local.answer(SimpleNamespace(id="1", token=interaction.token), 5)).refusal == (404, 10062)


async def test_the_second_acknowledgement_is_refused(local: Local) -> None:
    interaction = await local.slash()
    assert (await local.answer(interaction, 5)).status == 200
    assert (await local.answer(interaction, 5)).refusal == (400, 40060)
    assert (await local.answer(interaction, 4, {"content": "x"})).refusal == (400, 40060)


async def test_a_refused_answer_may_be_given_again(local: Local) -> None:
    interaction = await local.slash()
    assert (await local.answer(interaction, 4, {"content": ""})).refusal == (400, 50006)
    assert (await local.answer(interaction, 4, {"content": "x"}, with_response=False)).status == 204


@pytest.mark.parametrize("kind", [1, 6, 7, 8, 10, 99, "4", None])
async def test_a_command_takes_no_answer_of_another_kind(local: Local, kind: Any) -> None:
    answer = await local.answer(await local.slash(), kind, {"content": "x"})
    assert answer.refusal == (400, 50035)
    assert "type" in answer.body["errors"]


@pytest.mark.parametrize("flags", [FLAG_V2, 64 | FLAG_V2, 1 << 2])
async def test_a_deferral_takes_the_ephemeral_flag_only(local: Local, flags: int) -> None:
    answer = await local.answer(await local.slash(), 5, {"flags": flags})
    assert answer.problems("data", "flags") == ["MESSAGE_FLAGS_INVALID"]


async def test_privacy_is_fixed_by_the_deferral(local: Local) -> None:
    interaction = await local.slash()
    deferred = await local.answer(interaction, 5, {"flags": 64})
    answered = deferred.body["interaction"]
    assert (answered["response_message_loading"], answered["response_message_ephemeral"]) == (True, True)
    assert "resource" not in deferred.body
    assert (await local.hook(interaction, "GET")).body["flags"] == 64 | 128
    edited = await local.hook(interaction, "PATCH", body={"content": "done", "flags": 0})
    assert (edited.body["flags"], edited.body["content"]) == (64, "done")


async def test_a_public_deferral_stays_public(local: Local) -> None:
    interaction = await local.slash()
    await local.answer(interaction, 5)
    assert (await local.hook(interaction, "PATCH", body={"content": "x", "flags": 64})).body["flags"] == 0


async def test_an_ephemeral_message_exists_for_its_token_and_its_reader_alone(local: Local) -> None:
    interaction = await local.slash()
    answered = await local.answer(interaction, 4, {"content": "private", "flags": 64})
    message_id = answered.body["interaction"]["response_message_id"]
    path = f"/channels/{local.channel()}/messages/{message_id}"
    assert (await local.bot("GET", path)).refusal == (404, 10008)
    assert (await local.bot("PATCH", path, {"content": "x"})).refusal == (404, 10008)
    assert (await local.bot("DELETE", path)).refusal == (404, 10008)
    assert (await local.bot("GET", f"/channels/{local.channel()}/messages")).body == []
    for handle, count in (("mina_fan", 1), ("neon_otter", 0)):
        seen = await local.page("GET", f"channels/{local.channel()}/messages", act=handle)
        assert len(seen.body["messages"]) == count
    assert (await local.hook(interaction, "GET")).body["content"] == "private"
    assert (await local.hook(interaction, "DELETE")).status == 204
    assert (await local.hook(interaction, "GET")).refusal == (404, 10008)


async def test_the_token_is_over_after_fifteen_minutes(local: Local) -> None:
    interaction = await local.slash()
    await local.answer(interaction, 5)
    await local.control("clock", {"advance_s": 890})
    assert (await local.hook(interaction, "GET")).status == 200
    async with local.events() as events:
        await local.control("clock", {"advance_s": 11})
        assert (await events.wait_for("MESSAGE_UPDATE"))["interaction_failed"]
    for method, path, body in (
        ("GET", "/messages/@original", None),
        ("PATCH", "/messages/@original", {"content": "x"}),
        ("DELETE", "/messages/@original", None),
        ("POST", "", {"content": "x"}),
    ):
        assert (await local.hook(interaction, method, path, body)).refusal == (401, 50027)


async def test_a_public_answer_is_editable_with_the_bot_token_after_its_token_is_over(local: Local) -> None:
    interaction = await local.slash()
    answered = await local.answer(interaction, 4, {"content": "public"})
    await local.control("clock", {"advance_s": 1000})
    message_id = answered.body["interaction"]["response_message_id"]
    path = f"/channels/{local.channel()}/messages/{message_id}"
    assert (await local.bot("PATCH", path, {"content": "later"})).body["content"] == "later"


async def test_webhook_routes_refuse_strange_ids_and_early_use(local: Local) -> None:
    interaction = await local.slash()
    assert (await local.hook(interaction, "GET")).refusal == (404, 10015)
    assert (await local.hook(interaction, "POST", "", {"content": "x"})).refusal == (404, 10015)
    assert (await local.bot("GET", "/webhooks/1/t/messages/@original")).refusal == (404, 10015)
    unknown = f"/webhooks/{local.core.bot_id}/t/messages/@original"
    assert (await local.bot("GET", unknown)).refusal == (401, 50027)


async def test_a_token_reaches_its_own_messages_only(local: Local) -> None:
    made = await local.post({"content": "elsewhere"})
    interaction = await local.slash()
    await local.answer(interaction, 5)
    path = f"/messages/{made.body['id']}"
    assert (await local.hook(interaction, "GET", path)).refusal == (404, 10008)
    assert (await local.hook(interaction, "PATCH", path, {"content": "x"})).refusal == (404, 10008)


async def test_followups_are_posted_edited_and_deleted(local: Local) -> None:
    interaction = await local.slash()
    await local.answer(interaction, 4, {"content": "first"})
    made = await local.hook(interaction, "POST", "", {"content": "second", "flags": 64})
    assert made.body["flags"] == 64
    path = f"/messages/{made.body['id']}"
    assert (await local.hook(interaction, "PATCH", path, {"content": "2"})).body["content"] == "2"
    assert (await local.hook(interaction, "DELETE", path)).status == 204
    assert (await local.hook(interaction, "GET", path)).refusal == (404, 10008)
    assert (await local.hook(interaction, "POST", "", {})).refusal == (400, 50006)


async def test_a_followup_right_after_a_deferral_is_the_deferred_answer(local: Local) -> None:
    interaction = await local.slash()
    deferred = await local.answer(interaction, 5, {"flags": 64})
    made = await local.hook(interaction, "POST", "", {"content": "done"})
    assert made.body["id"] == deferred.body["interaction"]["response_message_id"]
    assert made.body["flags"] == 64


async def test_an_answer_carries_files(local: Local) -> None:
    interaction = await local.slash()
    await local.answer(interaction, 5)
    path = f"/webhooks/{local.core.bot_id}/{interaction.token}/messages/@original"
    body = {
        "flags": FLAG_V2,
        "components": [{"type": 12, "items": [{"media": {"url": "attachment://a.png"}}]}],
    }
    edited = await local.upload("PATCH", path, body, ("a.png", PIXEL))
    assert edited.body["components"][0]["items"][0]["media"]["width"] == 1


async def test_a_button_updates_its_message(local: Local) -> None:
    interaction = await pressed(local)
    answered = await local.answer(interaction, 7, {"content": "new", "components": []})
    assert answered.body["resource"]["message"]["content"] == "new"
    assert (await local.hook(interaction, "GET")).body["id"] == interaction.message_id


async def test_a_deferred_update_makes_the_source_the_original(local: Local) -> None:
    interaction = await pressed(local)
    assert (await local.answer(interaction, 6)).status == 200
    edited = await local.hook(interaction, "PATCH", body={"content": "later"})
    assert edited.body["id"] == interaction.message_id


async def test_an_update_of_a_deleted_message_is_refused(local: Local) -> None:
    interaction = await pressed(local)
    await local.bot("DELETE", f"/channels/{local.channel()}/messages/{interaction.message_id}")
    assert (await local.answer(interaction, 7, {"content": "x"})).refusal == (404, 10008)


async def test_a_button_can_be_answered_with_a_new_message(local: Local) -> None:
    interaction = await pressed(local)
    answered = await local.answer(interaction, 4, {"content": "new"})
    message = answered.body["resource"]["message"]
    assert message["message_reference"]["message_id"] == interaction.message_id
    assert message["mentions"] == []


async def test_a_window_is_no_answer_to_a_window(local: Local) -> None:
    async with local.events() as events:
        interaction = await local.slash()
        opened = await local.answer(interaction, 9, WINDOW)
        assert opened.status == 200
        modal = await events.wait_for("INTERACTION_MODAL")
    components = [{"type": 18, "component": {"type": 4, "custom_id": "p", "value": "bluer"}}]
    sent = await local.interact({"type": 5, "modal_id": modal["modal_id"], "components": components})
    submitted = next(one for one in local.core.interactions if one.id == sent.body["interaction_id"])
    assert (await local.answer(submitted, 9, WINDOW)).refusal == (400, 50035)
    assert (await local.answer(submitted, 7, {"content": "x"})).refusal == (400, 50035)
    assert (await local.hook(interaction, "GET")).refusal == (404, 10008)


async def test_user_installed_apps_have_five_followups(local: Local) -> None:
    async with local.online() as gateway:
        interaction = await local.slash(channel_id=local.channel("showcase"))
        # A server without the bot sends no events of its own, only the interaction.
        payload = await gateway.wait_for("INTERACTION_CREATE")
        assert payload["authorizing_integration_owners"] == {"1": local.user()}
    await local.answer(interaction, 4, {"content": "x"})
    for _ in range(5):
        assert (await local.hook(interaction, "POST", "", {"content": "x"})).status == 200
    assert (await local.hook(interaction, "POST", "", {"content": "x"})).refusal == (400, 40094)


async def test_where_a_member_may_not_write_a_user_installed_app_answers_privately(local: Local) -> None:
    guild = local.core.world.guilds[list(local.core.world.guilds)[1]]
    guild.roles[guild.id].permissions &= ~(1 << 50)
    interaction = await local.slash(channel_id=local.channel("showcase"))
    answered = await local.answer(interaction, 4, {"content": "x"})
    assert answered.body["interaction"]["response_message_ephemeral"]


async def test_commands_need_their_context_and_installation(local: Local) -> None:
    [command] = await local.register({**SLASH, "contexts": [0]})
    body = {"type": 2, "command_id": command, "options": [{"name": "prompt", "value": "x"}]}
    assert (await local.interact({**body, "channel_id": local.direct()})).refusal == (403, 50013)
    assert (await local.interact({**body, "channel_id": local.channel("showcase")})).refusal == (403, 50013)
    assert (await local.interact(body)).status == 202
    assert (await local.interact({**body, "command_id": "1"})).refusal == (404, 10063)
    [command] = await local.register({**SLASH, "default_member_permissions": str(1 << 5)})
    body["command_id"] = command
    assert (await local.interact(body)).refusal == (403, 50013)
    assert (await local.interact(body, act="mod_moonbeam")).status == 202

"""What Discord's client lets a member send: checked here as there, and forgeable for the bot's own checks."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.discord.support import PIXEL, Json, Local


def option(name: str, kind: int, **more: Any) -> Json:
    return {"name": name, "type": kind, "description": "d", **more}


RICH: Json = {
    "name": "imagine",
    "description": "d",
    "options": [
        option("prompt", 3, required=True, min_length=2, max_length=10),
        option("size", 4, min_value=256, max_value=1024),
        option("guidance", 10, choices=[{"name": "low", "value": 3}, {"name": "mid", "value": 7.5}]),
        option("private", 5),
        option("who", 6),
        option("where", 7),
        option("role", 8),
        option("any", 9),
        option("image", 11),
    ],
}
PROMPT: Json = {"name": "prompt", "type": 3, "value": "stage"}


async def send(local: Local, *options: Json, files: tuple[tuple[str, bytes], ...] = (), **more: Any) -> Any:
    [command] = await local.register(RICH)
    return await local.interact({"type": 2, "command_id": command, "options": list(options), **more}, *files)


@pytest.mark.parametrize(
    "options",
    [
        [],
        [{"name": "prompt", "value": "x"}],
        [{"name": "prompt", "value": "x" * 11}],
        [{"name": "prompt", "value": 5}],
        [PROMPT, PROMPT],
        [PROMPT, {"name": "unknown", "value": 1}],
        [PROMPT, {"name": "size", "value": 255}],
        [PROMPT, {"name": "size", "value": 1025}],
        [PROMPT, {"name": "size", "value": 300.5}],
        [PROMPT, {"name": "size", "value": "300"}],
        [PROMPT, {"name": "guidance", "value": 4}],
        [PROMPT, {"name": "private", "value": "yes"}],
        [PROMPT, {"name": "who", "value": "1"}],
        [PROMPT, {"name": "where", "value": "1"}],
        [PROMPT, {"name": "role", "value": "1"}],
        [PROMPT, {"name": "any", "value": "1"}],
        [PROMPT, {"name": "image", "value": 0}],
    ],
)
async def test_a_value_that_cannot_be_typed_is_refused(local: Local, options: list[Json]) -> None:
    assert (await send(local, *options)).refusal == (400, 50035)


async def test_a_forged_value_reaches_the_bot(local: Local) -> None:
    async with local.online() as gateway:
        forged = {"name": "size", "type": 4, "value": 9999}
        assert (
            await send(local, forged, {"name": "more", "type": 3, "value": "x"}, forge=True)
        ).status == 202
        data = (await gateway.wait_for("INTERACTION_CREATE"))["data"]
        assert data["options"] == [forged, {"name": "more", "type": 3, "value": "x"}]


async def test_every_kind_of_value_is_resolved(local: Local) -> None:
    role = next(iter(local.core.world.guilds[local.guild].roles))
    options = [
        PROMPT,
        {"name": "size", "value": 512},
        {"name": "guidance", "value": 7.5},
        {"name": "private", "value": True},
        {"name": "who", "value": local.user("neon_otter")},
        {"name": "where", "value": local.channel("studio")},
        {"name": "role", "value": role},
        {"name": "any", "value": role},
        {"name": "image", "value": 0},
    ]
    async with local.online() as gateway:
        assert (await send(local, *options, files=(("a.png", PIXEL),))).status == 202
        data = (await gateway.wait_for("INTERACTION_CREATE"))["data"]
    assert [one["type"] for one in data["options"]] == [3, 4, 10, 5, 6, 7, 8, 9, 11]
    resolved = data["resolved"]
    assert resolved["users"][local.user("neon_otter")]["username"] == "neon_otter"
    assert "permissions" in resolved["members"][local.user("neon_otter")]
    assert resolved["channels"][local.channel("studio")]["permissions"]
    assert resolved["roles"][role]["name"] == "@everyone"
    [file] = resolved["attachments"].values()
    assert data["options"][-1]["value"] == file["id"]
    assert (file["filename"], file["ephemeral"], file["width"]) == ("a.png", True, 1)
    async with local.session.get(file["url"]) as response:
        assert await response.read() == PIXEL


async def test_sub_commands_nest(local: Local) -> None:
    inner = option("show", 1, options=[option("count", 4, required=True)])
    body = {"name": "caps", "description": "d", "options": [option("group", 2, options=[inner])]}
    [command] = await local.register(body)

    async def use(options: Any) -> Any:
        return await local.interact({"type": 2, "command_id": command, "options": options})

    chosen = [{"name": "group", "options": [{"name": "show", "options": [{"name": "count", "value": 3}]}]}]
    async with local.online() as gateway:
        assert (await use(chosen)).status == 202
        data = (await gateway.wait_for("INTERACTION_CREATE"))["data"]
        leaf = data["options"][0]["options"][0]
        assert (leaf["type"], leaf["options"][0]["value"]) == (1, 3)
    assert (await use([])).refusal == (400, 50035)
    assert (await use("x")).refusal == (400, 50035)
    assert (await use([{"name": "group", "options": [{"name": "show"}]}])).refusal == (400, 50035)


async def _ask(local: Local, options: list[Json]) -> Any:
    body = {
        "name": "pick",
        "description": "d",
        "options": [option("q", 3, autocomplete=True), option("n", 4)],
    }
    [command] = await local.register(body)
    return await local.interact({"type": 4, "command_id": command, "options": options})


async def test_autocomplete_answers_the_page(local: Local) -> None:
    import asyncio

    async with local.online() as gateway:
        asking = asyncio.create_task(_ask(local, [{"name": "q", "value": "st", "focused": True}]))
        payload = await gateway.wait_for("INTERACTION_CREATE")
        assert payload["type"] == 4
        assert payload["data"]["options"] == [{"type": 3, "name": "q", "value": "st", "focused": True}]
        interaction = next(iter(local.core.interactions))
        choice = {"name": "stage", "value": "stage"}
        for wrong in (
            [choice] * 26,
            [choice, choice],
            [{"name": "x" * 101, "value": "x"}],
            [{"name": "x", "value": 1}],
        ):
            assert (await local.answer(interaction, 8, {"choices": wrong})).refusal == (400, 50035)
        assert (await local.answer(interaction, 5)).refusal == (400, 50035)
        assert (await local.answer(interaction, 8)).refusal == (400, 50035)
        assert (await local.answer(interaction, 8, {"choices": [choice]})).status == 200
        assert (await asking).body == {"choices": [choice]}


async def test_autocomplete_without_an_answer_offers_nothing(local: Local) -> None:
    import asyncio

    async with local.online() as gateway:
        asking = asyncio.create_task(_ask(local, [{"name": "q", "value": "", "focused": True}]))
        await gateway.wait_for("INTERACTION_CREATE")
        await local.control("clock", {"advance_s": 4})
        assert (await asking).body == {"choices": []}


async def test_a_reset_ends_a_waiting_autocomplete(local: Local) -> None:
    import asyncio

    async with local.online() as gateway:
        asking = asyncio.create_task(_ask(local, [{"name": "q", "value": "", "focused": True}]))
        await gateway.wait_for("INTERACTION_CREATE")
        await local.control("reset", {})
        assert (await asking).body == {"choices": []}


async def test_autocomplete_needs_a_focused_option_that_has_it(local: Local) -> None:
    assert (await _ask(local, [{"name": "q", "value": "x"}])).refusal == (400, 50035)
    assert (await _ask(local, [{"name": "n", "value": 1, "focused": True}])).refusal == (400, 50035)


async def test_an_unknown_kind_of_act_is_refused(local: Local) -> None:
    assert (await local.interact({"type": 1})).refusal == (400, 50035)
    assert (await local.interact({"type": [2]})).refusal == (400, 50035)
    assert (await local.interact({"type": 2, "channel_id": "1"})).refusal == (404, 10003)


async def test_menus_resolve_their_target(local: Local) -> None:
    message_menu, user_menu = await local.register({"name": "Edit", "type": 3}, {"name": "Who", "type": 2})
    body = {"type": 2, "command_id": message_menu, "target_id": "1"}
    assert (await local.interact(body)).refusal == (404, 10008)
    assert (await local.interact({**body, "command_id": user_menu})).refusal == (404, 10013)
    async with local.online() as gateway:
        target = local.user("neon_otter")
        assert (await local.interact({**body, "command_id": user_menu, "target_id": target})).status == 202
        data = (await gateway.wait_for("INTERACTION_CREATE"))["data"]
        assert data["resolved"]["users"][target]["username"] == "neon_otter"

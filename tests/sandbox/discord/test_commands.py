"""Application commands: registration, and the refusals that Discord names field by field."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.discord.support import SLASH, Json, Local

NAME_BAD = "APPLICATION_COMMAND_INVALID_NAME"


def option(**more: Any) -> Json:
    return {"type": 3, "name": "prompt", "description": "d", **more}


def command(*options: Json, **more: Any) -> Json:
    return {"name": "imagine", "description": "d", "options": list(options), **more}


def numbered(count: int, **more: Any) -> list[Json]:
    return [option(name=f"o{number}", **more) for number in range(count)]


CHOICE = {"name": "a", "value": "a"}
FIRST = ("options", "0")


@pytest.mark.parametrize(
    ("body", "place", "code"),
    [
        (command(name="Imagine"), ("name",), NAME_BAD),
        (command(name="two words"), ("name",), NAME_BAD),
        (command(name="x" * 33), ("name",), "BASE_TYPE_BAD_LENGTH"),
        (command(name=None), ("name",), "BASE_TYPE_REQUIRED"),
        (command(description=""), ("description",), "BASE_TYPE_REQUIRED"),
        (command(description="x" * 101), ("description",), "BASE_TYPE_BAD_LENGTH"),
        (command(type=9), ("type",), "BASE_TYPE_CHOICES"),
        (command(name_localizations={"xx": "a"}), ("name_localizations", "xx"), "BASE_TYPE_CHOICES"),
        (command(name_localizations={"ko": "A B"}), ("name_localizations", "ko"), NAME_BAD),
        (
            command(description_localizations={"ko": ""}),
            ("description_localizations", "ko"),
            "BASE_TYPE_REQUIRED",
        ),
        (command(contexts=[5]), ("contexts", "0"), "BASE_TYPE_CHOICES"),
        (command(default_member_permissions="x"), ("default_member_permissions",), "NUMBER_TYPE_COERCE"),
        (command(*numbered(26)), ("options",), "BASE_TYPE_MAX_LENGTH"),
        (command(option(name="Bad")), (*FIRST, "name"), NAME_BAD),
        (command(option(description=None)), (*FIRST, "description"), "BASE_TYPE_REQUIRED"),
        (command(option(type=12)), (*FIRST, "type"), "BASE_TYPE_CHOICES"),
        (command(option(), option()), ("options", "1", "name"), "APPLICATION_COMMAND_OPTIONS_NAME_DUPLICATE"),
        (
            command(option(name="a"), option(required=True)),
            ("options", "1"),
            "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID",
        ),
        (command(option(choices=[CHOICE] * 26)), (*FIRST, "choices"), "BASE_TYPE_MAX_LENGTH"),
        (
            command(option(choices=[CHOICE, CHOICE])),
            (*FIRST, "choices", "1", "name"),
            "APPLICATION_COMMAND_OPTIONS_CHOICE_NAME_DUPLICATE",
        ),
        (
            command(option(choices=[{"name": "x" * 101}])),
            (*FIRST, "choices", "0", "name"),
            "BASE_TYPE_BAD_LENGTH",
        ),
        (
            command(option(choices=[{"name": "x", "value": "v" * 101}])),
            (*FIRST, "choices", "0", "value"),
            "BASE_TYPE_MAX_LENGTH",
        ),
        (
            command(option(type=4, choices=[{"name": "x", "value": 1.5}])),
            (*FIRST, "choices", "0", "value"),
            "NUMBER_TYPE_COERCE",
        ),
        (
            command(option(type=11, choices=[CHOICE])),
            (*FIRST, "choices"),
            "APPLICATION_COMMAND_OPTIONS_CHOICES_INVALID",
        ),
        (
            command(option(autocomplete=True, choices=[CHOICE])),
            (*FIRST, "choices"),
            "APPLICATION_COMMAND_OPTIONS_CHOICES_INVALID",
        ),
        (
            command(option(type=5, autocomplete=True)),
            (*FIRST, "autocomplete"),
            "APPLICATION_COMMAND_OPTIONS_AUTOCOMPLETE_INVALID",
        ),
        (command(option(max_length=6001)), (*FIRST, "max_length"), "NUMBER_TYPE_MAX"),
        (
            command(option(min_length=9, max_length=3)),
            (*FIRST, "min_length"),
            "APPLICATION_COMMAND_OPTIONS_LENGTH_INVALID",
        ),
        (
            command(option(type=4, min_length=1)),
            (*FIRST, "min_length"),
            "APPLICATION_COMMAND_OPTIONS_LENGTH_INVALID",
        ),
        (command(option(min_value=1)), (*FIRST, "min_value"), "APPLICATION_COMMAND_OPTIONS_VALUE_INVALID"),
        (command(option(type=4, min_value=1.5)), (*FIRST, "min_value"), "NUMBER_TYPE_COERCE"),
        (command(option(type=10, max_value=2**53)), (*FIRST, "max_value"), "NUMBER_TYPE_COERCE"),
        (
            command(option(type=4, min_value=9, max_value=3)),
            (*FIRST, "min_value"),
            "APPLICATION_COMMAND_OPTIONS_VALUE_INVALID",
        ),
        (command(option(type=1), option(name="b")), ("options",), "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID"),
        (
            command(option(type=2, options=[option(type=2)])),
            (*FIRST, "options", "0", "type"),
            "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID",
        ),
        (
            {"name": "Menu", "type": 3, "description": "d"},
            ("description",),
            "APPLICATION_COMMAND_CONTEXT_MENU_DESCRIPTION_CANNOT_BE_SET",
        ),
        (
            {"name": "Menu", "type": 3, "options": [option()]},
            ("options",),
            "APPLICATION_COMMAND_CONTEXT_MENU_OPTIONS_CANNOT_BE_SET",
        ),
    ],
)
async def test_a_wrong_command_is_named(local: Local, body: Json, place: tuple[str, ...], code: str) -> None:
    answer = await local.bot("POST", f"{local.app}/commands", body)
    assert answer.refusal == (400, 50035)
    assert code in answer.problems(*place)
    bulk = await local.bot("PUT", f"{local.app}/commands", [SLASH | {"name": "ok"}, body])
    assert code in bulk.problems("1", *place)


async def test_a_command_is_at_most_8000_characters_with_its_longest_translations(local: Local) -> None:
    choices = [{"name": f"{number:02}".ljust(20, "n"), "value": "v" * 11} for number in range(25)]
    options = numbered(10, choices=choices)
    options[0] |= {"description": "d" * 100}
    options[1] |= {"description": "d" * 100}
    # 7 + 15 for the command, 2 + 1 for each option, 99 more twice, 25 choices of 31 ten times.
    full = command(*options, description="d" * 15)
    assert (await local.bot("POST", f"{local.app}/commands", full)).status == 201
    shorter = {**full, "description_localizations": {"ko": "d" * 14}}
    assert (await local.bot("POST", f"{local.app}/commands", shorter)).status == 200
    longer = {**full, "description_localizations": {"ko": "d" * 16}}
    refused = await local.bot("POST", f"{local.app}/commands", longer)
    assert refused.refusal == (400, 50035)
    assert refused.problems() == ["APPLICATION_COMMAND_TOO_LARGE"]


async def test_names_of_any_script_are_taken(local: Local) -> None:
    for name in ("그림", "絵を描く", "bild-ä", "भाषा", "a_b'c"):
        answer = await local.bot("POST", f"{local.app}/commands", command(name=name))
        assert answer.status == 201, (name, answer.body)


async def test_a_bulk_overwrite_keeps_ids_and_drops_what_is_not_named(local: Local) -> None:
    first = await local.register(SLASH, {"name": "Edit image", "type": 3})
    second = await local.register({**SLASH, "description": "new"}, {"name": "usage", "description": "d"})
    assert second[0] == first[0]
    listed = await local.bot("GET", f"{local.app}/commands")
    assert [one["name"] for one in listed.body] == ["imagine", "usage"]
    assert listed.body[0]["description"] == "new"
    assert await local.register() == []


async def test_the_same_name_twice_in_a_bulk_is_refused(local: Local) -> None:
    answer = await local.bot("PUT", f"{local.app}/commands", [SLASH, SLASH])
    assert answer.problems("1", "name") == ["APPLICATION_COMMANDS_DUPLICATE_NAME"]


async def test_a_bulk_of_something_else_is_refused(local: Local) -> None:
    assert (await local.bot("PUT", f"{local.app}/commands", {"name": "x"})).refusal == (400, 50035)


async def test_too_many_commands_of_a_type_are_refused(local: Local) -> None:
    menus = [{"name": f"Menu {number}", "type": 3} for number in range(16)]
    assert (await local.bot("PUT", f"{local.app}/commands", menus)).refusal == (400, 30032)
    slashes = [{"name": f"c{number}", "description": "d"} for number in range(101)]
    assert (await local.bot("PUT", f"{local.app}/commands", slashes)).refusal == (400, 30032)
    assert (await local.bot("PUT", f"{local.app}/commands", [*menus[:15], *slashes[:100]])).status == 200
    assert (await local.bot("POST", f"{local.app}/commands", slashes[100])).refusal == (400, 30032)


async def test_a_server_takes_200_new_commands_a_day(local: Local) -> None:
    path = f"{local.app}/guilds/{local.guild}/commands"
    for start in (0, 100):
        fresh = [{"name": f"c{start + number}", "description": "d"} for number in range(100)]
        assert (await local.bot("PUT", path, fresh)).status == 200
    assert (await local.bot("PUT", path, fresh)).status == 200
    other = [{"name": "other", "description": "d"}]
    assert (await local.bot("PUT", path, other)).refusal == (400, 30034)
    await local.control("clock", {"advance_s": 86_401})
    assert (await local.bot("PUT", path, other)).status == 200


async def test_single_commands_are_made_read_changed_and_removed(local: Local) -> None:
    path = f"{local.app}/commands"
    made = await local.bot("POST", path, SLASH)
    assert made.status == 201
    assert (await local.bot("POST", path, SLASH)).status == 200
    one = f"{path}/{made.body['id']}"
    changed = await local.bot("PATCH", one, {"description": "other"})
    assert (changed.body["id"], changed.body["description"]) == (made.body["id"], "other")
    assert (await local.bot("PATCH", one, {"description": ""})).refusal == (400, 50035)
    assert (await local.bot("GET", one)).body["options"][0]["name"] == "prompt"
    assert (await local.bot("DELETE", one)).status == 204
    assert (await local.bot("GET", one)).refusal == (404, 10063)
    assert (await local.bot("DELETE", one)).refusal == (404, 10063)


async def test_server_commands_have_their_own_scope(local: Local) -> None:
    path = f"{local.app}/guilds/{local.guild}/commands"
    made = await local.bot("POST", path, SLASH)
    assert made.body["guild_id"] == local.guild
    assert (await local.bot("GET", f"{local.app}/commands")).body == []
    refused = await local.bot("POST", path, {**SLASH, "contexts": [0], "integration_types": [0]})
    assert refused.problems("contexts") == ["APPLICATION_COMMAND_INVALID_CONTEXTS"]
    assert (await local.bot("PATCH", f"{path}/{made.body['id']}", {"description": "x"})).status == 200
    elsewhere = list(local.core.world.guilds)[1]
    assert (await local.bot("GET", f"{local.app}/guilds/{elsewhere}/commands")).refusal == (403, 50001)
    assert (await local.bot("GET", f"{local.app}/guilds/1/commands")).refusal == (404, 10004)


async def test_another_applications_commands_are_out_of_reach(local: Local) -> None:
    assert (await local.bot("GET", "/applications/1/commands")).refusal == (403, 20012)


async def test_translations_are_listed_only_when_asked_for(local: Local) -> None:
    await local.register({**SLASH, "name_localizations": {"ko": "그림"}})
    plain = await local.bot("GET", f"{local.app}/commands")
    assert "name_localizations" not in plain.body[0]
    full = await local.bot("GET", f"{local.app}/commands?with_localizations=1")
    assert full.body[0]["name_localizations"] == {"ko": "그림"}


async def test_pages_hear_of_new_commands(local: Local) -> None:
    async with local.events() as events:
        await local.register(SLASH)
        assert (await events.wait_for("COMMANDS_UPDATE"))["commands"][0]["name"] == "imagine"

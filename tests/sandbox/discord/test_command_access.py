"""Who may use a command where, after the Integrations page had its say."""

from __future__ import annotations

import pytest

from tests.sandbox.discord.support import SLASH, Json, Local

ROLE, USER, CHANNEL = 1, 2, 3


def role(local: Local, name: str) -> str:
    return next(one.id for one in local.core.world.guilds[local.guild].roles.values() if one.name == name)


async def say(local: Local, command: str, *rules: tuple[int, str, bool]) -> None:
    permissions = [{"type": kind, "id": one, "permission": may} for kind, one, may in rules]
    answer = await local.control("command-permissions", {"command_id": command, "permissions": permissions})
    assert answer.status == 204, answer.body


async def use(local: Local, command: str, act: str, **more: object) -> int:
    options = [{"name": "prompt", "type": 3, "value": "x"}]
    return (
        await local.interact({"type": 2, "command_id": command, "options": options, **more}, act=act)
    ).status


@pytest.mark.parametrize(
    ("rules", "mina", "moderator"),
    [
        ([], True, True),
        ([(ROLE, "@everyone", False), (ROLE, "Moderator", True)], False, True),
        ([(ROLE, "Moderator", False)], True, False),
        ([(ROLE, "@everyone", False), (USER, "mina_fan", True)], True, False),
        ([(ROLE, "Lightstick", True), (USER, "mina_fan", False)], False, True),
        ([(CHANNEL, "general", False)], False, False),
        ([(CHANNEL, "everywhere", False)], False, False),
        ([(CHANNEL, "everywhere", False), (CHANNEL, "general", True)], True, True),
    ],
)
async def test_a_command_is_narrowed_to_roles_members_and_channels(
    local: Local, rules: list[tuple[int, str, bool]], *, mina: bool, moderator: bool
) -> None:
    [command] = await local.register(SLASH)
    named = {
        "everywhere": str(int(local.guild) - 1),
        "general": local.channel(),
        "mina_fan": local.user(),
        **{one.name: one.id for one in local.core.world.guilds[local.guild].roles.values()},
    }
    await say(local, command, *((kind, named[name], may) for kind, name, may in rules))
    expected = {True: 202, False: 403}
    assert await use(local, command, "mina_fan") == expected[mina]
    assert await use(local, command, "mod_moonbeam") == expected[moderator]
    shown = (await local.page("GET", "state")).body["channels"]
    assert (command in next(one for one in shown if one["name"] == "general")["command_ids"]) is mina


async def test_what_is_said_of_a_command_counts_before_its_default_permissions(local: Local) -> None:
    [command] = await local.register({**SLASH, "default_member_permissions": "32"})
    assert await use(local, command, "mina_fan") == 403
    await say(local, command, (ROLE, role(local, "Lightstick"), True))
    assert await use(local, command, "mina_fan") == 202
    await say(local, command)
    assert await use(local, command, "mina_fan") == 403


async def test_what_is_said_of_the_application_counts_for_commands_of_which_nothing_is_said(
    local: Local,
) -> None:
    first, second = await local.register(SLASH, {**SLASH, "name": "other"})
    await say(local, local.core.settings.application_id, (ROLE, local.guild, False))
    assert await use(local, first, "mina_fan") == 403
    await say(local, second, (USER, local.user(), True))
    assert await use(local, second, "mina_fan") == 202


async def test_an_administrator_is_never_kept_out(local: Local) -> None:
    [command] = await local.register(SLASH)
    await local.control("role", {"role_id": role(local, "Moderator"), "allow": ["ADMINISTRATOR"]})
    await say(local, command, (ROLE, local.guild, False))
    assert await use(local, command, "mod_moonbeam") == 202


async def test_a_forged_command_reaches_the_bot_past_every_permission(local: Local) -> None:
    [command] = await local.register({**SLASH, "default_member_permissions": "32"})
    assert await use(local, command, "mina_fan", forge=True) == 202


async def test_the_bot_reads_and_hears_what_was_said(local: Local) -> None:
    [command] = await local.register(SLASH)
    guild = f"{local.app}/guilds/{local.guild}/commands"
    assert (await local.bot("GET", f"{guild}/{command}/permissions")).refusal == (404, 10066)
    rule: Json = {"id": local.guild, "type": ROLE, "permission": False}
    said = {
        "id": command,
        "application_id": local.core.settings.application_id,
        "guild_id": local.guild,
        "permissions": [rule],
    }
    async with local.online() as gateway:
        await say(local, command, (ROLE, local.guild, False))
        assert await gateway.wait_for("APPLICATION_COMMAND_PERMISSIONS_UPDATE") == said
    assert (await local.bot("GET", f"{guild}/{command}/permissions")).body == said
    assert (await local.bot("GET", f"{guild}/permissions")).body == [said]
    other = f"/applications/1/guilds/{local.guild}/commands/{command}/permissions"
    assert (await local.bot("GET", other)).refusal == (403, 20012)


@pytest.mark.parametrize(
    "permissions",
    [
        [{"id": "1", "type": 4, "permission": True}],
        [{"id": "1", "type": 1, "permission": "yes"}],
        [{"id": "1", "type": 1, "permission": True}] * 101,
    ],
)
async def test_permissions_that_make_no_sense_are_refused(local: Local, permissions: list[Json]) -> None:
    [command] = await local.register(SLASH)
    body = {"command_id": command, "permissions": permissions}
    assert (await local.control("command-permissions", body)).refusal == (400, 50035)
    assert (await local.control("command-permissions", {**body, "command_id": "1"})).refusal == (404, 10063)

"""Owns who may use which command where: contexts, default permissions, and the Integrations page's own words.

Pure but for `put_permissions`. Source: Discord developer docs, "Application Commands" (Permissions), read
2026-11-23: what is said of a member counts before what is said of roles, roles before @everyone, the command
before its application; the id of the server is @everyone, the number below it is every channel.
"""

from collections.abc import Iterable

from sandbox.discord.core import Core
from sandbox.discord.errors import ApiError
from sandbox.discord.forms import Form
from sandbox.discord.interaction_start import find_context, find_owners
from sandbox.discord.permissions import Permission, compute_permissions
from sandbox.discord.sessions import Intent
from sandbox.discord.state import Channel, Guild, Json

ROLE, USER, CHANNEL = 1, 2, 3
# As plain numbers: a flag of an enum takes ten times as long to test, and the page asks of every command.
USE_COMMANDS, ADMINISTRATOR = int(Permission.USE_APPLICATION_COMMANDS), int(Permission.ADMINISTRATOR)
PERMISSIONS_MAX = 100


def is_usable(core: Core, channel: Channel, user_id: str, command: Json) -> bool:
    """Whether a member is offered a command here: installed, in a context it allows, and permitted to use it."""
    return bool(list_usable(core, channel, user_id, [command]))


def list_usable(core: Core, channel: Channel, user_id: str, commands: Iterable[Json]) -> list[Json]:
    """Those of the commands that a member is offered here."""
    bits = int(compute_permissions(core.world, channel, user_id))
    if not bits & USE_COMMANDS:
        return []
    return [
        one
        for one in commands
        if is_reachable(core, channel, user_id, one) and _is_permitted(core, channel, user_id, bits, one)
    ]


def _is_permitted(core: Core, channel: Channel, user_id: str, bits: int, command: Json) -> bool:
    guild = core.world.guilds.get(channel.guild_id or "")
    if guild is None or bits & ADMINISTRATOR:
        return True
    said = _decide(core, guild, channel, user_id, command["id"])
    if said is not None:
        return said
    wanted = command["default_member_permissions"]
    # "0" means: administrators only.
    return wanted is None or (int(wanted) != 0 and bits & int(wanted) == int(wanted))


def is_reachable(core: Core, channel: Channel, user_id: str, command: Json) -> bool:
    """Whether the command exists here at all, whatever its user may do."""
    if command.get("guild_id", channel.guild_id) != channel.guild_id:
        return False
    if not find_owners(core, channel, user_id, command["integration_types"]):
        return False
    if command["contexts"] is not None:
        return find_context(core, channel) in command["contexts"]
    return channel.guild_id is not None or bool(command["dm_permission"])


def _decide(core: Core, guild: Guild, channel: Channel, user_id: str, command_id: str) -> bool | None:
    """What the Integrations page says; None leaves it to the command's default permissions."""
    own = guild.command_permissions.get(command_id, [])
    general = guild.command_permissions.get(core.settings.application_id, [])
    place = channel.parent_id if channel.is_thread and channel.parent_id else channel.id
    everywhere = str(int(guild.id) - 1)
    for rules in (own, general):
        here = {one["id"]: one["permission"] for one in rules if one["type"] == CHANNEL}
        allowed = here.get(place, here.get(everywhere))
        if allowed is False:
            return False
        if allowed:
            break
    said = _decide_person(guild, user_id, own)
    if said is None and _decide_person(guild, user_id, general) is False:
        return False
    return said


def _decide_person(guild: Guild, user_id: str, rules: list[Json]) -> bool | None:
    users = {one["id"]: one["permission"] for one in rules if one["type"] == USER}
    if user_id in users:
        return bool(users[user_id])
    roles = {one["id"]: one["permission"] for one in rules if one["type"] == ROLE}
    member = guild.members.get(user_id)
    held = [roles[one] for one in member.roles if one in roles] if member else []
    if held:
        return any(held)
    return roles.get(guild.id)


def check_permissions(form: Form) -> list[Json]:
    """Raises: ApiError 50035."""
    rules = form.children("permissions", most=PERMISSIONS_MAX, required=True)
    for rule in rules:
        rule.text("id", shortest=1, longest=20, required=True)
        rule.choice("type", (ROLE, USER, CHANNEL))
        if not isinstance(rule.data.get("permission"), bool):
            rule.error("permission", "BOOLEAN_TYPE_CONVERT", "Must be either true or false.")
    form.problems.raise_if_any()
    return [{key: rule.data[key] for key in ("id", "type", "permission")} for rule in rules]


def put_permissions(core: Core, guild: Guild, command_id: str, rules: list[Json]) -> None:
    """Say it as the Integrations page does; an empty list takes it all back."""
    if rules:
        guild.command_permissions[command_id] = rules
    else:
        guild.command_permissions.pop(command_id, None)
    body = render_permissions(core, guild, command_id)
    if core.bot_id in guild.members:
        event = "APPLICATION_COMMAND_PERMISSIONS_UPDATE"
        core.sessions.dispatch(event, lambda _: body, guild_id=guild.id, intents=Intent.GUILDS)


def render_permissions(core: Core, guild: Guild, command_id: str) -> Json:
    return {
        "id": command_id,
        "application_id": core.settings.application_id,
        "guild_id": guild.id,
        "permissions": list(guild.command_permissions.get(command_id, ())),
    }


def get_permissions(core: Core, guild: Guild, command_id: str) -> Json:
    """Raises: ApiError 10066 where nothing was said."""
    if command_id not in guild.command_permissions:
        raise ApiError(404, 10066, "Unknown application command permissions")
    return render_permissions(core, guild, command_id)

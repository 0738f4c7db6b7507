"""Owns the control endpoints that change servers as their administrators would: members, roles, channels, AutoMod.

For tests and for the curious; never part of Discord. `guild_id` may be left out: then the first server is meant.
What a change means and who hears of it is decided in `places`, `automod` and `command_access`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from sandbox.discord.automod import check_rule, get_rule, put_rule, remove_rule
from sandbox.discord.clock import format_iso
from sandbox.discord.command_access import check_permissions, put_permissions
from sandbox.discord.command_rules import LOCALES
from sandbox.discord.control import read_bits, read_form
from sandbox.discord.core import Core, get_core
from sandbox.discord.errors import ApiError, invalid_field, unknown_channel, unknown_guild, unknown_role
from sandbox.discord.forms import Form
from sandbox.discord.middleware import answer_json
from sandbox.discord.places import (
    announce_channel,
    announce_guild,
    announce_member,
    announce_role,
    delete_channel,
    delete_role,
    remove_member,
    set_bot_membership,
)
from sandbox.discord.render_places import render_channel, render_guild, render_member, render_role
from sandbox.discord.state import Channel, ChannelType, Guild, Json, Member, Role, User

NAME_MAX, TOPIC_MAX = 100, 1024
# So many of each that a test or a curious hand may add.
ROLES_MAX, CHANNELS_MAX, USERS_MAX = 250, 500, 5000
OPEN_TO = (ChannelType.TEXT, ChannelType.CATEGORY)


def _find_guild(core: Core, given: Mapping[str, Any]) -> Guild:
    """Raises: ApiError 10004."""
    guild_id = given.get("guild_id")
    if guild_id is None:
        return next(iter(core.world.guilds.values()))
    guild = core.world.guilds.get(str(guild_id))
    if guild is None:
        raise unknown_guild()
    return guild


async def _open(request: web.Request) -> tuple[Core, Guild, Form]:
    core = get_core(request)
    form = await read_form(request)
    return core, _find_guild(core, form.data), form


def _done(core: Core, body: Json | None = None) -> web.Response:
    core.announce_state()
    return web.Response(status=204) if body is None else answer_json(body)


async def change_guild(request: web.Request) -> web.Response:
    core, guild, form = await _open(request)
    locale = form.data.get("preferred_locale", guild.preferred_locale)
    if not isinstance(locale, str) or locale not in LOCALES:
        form.error("preferred_locale", "BASE_TYPE_CHOICES", "Locale is not known.")
    name = form.text("name", shortest=2, longest=NAME_MAX)
    form.problems.raise_if_any()
    guild.preferred_locale, guild.name = locale, name or guild.name
    announce_guild(core, guild)
    return _done(core, render_guild(guild))


async def change_member(request: web.Request) -> web.Response:
    """Shape: `user_id`, or `username` for somebody new; `roles`, `joined_at`; `member` false takes them out."""
    core, guild, form = await _open(request)
    user = _find_or_make_user(core, form)
    if form.data.get("member") is False:
        remove_member(core, guild, user.id)
        return _done(core)
    member = guild.members.get(user.id)
    is_new = member is None
    roles = [str(one) for one in form.array("roles", most=ROLES_MAX)]
    if any(one not in guild.roles or one == guild.id for one in roles):
        raise unknown_role()
    joined_at = _read_time(form, "joined_at")
    form.problems.raise_if_any()
    if member is None:
        member = Member(user_id=user.id, joined_at=core.clock.now_iso())
        guild.members[user.id] = member
    if "roles" in form.data:
        member.roles = roles
    member.joined_at = joined_at or member.joined_at
    announce_member(core, guild, member, is_new=is_new)
    return _done(core, render_member(member, user))


def _find_or_make_user(core: Core, form: Form) -> User:
    user = core.world.users.get(str(form.data.get("user_id")))
    if user is not None:
        return user
    name = form.text("username", shortest=2, longest=32, required=True)
    shown = form.text("global_name", longest=32)
    if len(core.world.users) >= USERS_MAX:
        form.error("username", "SANDBOX_IS_FULL", f"At most {USERS_MAX} users")
    form.problems.raise_if_any()
    user = User(id=core.clock.make_id(), username=str(name), global_name=shown)
    core.world.users[user.id] = user
    return user


def _read_time(form: Form, key: str) -> str | None:
    given = form.text(key, longest=64)
    if given is None:
        return None
    try:
        at = datetime.fromisoformat(given)
        return format_iso((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        form.error(key, "DATE_TIME_TYPE_PARSE", "Could not parse. Should be ISO8601.")
        return None


async def change_role(request: web.Request) -> web.Response:
    """Shape: `role_id` for one that exists; `permissions` are names and replace all; `allow`, `deny` turn some."""
    core, guild, form = await _open(request)
    role = _find_or_make_role(core, guild, form)
    is_new = role.id not in guild.roles
    name = form.text("name", shortest=1, longest=NAME_MAX)
    color = form.integer("color", lowest=0, highest=0xFFFFFF, default=role.color)
    bits = read_bits(form, "permissions") if "permissions" in form.data else role.permissions
    bits = bits & ~read_bits(form, "deny") | read_bits(form, "allow")
    form.problems.raise_if_any()
    role.name, role.color, role.permissions = name or role.name, color or 0, bits
    guild.roles[role.id] = role
    announce_role(core, guild, role, is_new=is_new)
    return _done(core, render_role(role))


def _find_or_make_role(core: Core, guild: Guild, form: Form) -> Role:
    if "role_id" in form.data:
        return _get_role(guild, str(form.data["role_id"]))
    if len(guild.roles) >= ROLES_MAX:
        raise ApiError(400, 30005, f"Maximum number of guild roles reached ({ROLES_MAX})")
    return Role(id=core.clock.make_id(), name="new role", permissions=0, position=len(guild.roles))


def _get_role(guild: Guild, role_id: str) -> Role:
    role = guild.roles.get(role_id)
    if role is None:
        raise unknown_role()
    return role


async def take_role(request: web.Request) -> web.Response:
    core = get_core(request)
    guild = _find_guild(core, request.query)
    role = _get_role(guild, request.match_info["role_id"])
    if role.id == guild.id or role.managed_by is not None:
        raise ApiError(400, 50028, "Invalid Role")
    delete_role(core, guild, role)
    return _done(core)


async def change_channel(request: web.Request) -> web.Response:
    """Shape: `channel_id` for one that exists; else a new text channel, or a category with `type` 4."""
    core, guild, form = await _open(request)
    is_new = "channel_id" not in form.data
    kind = form.choice("type", OPEN_TO, required=False) or ChannelType.TEXT
    name = form.text("name", shortest=1, longest=NAME_MAX, required=is_new)
    topic = form.text("topic", longest=TOPIC_MAX)
    parent_id = form.data.get("parent_id")
    parent = core.world.channels.get(str(parent_id))
    if parent_id is not None and (parent is None or parent.type is not ChannelType.CATEGORY):
        form.error("parent_id", "CHANNEL_PARENT_INVALID", "Category does not exist")
    form.problems.raise_if_any()
    if is_new:
        channel = _add_channel(core, guild, ChannelType(kind))
    else:
        channel = _get_channel(core, str(form.data["channel_id"]))
    channel.name, channel.topic = name or channel.name, topic or channel.topic
    if "parent_id" in form.data and not channel.is_thread:
        channel.parent_id = None if parent_id is None else str(parent_id)
    announce_channel(core, channel, "CHANNEL_CREATE" if is_new else "CHANNEL_UPDATE")
    return _done(core, render_channel(core.world, channel))


def _add_channel(core: Core, guild: Guild, kind: ChannelType) -> Channel:
    same = [one for one in core.world.channels.values() if one.guild_id == guild.id]
    if len(same) >= CHANNELS_MAX:
        raise ApiError(400, 30013, f"Maximum number of guild channels reached ({CHANNELS_MAX})")
    channel = Channel(id=core.clock.make_id(), type=kind, guild_id=guild.id, position=len(same))
    core.world.channels[channel.id] = channel
    return channel


def _get_channel(core: Core, channel_id: str) -> Channel:
    channel = core.world.channels.get(channel_id)
    if channel is None or channel.guild_id is None:
        raise unknown_channel()
    return channel


async def take_channel(request: web.Request) -> web.Response:
    core = get_core(request)
    delete_channel(core, _get_channel(core, request.match_info["channel_id"]))
    return _done(core)


async def get_bot(request: web.Request) -> web.Response:
    """Whether it is here, and how many commands it has everywhere: less than the page wants to know, and cheap."""
    core = get_core(request)
    return answer_json({"online": core.sessions.online, "commands": len(core.registry.list_scope(None))})


async def change_bot(request: web.Request) -> web.Response:
    """Shape: `member` false is a kick, true lets the bot in again."""
    core, guild, form = await _open(request)
    if not isinstance(form.data.get("member"), bool):
        raise invalid_field(("member",), "BOOLEAN_TYPE_CONVERT", "Must be either true or false.")
    set_bot_membership(core, guild, member=form.data["member"])
    return _done(core)


async def change_automod(request: web.Request) -> web.Response:
    """Shape: a rule as Discord takes it; with `rule_id` the fields that change."""
    core, guild, form = await _open(request)
    old = get_rule(guild, str(form.data["rule_id"])) if "rule_id" in form.data else None
    rule = check_rule(form, guild, core.clock, old)
    put_rule(core, guild, rule)
    return answer_json(rule)


async def take_automod(request: web.Request) -> web.Response:
    core = get_core(request)
    remove_rule(core, _find_guild(core, request.query), request.match_info["rule_id"])
    return web.Response(status=204)


async def change_command_permissions(request: web.Request) -> web.Response:
    """Shape: `command_id`, the application's own id for all its commands; `permissions`, empty to take back."""
    core, guild, form = await _open(request)
    command_id = str(form.data.get("command_id"))
    if command_id != core.settings.application_id and core.registry.find(command_id) is None:
        raise ApiError(404, 10063, "Unknown application command")
    put_permissions(core, guild, command_id, check_permissions(form))
    return _done(core)


def build_routes() -> list[web.RouteDef]:
    return [
        web.post("/control/guild", change_guild),
        web.post("/control/member", change_member),
        web.post("/control/role", change_role),
        web.delete("/control/role/{role_id}", take_role),
        web.post("/control/channel", change_channel),
        web.delete("/control/channel/{channel_id}", take_channel),
        web.get("/control/bot", get_bot),
        web.post("/control/bot", change_bot),
        web.post("/control/automod", change_automod),
        web.delete("/control/automod/{rule_id}", take_automod),
        web.post("/control/command-permissions", change_command_permissions),
    ]

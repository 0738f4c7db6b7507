"""Owns the bot-token routes of servers: their channels, roles, members, AutoMod rules and command permissions.

Source: Discord developer docs, "Guild", "Auto Moderation" and "Application Commands", read 2026-11-23.
"""

from aiohttp import web

from sandbox.discord.automod import get_rule, may_read_rules
from sandbox.discord.command_access import get_permissions, render_permissions
from sandbox.discord.core import Core, get_core
from sandbox.discord.errors import (
    ApiError,
    invalid_field,
    missing_access,
    missing_permissions,
    unknown_guild,
    unknown_member,
)
from sandbox.discord.middleware import answer_json
from sandbox.discord.permissions import can_view
from sandbox.discord.render_places import render_channel, render_guild, render_member, render_role
from sandbox.discord.state import Guild

MEMBERS_MAX = 1000


def get_guild_for_bot(core: Core, guild_id: str) -> Guild:
    """Raises: ApiError 10004 for no such server, 50001 for one without the bot."""
    guild = core.world.guilds.get(guild_id)
    if guild is None:
        raise unknown_guild()
    if core.bot_id not in guild.members:
        raise missing_access()
    return guild


def _find_guild(request: web.Request) -> tuple[Core, Guild]:
    core = get_core(request)
    return core, get_guild_for_bot(core, request.match_info["guild_id"])


async def get_guild(request: web.Request) -> web.Response:
    _, guild = _find_guild(request)
    return answer_json(render_guild(guild))


async def get_guild_channels(request: web.Request) -> web.Response:
    core, guild = _find_guild(request)
    channels = [one for one in core.world.channels.values() if one.guild_id == guild.id and not one.is_thread]
    channels = [one for one in channels if can_view(core.world, one, core.bot_id)]
    return answer_json([render_channel(core.world, one) for one in channels])


async def get_guild_roles(request: web.Request) -> web.Response:
    _, guild = _find_guild(request)
    return answer_json([render_role(role) for role in guild.roles.values()])


async def get_guild_member(request: web.Request) -> web.Response:
    core, guild = _find_guild(request)
    member = guild.members.get(request.match_info["user_id"])
    if member is None:
        raise unknown_member()
    return answer_json(render_member(member, core.world.users[member.user_id]))


async def list_guild_members(request: web.Request) -> web.Response:
    """Closed to an application without the members intent, whatever its permissions."""
    core, guild = _find_guild(request)
    if not core.settings.members_intent_allowed:
        raise missing_access()
    limit, after = request.query.get("limit", "1"), request.query.get("after", "0")
    if not limit.isdecimal() or not 1 <= int(limit[:5]) <= MEMBERS_MAX:
        problem = f"int value should be between 1 and {MEMBERS_MAX}."
        raise invalid_field(("limit",), "NUMBER_TYPE_MAX", problem)
    if not after.isdecimal() or len(after) > 20:
        raise invalid_field(("after",), "NUMBER_TYPE_COERCE", f'Value "{after[:20]}" is not snowflake.')
    ordered = sorted(guild.members.values(), key=lambda one: int(one.user_id))
    chosen = [one for one in ordered if int(one.user_id) > int(after)][: int(limit)]
    return answer_json([render_member(one, core.world.users[one.user_id]) for one in chosen])


def _find_rules(request: web.Request) -> Guild:
    """Raises: ApiError 50013 without Manage Server."""
    core, guild = _find_guild(request)
    if not may_read_rules(core, guild):
        raise missing_permissions()
    return guild


async def list_automod_rules(request: web.Request) -> web.Response:
    return answer_json(list(_find_rules(request).automod_rules.values()))


async def get_automod_rule(request: web.Request) -> web.Response:
    return answer_json(get_rule(_find_rules(request), request.match_info["rule_id"]))


def _find_own_guild(request: web.Request) -> tuple[Core, Guild]:
    core, guild = _find_guild(request)
    if request.match_info["application_id"] != core.settings.application_id:
        raise ApiError(403, 20012, "You are not authorized to perform this action on this application")
    return core, guild


async def list_command_permissions(request: web.Request) -> web.Response:
    core, guild = _find_own_guild(request)
    return answer_json([render_permissions(core, guild, one) for one in guild.command_permissions])


async def get_command_permissions(request: web.Request) -> web.Response:
    core, guild = _find_own_guild(request)
    return answer_json(get_permissions(core, guild, request.match_info["command_id"]))


def build_routes() -> list[web.RouteDef]:
    guild = "/guilds/{guild_id}"
    commands = f"/applications/{{application_id}}{guild}/commands"
    return [
        web.get(guild, get_guild),
        web.get(f"{guild}/channels", get_guild_channels),
        web.get(f"{guild}/roles", get_guild_roles),
        web.get(f"{guild}/members", list_guild_members),
        web.get(f"{guild}/members/{{user_id}}", get_guild_member),
        web.get(f"{guild}/auto-moderation/rules", list_automod_rules),
        web.get(f"{guild}/auto-moderation/rules/{{rule_id}}", get_automod_rule),
        web.get(f"{commands}/permissions", list_command_permissions),
        web.get(f"{commands}/{{command_id}}/permissions", get_command_permissions),
    ]

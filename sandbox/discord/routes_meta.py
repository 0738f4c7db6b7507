"""Owns the routes about the bot itself: gateway addresses, its user, its application, its commands, its servers."""

from aiohttp import web

from sandbox.discord.command_rules import check_command, check_unique_names
from sandbox.discord.core import Core, get_core
from sandbox.discord.errors import ApiError, Problems, unknown_user
from sandbox.discord.forms import Form
from sandbox.discord.gateway import build_gateway_url
from sandbox.discord.middleware import BODY, answer_json
from sandbox.discord.permissions import compute_guild_permissions
from sandbox.discord.registry import Scope
from sandbox.discord.render_places import render_channel, render_member, render_user
from sandbox.discord.routes_guilds import get_guild_for_bot
from sandbox.discord.state import Channel, ChannelType, Json

COMMANDS_IN_BULK_MAX = 130


async def get_gateway(request: web.Request) -> web.Response:
    return answer_json({"url": build_gateway_url(request)})


async def get_gateway_bot(request: web.Request) -> web.Response:
    starts = get_core(request).starts
    described = {"shards": starts.shards, "session_start_limit": starts.render()}
    return answer_json({"url": build_gateway_url(request), **described})


async def get_me(request: web.Request) -> web.Response:
    user = render_user(get_core(request).bot)
    return answer_json(user | {"verified": True, "mfa_enabled": True, "email": None, "locale": "en-US"})


async def get_application(request: web.Request) -> web.Response:
    core = get_core(request)
    flags = 1 << 23
    if core.settings.message_content_intent_allowed:
        flags |= 1 << 19
    return answer_json(
        {
            "id": core.settings.application_id,
            "name": core.settings.bot_name,
            "icon": None,
            "description": "",
            "summary": "",
            "type": None,
            "bot_public": True,
            "bot_require_code_grant": False,
            "verify_key": "0" * 64,
            "flags": flags,
            "flags_new": str(flags),
            "explicit_content_filter": 0,
            "approximate_user_authorization_count": 0,
            "eligible_oauth2_scopes": ["bot", "applications.commands"],
            "team": None,
            "owner": render_user(next(one for one in core.world.users.values() if not one.bot)),
            "bot": render_user(core.bot),
            "redirect_uris": [],
            "interactions_endpoint_url": None,
            "role_connections_verification_url": None,
            "approximate_guild_count": 1,
            "approximate_user_install_count": 2,
            "integration_types_config": {"0": {}, "1": {}},
            "tags": [],
        }
    )


async def list_my_guilds(request: web.Request) -> web.Response:
    core = get_core(request)
    guilds = []
    for guild in core.world.guilds.values():
        if core.bot_id in guild.members:
            bits = compute_guild_permissions(guild, core.bot_id)
            shown = {"id": guild.id, "name": guild.name, "icon": None, "banner": None, "owner": False}
            guilds.append(shown | {"permissions": str(int(bits)), "features": []})
    return answer_json(guilds)


async def get_my_member(request: web.Request) -> web.Response:
    core = get_core(request)
    guild = get_guild_for_bot(core, request.match_info["guild_id"])
    return answer_json(render_member(guild.members[core.bot_id], core.bot))


async def get_user(request: web.Request) -> web.Response:
    user = get_core(request).world.users.get(request.match_info["user_id"])
    if user is None:
        raise unknown_user()
    return answer_json(render_user(user))


async def open_direct_channel(request: web.Request) -> web.Response:
    core = get_core(request)
    problems = Problems()
    form = Form(request[BODY].as_object(), problems)
    recipient_id = str(form.data.get("recipient_id", ""))
    if not recipient_id.isdecimal():
        form.error("recipient_id", "NUMBER_TYPE_COERCE", f'Value "{recipient_id}" is not snowflake.')
    problems.raise_if_any()
    if recipient_id not in core.world.users:
        raise ApiError(400, 50033, "Invalid Recipient(s)")
    if core.world.users[recipient_id].bot:
        raise ApiError(400, 50007, "Cannot send messages to this user")
    channel = core.world.find_direct_channel(core.bot_id, recipient_id)
    if channel is None:
        channel = Channel(
            id=core.clock.make_id(), type=ChannelType.DM, recipients=[recipient_id, core.bot_id]
        )
        core.world.channels[channel.id] = channel
        core.announce_state()
    return answer_json(render_channel(core.world, channel, viewer_id=core.bot_id))


def _find_scope(request: web.Request) -> Scope:
    core = get_core(request)
    if request.match_info["application_id"] != core.settings.application_id:
        raise ApiError(403, 20012, "You are not authorized to perform this action on this application")
    guild_id = request.match_info.get("guild_id")
    return None if guild_id is None else get_guild_for_bot(core, guild_id).id


def _announce_commands(core: Core) -> None:
    for page in list(core.pages.pages):
        commands = [one for scope in (None, *core.world.guilds) for one in core.registry.list_scope(scope)]
        page.outbox.send({"t": "COMMANDS_UPDATE", "d": {"commands": commands}})


async def list_commands(request: web.Request) -> web.Response:
    core = get_core(request)
    commands = core.registry.list_scope(_find_scope(request))
    if request.query.get("with_localizations") not in ("1", "true"):
        hidden = ("name_localizations", "description_localizations")
        commands = [{key: one[key] for key in one if key not in hidden} for one in commands]
    return answer_json(commands)


async def replace_commands(request: web.Request) -> web.Response:
    core = get_core(request)
    scope = _find_scope(request)
    value = request[BODY].value
    problems = Problems()
    # A list stands at the top here, so its fields are named by number and nothing else.
    holder = Form({"": value}, problems)
    forms = [Form(one.data, problems, one.path[1:]) for one in holder.children("", most=COMMANDS_IN_BULK_MAX)]
    checked = [check_command(form, is_global=scope is None) for form in forms]
    check_unique_names(forms, problems)
    problems.raise_if_any()
    for command in checked:
        command["application_id"] = core.settings.application_id
    stored = core.registry.replace_all(scope, checked, core.clock)
    _announce_commands(core)
    return answer_json(stored)


async def create_command(request: web.Request) -> web.Response:
    core = get_core(request)
    scope = _find_scope(request)
    stored, is_new = core.registry.put(scope, _check_body(core, request, scope, {}), core.clock)
    _announce_commands(core)
    return answer_json(stored, 201 if is_new else 200)


def _check_body(core: Core, request: web.Request, scope: Scope, base: Json) -> Json:
    problems = Problems()
    command = check_command(Form({**base, **request[BODY].as_object()}, problems), is_global=scope is None)
    problems.raise_if_any()
    return command | {"application_id": core.settings.application_id}


async def get_command(request: web.Request) -> web.Response:
    scope = _find_scope(request)
    return answer_json(get_core(request).registry.get(scope, request.match_info["command_id"]))


async def edit_command(request: web.Request) -> web.Response:
    core = get_core(request)
    scope = _find_scope(request)
    old = core.registry.get(scope, request.match_info["command_id"])
    base = {key: old[key] for key in old if scope is None or key not in ("contexts", "integration_types")}
    stored, _ = core.registry.put(scope, _check_body(core, request, scope, base), core.clock, old["id"])
    _announce_commands(core)
    return answer_json(stored)


async def delete_command(request: web.Request) -> web.Response:
    core = get_core(request)
    core.registry.remove(_find_scope(request), request.match_info["command_id"])
    _announce_commands(core)
    return web.Response(status=204)


def build_routes() -> list[web.RouteDef]:
    application = "/applications/{application_id}"
    routes = [
        web.get("/gateway", get_gateway),
        web.get("/gateway/bot", get_gateway_bot),
        web.get("/users/@me", get_me),
        web.get("/users/{user_id}", get_user),
        web.post("/users/@me/channels", open_direct_channel),
        web.get("/users/@me/guilds", list_my_guilds),
        web.get("/users/@me/guilds/{guild_id}/member", get_my_member),
        web.get("/applications/@me", get_application),
        web.get("/oauth2/applications/@me", get_application),
    ]
    for prefix in (f"{application}/commands", f"{application}/guilds/{{guild_id}}/commands"):
        routes += [
            web.get(prefix, list_commands),
            web.put(prefix, replace_commands),
            web.post(prefix, create_command),
            web.get(f"{prefix}/{{command_id}}", get_command),
            web.patch(f"{prefix}/{{command_id}}", edit_command),
            web.delete(f"{prefix}/{{command_id}}", delete_command),
        ]
    return routes

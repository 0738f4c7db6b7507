"""Owns what the web page reads and the plain acts of a member: state, messages, typing, deleting, events.

Interactions of members are in `page_interactions`. The page says who acts; this is a sandbox without passwords.
"""

from aiohttp import WSMsgType, web

from sandbox.discord.body import Body, read_body
from sandbox.discord.command_access import list_usable
from sandbox.discord.content import Draft, NewFile
from sandbox.discord.core import Core, get_core
from sandbox.discord.errors import (
    ApiError,
    invalid_field,
    unknown_channel,
    unknown_message,
    wrong_channel_type,
)
from sandbox.discord.mentions import PARSE, AllowedMentions
from sandbox.discord.messages import Origin, create_message, delete_message
from sandbox.discord.middleware import answer_json
from sandbox.discord.outbox import Outbox
from sandbox.discord.page_events import Page
from sandbox.discord.permissions import (
    Permission,
    can_view,
    compute_permissions,
    is_moderator,
    is_private_channel,
    require_permissions,
    send_permission,
)
from sandbox.discord.render import is_hidden_from
from sandbox.discord.render_places import render_role, render_user
from sandbox.discord.sessions import Intent
from sandbox.discord.state import Channel, ChannelType, Json, Message, MessageFlag, MessageType

CONTENT_MAX = 4000
PAGE_MAX = 100
SESSION_LENGTH_MAX = 64


def get_acting_user(request: web.Request) -> str:
    """The member named by `as`, the first one when it is missing.

    Raises: ApiError 10013 for anybody who is not a member to act as.
    """
    core = get_core(request)
    first = next(user.id for user in core.world.users.values() if user.acts)
    user = core.world.users.get(request.query.get("as") or first)
    if user is None or not user.acts:
        raise ApiError(404, 10013, "Unknown User")
    return user.id


def get_page_session(request: web.Request) -> str:
    """The random id that an open page gave itself, empty when it gave none.

    Raises: ApiError 50035 for one that is too long.
    """
    session = request.query.get("session", "")
    if len(session) > SESSION_LENGTH_MAX:
        problem = f"Must be {SESSION_LENGTH_MAX} or fewer in length."
        raise invalid_field(("session",), "BASE_TYPE_MAX_LENGTH", problem)
    return session


def get_visible_channel(core: Core, channel_id: str, user_id: str) -> Channel:
    """Raises: ApiError 10003, 50024 for a category."""
    channel = core.world.channels.get(channel_id)
    if channel is None or not can_view(core.world, channel, user_id):
        raise unknown_channel()
    if channel.type is ChannelType.CATEGORY:
        raise wrong_channel_type()
    return channel


def get_visible_message(core: Core, channel: Channel, message_id: str, user_id: str) -> Message:
    """Raises: ApiError 10008."""
    message = core.world.find_message(channel.id, message_id)
    if message is None or message.dismissed or is_hidden_from(message, user_id):
        raise unknown_message()
    return message


async def read_page_body(request: web.Request) -> Body:
    limit = get_core(request).settings.page_request_bytes_max
    return await read_body(request, request_bytes_max=limit, file_bytes_max=limit)


async def get_state(request: web.Request) -> web.Response:
    core = get_core(request)
    # The first look has nobody chosen yet: it sees the world as its first member does.
    anybody = next(user.id for user in core.world.users.values() if user.acts)
    user_id = get_acting_user(request) if "as" in request.query else anybody
    guild = next(iter(core.world.guilds.values()))
    users = []
    for user in core.world.users.values():
        if user.acts:
            member = guild.members.get(user.id)
            roles = list(member.roles) if member else []
            users.append(render_user(user) | {"roles": roles, "moderator": is_moderator(guild, user.id)})
    visible = [one for one in core.world.channels.values() if can_view(core.world, one, user_id)]
    commands = [one for scope in (None, *core.world.guilds) for one in core.registry.list_scope(scope)]
    return answer_json(
        {
            "me": render_user(core.world.users[user_id]),
            "bot": render_user(core.bot) if core.sessions.seen_login else None,
            "bot_online": core.sessions.online,
            "users": users,
            "guild": {
                "id": guild.id,
                "name": guild.name,
                "roles": [render_role(role) for role in guild.roles.values()],
            },
            "guilds": [
                {"id": one.id, "name": one.name, "member_ids": list(one.members)}
                for one in core.world.guilds.values()
            ],
            "categories": [_describe_category(one) for one in visible if one.type is ChannelType.CATEGORY],
            "channels": [
                _describe_channel(core, one, user_id)
                for one in visible
                if one.type is not ChannelType.CATEGORY
            ],
            "commands": commands,
            "clock_offset_s": core.clock.offset_s,
        }
    )


def _describe_category(channel: Channel) -> Json:
    return {
        "id": channel.id,
        "type": int(channel.type),
        "name": channel.name,
        "guild_id": channel.guild_id,
        "position": channel.position,
    }


def _describe_channel(core: Core, channel: Channel, user_id: str) -> Json:
    others = [one for one in channel.recipients if one != user_id]
    guild = core.world.guilds.get(channel.guild_id or "")
    members = guild.members if guild is not None else channel.recipients
    can_send = compute_permissions(core.world, channel, user_id) & send_permission(channel)
    scopes = [None, channel.guild_id] if channel.guild_id else [None]
    commands = [one for scope in scopes for one in core.registry.list_scope(scope)]
    return {
        "id": channel.id,
        "type": int(channel.type),
        "name": channel.name,
        "topic": channel.topic,
        "guild_id": channel.guild_id,
        "guild_name": guild.name if guild is not None else None,
        "parent_id": channel.parent_id,
        "recipient": render_user(core.world.users[others[0]]) if others else None,
        "can_send": bool(can_send),
        "bot_can_view": can_view(core.world, channel, core.bot_id),
        "bot_member": core.bot_id in members,
        "command_ids": [one["id"] for one in list_usable(core, channel, user_id, commands)],
    }


async def list_messages(request: web.Request) -> web.Response:
    core, user_id = get_core(request), get_acting_user(request)
    channel = get_visible_channel(core, request.match_info["channel_id"], user_id)
    limit, before = request.query.get("limit", "50"), request.query.get("before") or None
    if not limit.isdecimal() or not 1 <= int(limit[:4]) <= PAGE_MAX:
        raise invalid_field(("limit",), "NUMBER_TYPE_MAX", f"Must be between 1 and {PAGE_MAX}.")
    if before is not None and not before.isdecimal():
        raise invalid_field(("before",), "NUMBER_TYPE_COERCE", "Must be a snowflake.")
    kept = core.world.list_messages(channel.id)
    messages = sorted(
        (one for one in kept if not one.dismissed and not is_hidden_from(one, user_id)),
        key=lambda one: int(one.id),
    )
    if before is not None:
        messages = [one for one in messages if int(one.id) < int(before)]
    return answer_json({"messages": [core.render_for_page(one, user_id) for one in messages[-int(limit) :]]})


async def post_message(request: web.Request) -> web.Response:
    core, user_id = get_core(request), get_acting_user(request)
    channel = get_visible_channel(core, request.match_info["channel_id"], user_id)
    body = await read_page_body(request)
    value = body.as_object()
    content = value.get("content") or ""
    if not isinstance(content, str) or len(content) > CONTENT_MAX:
        problem = f"Must be {CONTENT_MAX} or fewer in length."
        raise invalid_field(("content",), "BASE_TYPE_MAX_LENGTH", problem)
    require_permissions(core.world, channel, user_id, send_permission(channel))
    if body.files:
        require_permissions(core.world, channel, user_id, Permission.ATTACH_FILES)
    reply_to = None
    if value.get("reply_to"):
        require_permissions(core.world, channel, user_id, Permission.READ_MESSAGE_HISTORY)
        reply_to = get_visible_message(core, channel, str(value["reply_to"]), user_id)
        if reply_to.has(MessageFlag.EPHEMERAL):
            raise invalid_field(("reply_to",), "REPLIES_UNKNOWN_MESSAGE", "Unknown message")
    draft = Draft(
        content=content,
        new=[NewFile(index=index) for index in sorted(body.files)],
        allowed_mentions=AllowedMentions(
            parse=frozenset(PARSE), replied_user=value.get("ping", True) is True
        ),
    )
    kind = MessageType.REPLY if reply_to else MessageType.DEFAULT
    message = create_message(core, channel, user_id, draft, body, Origin(type=kind, reply_to=reply_to))
    return answer_json(core.render_for_page(message, user_id))


async def start_typing(request: web.Request) -> web.Response:
    core, user_id = get_core(request), get_acting_user(request)
    channel = get_visible_channel(core, request.match_info["channel_id"], user_id)
    data: Json = {"user_id": user_id, "channel_id": channel.id}
    core.pages.send_to_channel(core.world, channel.id, "TYPING_START", data)
    if can_view(core.world, channel, core.bot_id):
        event = data | {"timestamp": int(core.clock.now_s())}
        private = is_private_channel(channel)
        intents = Intent.DIRECT_MESSAGE_TYPING if private else Intent.GUILD_MESSAGE_TYPING
        if channel.guild_id:
            event["guild_id"] = channel.guild_id
        core.sessions.dispatch("TYPING_START", lambda _: event, guild_id=channel.guild_id, intents=intents)
    return web.Response(status=204)


async def remove_message(request: web.Request) -> web.Response:
    """Delete an own message, any as a moderator; an ephemeral one is only dismissed, the bot never hears of it."""
    core, user_id = get_core(request), get_acting_user(request)
    channel = get_visible_channel(core, request.match_info["channel_id"], user_id)
    message = get_visible_message(core, channel, request.match_info["message_id"], user_id)
    if message.has(MessageFlag.EPHEMERAL):
        message.dismissed = True
        event: Json = {"id": message.id, "channel_id": channel.id}
        core.pages.send_to_user(user_id, "MESSAGE_DELETE", event)
        return web.Response(status=204)
    if message.author_id != user_id:
        if is_private_channel(channel):
            raise ApiError(403, 50003, "Cannot execute action on a DM channel")
        require_permissions(core.world, channel, user_id, Permission.MANAGE_MESSAGES)
    delete_message(core, message)
    return web.Response(status=204)


async def handle_events(request: web.Request) -> web.WebSocketResponse:
    core, user_id, session = get_core(request), get_acting_user(request), get_page_session(request)
    socket = web.WebSocketResponse(max_msg_size=4096, heartbeat=30)
    await socket.prepare(request)
    outbox = Outbox(socket)
    page = Page(user_id, outbox, session)
    try:
        if not core.pages.add(page):
            outbox.close_soon(1013, "Too many pages")
        async for message in socket:
            if message.type is WSMsgType.ERROR:
                break
    finally:
        core.pages.remove(page)
        await outbox.stop()
    return socket


def build_routes() -> list[web.RouteDef]:
    messages = "/page/channels/{channel_id}/messages"
    return [
        web.get("/page/state", get_state),
        web.get(messages, list_messages),
        web.post(messages, post_message),
        web.delete(f"{messages}/{{message_id}}", remove_message),
        web.post("/page/channels/{channel_id}/typing", start_typing),
        web.get("/page/events", handle_events),
    ]

"""Owns the bot-token routes of channels: reading, posting, editing and deleting messages, typing, reactions."""

from collections.abc import Mapping
from urllib.parse import unquote

from aiohttp import web

from sandbox.discord.body import Body
from sandbox.discord.content import check_nonce, parse_draft
from sandbox.discord.core import Core, get_core
from sandbox.discord.errors import (
    ApiError,
    Problems,
    invalid_field,
    unknown_message,
    wrong_channel_type,
)
from sandbox.discord.forms import Form
from sandbox.discord.mentions import PARSE
from sandbox.discord.messages import Origin, create_message, delete_message, edit_message
from sandbox.discord.middleware import BODY, answer_json
from sandbox.discord.permissions import (
    Permission,
    compute_permissions,
    is_private_channel,
    require_permissions,
    send_permission,
)
from sandbox.discord.reactions import add_reaction, remove_reaction
from sandbox.discord.render_places import render_channel
from sandbox.discord.state import Channel, ChannelType, Json, Message, MessageFlag, MessageType

PAGE_MAX = 100
EVERYTHING = frozenset(PARSE)


async def get_channel(request: web.Request) -> web.Response:
    core = get_core(request)
    channel = core.get_channel_for_bot(request.match_info["channel_id"])
    return answer_json(render_channel(core.world, channel, viewer_id=core.bot_id))


def _find_target(request: web.Request) -> tuple[Core, Channel, Message]:
    core = get_core(request)
    channel = core.get_channel_for_bot(request.match_info["channel_id"])
    return core, channel, core.get_message(channel.id, request.match_info["message_id"])


async def get_message(request: web.Request) -> web.Response:
    core = get_core(request)
    channel = core.get_channel_for_bot(request.match_info["channel_id"])
    require_permissions(core.world, channel, core.bot_id, Permission.READ_MESSAGE_HISTORY)
    message = core.get_message(channel.id, request.match_info["message_id"])
    return answer_json(core.render_for_bot(message))


async def list_messages(request: web.Request) -> web.Response:
    core = get_core(request)
    channel = core.get_channel_for_bot(request.match_info["channel_id"])
    limit = _parse_limit(request.query.get("limit", "50"))
    _require_messages(channel)
    if not compute_permissions(core.world, channel, core.bot_id) & Permission.READ_MESSAGE_HISTORY:
        return answer_json([])
    kept = core.world.list_messages(channel.id)
    messages = [one for one in kept if not one.has(MessageFlag.EPHEMERAL)]
    chosen = _choose(messages, request.query, limit)
    return answer_json([core.render_for_bot(one) for one in sorted(chosen, key=_by_id, reverse=True)])


def _require_messages(channel: Channel) -> None:
    """Raises: ApiError 50024 for a category, which holds channels and no messages."""
    if channel.type is ChannelType.CATEGORY:
        raise wrong_channel_type()


def _by_id(message: Message) -> int:
    return int(message.id)


def _parse_limit(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text[:4]) <= PAGE_MAX:
        problem = f"int value should be between 1 and {PAGE_MAX}."
        raise invalid_field(("limit",), "NUMBER_TYPE_MAX", problem)
    return int(text)


def _choose(messages: list[Message], query: Mapping[str, str], limit: int) -> list[Message]:
    bounds = {key: query.get(key) for key in ("around", "before", "after")}
    for key, value in bounds.items():
        if value is not None and not value.isdecimal():
            raise invalid_field((key,), "NUMBER_TYPE_COERCE", f'Value "{value}" is not snowflake.')
    ordered = sorted(messages, key=_by_id)
    if bounds["around"]:
        middle = int(bounds["around"])
        older = [one for one in ordered if int(one.id) < middle]
        newer = [one for one in ordered if int(one.id) >= middle]
        return [*older[-(limit // 2) :], *newer[: limit - limit // 2]]
    if bounds["after"]:
        return [one for one in ordered if int(one.id) > int(bounds["after"])][:limit]
    if bounds["before"]:
        ordered = [one for one in ordered if int(one.id) < int(bounds["before"])]
    return ordered[-limit:]


async def post_message(request: web.Request) -> web.Response:
    core = get_core(request)
    body = request[BODY]
    channel = core.get_channel(request.match_info["channel_id"])
    require_permissions(core.world, channel, core.bot_id, send_permission(channel))
    _require_messages(channel)
    if body.files:
        require_permissions(core.world, channel, core.bot_id, Permission.ATTACH_FILES)
    draft = parse_draft(body, existing=None, default_parse=EVERYTHING)
    nonce = check_nonce(body)
    earlier = _find_by_nonce(core, body, nonce)
    if earlier is not None:
        core.books.note_repeat(earlier.id)
        return _answer_created(core, earlier)
    reply_to = _find_reply_target(core, channel, body)
    if draft.flags & MessageFlag.EPHEMERAL:
        raise invalid_field(
            ("flags",), "MESSAGE_FLAGS_INVALID", "Only an interaction can be answered privately"
        )
    if draft.embeds and not compute_permissions(core.world, channel, core.bot_id) & Permission.EMBED_LINKS:
        draft.embeds.clear()
    origin = Origin(
        type=MessageType.REPLY if reply_to else MessageType.DEFAULT, reply_to=reply_to, nonce=nonce
    )
    message = create_message(core, channel, core.bot_id, draft, body, origin)
    if nonce is not None:
        _remember_nonce(core, str(nonce), message)
    return _answer_created(core, message)


def _answer_created(core: Core, message: Message) -> web.Response:
    value = core.render_for_bot(message)
    return answer_json(value if message.nonce is None else value | {"nonce": message.nonce})


def _find_by_nonce(core: Core, body: Body, nonce: str | int | None) -> Message | None:
    """The message an earlier request with this nonce made.

    Raises: ApiError 10008 when it was deleted since; Discord does not make it anew.
    """
    if nonce is None or body.as_object().get("enforce_nonce") is not True:
        return None
    made = core.nonces.get((core.bot_id, str(nonce)))
    if made is None or core.clock.now_s() - made[0] > core.settings.nonce_window_s:
        return None
    message = core.world.find_message(made[1], made[2])
    if message is None:
        core.books.note_repeat(made[2])
        raise unknown_message()
    return message


def _remember_nonce(core: Core, nonce: str, message: Message) -> None:
    now_s = core.clock.now_s()
    oldest = now_s - core.settings.nonce_window_s
    # The oldest stand first: time only goes on, and a nonce that is used anew goes to the end.
    core.nonces.pop((core.bot_id, nonce), None)
    while core.nonces and (first := next(iter(core.nonces.items())))[1][0] < oldest:
        del core.nonces[first[0]]
    core.nonces[(core.bot_id, nonce)] = (now_s, message.channel_id, message.id)


def _find_reply_target(core: Core, channel: Channel, body: Body) -> Message | None:
    problems = Problems()
    form = Form(body.as_object(), problems).child("message_reference")
    problems.raise_if_any()
    if form is None:
        return None
    if not compute_permissions(core.world, channel, core.bot_id) & Permission.READ_MESSAGE_HISTORY:
        raise ApiError(400, 160002, "Cannot reply without permission to read message history")
    target = core.world.find_message(channel.id, str(form.data.get("message_id")))
    same_channel = str(form.data.get("channel_id", channel.id)) == channel.id
    if target is not None and same_channel and not target.has(MessageFlag.EPHEMERAL):
        return target
    if form.data.get("fail_if_not_exists") is False:
        return None
    raise invalid_field(("message_reference",), "REPLIES_UNKNOWN_MESSAGE", "Unknown message")


async def patch_message(request: web.Request) -> web.Response:
    core, channel, message = _find_target(request)
    body = request[BODY]
    if message.author_id != core.bot_id:
        raise ApiError(403, 50005, "Cannot edit a message authored by another user")
    if body.files:
        require_permissions(core.world, channel, core.bot_id, Permission.ATTACH_FILES)
    draft = parse_draft(body, existing=message, default_parse=EVERYTHING)
    edit_message(core, channel, message, draft, body)
    return answer_json(core.render_for_bot(message))


async def remove_message(request: web.Request) -> web.Response:
    core, channel, message = _find_target(request)
    if message.author_id != core.bot_id:
        if is_private_channel(channel):
            raise ApiError(403, 50003, "Cannot execute action on a DM channel")
        require_permissions(core.world, channel, core.bot_id, Permission.MANAGE_MESSAGES)
    delete_message(core, message)
    return web.Response(status=204)


async def start_typing(request: web.Request) -> web.Response:
    core = get_core(request)
    channel = core.get_channel(request.match_info["channel_id"])
    require_permissions(core.world, channel, core.bot_id, send_permission(channel))
    data: Json = {"user_id": core.bot_id, "channel_id": channel.id}
    core.pages.send_to_channel(core.world, channel.id, "TYPING_START", data)
    return web.Response(status=204)


async def put_reaction(request: web.Request) -> web.Response:
    core, channel, message = _find_target(request)
    require_permissions(core.world, channel, core.bot_id, Permission.READ_MESSAGE_HISTORY)
    add_reaction(core, channel, message, core.bot_id, unquote(request.match_info["emoji_name"]))
    return web.Response(status=204)


async def delete_own_reaction(request: web.Request) -> web.Response:
    core, channel, message = _find_target(request)
    remove_reaction(core, channel, message, core.bot_id, unquote(request.match_info["emoji_name"]))
    return web.Response(status=204)


def build_routes() -> list[web.RouteDef]:
    channel = "/channels/{channel_id}"
    message = f"{channel}/messages/{{message_id}}"
    return [
        web.get(channel, get_channel),
        web.get(f"{channel}/messages", list_messages),
        web.post(f"{channel}/messages", post_message),
        web.get(message, get_message),
        web.patch(message, patch_message),
        web.delete(message, remove_message),
        web.post(f"{channel}/typing", start_typing),
        web.put(f"{message}/reactions/{{emoji_name}}/@me", put_reaction),
        web.delete(f"{message}/reactions/{{emoji_name}}/@me", delete_own_reaction),
    ]

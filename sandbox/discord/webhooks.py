"""Owns what an interaction token may do after the acknowledgement: follow-ups, and its own messages.

Source: Discord developer docs, "Receiving and Responding" (followup messages), read 2026-11-22.
"""

from aiohttp import web

from sandbox.discord.callbacks import BY_USERS_ONLY, respond
from sandbox.discord.content import parse_draft
from sandbox.discord.core import Core, get_core
from sandbox.discord.errors import unknown_message, unknown_webhook
from sandbox.discord.interactions import Interaction
from sandbox.discord.messages import delete_message, edit_message
from sandbox.discord.middleware import BODY, answer_json
from sandbox.discord.state import Message, MessageFlag


def _find_interaction(request: web.Request) -> tuple[Core, Interaction]:
    core = get_core(request)
    if request.match_info["webhook_id"] != core.settings.application_id:
        raise unknown_webhook()
    interaction = core.interactions.get_by_token(
        request.match_info["webhook_token"],
        now_s=core.clock.now_s(),
        valid_s=core.settings.interaction_token_s,
    )
    return core, interaction


def _find_message(request: web.Request) -> tuple[Core, Message]:
    core, interaction = _find_interaction(request)
    wanted = request.match_info.get("message_id", interaction.original_id or "")
    message = core.world.find_message(interaction.channel_id, wanted)
    if message is None or message.id not in {*interaction.message_ids, interaction.original_id}:
        raise unknown_message()
    return core, message


def _answer_message(core: Core, message: Message) -> web.Response:
    return answer_json(core.render_for_bot(message))


async def get_message(request: web.Request) -> web.Response:
    return _answer_message(*_find_message(request))


async def patch_message(request: web.Request) -> web.Response:
    core, message = _find_message(request)
    body = request[BODY]
    draft = parse_draft(body, existing=message, default_parse=BY_USERS_ONLY)
    edit_message(core, core.world.channels[message.channel_id], message, draft, body)
    return _answer_message(core, message)


async def remove_message(request: web.Request) -> web.Response:
    core, message = _find_message(request)
    delete_message(core, message)
    return web.Response(status=204)


async def post_followup(request: web.Request) -> web.Response:
    """A follow-up; right after a deferral it becomes the deferred answer itself, as Discord still does."""
    core, interaction = _find_interaction(request)
    body = request[BODY]
    original = core.world.find_message(interaction.channel_id, interaction.original_id or "")
    if original is not None and original.has(MessageFlag.LOADING):
        draft = parse_draft(body, existing=original, default_parse=BY_USERS_ONLY)
        edit_message(core, core.world.channels[original.channel_id], original, draft, body)
        return _answer_message(core, original)
    draft = parse_draft(body, existing=None, default_parse=BY_USERS_ONLY)
    core.interactions.require_followup_left(interaction)
    message = respond(core, interaction, draft, body, followup=True)
    interaction.followups += 1
    return _answer_message(core, message)


def build_routes() -> list[web.RouteDef]:
    hook = "/webhooks/{webhook_id}/{webhook_token}"
    routes = [web.post(hook, post_followup)]
    for name in ("@original", "{message_id}"):
        path = f"{hook}/messages/{name}"
        routes += [
            web.get(path, get_message),
            web.patch(path, patch_message),
            web.delete(path, remove_message),
        ]
    return routes

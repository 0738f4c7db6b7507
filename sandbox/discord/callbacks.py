"""Owns the one acknowledgement of an interaction: POST /interactions/{id}/{token}/callback.

Source: Discord developer docs, "Receiving and Responding", read 2026-11-22.
"""

import asyncio

from aiohttp import web

from sandbox.discord.body import Body
from sandbox.discord.command_rules import check_choice
from sandbox.discord.content import Draft, parse_draft
from sandbox.discord.core import Core, get_core
from sandbox.discord.errors import ApiError, Problems, invalid_field, unknown_interaction
from sandbox.discord.forms import Form
from sandbox.discord.interaction_start import expire, fail
from sandbox.discord.interactions import AUTOCOMPLETE, COMMAND, COMPONENT, Interaction, Modal
from sandbox.discord.messages import Origin, create_message, edit_message, require_original
from sandbox.discord.middleware import BODY, answer_json
from sandbox.discord.modals import check_modal
from sandbox.discord.state import Json, Message, MessageFlag, MessageType

MESSAGE, DEFER_MESSAGE, DEFER_UPDATE, UPDATE, CHOICES, MODAL = 4, 5, 6, 7, 8, 9
BY_USERS_ONLY = frozenset({"users"})


def _allowed_types(interaction: Interaction) -> tuple[int, ...]:
    if interaction.type == AUTOCOMPLETE:
        return (CHOICES,)
    if interaction.type == COMMAND:
        return MESSAGE, DEFER_MESSAGE, MODAL
    if interaction.type == COMPONENT:
        return MESSAGE, DEFER_MESSAGE, DEFER_UPDATE, UPDATE, MODAL
    on_message = (DEFER_UPDATE, UPDATE) if interaction.message_id else ()
    return MESSAGE, DEFER_MESSAGE, *on_message


async def post_callback(request: web.Request) -> web.Response:
    core = get_core(request)
    match = request.match_info
    interaction = core.interactions.find(match["interaction_id"], match["interaction_token"])
    if interaction is None or interaction.failed:
        raise unknown_interaction()
    if interaction.acknowledged:
        raise ApiError(400, 40060, "Interaction has already been acknowledged.")
    if core.clock.now_s() - interaction.created_at_s > core.settings.acknowledge_within_s:
        fail(core, interaction)
        raise unknown_interaction()
    problems = Problems()
    form = Form(request[BODY].as_object(), problems)
    kind = form.choice("type", _allowed_types(interaction))
    data = form.child("data", required=kind in (CHOICES, MODAL))
    problems.raise_if_any()
    body = Body(value=data.data if data else {}, files=request[BODY].files)
    message = _answer(core, interaction, int(kind or 0), body)
    _acknowledge(core, interaction)
    if request.query.get("with_response") not in ("1", "true", "True"):
        return web.Response(status=204)
    return answer_json(_render_response(core, interaction, int(kind or 0), message))


def _acknowledge(core: Core, interaction: Interaction) -> None:
    interaction.acknowledged = True
    if interaction.timer is not None:
        interaction.timer.cancel()
    left_s = core.settings.interaction_token_s - (core.clock.now_s() - interaction.created_at_s)
    interaction.timer = asyncio.get_running_loop().call_later(left_s + 0.1, expire, core, interaction)
    event: Json = {"interaction_id": interaction.id}
    core.pages.send_to_actor(interaction.user_id, interaction.page_session, "INTERACTION_ACK", event)


def _answer(core: Core, interaction: Interaction, kind: int, body: Body) -> Message | None:
    match kind:
        case 4:
            draft = parse_draft(body, existing=None, default_parse=BY_USERS_ONLY)
            return respond(core, interaction, draft, body)
        case 5:
            return _defer(core, interaction, body)
        case 6:
            interaction.original_id = interaction.message_id
            return None
        case 7:
            source = require_original(core, interaction.channel_id, interaction.message_id)
            draft = parse_draft(body, existing=source, default_parse=BY_USERS_ONLY)
            edit_message(core, core.world.channels[source.channel_id], source, draft, body)
            interaction.original_id = source.id
            return source
        case 8:
            _answer_choices(interaction, body)
        case 9:
            _open_modal(core, interaction, body)
    return None


def respond(
    core: Core, interaction: Interaction, draft: Draft, body: Body, *, followup: bool = False
) -> Message:
    """Post the answer, or a follow-up, to an interaction."""
    channel = core.world.channels[interaction.channel_id]
    private = bool(draft.flags & MessageFlag.EPHEMERAL) or interaction.must_be_ephemeral
    replied_id = interaction.original_id if followup else interaction.message_id
    source = core.world.find_message(channel.id, replied_id) if replied_id else None
    kind = MessageType.REPLY if source is not None else MessageType.DEFAULT
    if interaction.type == COMMAND and not followup:
        is_slash = interaction.command_type == 1
        kind = MessageType.CHAT_INPUT_COMMAND if is_slash else MessageType.CONTEXT_MENU_COMMAND
    origin = Origin(
        type=kind,
        reply_to=source,
        pings_replied=False,
        interaction_id=interaction.id,
        interaction_metadata=interaction.metadata,
        ephemeral_to=interaction.user_id if private else None,
    )
    message = create_message(core, channel, core.bot_id, draft, body, origin)
    interaction.message_ids.add(message.id)
    if not followup:
        interaction.original_id = message.id
    return message


def _defer(core: Core, interaction: Interaction, body: Body) -> Message:
    problems = Problems()
    flags = Form(body.as_object(), problems).integer("flags", lowest=0, highest=2**53, default=0) or 0
    problems.raise_if_any()
    if flags & ~int(MessageFlag.EPHEMERAL):
        why = "Only the ephemeral flag can be set when deferring"
        raise invalid_field(("data", "flags"), "MESSAGE_FLAGS_INVALID", why)
    draft = Draft(flags=flags | MessageFlag.LOADING)
    return respond(core, interaction, draft, Body(value={}))


def _answer_choices(interaction: Interaction, body: Body) -> None:
    problems = Problems()
    form = Form(body.as_object(), problems, ("data",))
    seen: set[str] = set()
    choices = form.children("choices", most=25)
    for choice in choices:
        check_choice(choice, interaction.focused_kind, seen)
    problems.raise_if_any()
    if interaction.choices is not None and not interaction.choices.done():
        interaction.choices.set_result(
            [{"name": one.data["name"], "value": one.data["value"]} for one in choices]
        )


def _open_modal(core: Core, interaction: Interaction, body: Body) -> None:
    problems = Problems()
    form = Form(body.as_object(), problems, ("data",))
    components = check_modal(form)
    problems.raise_if_any()
    modal = Modal(
        id=core.clock.make_id(),
        interaction=interaction,
        custom_id=form.data["custom_id"],
        components=components,
    )
    core.interactions.open_modal(modal)
    event: Json = {
        "interaction_id": interaction.id,
        "modal_id": modal.id,
        "title": form.data["title"],
        "custom_id": modal.custom_id,
        "components": components,
    }
    core.pages.send_to_actor(interaction.user_id, interaction.page_session, "INTERACTION_MODAL", event)


def _render_response(core: Core, interaction: Interaction, kind: int, message: Message | None) -> Json:
    value: Json = {"interaction": {"id": interaction.id, "type": interaction.type}}
    original = core.world.find_message(interaction.channel_id, interaction.original_id or "")
    if original is not None:
        value["interaction"] |= {
            "response_message_id": original.id,
            "response_message_loading": original.has(MessageFlag.LOADING),
            "response_message_ephemeral": original.has(MessageFlag.EPHEMERAL),
            "channel_id": interaction.channel_id,
        }
        if interaction.guild_id:
            value["interaction"]["guild_id"] = interaction.guild_id
    if message is None or kind not in (MESSAGE, UPDATE):
        return value
    return value | {"resource": {"type": kind, "message": core.render_for_bot(message)}}


def build_routes() -> list[web.RouteDef]:
    return [web.post("/interactions/{interaction_id}/{interaction_token}/callback", post_callback)]

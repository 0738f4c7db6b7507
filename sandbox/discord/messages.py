"""Owns posting, editing and deleting messages: draft in, stored message and events out.

Who may do it is checked before (routes, webhooks, page); what a body may say is checked in `content`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sandbox.discord.body import Body
from sandbox.discord.cdn import clean_filename
from sandbox.discord.component_tree import collect_text
from sandbox.discord.content import Draft, NewFile
from sandbox.discord.core import Core
from sandbox.discord.errors import empty_message, unknown_message
from sandbox.discord.mentions import Mentions, find_mentions
from sandbox.discord.permissions import Permission, compute_permissions, is_private_channel
from sandbox.discord.render_places import render_member
from sandbox.discord.sessions import Intent, Session
from sandbox.discord.state import (
    Attachment,
    Channel,
    Json,
    Message,
    MessageFlag,
    MessageType,
    Reference,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What makes a message more than text in a channel: a reply, or the answer to an interaction."""

    type: MessageType = MessageType.DEFAULT
    reply_to: Message | None = None
    interaction_id: str | None = None
    interaction_metadata: Json | None = None
    ephemeral_to: str | None = None
    nonce: str | int | None = None
    pings_replied: bool = True


def is_empty(message: Message) -> bool:
    return not (message.content.strip() or message.embeds or message.attachments or message.components)


def create_message(
    core: Core, channel: Channel, author_id: str, draft: Draft, body: Body, origin: Origin
) -> Message:
    """Store a new message and tell everybody who may see it.

    Raises: ApiError 50006 when it would be empty.
    """
    message = Message(
        id=core.clock.make_id(),
        channel_id=channel.id,
        author_id=author_id,
        timestamp=core.clock.now_iso(),
        type=origin.type,
        content=(draft.content or "").strip(),
        flags=draft.flags,
        tts=draft.tts,
        nonce=origin.nonce,
        embeds=draft.embeds or [],
        components=draft.components or [],
        interaction_id=origin.interaction_id,
        interaction_metadata=origin.interaction_metadata,
        ephemeral_to=origin.ephemeral_to,
    )
    if origin.ephemeral_to is not None:
        message.flags |= MessageFlag.EPHEMERAL
    if origin.reply_to is not None:
        message.reference = Reference(
            message_id=origin.reply_to.id, channel_id=channel.id, guild_id=channel.guild_id
        )
    if not (draft.new or message.has(MessageFlag.LOADING)) and is_empty(message):
        raise empty_message()
    message.attachments = store_files(
        core, channel, draft.new, body, ephemeral=origin.ephemeral_to is not None
    )
    replied_to = origin.reply_to.author_id if origin.reply_to and origin.pings_replied else None
    _apply_mentions(core, channel, message, draft, replied_to=replied_to)
    dropped = core.world.add_message(message)
    if dropped is not None:
        core.cdn.forget(dropped.attachments)
    if author_id == core.bot_id:
        core.books.note_message(channel, message)
    announce(core, "MESSAGE_CREATE", message)
    return message


def store_files(
    core: Core, channel: Channel, new: list[NewFile], body: Body, *, ephemeral: bool
) -> list[Attachment]:
    stored = []
    for one in new:
        attachment = core.cdn.store(
            body.files[one.index], channel.id, description=one.description, ephemeral=ephemeral
        )
        if one.filename:
            attachment.filename = clean_filename(one.filename)
        stored.append(attachment)
    return stored


def _apply_mentions(
    core: Core, channel: Channel, message: Message, draft: Draft, *, replied_to: str | None
) -> None:
    author_bits = compute_permissions(core.world, channel, message.author_id)
    text = message.content or collect_text(message.components)
    mentions: Mentions = find_mentions(
        core.world,
        channel,
        text,
        draft.allowed_mentions,
        replied_to=replied_to,
        may_mention_everyone=bool(author_bits & Permission.MENTION_EVERYONE),
    )
    message.mentions = list(mentions.users)
    message.mention_roles = list(mentions.roles)
    message.mention_everyone = mentions.everyone
    message.mentioned_in_text = list(mentions.in_text)
    message.replied_with_ping = replied_to is not None and draft.allowed_mentions.replied_user
    silent = message.has(MessageFlag.SUPPRESS_NOTIFICATIONS)
    message.notified = [] if silent else [one for one in mentions.notified if one != message.author_id]


def edit_message(core: Core, channel: Channel, message: Message, draft: Draft, body: Body) -> None:
    """Change a stored message in place.

    Raises: ApiError 50006 when nothing would be left.
    """
    content = message.content if draft.content is None else draft.content.strip()
    embeds = message.embeds if draft.embeds is None else draft.embeds
    components = message.components if draft.components is None else draft.components
    staying = message.attachments
    if draft.kept is not None:
        staying = [one for one in message.attachments if one.id in draft.kept]
    if not (content or embeds or components or staying or draft.new):
        raise empty_message()
    core.cdn.forget([one for one in message.attachments if one not in staying])
    for one in staying:
        if draft.kept is not None:
            one.description = draft.kept[one.id]
    fresh = store_files(core, channel, draft.new, body, ephemeral=message.has(MessageFlag.EPHEMERAL))
    message.content, message.embeds, message.components = content, embeds, components
    message.attachments = [*staying, *fresh]
    settable = MessageFlag.SUPPRESS_EMBEDS | MessageFlag.COMPONENTS_V2
    if "flags" in (body.value or {}):
        message.flags &= ~int(MessageFlag.SUPPRESS_EMBEDS)
    message.flags |= draft.flags & int(settable)
    message.flags &= ~int(MessageFlag.LOADING)
    notified = message.notified
    if draft.content is not None or draft.components is not None:
        replied = message.reference and core.world.find_message(channel.id, message.reference.message_id)
        _apply_mentions(core, channel, message, draft, replied_to=replied.author_id if replied else None)
    message.notified = notified  # Discord notifies nobody for an edit
    message.edited_timestamp = core.clock.now_iso()
    core.books.note_edit(message)
    announce(core, "MESSAGE_UPDATE", message)


def delete_message(core: Core, message: Message) -> None:
    core.world.remove_message(message)
    core.books.note_deletion([message.id])
    core.cdn.forget(message.attachments)
    channel = core.world.channels[message.channel_id]
    data: Json = {"id": message.id, "channel_id": message.channel_id}
    core.pages.send_to_channel(core.world, channel.id, "MESSAGE_DELETE", data, only=_only_reader(message))
    if channel.guild_id:
        data = data | {"guild_id": channel.guild_id}
    if not message.has(MessageFlag.EPHEMERAL):
        dispatch_to_bot(core, channel, "MESSAGE_DELETE", lambda _: data)


def require_original(core: Core, channel_id: str, message_id: str | None) -> Message:
    """Raises: ApiError 10008."""
    message = core.world.find_message(channel_id, message_id) if message_id else None
    if message is None:
        raise unknown_message()
    return message


def _only_reader(message: Message) -> str | None:
    return message.ephemeral_to if message.has(MessageFlag.EPHEMERAL) else None


def dispatch_to_bot(core: Core, channel: Channel, event: str, build: Callable[[Session], Json]) -> None:
    """Send a message event over the gateway, if the bot sees the channel."""
    if not compute_permissions(core.world, channel, core.bot_id) & Permission.VIEW_CHANNEL:
        return
    private = is_private_channel(channel)
    intents = Intent.DIRECT_MESSAGES if private else Intent.GUILD_MESSAGES
    core.sessions.dispatch(event, build, guild_id=channel.guild_id, intents=intents)


def announce(core: Core, event: str, message: Message) -> None:
    """Tell pages and gateway sessions of a new or changed message."""
    channel = core.world.channels[message.channel_id]
    if core.pages.pages and not message.dismissed:
        data = core.render_for_page(message, None)
        core.pages.send_to_channel(core.world, channel.id, event, data, only=_only_reader(message))
    dispatch_to_bot(
        core, channel, event, lambda session: render_event(core, channel, message, session, event)
    )


def render_event(core: Core, channel: Channel, message: Message, session: Session | None, event: str) -> Json:
    """The gateway's form of a message: with server and member, which an ephemeral one lacks."""
    body = core.render_for_bot(message, session=session)
    if message.nonce is not None and event == "MESSAGE_CREATE":
        body["nonce"] = message.nonce
    if channel.guild_id and not message.has(MessageFlag.EPHEMERAL):
        body["guild_id"] = channel.guild_id
        member = core.world.guilds[channel.guild_id].members.get(message.author_id)
        if member is not None:
            body["member"] = render_member(member)
    return body

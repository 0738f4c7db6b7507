"""Owns what the bot may read without the Message Content intent, for the gateway and for REST alike.

Source: Discord developer docs, "Message Content Intent" and "You might not need a privileged intent",
read 2026-11-22: a reply with the ping on to an answer of an interaction does not count as a mention.
"""

from sandbox.discord.cdn import Cdn
from sandbox.discord.render import render_message
from sandbox.discord.settings import DiscordSettings
from sandbox.discord.state import ChannelType, Json, Message, World

HIDDEN: Json = {"content": "", "attachments": [], "embeds": [], "components": []}


def is_readable_by_bot(world: World, message: Message, bot_id: str) -> bool:
    """Whether text, files, embeds and components reach a bot that lacks the intent."""
    channel = world.channels[message.channel_id]
    if message.author_id == bot_id:
        return True
    if channel.type is ChannelType.DM and bot_id in channel.recipients:
        return True
    return _mentions_bot(world, message, bot_id)


def _mentions_bot(world: World, message: Message, bot_id: str) -> bool:
    return bot_id in message.mentioned_in_text or _pings_regular_message(world, message, bot_id)


def _pings_regular_message(world: World, message: Message, bot_id: str) -> bool:
    if message.reference is None or not message.replied_with_ping:
        return False
    target = world.find_message(message.reference.channel_id, message.reference.message_id)
    return target is not None and target.author_id == bot_id and target.interaction_id is None


def render_for_bot(
    world: World, cdn: Cdn, settings: DiscordSettings, message: Message, *, has_content_intent: bool
) -> Json:
    """A message as the bot gets it, `referenced_message` included."""
    bot_id = settings.application_id
    readable = has_content_intent or is_readable_by_bot(world, message, bot_id)
    body = render_message(world, cdn, message, bot_id)
    if not readable:
        body |= HIDDEN
    if message.reference is not None:
        target = world.find_message(message.reference.channel_id, message.reference.message_id)
        body["referenced_message"] = None
        if target is not None:
            shown = render_message(world, cdn, target, bot_id)
            open_target = has_content_intent or is_readable_by_bot(world, target, bot_id)
            by_mention = (
                settings.show_referenced_content_to_mentioned_bot
                and message.author_id != bot_id
                and _mentions_bot(world, message, bot_id)
            )
            body["referenced_message"] = shown if open_target or by_mention else shown | HIDDEN
    return body

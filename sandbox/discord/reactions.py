"""Owns reactions: who put which emoji under a message, and the events that tell of it."""

import re

from sandbox.discord.core import Core
from sandbox.discord.errors import ApiError
from sandbox.discord.permissions import Permission, can_view, is_private_channel, require_permissions
from sandbox.discord.sessions import Intent
from sandbox.discord.state import Channel, Json, Message

EMOJIS_PER_MESSAGE_MAX = 20
PLAIN_TEXT = re.compile(r"[\w\s]+")


def add_reaction(core: Core, channel: Channel, message: Message, user_id: str, emoji: str) -> None:
    """Raises: ApiError 10014 for what is no Unicode emoji, 30010 at the 21st, 50013 without Add Reactions."""
    if not emoji or len(emoji) > 16 or PLAIN_TEXT.fullmatch(emoji):
        raise ApiError(400, 10014, "Unknown Emoji")
    users = message.reactions.get(emoji)
    if users is None:
        require_permissions(core.world, channel, user_id, Permission.ADD_REACTIONS)
        if len(message.reactions) >= EMOJIS_PER_MESSAGE_MAX:
            raise ApiError(400, 30010, "Maximum number of reactions reached (20)")
        users = message.reactions[emoji] = []
    if user_id not in users:
        users.append(user_id)
        _announce(core, channel, message, user_id, emoji, "MESSAGE_REACTION_ADD")


def remove_reaction(core: Core, channel: Channel, message: Message, user_id: str, emoji: str) -> None:
    """Raises: ApiError 10014."""
    users = message.reactions.get(emoji, [])
    if user_id not in users:
        raise ApiError(400, 10014, "Unknown Emoji")
    users.remove(user_id)
    if not users:
        del message.reactions[emoji]
    _announce(core, channel, message, user_id, emoji, "MESSAGE_REACTION_REMOVE")


def _announce(core: Core, channel: Channel, message: Message, user_id: str, emoji: str, event: str) -> None:
    shown = core.render_for_page(message, None)
    core.pages.send_to_channel(core.world, channel.id, "MESSAGE_UPDATE", shown)
    if not can_view(core.world, channel, core.bot_id):
        return
    private = is_private_channel(channel)
    intents = Intent.DIRECT_MESSAGE_REACTIONS if private else Intent.GUILD_MESSAGE_REACTIONS
    data: Json = {
        "user_id": user_id,
        "channel_id": channel.id,
        "message_id": message.id,
        "emoji": {"id": None, "name": emoji},
        "burst": False,
        "type": 0,
    }
    if channel.guild_id:
        data["guild_id"] = channel.guild_id
    core.sessions.dispatch(event, lambda _: data, guild_id=channel.guild_id, intents=intents)

"""Where an answer goes, and whether the bot may put it there (pure, from what an interaction says)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import discord

from bot.errors import CannotPost
from db.enums import DeliveryMode

if TYPE_CHECKING:
    from discord import Permissions


def delivery_mode(interaction: discord.Interaction[Any], *, private: bool) -> DeliveryMode:
    """A normal message where the bot is a member, the interaction's own answer elsewhere or when private."""
    if private:
        return DeliveryMode.INTERACTION
    if interaction.guild_id is not None:
        return DeliveryMode.CHANNEL if interaction.is_guild_integration() else DeliveryMode.INTERACTION
    return DeliveryMode.CHANNEL if interaction.context.dm_channel else DeliveryMode.INTERACTION


def check_can_post(permissions: Permissions, *, thread: bool) -> None:
    """**Raises** CannotPost naming the first permission that is missing."""
    if not permissions.view_channel:
        raise CannotPost("place.view")
    if thread and not permissions.send_messages_in_threads:
        raise CannotPost("place.send_thread")
    if not thread and not permissions.send_messages:
        raise CannotPost("place.send")
    if not permissions.attach_files:
        raise CannotPost("place.attach")


def is_thread(channel: object) -> bool:
    return isinstance(channel, discord.Thread)

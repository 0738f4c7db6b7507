"""Who asks, where an answer goes, and whether the bot may put it there (pure, from what Discord says)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import discord

from bot.caps.values import Asker
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


def asker_of(interaction: discord.Interaction[Any]) -> Asker:
    """Who the rules are asked about, as Discord says it with each interaction."""
    locale = interaction.guild_locale
    return build_asker(
        interaction.user,
        interaction.guild_id,
        interaction.channel,
        str(locale) if locale is not None else None,
    )


def build_asker(
    user: discord.User | discord.Member, guild_id: int | None, channel: object, locale: str | None
) -> Asker:
    """A thread counts as the channel it belongs to."""
    place = channel.parent if isinstance(channel, discord.Thread) else channel
    member = user if isinstance(user, discord.Member) else None
    return Asker(
        user_id=user.id,
        guild_id=guild_id,
        channel_id=_place_id(channel) if guild_id is not None else None,
        category_id=getattr(place, "category_id", None),
        role_ids=frozenset(role.id for role in member.roles) if member is not None else frozenset(),
        joined_at=member.joined_at if member is not None else None,
        locale=locale,
    )


def _place_id(channel: object) -> int | None:
    if isinstance(channel, discord.Thread):
        return channel.parent_id
    return getattr(channel, "id", None)

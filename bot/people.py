"""Asking Discord about one member, where no interaction has brought them along.

Without the members intent nobody is kept in memory, so a card that is pressed later asks again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord

from bot.discord_retry import ANSWER, DISCORD_ERRORS, describe
from bot.log import get_logger

if TYPE_CHECKING:
    from bot.client import KvidBot

log = get_logger(__name__)


async def fetch_member(client: KvidBot, guild: discord.Guild, user_id: int) -> discord.Member | None:
    """Somebody as a member of this server now; None when they are none. **Raises** one of DISCORD_ERRORS."""
    try:
        return await client.retry.call("member", lambda: guild.fetch_member(user_id), ANSWER)
    except discord.NotFound:
        return None


async def fetch_role_ids(client: KvidBot, guild_id: int, user_id: int) -> frozenset[int] | None:
    """The roles a member holds now; None when they left, or Discord does not say."""
    guild = client.get_guild(guild_id)
    if guild is None:
        return None
    try:
        member = await fetch_member(client, guild, user_id)
    except DISCORD_ERRORS as error:
        log.info("member.unknown", guild=guild_id, error=describe(error))
        return None
    return frozenset(role.id for role in member.roles) if member is not None else None

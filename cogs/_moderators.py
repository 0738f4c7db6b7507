"""Who counts as a moderator, asked anew with every command, press and window.

What Discord's client hides can be forged, and permissions are taken away while a panel is open; so each
interaction is judged by the permissions that Discord sent with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot.errors import AppError

if TYPE_CHECKING:
    import discord


@dataclass(frozen=True, slots=True, kw_only=True)
class Moderator:
    """A member who may manage this server, with the server's language for its first settings."""

    guild_id: int
    user_id: int
    locale: str | None


def is_moderator(interaction: discord.Interaction[Any]) -> bool:
    """Whether the bot is in this server, and whoever asks may manage it."""
    permissions = interaction.permissions
    may = permissions.manage_guild or permissions.administrator
    return interaction.guild_id is not None and interaction.is_guild_integration() and may


def require_moderator(interaction: discord.Interaction[Any]) -> Moderator:
    """**Raises** AppError for anybody else."""
    if interaction.guild_id is None or not is_moderator(interaction):
        raise AppError("error.not_moderator")
    locale = interaction.guild_locale
    return Moderator(
        guild_id=interaction.guild_id,
        user_id=interaction.user.id,
        locale=str(locale) if locale is not None else None,
    )

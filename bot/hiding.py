"""Taking a picture off a message of ours, for good.

The decision is stored before this is called, so it may be tried as often as Discord needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord

from bot.discord_retry import ANSWER, DISCORD_ERRORS, describe
from bot.errors import AppError
from bot.log import get_logger

if TYPE_CHECKING:
    from discord import ui

    from bot.client import KvidBot
    from db.values import Job

log = get_logger(__name__)

# Source: Discord developer docs, Opcodes and Status Codes, JSON error codes (read 2026-11-23).
THREAD_ARCHIVED = 50083


async def hide_message(client: KvidBot, job: Job, note: ui.LayoutView) -> bool:
    """Put a note in the place of a result; False when its message is gone already.

    **Repeatable** yes. **Raises** AppError when Discord does not do it now.
    """
    channel = client.get_partial_messageable(job.channel_id, guild_id=job.guild_id)
    message = channel.get_partial_message(job.message_id or 0)
    try:
        silent = discord.AllowedMentions.none()
        await client.retry.call(
            "hide", lambda: message.edit(view=note, attachments=[], allowed_mentions=silent), ANSWER
        )
    except discord.NotFound:
        return False
    except DISCORD_ERRORS as error:
        log.warning("picture.hide_failed", job=job.id, error=describe(error))
        archived = isinstance(error, discord.HTTPException) and error.code == THREAD_ARCHIVED
        raise AppError("moderate.hide_archived" if archived else "moderate.hide_failed") from error
    log.info("picture.hidden", job=job.id, guild=job.guild_id)
    return True

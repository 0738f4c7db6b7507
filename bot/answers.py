"""How a press is answered so that the answer is not lost on the way: the acknowledgement, and private words.

Both are repeated for as long as they can help. Discord refuses a second acknowledgement: after a lost answer
that means the first arrived, on the first try that somebody else has this press. **Source**: platform notes 1.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import discord

from bot.discord_retry import ACKNOWLEDGE, ANSWER

if TYPE_CHECKING:
    from bot.client import KvidBot

ALREADY_ACKNOWLEDGED = 40060


async def defer(
    interaction: discord.Interaction[Any], *, ephemeral: bool = False, thinking: bool = False
) -> int | None:
    """Acknowledge a press; the id of its message, where Discord tells it.

    **Raises** discord.HTTPException 40060 when another process, or an earlier event, has the press.
    """
    client: KvidBot = interaction.client
    tries = 0

    async def try_once() -> int | None:
        nonlocal tries
        tries += 1
        answered = await interaction.response.defer(ephemeral=ephemeral, thinking=thinking)
        return answered.message_id if answered is not None else None

    try:
        return await client.retry.call("acknowledge", try_once, ACKNOWLEDGE)
    except discord.HTTPException as error:
        if error.code != ALREADY_ACKNOWLEDGED or tries == 1:
            raise
    # discord.py does not know of the answer that was lost.
    interaction.extras["deferred"] = thinking
    interaction.extras["answered"] = True
    if not thinking:
        return None
    original = await client.retry.call("acknowledged", interaction.original_response, ANSWER)
    return original.id


def is_answered(interaction: discord.Interaction[Any]) -> bool:
    """Whether a press is acknowledged, also where discord.py does not know of it because the answer was lost."""
    return interaction.response.is_done() or bool(interaction.extras.get("answered"))


def is_answered_elsewhere(error: BaseException) -> bool:
    return isinstance(error, discord.HTTPException) and error.code == ALREADY_ACKNOWLEDGED


async def answer_privately(interaction: discord.Interaction[Any], layout: discord.ui.LayoutView) -> None:
    """Say it to the member alone, also where the answer that is due would be public."""
    response, extras = interaction.response, interaction.extras
    deferred = response.type is discord.InteractionResponseType.deferred_channel_message
    if not is_answered(interaction):
        await response.send_message(view=layout, ephemeral=True)
    elif not deferred and not extras.get("deferred"):
        await interaction.followup.send(view=layout, ephemeral=True)
    elif extras.get("public"):
        with contextlib.suppress(discord.NotFound):
            await interaction.delete_original_response()
        await interaction.followup.send(view=layout, ephemeral=True)
    else:
        await interaction.edit_original_response(view=layout)

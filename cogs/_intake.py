"""From an interaction to an accepted job: acknowledge, check the place, accept. Shared by all cogs.

The acknowledgement comes first and waits for nothing. What follows may refuse, privately, before any
credit is held.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot.answers import defer
from bot.jobs.service import PLACES_SHOWN_MAX, Origin
from bot.log import get_logger
from cogs._places import asker_of, check_can_post, delivery_mode, is_thread
from db.enums import DeliveryMode, Surface

if TYPE_CHECKING:
    import discord

    from bot.client import KvidBot
    from bot.jobs.service import Picture, Source
    from db.enums import JobKind
    from db.values import Job


log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """An interaction that Discord knows to be answered; `card_message_id` is its message."""

    interaction: discord.Interaction[Any]
    delivery: DeliveryMode
    private: bool
    card_message_id: int | None


async def acknowledge(interaction: discord.Interaction[Any], *, private: bool = False) -> Acknowledged:
    """Answer "thinking" at once; private unless the answer itself becomes the public result."""
    delivery = delivery_mode(interaction, private=private)
    ephemeral = private or delivery is DeliveryMode.CHANNEL
    # Read by the error boundary: a refusal must not take the place of a public answer.
    interaction.extras["public"] = not ephemeral
    message_id = await defer(interaction, ephemeral=ephemeral, thinking=True)
    return Acknowledged(
        interaction=interaction,
        delivery=delivery,
        private=private,
        card_message_id=message_id,
    )


def check_place(acknowledged: Acknowledged) -> None:
    """**Raises** CannotPost where a channel message is needed and a permission is missing."""
    interaction = acknowledged.interaction
    if acknowledged.delivery is DeliveryMode.CHANNEL and interaction.guild_id is not None:
        check_can_post(interaction.app_permissions, thread=is_thread(interaction.channel))


async def accept(
    bot: KvidBot,
    acknowledged: Acknowledged,
    kind: JobKind,
    picture: Picture,
    source: Source | None = None,
) -> Job:
    interaction = acknowledged.interaction
    job = await bot.jobs.accept(
        kind,
        picture,
        Origin(
            request_id=interaction.id,
            asker=asker_of(interaction),
            channel_id=interaction.channel_id or 0,
            surface=Surface.INTERACTION,
            delivery=acknowledged.delivery,
            locale=str(interaction.locale),
            private=acknowledged.private,
            application_id=interaction.application_id,
            interaction_token=interaction.token,
            interaction_expires_at=interaction.expires_at,
            card_message_id=acknowledged.card_message_id,
        ),
        source,
    )
    await show_far_place(bot, job)
    return job


async def show_far_place(bot: KvidBot, job: Job) -> None:
    """The runner shows the places of those who are next; who is farther back learns it here, once."""
    try:
        place = await bot.jobs.place_of(job)
    except Exception as error:  # noqa: BLE001 - the job is accepted; a missing number must not deny it
        log.warning("place.unknown", job=job.id, error=repr(error))
        return
    if place > PLACES_SHOWN_MAX:
        bot.delivery.show(job, place=place)


def stays_private(acknowledged: Acknowledged) -> bool:
    """Whether nobody but the member will see the answer: it is whispered, or stands in their talk with the bot."""
    return acknowledged.private or acknowledged.interaction.context.dm_channel


def is_private_message(interaction: discord.Interaction[Any]) -> bool:
    """Whether the pressed button sits on a message that only this member sees."""
    return interaction.message is not None and interaction.message.flags.ephemeral

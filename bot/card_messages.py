"""Where a job's card is, and how it is written there, so that every end reaches its member exactly once.

Edits are repeated without harm. What cannot be edited any more is said in a message where the picture would
have come, else in a direct message; those have a nonce, and past its window our own messages are looked
through for the job. When that is done stands in `bot.cards`; what it looks like comes from the cogs.
**Source**: platform notes 1 and 5 (tokens, nonces).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import discord

from bot.discord_retry import describe, may_pass
from bot.log import get_logger
from bot.own_messages import NONCE_SAFE_S, find_own_message, has_button, says
from db.enums import DeliveryMode, JobState, Surface

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from discord import ui

    from bot.client import KvidBot
    from bot.clock import Clock
    from db.values import Job

log = get_logger(__name__)

# The token lives 15 minutes; an edit begun in its last seconds would come too late.
TOKEN_MARGIN_S = 10.0
UNKNOWN_MESSAGE = 10008
# Discord's answers about a message that a reply refers to and that the bot may not see or that is gone.
REFERENCE_REFUSED = frozenset({UNKNOWN_MESSAGE, 50035, 160002})


class CardLayouts(Protocol):
    def card(self, job: Job, place: int | None, /) -> ui.LayoutView: ...
    def failure(self, job: Job, /) -> ui.LayoutView:
        """A failure as others may see it, with a button of the job's id."""
        ...

    def late(self, job: Job, /) -> ui.LayoutView:
        """A failure for its member alone, with the job's id in its text."""
        ...


@dataclass(slots=True)
class CardPlace:
    """Shape: `message_id` of a card that is known; `sent` by this process; `taken_over` from another."""

    message_id: int | None
    sent: bool = False
    taken_over: bool = False


def token_alive(job: Job, now: datetime) -> bool:
    """Whether the interaction of the job can still be answered."""
    return (
        job.interaction_token is not None
        and job.interaction_expires_at is not None
        and (job.interaction_expires_at - now).total_seconds() > TOKEN_MARGIN_S
    )


def answers_here(job: Job) -> bool:
    """Whether the message of the card becomes the result itself."""
    return job.surface is Surface.INTERACTION and job.delivery is DeliveryMode.INTERACTION


def has_failed(job: Job) -> bool:
    """Whether the job ended without the picture, and not by its member's own wish."""
    return job.finished_at is not None and job.failure is not None


def was_answered_at_once(job: Job) -> bool:
    """Whether the job was refused before it was taken in: the press itself was answered with the reason."""
    return job.surface is Surface.INTERACTION and job.state is JobState.REFUSED and job.epoch == 0


def interaction_webhook(client: KvidBot, job: Job) -> discord.Webhook:
    """The answers of the job's interaction, also after a restart."""
    webhook = discord.Webhook.partial(job.application_id or 0, job.interaction_token or "", client=client)
    # discord.py takes a partial webhook for one of a channel, which may not whisper.
    webhook.type = discord.WebhookType.application
    return webhook


class CardMessages:
    def __init__(self, client: KvidBot, clock: Clock, layouts: CardLayouts) -> None:
        self._client = client
        self._clock = clock
        self._layouts = layouts
        self.remember: Callable[[str, int | None], Awaitable[None]] | None = None

    async def write(self, job: Job, layout: ui.LayoutView, place: CardPlace) -> bool:
        """Show `layout`, or what an end needs instead, wherever the member can be reached.

        Shape: False where the card is out of reach and this is no failure, which must be told.
        **Repeatable** yes. **Raises** one of DISCORD_ERRORS.
        """
        if has_failed(job):
            if not await self._write_failure(job, layout, place) and not was_answered_at_once(job):
                await self._tell_late(job)
        elif job.surface is Surface.MESSAGE:
            await self._write_message(job, layout, place)
        elif self._can_edit_answer(job):
            await interaction_webhook(self._client, job).edit_message(job.card_message_id or 0, view=layout)
        else:
            return False
        return True

    def _can_edit_answer(self, job: Job) -> bool:
        return token_alive(job, self._clock.now()) and job.card_message_id is not None

    async def _write_failure(self, job: Job, layout: ui.LayoutView, place: CardPlace) -> bool:
        """Say it in the card; False where the card is out of reach."""
        is_public = job.surface is Surface.MESSAGE or (answers_here(job) and not job.private)
        view = self._layouts.failure(job) if is_public else layout
        try:
            if job.surface is Surface.MESSAGE:
                await self._write_message(job, view, place)
            elif self._can_edit_answer(job):
                await interaction_webhook(self._client, job).edit_message(job.card_message_id or 0, view=view)
            else:
                return False
        except discord.HTTPException as error:
            if may_pass(error):
                raise
            log.info("card.out_of_reach", job=job.id, error=describe(error))
            # Whoever closed a card of their own has seen what they wanted to see.
            return error.code == UNKNOWN_MESSAGE and not is_public
        return True

    async def _tell_late(self, job: Job) -> None:
        """Say it where the picture would have come; where that is the trouble, and for what is private, directly."""
        if job.delivery is DeliveryMode.CHANNEL:
            channel = self._client.get_partial_messageable(job.channel_id, guild_id=job.guild_id)
            try:
                if not await self._is_told(job, channel):
                    await channel.send(view=self._layouts.failure(job), nonce=f"{job.id}f")
            except (discord.Forbidden, discord.NotFound) as error:
                log.info("card.told_directly", job=job.id, error=describe(error))
            else:
                return
        try:
            direct = await self._client.create_dm(discord.Object(job.user_id))
            if not await self._is_told(job, direct):
                await direct.send(view=self._layouts.late(job), nonce=f"{job.id}f")
        except discord.HTTPException as error:
            if may_pass(error):
                raise
            # They left, or take no messages from us: nobody can be told.
            log.warning("card.unreachable", job=job.id, user=job.user_id, error=describe(error))

    async def _is_told(self, job: Job, channel: discord.abc.Messageable) -> bool:
        if job.finished_at is None or self._age_s(job.finished_at) < NONCE_SAFE_S:
            return False
        found = await find_own_message(
            channel,
            self._client.user_id,
            job.finished_at,
            lambda message: has_button(message, f"v1:why:{job.id}") or says(message, job.id),
        )
        return found is not None

    def _age_s(self, since: datetime) -> float:
        return (self._clock.now() - since).total_seconds()

    # --- the card of a reply: public, so it says little, and it goes when the picture is there ---

    async def _write_message(self, job: Job, layout: ui.LayoutView, place: CardPlace) -> None:
        channel = self._client.get_partial_messageable(job.channel_id, guild_id=job.guild_id)
        if place.message_id is None:
            fresh = await self._ensure_card(channel, job, layout, place)
            if fresh or place.message_id is None:
                return
        message = channel.get_partial_message(place.message_id)
        if job.state is JobState.DELIVERED:
            await self._remove(job, message)
        else:
            # Without this an edit would mention whom the reply mentions.
            await message.edit(view=layout, allowed_mentions=discord.AllowedMentions.none())

    async def _remove(self, job: Job, card: discord.PartialMessage) -> None:
        try:
            await card.delete()
        except (discord.Forbidden, discord.NotFound) as error:
            log.info("card.out_of_reach", job=job.id, error=describe(error))
        await self._remember(job, None)

    async def _ensure_card(
        self, channel: discord.PartialMessageable, job: Job, layout: ui.LayoutView, place: CardPlace
    ) -> bool:
        """Find or send the card; True when it says what `layout` says, or is not needed any more."""
        sent_before, place.sent = place.sent, True
        if place.taken_over:
            found = await find_own_message(
                channel, self._client.user_id, job.created_at, lambda message: _is_card(message, job)
            )
            if found is not None:
                await self._note(job, place, found.id)
                return False
        if not sent_before and job.finished_at is not None and job.failure is None:
            return True
        # A card whose answer was lost may be there; by its nonce, sending it again finds it.
        await self._note(job, place, await self._send_card(channel, job, layout))
        return not sent_before and not place.taken_over

    async def _note(self, job: Job, place: CardPlace, message_id: int) -> None:
        place.message_id = message_id
        await self._remember(job, message_id)

    async def _remember(self, job: Job, message_id: int | None) -> None:
        if self.remember is None:
            return
        try:
            await self.remember(job.id, message_id)
        except Exception as error:  # noqa: BLE001 - what cannot be noted is so all the same
            log.warning("card.not_remembered", job=job.id, error=repr(error))

    async def _send_card(self, channel: discord.PartialMessageable, job: Job, layout: ui.LayoutView) -> int:
        nonce = f"{job.id}c"
        reference = discord.MessageReference(
            message_id=job.request_message_id or 0, channel_id=job.channel_id, fail_if_not_exists=False
        )
        try:
            message = await channel.send(
                view=layout, nonce=nonce, reference=reference, mention_author=False, silent=True
            )
        except discord.HTTPException as error:
            if error.code not in REFERENCE_REFUSED:
                raise
            message = await channel.send(view=layout, nonce=nonce, silent=True)
        return message.id


def _is_card(message: discord.Message, job: Job) -> bool:
    """Whether a message of ours answers the job's request and is not its result."""
    if has_button(message, f"v1:why:{job.id}") or has_button(message, f"v1:cancel:{job.id}"):
        return True
    replies = message.reference is not None and message.reference.message_id == job.request_message_id
    return replies and job.request_message_id is not None and not has_button(message, f"v1:again:{job.id}")

"""The progress cards of running jobs: edited only when their text changes, at most every 2.5 seconds each.

A card is the private answer to the interaction, or a short channel message where a reply asked. Whatever
happens between two edits is folded into the last one. The last word of a card is tried again until it
arrives or its token is dead, since a member waits for it; anything before may be lost without harm.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

import aiohttp
import discord

from bot.log import get_logger
from bot.tasks import TaskGroup, wait_for
from db.enums import DeliveryMode, JobState, Surface

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from discord import ui

    from bot.client import KvidBot
    from bot.clock import Clock
    from db.values import Job

log = get_logger(__name__)

EDIT_INTERVAL_S = 2.5
# The first edit waits a moment too, so that a job which starts at once does not show as waiting.
FIRST_EDIT_S = 0.5
CARDS_MAX = 1000
ENDED_MAX = 1000
LAST_WORD_ATTEMPTS_MAX = 6
# The token lives 15 minutes; an edit begun in its last seconds would come too late.
TOKEN_MARGIN_S = 10.0
# Discord's answers about a message that a reply refers to and that the bot may not see or that is gone.
REFERENCE_REFUSED = frozenset({10008, 50035, 160002})
# ... and about a webhook, such as an interaction, that cannot be answered any more.
TOKEN_DEAD = frozenset({10015, 50027})


@dataclass(slots=True)
class _Card:
    shown_at: float
    message_id: int | None
    sent: bool = False
    wanted: tuple[Job, int | None] | None = None
    shown: object = None
    closed: bool = False
    taken_back: bool = False
    running: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def take(self) -> tuple[Job, int | None] | None:
        wanted, self.wanted = self.wanted, None
        return wanted


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


def interaction_webhook(client: KvidBot, job: Job) -> discord.Webhook:
    """The answers of the job's interaction, also after a restart."""
    webhook = discord.Webhook.partial(job.application_id or 0, job.interaction_token or "", client=client)
    # discord.py takes a partial webhook for one of a channel, which may not whisper.
    webhook.type = discord.WebhookType.application
    return webhook


def is_public_failure(job: Job) -> bool:
    """Whether the job's answer is seen by others and is no result after all."""
    return answers_here(job) and not job.private and job.failure is not None


class Cards:
    def __init__(
        self,
        client: KvidBot,
        clock: Clock,
        layout: Callable[[Job, int | None], ui.LayoutView],
        failure_layout: Callable[[Job], ui.LayoutView],
    ) -> None:
        self._client = client
        self._clock = clock
        self._layout = layout
        self._failure_layout = failure_layout
        self._cards: dict[str, _Card] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._tasks = TaskGroup("card", limit=CARDS_MAX)
        self._turns = count()
        self._hurry = asyncio.Event()
        self.remember: Callable[[str, int], Awaitable[None]] | None = None

    def show(self, job: Job, place: int | None) -> None:
        """Ask for the card of `job` to show its state; returns at once."""
        if job.finished_at is not None:
            self._remember_ended(job.id)
        elif job.id in self._ended:
            # From rows read just before the job ended: the card would fall back into the past.
            return
        card = self._card_of(job)
        if card is None or card.closed:
            if job.finished_at is not None:
                self._cards.pop(job.id, None)
            return
        card.wanted = (job, place)
        if not card.running:
            # A key of its own each time: of an edit that has just ended the group may not know yet.
            card.running = self._tasks.start(f"{job.id}:{next(self._turns)}", self._edit(job.id, card))

    def _card_of(self, job: Job) -> _Card | None:
        card = self._cards.get(job.id)
        if card is None and (len(self._cards) < CARDS_MAX or job.finished_at is not None):
            first_at = self._clock.monotonic() - EDIT_INTERVAL_S + FIRST_EDIT_S
            card = self._cards[job.id] = _Card(message_id=job.card_message_id, shown_at=first_at)
        return card

    def _remember_ended(self, job_id: str) -> None:
        self._ended[job_id] = None
        while len(self._ended) > ENDED_MAX:
            self._ended.popitem(last=False)

    async def close(self, job: Job) -> None:
        """Stop editing the card, because its message is about to become the result."""
        card = self._card_of(job)
        if card is not None:
            card.closed = True
            card.wanted = None
            async with card.lock:
                return

    def reopen(self, job: Job) -> None:
        """The result did not come after all; the card has its say again."""
        card = self._cards.get(job.id)
        if card is not None:
            card.closed = False

    async def stop(self, *, grace_s: float) -> None:
        """Show at once whatever is still to be shown, for at most `grace_s`."""
        self._hurry.set()
        await self._tasks.stop(grace_s=grace_s)

    async def _edit(self, job_id: str, card: _Card) -> None:
        try:
            await self._edit_while_wanted(job_id, card)
        finally:
            card.running = False

    async def _edit_while_wanted(self, job_id: str, card: _Card) -> None:
        while card.wanted is not None:
            wait_s = card.shown_at + EDIT_INTERVAL_S - self._clock.monotonic()
            if wait_s > 0:
                await wait_for(self._clock, self._hurry, wait_s)
            async with card.lock:
                # `close` may have taken the wish back while this slept.
                job, place = card.take() or (None, None)
                if job is None:
                    return
                await self._show(job, place, card)
            if job.finished_at is not None:
                self._cards.pop(job_id, None)

    async def _show(self, job: Job, place: int | None, card: _Card) -> None:
        layout = self._layout(job, place)
        content: object = layout.to_components()  # type: ignore[no-untyped-call]  # discord.py has no types here
        if content == card.shown or (answers_here(job) and job.state is JobState.DELIVERED):
            return
        attempts = LAST_WORD_ATTEMPTS_MAX if job.finished_at is not None else 1
        for attempt in range(1, attempts + 1):
            try:
                await self._send(job, layout, card)
                card.shown = content
                break
            except (discord.DiscordException, aiohttp.ClientError, OSError) as error:
                log.warning("card.edit_failed", job=job.id, attempt=attempt, error=repr(error))
                if attempt == attempts or is_final(error):
                    break
                await wait_for(self._clock, self._hurry, 2.0 ** (attempt - 1))
        card.shown_at = self._clock.monotonic()

    async def _send(self, job: Job, layout: ui.LayoutView, card: _Card) -> None:
        if job.surface is Surface.MESSAGE:
            await self._edit_message(job, layout, card)
        elif token_alive(job, self._clock.now()) and job.card_message_id is not None:
            await self._edit_answer(job, layout, card)
        elif job.finished_at is not None and job.state not in {JobState.DELIVERED, JobState.CANCELLED}:
            await self._tell_late(job, layout)

    async def _edit_answer(self, job: Job, layout: ui.LayoutView, card: _Card) -> None:
        try:
            await self._edit_interaction(job, layout, card)
        except discord.HTTPException as error:
            # Some tokens die before their time. Source: platform notes 1.
            if error.code not in TOKEN_DEAD or job.failure is None:
                raise
            await self._tell_late(job, layout)

    async def _edit_interaction(self, job: Job, layout: ui.LayoutView, card: _Card) -> None:
        webhook = interaction_webhook(self._client, job)
        message_id = job.card_message_id or 0
        if not is_public_failure(job):
            await webhook.edit_message(message_id, view=layout)
            return
        # Its answer is public: it is taken back, and the reason told in one that is not.
        if not card.taken_back:
            with contextlib.suppress(discord.NotFound):
                await webhook.delete_message(message_id)
            card.taken_back = True
        await webhook.send(view=layout, ephemeral=True)

    async def _tell_late(self, job: Job, layout: ui.LayoutView) -> None:
        """The card can no longer be reached: say it where the picture would have come, once."""
        nonce = f"{job.id}f"
        if job.delivery is DeliveryMode.CHANNEL:
            channel = self._client.get_partial_messageable(job.channel_id, guild_id=job.guild_id)
            try:
                await channel.send(view=self._failure_layout(job), nonce=nonce)
            except (discord.Forbidden, discord.NotFound) as error:
                # The place itself is the trouble, so it is said in private.
                log.info("card.told_directly", job=job.id, code=error.code)
            else:
                return
        user = await self._client.fetch_user(job.user_id)
        await user.send(view=layout, nonce=nonce)

    async def _edit_message(self, job: Job, layout: ui.LayoutView, card: _Card) -> None:
        """The card of a reply is public, so it says little: it goes when the picture is there."""
        channel = self._client.get_partial_messageable(job.channel_id, guild_id=job.guild_id)
        if job.finished_at is not None and job.failure is not None:
            layout = self._failure_layout(job)
        if card.message_id is None:
            # A card whose answer was lost may be there; by its nonce, sending it again finds it.
            sent_before, card.sent = card.sent, True
            if not sent_before and job.finished_at is not None and job.failure is None:
                return
            card.message_id = await self._send_card(channel, job, layout)
            if self.remember is not None:
                await self.remember(job.id, card.message_id)
            if not sent_before:
                return
        if job.state is JobState.DELIVERED:
            await channel.get_partial_message(card.message_id).delete()
        else:
            # Without this an edit would mention whom the reply mentions.
            silent = discord.AllowedMentions.none()
            await channel.get_partial_message(card.message_id).edit(view=layout, allowed_mentions=silent)

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


def is_final(error: BaseException) -> bool:
    """Discord's refusals (4xx) stay what they are; anything else may pass."""
    return isinstance(error, discord.HTTPException) and 400 <= error.status < 500 and error.status != 429

"""The progress cards of running jobs: edited only when their text changes, at most every 2.5 seconds each.

A card is the private answer to the interaction, or a short channel message where a reply asked. Whatever
happens between two edits is folded into the last one. Cards are a courtesy: an edit that fails is logged
and never disturbs the job.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import aiohttp
import discord

from bot.log import get_logger
from bot.tasks import TaskGroup
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
# The token lives 15 minutes; an edit begun in its last seconds would come too late.
TOKEN_MARGIN_S = 10.0


@dataclass(slots=True)
class _Card:
    shown_at: float
    message_id: int | None
    wanted: tuple[Job, int | None] | None = None
    shown: object = None
    closed: bool = False
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
        self.remember: Callable[[str, int], Awaitable[None]] | None = None

    def show(self, job: Job, place: int | None) -> None:
        """Ask for the card of `job` to show its state; returns at once."""
        card = self._cards.get(job.id)
        if job.finished_at is not None:
            self._remember_ended(job.id)
        elif job.id in self._ended:
            # From rows read just before the job ended: the card would fall back into the past.
            return
        if card is None:
            if len(self._cards) >= CARDS_MAX:
                return
            first_at = self._clock.monotonic() - EDIT_INTERVAL_S + FIRST_EDIT_S
            card = self._cards[job.id] = _Card(message_id=job.card_message_id, shown_at=first_at)
        if card.closed:
            if job.finished_at is not None:
                self._cards.pop(job.id, None)
            return
        card.wanted = (job, place)
        self._tasks.start(job.id, self._edit(job.id, card))

    def _remember_ended(self, job_id: str) -> None:
        self._ended[job_id] = None
        while len(self._ended) > ENDED_MAX:
            self._ended.popitem(last=False)

    async def close(self, job_id: str) -> None:
        """Stop editing the card, because its message is about to become the result."""
        card = self._cards.get(job_id)
        if card is None:
            return
        card.closed = True
        card.wanted = None
        async with card.lock:
            return

    async def stop(self, *, grace_s: float) -> None:
        await self._tasks.stop(grace_s=grace_s)

    async def _edit(self, job_id: str, card: _Card) -> None:
        while card.wanted is not None:
            wait_s = card.shown_at + EDIT_INTERVAL_S - self._clock.monotonic()
            if wait_s > 0:
                await self._clock.sleep(wait_s)
            async with card.lock:
                # `close` may have taken the wish back while this slept.
                job, place = card.take() or (None, None)
                if job is None:
                    return
                await self._edit_once(job, place, card)
            if job.finished_at is not None:
                self._cards.pop(job_id, None)

    async def _edit_once(self, job: Job, place: int | None, card: _Card) -> None:
        layout = self._layout(job, place)
        content: object = layout.to_components()  # type: ignore[no-untyped-call]  # discord.py has no types here
        if content == card.shown:
            return
        try:
            if job.surface is Surface.MESSAGE:
                await self._edit_message(job, layout, card)
            else:
                await self._edit_interaction(job, layout)
        except (discord.DiscordException, aiohttp.ClientError, OSError) as error:
            log.warning("card.edit_failed", job=job.id, error=repr(error))
        card.shown = content
        card.shown_at = self._clock.monotonic()

    async def _edit_interaction(self, job: Job, layout: ui.LayoutView) -> None:
        if token_alive(job, self._clock.now()) and job.card_message_id is not None:
            webhook = discord.Webhook.partial(
                job.application_id or 0, job.interaction_token or "", client=self._client
            )
            await webhook.edit_message(job.card_message_id, view=layout)
        elif job.finished_at is not None and job.state not in {JobState.DELIVERED, JobState.CANCELLED}:
            await self._tell_late(job, layout)

    async def _tell_late(self, job: Job, layout: ui.LayoutView) -> None:
        """The card can no longer be reached: say it where the picture would have come, once."""
        if job.delivery is DeliveryMode.CHANNEL:
            channel = self._client.get_partial_messageable(job.channel_id, guild_id=job.guild_id)
            await channel.send(view=self._failure_layout(job), nonce=f"{job.id}f")
        else:
            user = await self._client.fetch_user(job.user_id)
            await user.send(view=layout, nonce=f"{job.id}f")

    async def _edit_message(self, job: Job, layout: ui.LayoutView, card: _Card) -> None:
        """The card of a reply is public, so it says little: it goes when the picture is there."""
        channel = self._client.get_partial_messageable(job.channel_id, guild_id=job.guild_id)
        if job.finished_at is not None and job.failure is not None:
            layout = self._failure_layout(job)
        if card.message_id is None:
            if job.finished_at is not None and job.failure is None:
                return
            reference = discord.MessageReference(
                message_id=job.request_message_id or 0, channel_id=job.channel_id, fail_if_not_exists=False
            )
            message = await channel.send(
                view=layout, nonce=f"{job.id}c", reference=reference, mention_author=False, silent=True
            )
            card.message_id = message.id
            if self.remember is not None:
                await self.remember(job.id, message.id)
        elif job.state is JobState.DELIVERED:
            await channel.get_partial_message(card.message_id).delete()
        else:
            await channel.get_partial_message(card.message_id).edit(view=layout)

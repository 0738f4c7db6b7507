"""Everything the job engine shows on Discord: results once, cards often.

A result is a normal channel message with the job's nonce, so that Discord itself refuses a second one, and
so that replies to it carry their text. Where the bot is no member, or the member asked for privacy, the
interaction's own answer becomes the result. Layouts come from the cogs; this module knows only how to send.
**Source**: platform notes 2, 5 and 6 (nonce, interaction tokens, which errors discord.py does not retry).
"""

from __future__ import annotations

import asyncio
import io
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

import discord

from bot.card_messages import REFERENCE_REFUSED, has_failed, interaction_webhook, token_alive
from bot.cards import Cards
from bot.discord_retry import ANSWER, DISCORD_ERRORS, POST, describe, may_pass, retry_after_s
from bot.fitting import LIMITS, LINKS, fit_images, fits
from bot.fresh_sources import fetch_fresh_url
from bot.jobs.ports import Delivered, DeliveryDelayed, Undeliverable, Unseen
from bot.log import get_logger
from bot.own_messages import NONCE_SAFE_S, find_own_message, has_button
from bot.place_access import PlaceAccess
from db.enums import DeliveryMode, Surface

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence
    from datetime import datetime

    from discord import ui
    from discord.abc import Messageable

    from bot.client import KvidBot
    from bot.clock import Clock
    from bot.fitting import Fit, Limit, Parcel
    from bot.i18n import Catalogue
    from bot.kvid.model import DownloadedImage
    from db.values import Job

log = get_logger(__name__)

Message = TypeVar("Message", discord.Message, discord.WebhookMessage)

# Request entity too large. Source: Discord's JSON error codes.
TOO_LARGE = 40005


class Layouts(Protocol):
    """What messages look like; implemented by `cogs._components`."""

    def card(
        self, text: Callable[..., str], job: Job, place: int | None, now: datetime, /
    ) -> ui.LayoutView: ...
    def public_failure(self, text: Callable[..., str], job: Job, /) -> ui.LayoutView: ...
    def late_failure(self, text: Callable[..., str], job: Job, now: datetime, /) -> ui.LayoutView: ...
    def result(
        self, text: Callable[..., str], job: Job, files: Sequence[discord.File], fit: Fit, /
    ) -> ui.LayoutView: ...
    def text(self, content: str, /) -> ui.LayoutView: ...
    def refusal(self, content: str, typed: str | None, /) -> ui.LayoutView: ...
    def alt(self, text: Callable[..., str], job: Job, index: int, /) -> str: ...


class Delivery:
    """`bot.jobs.ports.Surface` on Discord, and `bot.card_messages.CardLayouts` of its cards."""

    def __init__(self, client: KvidBot, catalogue: Catalogue, clock: Clock) -> None:
        self._client = client
        self._retry = client.retry
        self._catalogue = catalogue
        self._clock = clock
        self._access = PlaceAccess(client, clock)
        self._layouts: Layouts | None = None
        # Decoded pictures are large, so one is made to fit at a time.
        self._fitting = asyncio.Semaphore(1)
        self.cards = Cards(client, clock, self)

    def use_layouts(self, layouts: Layouts) -> None:
        self._layouts = layouts

    @property
    def layouts(self) -> Layouts:
        if self._layouts is None:
            raise RuntimeError("no layouts: the extension cogs._components is not loaded")
        return self._layouts

    def text_for(self, job: Job) -> Callable[..., str]:
        return partial(self._catalogue.text, job.locale)

    def card(self, job: Job, place: int | None) -> ui.LayoutView:
        return self.layouts.card(self.text_for(job), job, place, self._clock.now())

    def failure(self, job: Job) -> ui.LayoutView:
        return self.layouts.public_failure(self.text_for(job), job)

    def late(self, job: Job) -> ui.LayoutView:
        return self.layouts.late_failure(self.text_for(job), job, self._clock.now())

    def show(self, job: Job, *, place: int | None = None) -> None:
        self.cards.show(job, place)

    def show_again(self, job: Job) -> None:
        """What a stop may have cut off: of a failure nobody was told, or the last edit of a card."""
        if has_failed(job) or job.surface is Surface.MESSAGE or token_alive(job, self._clock.now()):
            self.cards.show(job, None)

    async def stop(self, *, grace_s: float) -> None:
        await self.cards.stop(grace_s=grace_s)

    # --- results ---

    async def check_place(self, job: Job) -> None:
        if job.delivery is DeliveryMode.CHANNEL and job.guild_id is not None:
            reason = await self._access.find_closed(job.guild_id, job.channel_id)
            if reason is not None:
                raise Undeliverable(reason)

    async def deliver(self, job: Job, images: Sequence[DownloadedImage]) -> Delivered:
        with _told_to_posting("refused it"):
            if job.delivery is DeliveryMode.CHANNEL:
                return await self._post(job, images)
            return await self._answer(job, images)

    async def _post(self, job: Job, images: Sequence[DownloadedImage]) -> Delivered:
        channel = self._client.get_partial_messageable(job.channel_id, guild_id=job.guild_id)
        try:
            message = await self._send(job, images, channel, _reference(job))
        except discord.HTTPException as error:
            if error.code not in REFERENCE_REFUSED:
                raise
            # The message it answers is gone, or may not be seen: the picture matters more than the link.
            message = await self._send(job, images, channel, None)
        return Delivered(message_id=message.id, channel_id=message.channel.id)

    async def _send(
        self,
        job: Job,
        images: Sequence[DownloadedImage],
        channel: Messageable,
        reference: discord.MessageReference | None,
    ) -> discord.Message:
        async def send(layout: ui.LayoutView, files: list[discord.File]) -> discord.Message:
            if reference is None:
                return await channel.send(view=layout, files=files, nonce=job.nonce)
            return await channel.send(
                view=layout, files=files, nonce=job.nonce, reference=reference, mention_author=False
            )

        return await self._send_fitting(job, images, send)

    async def _send_fitting(
        self,
        job: Job,
        images: Sequence[DownloadedImage],
        send: Callable[[ui.LayoutView, list[discord.File]], Awaitable[Message]],
    ) -> Message:
        """Send the pictures as they are, else as they fit, else as links."""
        refused_bytes: int | None = None
        for limit in LIMITS:
            parcel = await self._fit(images, limit)
            if parcel is None or (refused_bytes is not None and parcel.size_bytes >= refused_bytes):
                continue
            try:
                return await self._send_parcel(job, parcel, send)
            except discord.HTTPException as error:
                if not _is_too_large(error):
                    raise
                refused_bytes = parcel.size_bytes
                log.warning("result.too_large", job=job.id, bytes=refused_bytes, fit=parcel.fit.value)
        return await self._send_parcel(job, LINKS, send)

    async def _fit(self, images: Sequence[DownloadedImage], limit: Limit) -> Parcel | None:
        if fits(images, limit):
            return fit_images(images, limit)
        async with self._fitting:
            return await asyncio.to_thread(fit_images, images, limit)

    async def _send_parcel(
        self,
        job: Job,
        parcel: Parcel,
        send: Callable[[ui.LayoutView, list[discord.File]], Awaitable[Message]],
    ) -> Message:
        async def attempt() -> Message:
            # A File is used up by its first try. Source: platform notes 12.
            files = self._files(job, parcel.images)
            return await send(self.layouts.result(self.text_for(job), job, files, parcel.fit), files)

        return await self._retry.call("result", attempt, POST)

    async def _answer(self, job: Job, images: Sequence[DownloadedImage]) -> Delivered:
        """The interaction's answer becomes the result; where its token is dead a direct message does."""
        message_id = job.card_message_id
        if not token_alive(job, self._clock.now()) or message_id is None:
            return await self._send_direct(job, images)
        await self.cards.close(job)
        webhook = interaction_webhook(self._client, job)

        async def edit(layout: ui.LayoutView, files: list[discord.File]) -> discord.WebhookMessage:
            return await webhook.edit_message(message_id, view=layout, attachments=files)

        try:
            message = await self._send_fitting(job, images, edit)
        except discord.HTTPException as error:
            self.cards.reopen(job)
            if error.status not in {401, 404}:
                raise
            # Some tokens die before their time. Source: platform notes 1.
            return await self._send_direct(job, images)
        except BaseException:
            self.cards.reopen(job)
            raise
        return Delivered(message_id=message.id, channel_id=job.channel_id)

    async def _send_direct(self, job: Job, images: Sequence[DownloadedImage]) -> Delivered:
        message = await self._send(job, images, await self._direct_channel(job), None)
        return Delivered(message_id=message.id, channel_id=message.channel.id)

    async def _direct_channel(self, job: Job) -> discord.DMChannel:
        member = discord.Object(job.user_id)
        return await self._retry.call("direct", lambda: self._client.create_dm(member), ANSWER)

    async def find_delivered(self, job: Job) -> Delivered | None:
        with _told_to_posting("refused to look"):
            if job.delivery is DeliveryMode.CHANNEL:
                channel = self._client.get_partial_messageable(job.channel_id, guild_id=job.guild_id)
                await self._check_history(job)
                return await self._find_posted(job, channel)
            if not token_alive(job, self._clock.now()):
                found = await self._find_posted(job, await self._direct_channel(job))
                if found is None and token_alive(job, job.updated_at):
                    # Only with its token can an answer be seen, and it may have become the picture.
                    raise Unseen("the interaction's answer cannot be looked at any more")
                return found
        return None

    async def _check_history(self, job: Job) -> None:
        """Without Read Message History Discord shows an empty channel, and a second post could follow the first."""
        since_s = (self._clock.now() - job.updated_at).total_seconds()
        if job.guild_id is None or since_s < NONCE_SAFE_S:
            return
        if not (await self._access.look(job.guild_id, job.channel_id)).can_read_history:
            raise Unseen("it cannot be seen whether the result was posted before")

    async def _find_posted(self, job: Job, channel: Messageable) -> Delivered | None:
        """Our own message that already carries the job's id, or None."""
        message = await self._retry.call(
            "look",
            lambda: find_own_message(
                channel,
                self._client.user_id,
                job.updated_at,
                lambda found: has_button(found, f"v1:again:{job.id}"),
            ),
            ANSWER,
        )
        return None if message is None else Delivered(message_id=message.id, channel_id=message.channel.id)

    def _files(self, job: Job, images: Sequence[DownloadedImage]) -> list[discord.File]:
        text = self.text_for(job)
        return [
            discord.File(
                io.BytesIO(image.data),
                filename=f"kvid-{job.id}-{index}.{image.content_type.removeprefix('image/').replace('jpeg', 'jpg')}",
                description=self.layouts.alt(text, job, index),
            )
            for index, image in enumerate(images, start=1)
        ]

    async def fresh_source_url(self, job: Job) -> str:
        return await fetch_fresh_url(self._client, job, self._clock.now())


def _is_too_large(error: discord.HTTPException) -> bool:
    return error.status == 413 or error.code == TOO_LARGE


def _reference(job: Job) -> discord.MessageReference | None:
    """The message the result answers: the reply that asked for it, or the picture that was edited."""
    message_id = job.request_message_id
    if message_id is None and job.source_channel_id == job.channel_id:
        message_id = job.source_message_id
    if message_id is None:
        return None
    return discord.MessageReference(
        message_id=message_id, channel_id=job.channel_id, guild_id=job.guild_id, fail_if_not_exists=False
    )


@contextmanager
def _told_to_posting(what: str) -> Iterator[None]:
    """Turn Discord's errors into the two that `jobs.posting` knows."""
    try:
        yield
    except DISCORD_ERRORS as error:
        if may_pass(error):
            reason = f"Discord does not answer: {describe(error)}"
            raise DeliveryDelayed(reason, retry_after_s=retry_after_s(error)) from error
        raise Undeliverable(f"Discord {what}: {describe(error)}") from error

"""Everything the job engine shows on Discord: results once, cards often.

A result is a normal channel message with the job's nonce, so that Discord itself refuses a second one, and
so that replies to it carry their text. Where the bot is no member, or the member asked for privacy, the
interaction's own answer becomes the result. Layouts come from the cogs; this module knows only how to send.
**Source**: platform notes 2, 5 and 6 (nonce, interaction tokens, which errors discord.py does not retry).
"""

from __future__ import annotations

import io
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol, TypeVar
from urllib.parse import parse_qs, urlsplit

import aiohttp
import discord

from bot.cards import Cards, token_alive
from bot.jobs.ports import Delivered, SourceExpired, Undeliverable
from bot.log import get_logger
from db.enums import DeliveryMode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence
    from datetime import datetime

    from discord import ui

    from bot.client import KvidBot
    from bot.clock import Clock
    from bot.i18n import Catalogue
    from bot.kvid.model import DownloadedImage
    from db.values import Job

log = get_logger(__name__)

SEND_ATTEMPTS_MAX = 4
SEND_RETRY_S = 0.5
# Discord remembers a nonce for "the past few minutes"; after this we look before we post again.
NONCE_SAFE_S = 120.0
LOOK_BACK_MESSAGES = 100
SOURCE_MARGIN_S = 120.0

T = TypeVar("T")

# What discord.py does not retry itself on Linux: resets, time-outs, 503.
_PASSING = (aiohttp.ClientError, OSError, TimeoutError, discord.DiscordServerError, discord.RateLimited)


class Layouts(Protocol):
    """What messages look like; implemented by `cogs._components`."""

    def card(
        self, text: Callable[..., str], job: Job, place: int | None, now: datetime, /
    ) -> ui.LayoutView: ...
    def public_failure(self, text: Callable[..., str], job: Job, /) -> ui.LayoutView: ...
    def result(
        self, text: Callable[..., str], job: Job, files: Sequence[discord.File], /
    ) -> ui.LayoutView: ...
    def text(self, content: str, /) -> ui.LayoutView: ...
    def alt(self, text: Callable[..., str], job: Job, index: int, /) -> str: ...


class Delivery:
    """`bot.jobs.ports.Surface` on Discord."""

    def __init__(self, client: KvidBot, catalogue: Catalogue, clock: Clock) -> None:
        self._client = client
        self._catalogue = catalogue
        self._clock = clock
        self._layouts: Layouts | None = None
        self.cards = Cards(client, clock, self._card_layout, self._failure_layout)

    def use_layouts(self, layouts: Layouts) -> None:
        self._layouts = layouts

    @property
    def layouts(self) -> Layouts:
        if self._layouts is None:
            raise RuntimeError("no layouts: the extension cogs._components is not loaded")
        return self._layouts

    def text_for(self, job: Job) -> Callable[..., str]:
        def text(key: str, **params: object) -> str:
            return self._catalogue.text(job.locale, key, **params)

        return text

    def _card_layout(self, job: Job, place: int | None) -> ui.LayoutView:
        return self.layouts.card(self.text_for(job), job, place, self._clock.now())

    def _failure_layout(self, job: Job) -> ui.LayoutView:
        return self.layouts.public_failure(self.text_for(job), job)

    def show(self, job: Job, *, place: int | None = None) -> None:
        self.cards.show(job, place)

    async def stop(self, *, grace_s: float) -> None:
        await self.cards.stop(grace_s=grace_s)

    # --- results ---

    async def deliver(self, job: Job, images: Sequence[DownloadedImage]) -> Delivered:
        try:
            if job.delivery is DeliveryMode.CHANNEL:
                return await self._post(job, images)
            return await self._answer(job, images)
        except discord.HTTPException as error:
            raise Undeliverable(
                f"Discord refused the message: {error.status} {error.code} {error.text}"
            ) from error
        except _PASSING as error:
            raise Undeliverable(f"Discord could not be reached: {error!r}") from error

    async def _post(self, job: Job, images: Sequence[DownloadedImage]) -> Delivered:
        if (self._clock.now() - job.updated_at).total_seconds() > NONCE_SAFE_S:
            posted = await self._find_posted(job)
            if posted is not None:
                return posted
        channel = self._client.get_partial_messageable(job.channel_id, guild_id=job.guild_id)
        reference = _reference(job)

        async def send() -> discord.Message:
            files = self._files(job, images)
            layout = self.layouts.result(self.text_for(job), job, files)
            if reference is None:
                return await channel.send(view=layout, files=files, nonce=job.nonce)
            return await channel.send(
                view=layout, files=files, nonce=job.nonce, reference=reference, mention_author=False
            )

        message = await self._attempt(job, send)
        return Delivered(message_id=message.id, channel_id=message.channel.id)

    async def _answer(self, job: Job, images: Sequence[DownloadedImage]) -> Delivered:
        """The interaction's answer becomes the result; past its token's life a direct message does."""
        await self.cards.close(job.id)
        if not token_alive(job, self._clock.now()) or job.card_message_id is None:
            return await self._send_direct(job, images)
        webhook = discord.Webhook.partial(
            job.application_id or 0, job.interaction_token or "", client=self._client
        )
        card_message_id = job.card_message_id

        async def edit() -> discord.WebhookMessage:
            files = self._files(job, images)
            layout = self.layouts.result(self.text_for(job), job, files)
            return await webhook.edit_message(card_message_id, view=layout, attachments=files)

        message = await self._attempt(job, edit)
        return Delivered(message_id=message.id, channel_id=job.channel_id)

    async def _send_direct(self, job: Job, images: Sequence[DownloadedImage]) -> Delivered:
        user = await self._client.fetch_user(job.user_id)

        async def send() -> discord.Message:
            files = self._files(job, images)
            return await user.send(
                view=self.layouts.result(self.text_for(job), job, files), files=files, nonce=job.nonce
            )

        message = await self._attempt(job, send)
        return Delivered(message_id=message.id, channel_id=message.channel.id)

    async def _attempt(self, job: Job, send: Callable[[], Awaitable[T]]) -> T:
        """Call `send` again after passing faults; each call builds its files anew and carries the same nonce."""
        for attempt in range(1, SEND_ATTEMPTS_MAX):
            try:
                return await send()
            except _PASSING as error:
                log.warning("delivery.retried", job=job.id, attempt=attempt, error=repr(error))
                await self._clock.sleep(SEND_RETRY_S * 2 ** (attempt - 1))
        return await send()

    async def _find_posted(self, job: Job) -> Delivered | None:
        """Our own message that already carries the job's id, or None."""
        channel = self._client.get_partial_messageable(job.channel_id, guild_id=job.guild_id)
        since = job.updated_at - timedelta(seconds=NONCE_SAFE_S)
        async for message in channel.history(limit=LOOK_BACK_MESSAGES, after=since, oldest_first=True):
            if message.author.id == self._client.user_id and f"v1:again:{job.id}" in _custom_ids(
                message.components
            ):
                return Delivered(message_id=message.id, channel_id=message.channel.id)
        return None

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

    # --- sources ---

    async def fresh_source_url(self, job: Job) -> str:
        url = job.source_url or ""
        expires = parse_qs(urlsplit(url).query).get("ex")
        if not expires:
            return url
        try:
            expires_at = int(expires[0], 16)
        except ValueError:
            return url
        if expires_at - self._clock.now().timestamp() > SOURCE_MARGIN_S:
            return url
        if job.source_channel_id is None or job.source_message_id is None:
            raise SourceExpired
        try:
            channel = self._client.get_partial_messageable(job.source_channel_id)
            message = await channel.fetch_message(job.source_message_id)
        except (discord.HTTPException, *_PASSING) as error:
            raise SourceExpired from error
        for attachment in message.attachments:
            if attachment.id == job.source_attachment_id:
                return attachment.url
        raise SourceExpired


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


def _custom_ids(components: Iterable[object]) -> set[str]:
    found: set[str] = set()
    for component in components:
        custom_id = getattr(component, "custom_id", None)
        if isinstance(custom_id, str):
            found.add(custom_id)
        found |= _custom_ids(getattr(component, "children", ()))
    return found

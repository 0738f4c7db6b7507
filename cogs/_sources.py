"""Finding and checking the picture an edit starts from.

Our own results are sent to kvid by kvid's own address; anything else by Discord's, after its bytes were
looked at. Windows that are open on somebody's picture are remembered here, for a short time only.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import discord

from bot.discord_retry import ANSWER, DISCORD_ERRORS
from bot.errors import AppError, SourceRefused
from bot.ids import JOB_ID_PATTERN
from bot.jobs.service import Picture, Source
from bot.safety.sources import SourceImage, check_source_bytes, inspect_source
from cogs._options import nearest_ratio

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bot.clock import Clock
    from bot.discord_retry import Retry
    from db.values import Job

# Each holds a file of up to 20 MiB in memory while it is looked into.
INSPECTIONS_MAX = 4
OPEN_WINDOWS_MAX = 1000
OPEN_WINDOW_S = 900.0
_EDIT_BUTTON = re.compile(rf"v1:edit:({JOB_ID_PATTERN})(?::(\d{{1,5}}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFile:
    """A file on somebody's message, not yet looked into."""

    attachment: discord.Attachment
    channel_id: int | None = None
    message_id: int | None = None


def image_attachments(message: discord.Message | discord.MessageSnapshot) -> list[discord.Attachment]:
    """The attachments Discord takes for pictures; their bytes are checked later."""
    return [file for file in message.attachments if (file.content_type or "image/").startswith("image/")][:10]


def files_of(message: discord.Message) -> list[FoundFile]:
    """Pictures on a message, or on the message that it forwards."""
    own = [
        FoundFile(attachment=file, channel_id=message.channel.id, message_id=message.id)
        for file in image_attachments(message)
    ]
    return own or [
        FoundFile(attachment=file)
        for snapshot in message.message_snapshots
        for file in image_attachments(snapshot)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnResult:
    """What the buttons of one of our results say of it; `price_credits` is that of an edit."""

    job_id: str
    price_credits: int | None


def own_result(message: discord.Message) -> OwnResult | None:
    """The result of ours that this message is, by its Edit button; a message of somebody else's may lie."""
    for component in walk(message.components):
        match = _EDIT_BUTTON.fullmatch(str(getattr(component, "custom_id", "") or ""))
        if match:
            return OwnResult(job_id=match[1], price_credits=int(match[2]) if match[2] else None)
    return None


def count_pictures(message: discord.Message) -> int:
    """How many pictures a result shows."""
    return sum(
        len(component.items)
        for component in walk(message.components)
        if isinstance(component, discord.MediaGalleryComponent)
    )


def walk(components: Iterable[Any]) -> Iterable[Any]:
    for component in components:
        yield component
        yield from walk(getattr(component, "children", ()))


class SourceLoader:
    """Fetches files from Discord and looks into them, a few at a time."""

    def __init__(self, retry: Retry) -> None:
        self._retry = retry
        self._inspections = asyncio.Semaphore(INSPECTIONS_MAX)

    async def load(self, found: FoundFile) -> tuple[Source, SourceImage]:
        """**Raises** SourceRefused."""
        check_source_bytes(found.attachment.size)
        async with self._inspections:
            try:
                data = await self._retry.call("file", found.attachment.read, ANSWER)
            except DISCORD_ERRORS as error:
                raise SourceRefused("source.unreachable") from error
            image = await asyncio.to_thread(inspect_source, data)
        source = Source(
            url=found.attachment.url,
            channel_id=found.channel_id,
            message_id=found.message_id,
            attachment_id=found.attachment.id,
        )
        return source, image


def edit_of_file(prompt: str, image: SourceImage) -> Picture:
    return Picture(prompt=prompt, aspect_ratio=nearest_ratio(image.width, image.height))


def edit_of_job(prompt: str, job: Job, index: int, *, channel_id: int) -> tuple[Picture, Source]:
    """An edit of picture `index` (from 0) of one of our results, in the same shape. **Raises** AppError."""
    if not job.results:
        raise AppError("job.unknown")
    if index >= len(job.results):
        raise AppError("input.which", count=len(job.results))
    result = job.results[index]
    picture = Picture(
        prompt=prompt,
        aspect_ratio=job.aspect_ratio,
        width=job.width,
        height=job.height,
        steps=job.steps,
        guidance=job.guidance,
        output_format=job.output_format,
    )
    source = Source(
        url=result.url, channel_id=channel_id, message_id=job.message_id, job_id=job.id, image_index=index
    )
    return picture, source


class OpenWindows:
    """Files of windows that are open now: bounded in number and time, gone at a restart."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: OrderedDict[str, tuple[float, int, Sequence[FoundFile]]] = OrderedDict()

    def remember(self, user_id: int, files: Sequence[FoundFile]) -> str:
        key = secrets.token_hex(8)
        self._open[key] = (self._clock.monotonic() + OPEN_WINDOW_S, user_id, files)
        while len(self._open) > OPEN_WINDOWS_MAX:
            self._open.popitem(last=False)
        return key

    def take(self, key: str, user_id: int) -> Sequence[FoundFile]:
        """**Raises** AppError when the window is too old, unknown or somebody else's."""
        until, owner, files = self._open.pop(key, (0.0, 0, ()))
        if owner != user_id or until < self._clock.monotonic():
            raise AppError("modal.stale")
        return files

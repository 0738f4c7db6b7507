"""The last step of a job: fetch the pictures and post them, once.

An outage of Discord is waited out in the state `delivering`; before every further attempt it is looked
whether an earlier one has arrived after all.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bot.jobs.outcomes import Failure, Outcome, describe, failed
from bot.jobs.ports import DeliveryDelayed, Undeliverable, Unseen
from bot.kvid.errors import KvidError
from bot.log import get_logger
from bot.tasks import wait_for
from db.enums import JobState

if TYPE_CHECKING:
    from bot.clock import Clock
    from bot.jobs.ports import Kvid, Surface
    from bot.jobs.writes import Writes
    from bot.kvid.model import DownloadedImage
    from db.values import Job

log = get_logger(__name__)

DOWNLOAD_ATTEMPTS_MAX = 3
# Pictures of so many jobs may be in memory at once, waiting for Discord.
POSTS_MAX = 8
# How long Discord may be away before a finished picture is called off.
DELIVERY_PATIENCE_S = 900.0
DELIVERY_RETRY_MAX_S = 30.0


class Posting:
    def __init__(
        self, *, clock: Clock, kvid: Kvid, surface: Surface, writes: Writes, stopping: asyncio.Event
    ) -> None:
        self._clock = clock
        self._kvid = kvid
        self._surface = surface
        self._writes = writes
        self._stopping = stopping
        self._posts = asyncio.Semaphore(POSTS_MAX)

    async def deliver(self, job: Job, *, look_first: bool) -> Job | None:
        """Post the result once: look first where an earlier attempt may have done it, then fetch and post."""
        attempt = 1 if look_first else 0
        # Not from the row: a job left in `delivering` over a long downtime has its full patience, too.
        begun_s = self._clock.monotonic()
        while True:
            try:
                async with self._posts:
                    return await self._deliver_once(job, attempt)
            except Undeliverable as error:
                failure = Failure.UNSEEN if isinstance(error, Unseen) else Failure.UNDELIVERABLE
                return await self._writes.end(job, _undeliverable(failure), error.reason)
            except DeliveryDelayed as error:
                current = await self._writes.find(job.id)
                if current is None or current.state is not JobState.DELIVERING or current.epoch != job.epoch:
                    return None
                job = current
                attempt += 1
                log.warning("delivery.delayed", job=job.id, attempt=attempt, reason=error.reason)
                if self._clock.monotonic() - begun_s > DELIVERY_PATIENCE_S:
                    return await self._writes.end(job, _undeliverable(Failure.DISCORD), error.reason)
                wait_s = max(min(2.0 ** min(attempt, 10), DELIVERY_RETRY_MAX_S), error.retry_after_s or 0.0)
            # Outside of the places for posts: whom Discord does not serve now shall not hold up the others.
            await wait_for(self._clock, self._stopping, min(wait_s, DELIVERY_PATIENCE_S))
            if self._stopping.is_set():
                return None

    async def _deliver_once(self, job: Job, attempt: int) -> Job | None:
        if attempt:
            posted = await self._surface.find_delivered(job)
            if posted is not None:
                return await self._writes.settle(job, posted.message_id)
        images = await self._download(job)
        if images is None:
            outcome = _undeliverable(Failure.DOWNLOAD) if attempt else failed(Failure.DOWNLOAD)
            return await self._writes.end(job, outcome, "the pictures cannot be fetched")
        if job.state is JobState.SUCCEEDED:
            delivering = await self._writes.advance(job, JobState.DELIVERING, "job.delivering")
            if delivering is None:
                return None
            job = delivering
        elif not await self._writes.is_owner(job):
            return None
        try:
            posted = await self._surface.deliver(job, images)
        except Undeliverable as error:
            # Here, where the state after the intent is known.
            return await self._writes.end(job, _undeliverable(Failure.UNDELIVERABLE), error.reason)
        return await self._writes.settle(job, posted.message_id)

    async def _download(self, job: Job) -> list[DownloadedImage] | None:
        for attempt in range(1, DOWNLOAD_ATTEMPTS_MAX + 1):
            try:
                return [await self._kvid.download(image.url) for image in job.results]
            except KvidError as error:
                log.warning("kvid.download_failed", job=job.id, attempt=attempt, error=describe(error))
        return None


def _undeliverable(failure: Failure) -> Outcome:
    return Outcome(state=JobState.UNDELIVERABLE, failure=failure)

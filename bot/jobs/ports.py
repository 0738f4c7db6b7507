"""What the runner needs from the outside, so that it knows neither Discord nor HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sqlalchemy import Connection

    from bot.kvid.model import (
        DownloadedImage,
        ImageToImage,
        JobResult,
        StatusReport,
        SubmittedJob,
        TextToImage,
    )
    from db.values import Job


class Kvid(Protocol):
    """`bot.kvid.KvidClient`; every method raises only KvidError."""

    async def submit(self, request: TextToImage | ImageToImage) -> SubmittedJob: ...
    async def fetch_status(self, job_id: str) -> StatusReport: ...
    async def fetch_result(self, job_id: str) -> JobResult: ...
    async def download(self, url: str) -> DownloadedImage: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    message_id: int
    channel_id: int


class Undeliverable(Exception):
    """The result cannot be shown where it was asked for; `reason` is for the operator."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Unseen(Undeliverable):
    """The result may have been shown before, nobody can find out, and showing it again could show it twice."""


class DeliveryDelayed(Exception):
    """Discord does not answer, or asks to come back: the same call may work later, `retry_after_s` from now."""

    def __init__(self, reason: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_s = retry_after_s


class SourceExpired(Exception):
    """The address of the picture to edit no longer works and could not be renewed."""


class RunAgain(Exception):
    """The job is not done with: somebody shall go on with it, after so long; at once when this process stops."""

    def __init__(self, delay_s: float) -> None:
        super().__init__(delay_s)
        self.delay_s = delay_s


class Engine(Protocol):
    """Who works on which job, and when: `bot.jobs.engines`. The job rows stay the truth.

    What is offered may be lost or doubled without harm: each run begins by becoming the job's owner.
    """

    def offer(self, c: Connection, job_ids: Sequence[str]) -> None:
        """Have these jobs run by somebody, once the caller's transaction is there.

        **Transaction** joins. **Repeatable** yes.
        """
        ...

    def wake(self) -> None:
        """Look soon: a transaction with an offer has ended. Returns at once."""
        ...

    async def start(self, run: Callable[[str], Awaitable[None]]) -> None:
        """Run offered jobs here by `run(job_id)`, and again after its RunAgain."""
        ...

    async def stop(self, *, grace_s: float) -> int:
        """Begin nothing more; let what runs end for so long. How many were cut short."""
        ...


class Surface(Protocol):
    """Where members see their jobs: `bot.delivery.Delivery`."""

    async def deliver(self, job: Job, images: Sequence[DownloadedImage]) -> Delivered:
        """Show the result.

        **Repeatable** by the job's nonce, for a few minutes. **Raises** Undeliverable, DeliveryDelayed.
        """
        ...

    async def find_delivered(self, job: Job) -> Delivered | None:
        """The result, when an earlier attempt showed it already.

        **Raises** Undeliverable, above all Unseen; DeliveryDelayed.
        """
        ...

    async def check_place(self, job: Job) -> None:
        """**Raises** Undeliverable when Discord already says that no result can be shown."""
        ...

    def show(self, job: Job, *, place: int | None = None) -> None:
        """Bring the member's card to the job's state, some time soon; never fails."""
        ...

    def show_again(self, job: Job) -> None:
        """The same for a job that ended shortly before a restart, or whose failure nobody was told."""
        ...

    async def fresh_source_url(self, job: Job) -> str:
        """An address of the job's source that works now. **Raises** SourceExpired."""
        ...

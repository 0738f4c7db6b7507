"""kvid's client with a watch in its hand: how long each call took, and what went wrong by its code.

Stands between the job engine and `bot.kvid`, which knows nothing of metrics.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from bot.kvid.errors import KvidError

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from bot.clock import Clock
    from bot.jobs.ports import Kvid
    from bot.kvid.model import (
        DownloadedImage,
        ImageToImage,
        JobResult,
        StatusReport,
        SubmittedJob,
        TextToImage,
    )
    from bot.metrics import Metrics

Value = TypeVar("Value")

# Codes of the contract and of its later editions; whatever else a server writes shares one label.
_CODES = frozenset(
    {
        "INVALID_PROMPT",
        "INSUFFICIENT_CREDITS",
        "INSUFFICIENT_CREDIT",
        "SAFETY_CHECK_FAILED",
        "RATE_LIMITED",
        "SERVER_ERROR",
        "MISSING_PARAMETERS",
        "INVALID_PARAMETERS",
        "JOB_NOT_FOUND",
        "JOB_NOT_COMPLETED",
        "JOB_FAILED",
    }
)


class MeteredKvid:
    """`bot.jobs.ports.Kvid`."""

    def __init__(self, kvid: Kvid, metrics: Metrics, clock: Clock) -> None:
        self._kvid = kvid
        self._metrics = metrics
        self._clock = clock

    async def submit(self, request: TextToImage | ImageToImage) -> SubmittedJob:
        return await self._meter("submit", self._kvid.submit(request))

    async def fetch_status(self, job_id: str) -> StatusReport:
        return await self._meter("status", self._kvid.fetch_status(job_id))

    async def fetch_result(self, job_id: str) -> JobResult:
        return await self._meter("result", self._kvid.fetch_result(job_id))

    async def download(self, url: str) -> DownloadedImage:
        return await self._meter("download", self._kvid.download(url))

    async def _meter(self, call: str, work: Awaitable[Value]) -> Value:
        begun_s = self._clock.monotonic()
        try:
            return await work
        except KvidError as error:
            self._metrics.kvid_failed(call, name_code(error))
            raise
        finally:
            self._metrics.kvid_answered(call, self._clock.monotonic() - begun_s)


def name_code(error: KvidError) -> str:
    """The error's code where it is a known one, else its HTTP status, else its kind."""
    if error.code in _CODES:
        return error.code
    if error.http_status is not None and 100 <= error.http_status <= 599:
        return f"HTTP {error.http_status}"
    return type(error).__name__

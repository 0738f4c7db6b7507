"""kvid's image API as calls: submit, ask, fetch, download.

Owns the order of things: build, send, read, and try again where that is safe. Must not know Discord, the
database, or what a job is worth. Stands on top of the package; whoever runs jobs calls it.
"""

import asyncio
import logging
import random as chance_source
import re
import time
from collections.abc import Awaitable, Callable
from typing import Self, TypeVar

from bot.kvid import wire
from bot.kvid.addresses import is_web_url
from bot.kvid.errors import InvalidFieldError, KvidError, KvidInvalidParameters, KvidJobNotFound
from bot.kvid.model import (
    DownloadedImage,
    GenerationRequest,
    JobResult,
    JobStatus,
    StatusReport,
    SubmittedJob,
)
from bot.kvid.retry import RetryPolicy, decide_wait_s
from bot.kvid.transport import Transport

IMAGE_BYTES_MAX = 26_214_400
# No job is called this: kvid's own ids begin with the kind of picture and a time.
KEY_CHECK_JOB_ID = "kvid-bot-key-check"
REMEMBERED_STATUSES_MAX = 32

_HEADER_SAFE = re.compile(r"[!-~]{1,512}")

logger = logging.getLogger(__name__)
T = TypeVar("T")


class KvidClient:
    """One client for the process; it opens its connections at first use and must be closed.

    Raises: InvalidFieldError for a base URL, key or product code that could not be sent.
    """

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str,
        product_code: str | None = None,
        policy: RetryPolicy | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        random: Callable[[], float] = chance_source.random,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if not is_web_url(base_url) or "?" in base_url or "#" in base_url:
            raise InvalidFieldError(field="base_url", problem="malformed")
        if not _HEADER_SAFE.fullmatch(api_key):
            raise InvalidFieldError(field="api_key", problem="malformed")
        if product_code is not None and not _HEADER_SAFE.fullmatch(product_code):
            raise InvalidFieldError(field="product_code", problem="malformed")
        self._base_url = base_url.rstrip("/")
        self._api_key = api_key
        self._product_code = product_code
        self._policy = policy or RetryPolicy()
        self._sleep = sleep
        self._random = random
        self._monotonic = monotonic
        self._transport = Transport(base_url=self._base_url)
        self._unknown_statuses: set[str] = set()

    def __repr__(self) -> str:
        return f"KvidClient(base_url={self._base_url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End all connections. Repeatable: yes."""
        await self._transport.close()

    async def submit(self, request: GenerationRequest) -> SubmittedJob:
        """Order pictures; this is what costs credits.

        Raises: KvidError; with `outcome_unknown` kvid may have accepted the job all the same.
        Repeatable: no, kvid has no idempotency key. Here it is sent again only when the first was certainly
        not accepted.
        """
        wire_request = wire.build_submit(request, api_key=self._api_key, product_code=self._product_code)

        async def attempt() -> SubmittedJob:
            try:
                answer = await self._transport.send(wire_request, secrets=(self._api_key, request.prompt))
                return wire.parse_submit(answer)
            except KvidError as error:
                error.outcome_unknown = wire.is_outcome_unknown(error)
                raise

        return await self._call("submit", attempt, is_submit=True)

    async def fetch_status(self, job_id: str) -> StatusReport:
        """How far a job is.

        Raises: KvidError; KvidJobNotFound where kvid does not know the job.
        Repeatable: yes.
        """

        async def attempt() -> StatusReport:
            answer = await self._ask(wire.build_status(job_id, api_key=self._api_key))
            return wire.parse_status(answer, job_id=job_id)

        report = await self._call("status", attempt)
        if report.status is JobStatus.UNKNOWN:
            self._note_unknown_status(report.raw_status)
        return report

    async def fetch_result(self, job_id: str) -> JobResult:
        """A completed job's pictures.

        Raises: KvidError; KvidJobNotCompleted while the job runs, KvidJobFailed where no picture will come.
        Repeatable: yes.
        """

        async def attempt() -> JobResult:
            answer = await self._ask(wire.build_result(job_id, api_key=self._api_key))
            return wire.parse_result(answer, job_id=job_id)

        return await self._call("result", attempt)

    async def download(self, url: str, *, bytes_max: int = IMAGE_BYTES_MAX) -> DownloadedImage:
        """A picture's bytes, held in memory whole.

        Raises: KvidDownloadError, KvidUnreachable, KvidProtocolError.
        Repeatable: yes.
        """
        return await self._call("download", lambda: self._transport.download(url, bytes_max=bytes_max))

    async def check_key(self) -> None:
        """Ask about a job that cannot exist: costs nothing, and tells whether the key is accepted.

        Raises: KvidUnauthorized where it is not; another KvidError where that could not be found out.
        Repeatable: yes.
        """

        async def attempt() -> None:
            answer = await self._ask(wire.build_status(KEY_CHECK_JOB_ID, api_key=self._api_key))
            try:
                wire.parse_status(answer, job_id=KEY_CHECK_JOB_ID)
            except (KvidJobNotFound, KvidInvalidParameters):
                return

        await self._call("key check", attempt)

    async def _ask(self, request: wire.WireRequest) -> wire.Answer:
        return await self._transport.send(request, secrets=(self._api_key,))

    async def _call(self, name: str, attempt: Callable[[], Awaitable[T]], *, is_submit: bool = False) -> T:
        started_s = self._monotonic()
        tries = 0
        while True:  # ended by decide_wait_s after policy.attempts_max tries at the latest
            tries += 1
            try:
                return await attempt()
            except KvidError as error:
                wait_s = decide_wait_s(
                    self._policy,
                    error=error,
                    attempt=tries,
                    elapsed_s=self._monotonic() - started_s,
                    is_submit=is_submit,
                    chance=self._random(),
                )
                if wait_s is None:
                    raise
                logger.info(
                    "kvid %s: %s on try %d, again in %.2f s", name, type(error).__name__, tries, wait_s
                )
            await self._sleep(wait_s)

    def _note_unknown_status(self, raw_status: str) -> None:
        if raw_status in self._unknown_statuses or len(self._unknown_statuses) >= REMEMBERED_STATUSES_MAX:
            return
        self._unknown_statuses.add(raw_status)
        logger.warning("kvid reports the unknown job status %r; such jobs count as still running", raw_status)

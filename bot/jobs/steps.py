"""The steps of one job: submit, wait, fetch, deliver, settle, or end without a picture.

Every step is: write the intent, do the one thing outside, write what came of it. No transaction is open
across a network await. Each write says which states and which epoch it moves from, so a second owner of the
same job changes nothing. Knows neither Discord nor HTTP; both come through `jobs.ports`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Unpack, assert_never

from bot.credits import ledger
from bot.credits.rules import settle_amount
from bot.ids import new_transfer_id
from bot.jobs.outcomes import Failure, Outcome, decide_submit_outcome, decide_wait_outcome, is_retry_later
from bot.jobs.polling import deadline_s, next_poll_delay_s
from bot.jobs.ports import SourceExpired, Undeliverable
from bot.jobs.requests import build_request, size_of
from bot.jobs.states import ENDED, GIVEN_UP, sources_of
from bot.kvid.errors import KvidError, KvidJobNotCompleted, KvidRateLimited
from bot.kvid.model import JobResult, JobStatus
from bot.log import get_logger
from bot.tasks import wait_for
from db.enums import JobState
from db.queries import jobs as queries
from db.values import JobImage

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy import Connection

    from bot.clock import Clock
    from bot.jobs.ports import Kvid, Surface
    from bot.kvid.model import DownloadedImage, ResultImage
    from db.engine import Database
    from db.values import Job, JobChanges

log = get_logger(__name__)

SUBMIT_ATTEMPTS_MAX = 5
RATE_LIMIT_PAUSE_S = 2.0
RATE_LIMIT_PAUSE_MAX_S = 60.0
ACCOUNT_PAUSE_S = 60.0
WAIT_ERRORS_MAX = 8
DOWNLOAD_ATTEMPTS_MAX = 3


class Steps:
    """What one step of a job does; `Runner` decides when."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        kvid: Kvid,
        surface: Surface,
        settle_tolerance_credits: int,
    ) -> None:
        self._database = database
        self._clock = clock
        self._kvid = kvid
        self._surface = surface
        self._tolerance = settle_tolerance_credits
        self.stopping = asyncio.Event()
        # Set by the runner: submit nothing for so long; and take nothing in either.
        self.pause: Callable[[float], None] = lambda _delay_s: None
        self.pause_intake: Callable[[float], None] = lambda _delay_s: None

    async def take(self, job: Job) -> Job | None:
        """One arrow of the picture; None when another owner moved the job meanwhile."""
        match job.state:
            case JobState.RESERVED:
                return await self._submit(job)
            case JobState.SUBMITTING:
                # Found after a crash: whether kvid took it is unknown, and asking twice could charge twice.
                return await self._end(
                    job, Outcome(state=JobState.UNKNOWN, failure=Failure.UNKNOWN), "found submitting"
                )
            case JobState.SUBMITTED:
                return await self._wait_for_kvid(job)
            case JobState.SUCCEEDED | JobState.DELIVERING:
                return await self._deliver(job)
            case (
                JobState.DELIVERED
                | JobState.REFUSED
                | JobState.FAILED
                | JobState.UNKNOWN
                | JobState.UNDELIVERABLE
                | JobState.CANCELLED
            ):
                return None
            case _:
                assert_never(job.state)

    async def give_up(self, job_id: str, detail: str) -> None:
        """End a job whose step fails each time, wherever it stands."""
        job = await self._database.read(lambda c: queries.find_job(c, job_id))
        if job is not None and job.state not in ENDED:
            await self._end(job, Outcome(state=GIVEN_UP[job.state], failure=Failure.BUG), detail)

    # --- submit ---

    async def _submit(self, waiting: Job) -> Job | None:
        now = self._clock.now()
        try:
            source_url = await self._surface.fresh_source_url(waiting) if waiting.source_url else None
            request = build_request(waiting, source_url)
        except SourceExpired:
            return await self._end(waiting, _failed(Failure.SOURCE), "source expired")
        except ValueError as error:
            return await self._end(waiting, _failed(Failure.PARAMETERS), f"request: {error}")
        job = await self._database.transaction(
            lambda c: queries.take_job(
                c,
                waiting.id,
                from_states=sources_of(JobState.SUBMITTING),
                to=JobState.SUBMITTING,
                now=now,
                event="job.submitting",
            )
        )
        if job is None:
            return None
        try:
            submitted = await self._kvid.submit(request)
        except KvidError as error:
            return await self._submit_failed(job, error)
        estimated_s = submitted.estimated_time_s[1] if submitted.estimated_time_s else None
        accepted_at = self._clock.now()
        after = await self._advance(
            job,
            JobState.SUBMITTED,
            "job.submitted",
            kvid_job_id=submitted.job_id,
            estimated_s=estimated_s,
            submitted_at=accepted_at,
        )
        if after is not None:
            log.info("job.submitted", job=job.id, kvid_job=submitted.job_id, estimated_s=estimated_s)
            self._surface.show(after)
        return after

    async def _submit_failed(self, job: Job, error: KvidError) -> Job | None:
        if is_retry_later(error) and job.epoch < SUBMIT_ATTEMPTS_MAX:
            pause_s = min(error.retry_after_s or RATE_LIMIT_PAUSE_S, RATE_LIMIT_PAUSE_MAX_S)
            self.pause(pause_s)
            log.warning(
                "kvid.rate_limited", job=job.id, attempt=job.epoch, pause_s=pause_s, error=describe(error)
            )
            back = await self._advance(job, JobState.RESERVED, "job.put_back")
            if back is not None:
                self._surface.show(back, place=1)
            return back
        outcome = decide_submit_outcome(error)
        if outcome.pauses_intake:
            self._pause_intake(error)
        return await self._end(job, outcome, describe(error))

    def _pause_intake(self, error: KvidError) -> None:
        """Our account is empty or our key refused: only the operator can mend it, so stop asking for a while."""
        self.pause(ACCOUNT_PAUSE_S)
        self.pause_intake(ACCOUNT_PAUSE_S)
        log.error(
            "kvid.account_refused",
            error=describe(error),
            pause_s=ACCOUNT_PAUSE_S,
            mend="Top up the kvid account or put a valid KVID_API_KEY into .env; work goes on by itself",
        )

    # --- wait ---

    async def _wait_for_kvid(self, job: Job) -> Job | None:
        self._surface.show(job)
        errors = 0
        while True:
            age_s = self._age_s(job)
            if age_s > deadline_s(job.estimated_s):
                return await self._end(job, _failed(Failure.TIMEOUT), "deadline")
            delay_s = next_poll_delay_s(age_s=age_s, estimated_s=job.estimated_s) * min(errors + 1, 4)
            await wait_for(self._clock, self.stopping, delay_s)
            if self.stopping.is_set():
                return None
            try:
                outcome = await self._ask(job)
                errors = 0
            except KvidJobNotCompleted:
                continue
            except KvidError as error:
                errors += 1
                outcome = await self._ask_failed(job, error, errors)
            match outcome:
                case (ending, detail):
                    return await self._end(job, ending, detail)
                case JobResult():
                    return await self._succeeded(job, outcome)
                case None:
                    continue

    async def _ask(self, job: Job) -> JobResult | tuple[Outcome, str] | None:
        """What kvid says of the job: its result, its end, or None while it is still being made."""
        kvid_job_id = job.kvid_job_id or ""
        report = await self._kvid.fetch_status(kvid_job_id)
        if report.status is JobStatus.COMPLETED:
            return await self._kvid.fetch_result(kvid_job_id)
        if report.status in {JobStatus.FAILED, JobStatus.CANCELED}:
            return _failed(
                Failure.RENDER
            ), f"kvid said {report.raw_status}: {report.error_message or 'no reason'}"
        return None

    async def _ask_failed(self, job: Job, error: KvidError, errors: int) -> tuple[Outcome, str] | None:
        """The job's end when `error` means one, or too many came in a row; else None, after any pause asked for."""
        outcome = decide_wait_outcome(error)
        if outcome is not None:
            return outcome, describe(error)
        log.warning("kvid.ask_failed", job=job.id, error=describe(error), errors=errors)
        if errors >= WAIT_ERRORS_MAX:
            return _failed(Failure.PROTOCOL), describe(error)
        if isinstance(error, KvidRateLimited) and error.retry_after_s:
            await wait_for(self._clock, self.stopping, min(error.retry_after_s, RATE_LIMIT_PAUSE_MAX_S))
        return None

    def _age_s(self, job: Job) -> float:
        since: datetime = job.submitted_at or job.updated_at
        return max(0.0, (self._clock.now() - since).total_seconds())

    async def _succeeded(self, job: Job, result: JobResult) -> Job | None:
        if not result.images:
            return await self._end(job, _failed(Failure.PROTOCOL), "no picture in result")
        # A result that does not say what it cost is charged as estimated.
        reported = job.reserved_credits if result.used_credit is None else result.used_credit
        charged, excess = settle_amount(job.reserved_credits, reported, self._tolerance)
        if excess:
            log.warning("ledger.excess_on_operator", job=job.id, credits=excess, reported=reported)
        return await self._advance(
            job,
            JobState.SUCCEEDED,
            "job.succeeded",
            detail={"reported_credits": reported},
            used_credits=charged,
            results=tuple(_image_of(job, image) for image in result.images[: job.image_count]),
        )

    # --- deliver ---

    async def _deliver(self, job: Job) -> Job | None:
        delivering: Job | None = job
        images = await self._download(job)
        if images is None:
            state = JobState.UNDELIVERABLE if job.state is JobState.DELIVERING else JobState.FAILED
            return await self._end(
                job, Outcome(state=state, failure=Failure.DOWNLOAD), "the pictures cannot be fetched"
            )
        if job.state is JobState.SUCCEEDED:
            delivering = await self._advance(job, JobState.DELIVERING, "job.delivering")
            if delivering is None:
                return None
        assert delivering is not None  # noqa: S101 - narrows for mypy; both branches above set it
        try:
            posted = await self._surface.deliver(delivering, images)
        except Undeliverable as error:
            return await self._end(
                delivering, Outcome(state=JobState.UNDELIVERABLE, failure=Failure.UNDELIVERABLE), error.reason
            )
        return await self._settle(delivering, posted.message_id)

    async def _download(self, job: Job) -> list[DownloadedImage] | None:
        for attempt in range(1, DOWNLOAD_ATTEMPTS_MAX + 1):
            try:
                return [await self._kvid.download(image.url) for image in job.results]
            except KvidError as error:
                log.warning("kvid.download_failed", job=job.id, attempt=attempt, error=describe(error))
        return None

    async def _settle(self, job: Job, message_id: int) -> Job | None:
        now = self._clock.now()

        def work(connection: Connection) -> Job | None:
            charged = job.used_credits if job.used_credits is not None else job.reserved_credits
            # The job before the ledger, as everywhere: one order of locks, no deadlock.
            delivered = queries.advance_job(
                connection,
                job.id,
                from_states=sources_of(JobState.DELIVERED),
                to=JobState.DELIVERED,
                now=now,
                event="job.delivered",
                epoch=job.epoch,
                detail={"message_id": str(message_id), "charged": charged},
                message_id=message_id,
                finished_at=now,
            )
            if delivered is not None:
                ledger.settle(
                    connection,
                    transfer_id=new_transfer_id(),
                    job_id=job.id,
                    used_credits=charged,
                    tolerance_credits=self._tolerance,
                    now=now,
                )
            return delivered

        delivered = await self._database.transaction(work)
        if delivered is not None:
            log.info(
                "job.delivered",
                job=job.id,
                user=job.user_id,
                credits=delivered.used_credits,
                reserved=job.reserved_credits,
                total_s=round((now - job.created_at).total_seconds(), 2),
            )
            self._surface.show(delivered)
        return delivered

    # --- writes ---

    async def _advance(
        self,
        job: Job,
        to: JobState,
        event: str,
        detail: dict[str, object] | None = None,
        **changes: Unpack[JobChanges],
    ) -> Job | None:
        now = self._clock.now()
        return await self._database.transaction(
            lambda c: queries.advance_job(
                c,
                job.id,
                from_states=sources_of(to),
                to=to,
                now=now,
                event=event,
                detail=detail,
                epoch=job.epoch,
                **changes,
            )
        )

    async def _end(self, job: Job, outcome: Outcome, detail: str) -> Job | None:
        """End a job without a picture: one transaction for its state and the return of its credits."""
        now = self._clock.now()

        def work(connection: Connection) -> Job | None:
            ended = queries.advance_job(
                connection,
                job.id,
                from_states=sources_of(outcome.state),
                to=outcome.state,
                now=now,
                event=f"job.{outcome.state.value}",
                epoch=job.epoch,
                detail={"failure": outcome.failure.value},
                failure=outcome.failure.value,
                failure_detail=detail[:500],
                finished_at=now,
            )
            if ended is not None:
                ledger.void(connection, transfer_id=new_transfer_id(), job_id=job.id, now=now)
            return ended

        ended = await self._database.transaction(work)
        if ended is not None:
            event = f"job.{outcome.state.value}"
            log.warning(
                event,
                job=job.id,
                user=job.user_id,
                failure=outcome.failure.value,
                detail=detail,
                kvid_job=job.kvid_job_id,
            )
            self._surface.show(ended)
        return ended


def _failed(failure: Failure) -> Outcome:
    return Outcome(state=JobState.FAILED, failure=failure)


def describe(error: KvidError) -> str:
    """One line for the operator: kind, code, HTTP status, excerpt."""
    parts = [type(error).__name__]
    if error.code:
        parts.append(error.code)
    if error.http_status:
        parts.append(f"HTTP {error.http_status}")
    if error.excerpt:
        parts.append(repr(error.excerpt[:200]))
    return " ".join(parts)


def _image_of(job: Job, image: ResultImage) -> JobImage:
    """What kvid did not say of a picture is taken from what was asked for."""
    width, height = size_of(job)
    return JobImage(
        url=image.url,
        width=image.width or width,
        height=image.height or height,
        content_type=image.content_type or f"image/{job.output_format}",
    )

"""The steps of one job at kvid: submit, wait, take the result, or end without a picture.

Every step is: write the intent (`jobs.writes`), do the one thing outside, write what came of it. No
transaction is open across a network await. Posting the result is `jobs.posting`. Knows neither Discord nor
HTTP; both come through `jobs.ports`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bot.credits.rules import settle_amount
from bot.jobs.answers import Faults, Heard, hear_failure
from bot.jobs.durations import Durations
from bot.jobs.gate import LINE_PATIENCE_S
from bot.jobs.gate_rules import Signal
from bot.jobs.outcomes import (
    Failure,
    Outcome,
    decide_signal,
    decide_submit_outcome,
    describe,
    failed,
    is_retry_later,
)
from bot.jobs.polling import deadline_s, next_poll_delay_s
from bot.jobs.ports import SourceExpired, Undeliverable
from bot.jobs.posting import Posting
from bot.jobs.recovery import NextStep, Said, decide
from bot.jobs.requests import build_request, size_of
from bot.jobs.states import ENDED, GIVEN_UP
from bot.jobs.writes import Writes
from bot.kvid.errors import (
    KvidError,
    KvidJobNotCompleted,
)
from bot.kvid.model import JobStatus
from bot.log import get_logger
from bot.tasks import wait_for
from db.enums import JobState
from db.values import JobImage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from bot.clock import Clock
    from bot.jobs.gate import Gate
    from bot.jobs.ports import Kvid, Surface
    from bot.kvid.model import JobResult, ResultImage
    from db.engine import Database
    from db.values import Job

log = get_logger(__name__)

STEP_FAILURES_MAX = 20
# How long a job is asked about without a look at whether it is still ours.
OWNER_SURE_S = 10.0


class Steps:
    """What one step of a job does; `Runner` decides when."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        kvid: Kvid,
        surface: Surface,
        gate: Gate,
        settle_tolerance_credits: int,
        on_finished: Callable[[Job, Mapping[str, float]], None] | None = None,
    ) -> None:
        self._clock = clock
        self._kvid = kvid
        self._surface = surface
        self._gate = gate
        self._durations = Durations(database, clock)
        self.stopping = asyncio.Event()
        self._writes = Writes(
            database=database,
            clock=clock,
            surface=surface,
            settle_tolerance_credits=settle_tolerance_credits,
        )
        if on_finished is not None:
            self._writes.on_finished = on_finished
        # Called with each job that somebody else had begun.
        self.on_taken_up: Callable[[Job], None] = lambda _job: None
        self._posting = Posting(
            clock=clock, kvid=kvid, surface=surface, writes=self._writes, stopping=self.stopping
        )

    async def take(self, job: Job) -> Job | None:
        """One arrow of the picture; None when another owner moved the job meanwhile."""
        match decide(job.state):
            case NextStep.SUBMIT:
                return await self._submit(job)
            case NextStep.CALL_OFF:
                outcome = Outcome(state=JobState.UNKNOWN, failure=Failure.UNKNOWN)
                return await self._writes.end(job, outcome, "found submitting")
            case NextStep.ASK:
                return await self._wait_for_kvid(job)
            case NextStep.DELIVER:
                return await self._posting.deliver(job, look_first=False)
            case NextStep.LOOK_AND_DELIVER:
                return await self._posting.deliver(job, look_first=True)
            case _:
                return None

    async def adopt(self, job_id: str) -> Job | None:
        """Become the owner of a job that has left the line; None when there is nothing to go on with."""
        job = await self._writes.adopt(job_id)
        if job is not None and job.state is not JobState.RESERVED:
            log.info("job.taken_up", job=job.id, state=job.state.value, epoch=job.epoch)
            self.on_taken_up(job)
        return job

    async def count_failure(self, job: Job, detail: str) -> bool:
        """Whether a job whose step raised is to be tried again; else it has ended, or is somebody else's."""
        counted = await self._writes.count_failure(job, detail)
        if counted is None:
            return False
        current, failures = counted
        # Before the submit nothing has happened outside, so its member need not wait for a repetition.
        may_go_on = current.state is not JobState.RESERVED and failures < STEP_FAILURES_MAX
        if not may_go_on and current.state not in ENDED:
            await self._writes.end(
                current, Outcome(state=GIVEN_UP[current.state], failure=Failure.BUG), detail
            )
        return may_go_on

    # --- submit ---

    async def _submit(self, waiting: Job) -> Job | None:
        try:
            await self._surface.check_place(waiting)
            source_url = await self._surface.fresh_source_url(waiting) if waiting.source_url else None
            request = build_request(waiting, source_url)
        except Undeliverable as error:
            return await self._writes.end(waiting, failed(Failure.PLACE), error.reason)
        except SourceExpired:
            return await self._writes.end(waiting, failed(Failure.SOURCE), "source expired")
        except ValueError as error:
            return await self._writes.end(waiting, failed(Failure.PARAMETERS), f"request: {error}")
        job = await self._writes.advance(waiting, JobState.SUBMITTING, "job.submitting")
        if job is None:
            return None
        self._surface.show(job)
        try:
            submitted = await self._kvid.submit(request)
        except KvidError as error:
            return await self._submit_failed(job, error)
        estimated_s = submitted.estimated_time_s[1] if submitted.estimated_time_s else None
        # Before the write: should that fail, this line is all that names the job at kvid.
        log.info("job.submitted", job=job.id, kvid_job=submitted.job_id, estimated_s=estimated_s)
        after = await self._writes.advance(
            job,
            JobState.SUBMITTED,
            "job.submitted",
            kvid_job_id=submitted.job_id,
            estimated_s=estimated_s,
            submitted_at=self._clock.now(),
        )
        if after is not None:
            self._surface.show(after)
        await self._gate.submitted()
        return after

    async def _submit_failed(self, job: Job, error: KvidError) -> Job | None:
        # First of all, so that nobody else is sent where this one was refused.
        await self._gate.failed(error, is_submit=True)
        waited_s = (self._clock.now() - job.created_at).total_seconds()
        if is_retry_later(error) and waited_s <= LINE_PATIENCE_S:
            log.info("job.put_back", job=job.id, waited_s=round(waited_s), error=describe(error))
            back = await self._writes.advance(job, JobState.RESERVED, "job.put_back", admitted_at=None)
            if back is not None:
                self._surface.show(back, place=1)
            return back
        return await self._writes.end(job, decide_submit_outcome(error), describe(error))

    async def call_off(self, job_id: str) -> None:
        """End a job that has waited too long in a line that stands still."""
        job = await self._writes.find(job_id)
        if job is not None and job.state is JobState.RESERVED and job.admitted_at is None:
            await self._writes.end(job, failed(Failure.BUSY), "the line stood still for too long")

    # --- wait ---

    async def _wait_for_kvid(self, job: Job) -> Job | None:
        faults = Faults()
        latest_s = deadline_s(job.estimated_s, await self._durations.find_slow_s(job))
        begun_s = sure_s = self._clock.monotonic()
        while True:
            # Again each time: an estimate that has passed changes the card's words.
            self._surface.show(job)
            delay_s = next_poll_delay_s(age_s=self._age_s(job), estimated_s=job.estimated_s)
            await wait_for(self._clock, self.stopping, faults.stretch_s(delay_s))
            if self.stopping.is_set():
                return None
            # A process that was held up for long has lost its jobs, and their cards are not its own any more.
            if self._clock.monotonic() - sure_s > OWNER_SURE_S:
                if not await self._writes.is_owner(job):
                    return None
                sure_s = self._clock.monotonic()
            heard = await self._ask(job, faults)
            # A job that was left alone for long may well be done: what counts is how long it was asked about,
            # unless kvid itself says that it still runs.
            asked_s = self._clock.monotonic() - begun_s
            step = decide(
                job.state,
                said=heard.said,
                waited_s=self._age_s(job) if heard.said is Said.UNFINISHED else asked_s,
                deadline_s=latest_s,
            )
            if step is NextStep.ASK:
                continue
            if step is NextStep.TAKE_RESULT and heard.result is not None:
                return await self._succeeded(job, heard.result)
            ending = heard.outcome or failed(Failure.TIMEOUT)
            return await self._writes.end(job, ending, heard.detail)

    async def _ask(self, job: Job, faults: Faults) -> Heard:
        """What kvid says of the job now; an outage is waited out until the deadline."""
        kvid_job_id = job.kvid_job_id or ""
        try:
            report = await self._kvid.fetch_status(kvid_job_id)
            result = (
                await self._kvid.fetch_result(kvid_job_id) if report.status is JobStatus.COMPLETED else None
            )
        except KvidJobNotCompleted:
            return Heard(said=Said.UNFINISHED)
        except KvidError as error:
            faults.count(error)
            # One silence may be this question's own bad luck.
            if faults.in_a_row > 1 or decide_signal(error, is_submit=False) is not Signal.OUTAGE:
                await self._gate.failed(error, is_submit=False)
            log.warning("kvid.ask_failed", job=job.id, error=describe(error), faults=faults.in_a_row)
            return hear_failure(error, faults)
        faults.forget()
        if result is not None:
            return Heard(said=Said.FINISHED, result=result)
        if report.status in {JobStatus.FAILED, JobStatus.CANCELED}:
            reason = report.error_message or "no reason"
            return Heard(
                said=Said.OVER,
                outcome=failed(Failure.RENDER),
                detail=f"kvid said {report.raw_status}: {reason}",
            )
        return Heard(said=Said.UNFINISHED)

    def _age_s(self, job: Job) -> float:
        since: datetime = job.submitted_at or job.updated_at
        return max(0.0, (self._clock.now() - since).total_seconds())

    async def _succeeded(self, job: Job, result: JobResult) -> Job | None:
        if not result.images:
            return await self._writes.end(job, failed(Failure.PROTOCOL), "no picture in result")
        # A result that does not say what it cost is charged as estimated.
        reported = job.reserved_credits if result.used_credit is None else result.used_credit
        charged, excess = settle_amount(job.reserved_credits, reported, self._writes.tolerance_credits)
        if excess:
            log.warning("ledger.excess_on_operator", job=job.id, credits=excess, reported=reported)
        return await self._writes.advance(
            job,
            JobState.SUCCEEDED,
            "job.succeeded",
            detail={"reported_credits": reported},
            used_credits=charged,
            results=tuple(_image_of(job, image) for image in result.images[: job.image_count]),
        )


def _image_of(job: Job, image: ResultImage) -> JobImage:
    """What kvid did not say of a picture is taken from what was asked for."""
    width, height = size_of(job)
    return JobImage(
        url=image.url,
        width=image.width or width,
        height=image.height or height,
        content_type=image.content_type or f"image/{job.output_format}",
    )

"""What is written of a job: one short transaction an arrow, for its state and for what it owes the ledger.

Each write says which states and which epoch it moves from, so a second owner of the same job changes
nothing. The job comes before the ledger, as everywhere: one order of locks, no deadlock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from bot.credits import ledger
from bot.ids import new_transfer_id
from bot.jobs.finished import build_line, measure_stages_s
from bot.jobs.states import sources_of
from bot.log import get_logger
from db.engine import is_outage
from db.enums import JobState
from db.queries import jobs as queries

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Connection

    from bot.clock import Clock
    from bot.jobs.outcomes import Outcome
    from bot.jobs.ports import Surface
    from db.engine import Database
    from db.values import Job, JobChanges, JobEvent

log = get_logger(__name__)

WRITE_RETRY_S = 0.25
WRITE_RETRY_MAX_S = 5.0
# How long a database may be away before a step is left to the next owner of its job.
WRITE_PATIENCE_S = 900.0


class Writes:
    def __init__(
        self, *, database: Database, clock: Clock, surface: Surface, settle_tolerance_credits: int
    ) -> None:
        self._database = database
        self._clock = clock
        self._surface = surface
        self.tolerance_credits = settle_tolerance_credits
        # Called with each job that ended here, and how long it stood in each stage (seconds).
        self.on_finished: Callable[[Job, Mapping[str, float]], None] = lambda _job, _stages_s: None

    async def find(self, job_id: str) -> Job | None:
        return await self._database.read(lambda c: queries.find_job(c, job_id))

    async def adopt(self, job_id: str) -> Job | None:
        """Become the job's owner: its epoch rises, and what an earlier owner writes no longer counts."""
        now = self._clock.now()
        return await self._database.transaction(lambda c: queries.adopt_job(c, job_id, now))

    async def is_owner(self, job: Job) -> bool:
        """Whether nobody else has adopted the job since; asked before what the database cannot refuse."""
        found = await self.find(job.id)
        return found is not None and found.epoch == job.epoch

    async def count_failure(self, job: Job, detail: str) -> tuple[Job, int] | None:
        """Keep that a step of the job failed; the job as it stands and how many did so far, or None to a stranger."""
        now = self._clock.now()
        return await self._database.transaction(
            lambda c: queries.count_failure(c, job.id, epoch=job.epoch, detail=detail[:500], now=now)
        )

    async def _write(self, job: Job, to: JobState, work: Callable[[Connection], Job | None]) -> Job | None:
        """A transaction that must not be lost, since something outside has happened: an outage is waited out.

        **Repeatable** because each is a conditional write.
        """
        begun_s, pause_s, again = self._clock.monotonic(), WRITE_RETRY_S, False
        while True:
            try:
                written = await self._database.transaction(work)
                return await self._find_written(job, to) if written is None and again else written
            except Exception as error:
                if not is_outage(error) or self._clock.monotonic() - begun_s > WRITE_PATIENCE_S:
                    raise
                log.warning("database.write_retried", job=job.id, to=to.value, error=repr(error))
            again = True
            await self._clock.sleep(pause_s)
            pause_s = min(pause_s * 2, WRITE_RETRY_MAX_S)

    async def _find_written(self, job: Job, to: JobState) -> Job | None:
        """The job, when an attempt whose answer was lost had moved it after all: nobody else has its epoch."""
        found = await self.find(job.id)
        return found if found is not None and (found.state, found.epoch) == (to, job.epoch) else None

    async def advance(
        self,
        job: Job,
        to: JobState,
        event: str,
        detail: dict[str, object] | None = None,
        **changes: Unpack[JobChanges],
    ) -> Job | None:
        now = self._clock.now()
        return await self._write(
            job,
            to,
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
            ),
        )

    async def end(self, job: Job, outcome: Outcome, detail: str) -> Job | None:
        """End a job without a picture: one transaction for its state and the return of its credits."""
        now = self._clock.now()
        events: list[JobEvent] = []

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
                events[:] = queries.list_events(connection, job.id)
                ledger.void(connection, transfer_id=new_transfer_id(), job_id=job.id, now=now)
                queries.note_due(connection, ended, now)
            return ended

        ended = await self._write(job, outcome.state, work)
        if ended is not None:
            self._tell_finished(ended, events)
            self._surface.show(ended)
        return ended

    async def settle(self, job: Job, message_id: int) -> Job | None:
        now = self._clock.now()
        events: list[JobEvent] = []
        excess_credits = 0

        def work(connection: Connection) -> Job | None:
            nonlocal excess_credits
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
                detail={"message_id": str(message_id)},
                message_id=message_id,
                finished_at=now,
            )
            if delivered is not None:
                events[:] = queries.list_events(connection, job.id)
                settled = ledger.settle(
                    connection,
                    transfer_id=new_transfer_id(),
                    job_id=job.id,
                    used_credits=_reported_credits(events, charged),
                    tolerance_credits=self.tolerance_credits,
                    now=now,
                )
                excess_credits = settled.excess
                if settled.charged != delivered.used_credits:
                    # Beyond the reservation only as far as the limits had room: the job says what was charged.
                    return queries.update_job(connection, job.id, used_credits=settled.charged)
            return delivered

        delivered = await self._write(job, JobState.DELIVERED, work)
        if delivered is not None:
            # The excess is what kvid reported beyond the charge: the operator bears it, and `credits show` counts it.
            self._tell_finished(delivered, events, excess=excess_credits)
            self._surface.show(delivered)
        return delivered

    def _tell_finished(self, job: Job, events: list[JobEvent], **more: object) -> None:
        """The one line about a job that has ended."""
        tell = log.info if job.state is JobState.DELIVERED else log.warning
        tell("job.finished", **build_line(job, events), **more)
        self.on_finished(job, measure_stages_s(job, events))


def _reported_credits(events: list[JobEvent], charged: int) -> int:
    """What kvid reported for the job, which the ledger keeps beside what is charged."""
    for event in events:
        reported = (event.detail or {}).get("reported_credits")
        if isinstance(reported, int):
            return reported
    return charged

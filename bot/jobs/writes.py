"""What is written of a job: one short transaction an arrow, for its state and for what it owes the ledger.

Each write says which states and which epoch it moves from, so a second owner of the same job changes
nothing. The job comes before the ledger, as everywhere: one order of locks, no deadlock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from sqlalchemy.exc import OperationalError

from bot.credits import ledger
from bot.ids import new_transfer_id
from bot.jobs.states import sources_of
from bot.log import get_logger
from db.enums import JobState
from db.queries import jobs as queries

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from bot.clock import Clock
    from bot.jobs.outcomes import Outcome
    from bot.jobs.ports import Surface
    from db.engine import Database
    from db.values import Job, JobChanges

log = get_logger(__name__)

WRITE_ATTEMPTS_MAX = 6
WRITE_RETRY_S = 0.25


class Writes:
    def __init__(
        self, *, database: Database, clock: Clock, surface: Surface, settle_tolerance_credits: int
    ) -> None:
        self._database = database
        self._clock = clock
        self._surface = surface
        self.tolerance_credits = settle_tolerance_credits

    async def find(self, job_id: str) -> Job | None:
        return await self._database.read(lambda c: queries.find_job(c, job_id))

    async def take(self, job: Job, to: JobState, event: str) -> Job | None:
        """Become the job's owner: its epoch rises, and what an earlier owner writes no longer counts."""
        now = self._clock.now()
        return await self._database.transaction(
            lambda c: queries.take_job(c, job.id, from_states=sources_of(to), to=to, now=now, event=event)
        )

    async def _write(self, work: Callable[[Connection], Job | None]) -> Job | None:
        """A transaction that must not be lost, since something outside has happened: tried again for a while.

        **Repeatable** because each is a conditional write.
        """
        for attempt in range(1, WRITE_ATTEMPTS_MAX):
            try:
                return await self._database.transaction(work)
            except OperationalError as error:
                log.warning("database.write_retried", attempt=attempt, error=type(error.orig).__name__)
                await self._clock.sleep(WRITE_RETRY_S * 2 ** (attempt - 1))
        return await self._database.transaction(work)

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

    async def end(self, job: Job, outcome: Outcome, detail: str) -> Job | None:
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

        ended = await self._write(work)
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

    async def settle(self, job: Job, message_id: int) -> Job | None:
        now = self._clock.now()
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
                settled = ledger.settle(
                    connection,
                    transfer_id=new_transfer_id(),
                    job_id=job.id,
                    used_credits=_reported_credits(connection, job, charged),
                    tolerance_credits=self.tolerance_credits,
                    now=now,
                )
                excess_credits = settled.excess
                if settled.charged != delivered.used_credits:
                    # Beyond the reservation only as far as the limits had room: the job says what was charged.
                    return queries.update_job(connection, job.id, used_credits=settled.charged)
            return delivered

        delivered = await self._write(work)
        if delivered is not None:
            log.info(
                "job.delivered",
                job=job.id,
                user=job.user_id,
                credits=delivered.used_credits,
                reserved=job.reserved_credits,
                # What kvid reported beyond the charge: the operator bears it, and `credits show` counts it.
                excess=excess_credits,
                total_s=round((now - job.created_at).total_seconds(), 2),
            )
            self._surface.show(delivered)
        return delivered


def _reported_credits(connection: Connection, job: Job, charged: int) -> int:
    """What kvid reported for the job, which the ledger keeps beside what is charged."""
    for event in queries.list_events(connection, job.id):
        reported = (event.detail or {}).get("reported_credits")
        if isinstance(reported, int):
            return reported
    return charged

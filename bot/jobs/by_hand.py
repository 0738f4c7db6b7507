"""What the operator may do to jobs by hand: look, ask again for a member, call one off.

Owns these acts. They work on the database alone, beside running bots, which go on with what they find there:
a new job stands in the line, and who owned a job that was called off finds its writes without effect. Must not
know the command line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.caps.values import Asker
from bot.credits import ledger
from bot.errors import AppError
from bot.ids import new_transfer_id
from bot.jobs.outcomes import Failure
from bot.jobs.service import Origin, Picture, Source
from bot.jobs.states import ENDED, GIVEN_UP
from db.enums import OPEN, JobState, Surface
from db.queries import credits as credit_queries
from db.queries import jobs as queries

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection

    from bot.clock import Clock
    from bot.jobs.service import Jobs
    from db.engine import Database
    from db.values import Job, JobEvent, Transfer

LIST_MAX = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFile:
    """Everything that is stored about one job."""

    job: Job
    events: list[JobEvent]
    transfers: list[Transfer]


class JobsByHand:
    def __init__(self, database: Database, clock: Clock, jobs: Jobs) -> None:
        self._database = database
        self._clock = clock
        self._jobs = jobs

    async def list_jobs(
        self,
        states: Collection[JobState],
        *,
        user_id: int | None = None,
        guild_id: int | None = None,
        limit: int = 50,
    ) -> list[Job]:
        """List the jobs in these states, the newest last."""
        return await self._database.read(
            lambda c: queries.list_newest(
                c, states, user_id=user_id, guild_id=guild_id, limit=min(limit, LIST_MAX)
            )
        )

    async def show(self, job_id: str) -> JobFile:
        """**Raises** AppError for an unknown id."""

        def read(c: Connection) -> JobFile | None:
            job = queries.find_job(c, job_id)
            if job is None:
                return None
            return JobFile(
                job=job, events=queries.list_events(c, job_id), transfers=_list_transfers(c, job_id)
            )

        found = await self._database.read(read)
        if found is None:
            raise AppError("operator.no_job", job=job_id)
        return found

    async def retry(self, job_id: str) -> Job:
        """Ask again, in its member's name and at their cost, for a job that ended without a picture.

        Every rule decides anew; of the member's roles nothing is known here, so their caps are those without.
        **Transaction** opens one. **Repeatable** yes: a second call returns the same new job while it is open.
        **Raises** AppError where the job is unknown, open, or has its picture, or the new one has ended;
        Refused where a rule says no.
        """
        job = (await self.show(job_id)).job
        if job.state in OPEN:
            raise AppError("operator.job_open", job=job_id, state=job.state.value)
        if job.state is JobState.DELIVERED:
            raise AppError("operator.job_delivered", job=job_id)
        guild_id = job.guild_id
        asker = Asker(user_id=job.user_id, guild_id=guild_id, channel_id=job.channel_id if guild_id else None)
        again = await self._jobs.accept(job.kind, _picture_of(job), _origin_of(job, asker), _source_of(job))
        if again.state not in OPEN:
            # An earlier call's: also one that a rule refused, which the second would pass over in silence.
            raise AppError("operator.job_retried", job=job_id, again=again.id, state=again.state.value)
        return again

    async def void(self, job_id: str) -> Job:
        """End an open job; its credits return, and a running bot tells its member.

        **Transaction** opens one. **Raises** AppError where the job is unknown or has ended.
        """
        now = self._clock.now()

        def work(c: Connection) -> Job | None:
            job = queries.find_job(c, job_id)
            if job is None:
                raise AppError("operator.no_job", job=job_id)
            if job.state in ENDED:
                raise AppError("operator.job_ended", job=job_id, state=job.state.value)
            # Taken from its owner: the epoch rises, so that nothing of theirs counts any more.
            ended = queries.take_job(
                c,
                job_id,
                from_states=frozenset({job.state}),
                to=GIVEN_UP[job.state],
                now=now,
                event="job.voided",
                detail={"failure": Failure.OPERATOR.value, "by": "operator"},
                failure=Failure.OPERATOR.value,
                failure_detail="called off by the operator",
                finished_at=now,
            )
            if ended is not None:
                ledger.void(c, transfer_id=new_transfer_id(), job_id=job_id, now=now)
                queries.note_due(c, ended, now)
            return ended

        ended = await self._database.transaction(work)
        if ended is None:
            # It moved at this very moment.
            raise AppError("error.try_again")
        return ended


def _list_transfers(c: Connection, job_id: str) -> list[Transfer]:
    """What the job did to the ledger, in order."""
    reserve = credit_queries.find_reservation(c, job_id)
    if reserve is None:
        return []
    after = (credit_queries.find_resolution(c, reserve.id), credit_queries.find_refund(c, reserve.id))
    return [reserve, *(transfer for transfer in after if transfer is not None)]


def _picture_of(job: Job) -> Picture:
    return Picture(
        prompt=job.prompt,
        negative_prompt=job.negative_prompt,
        aspect_ratio=job.aspect_ratio,
        width=job.width,
        height=job.height,
        image_count=job.image_count,
        steps=job.steps,
        guidance=job.guidance,
        seed=job.seed,
        output_format=job.output_format,
    )


def _origin_of(job: Job, asker: Asker) -> Origin:
    """Answered where the first one would have been; its interaction is long gone."""
    return Origin(
        # No id of Discord is negative, so this one job's second try has a request of its own, once.
        request_id=-job.number,
        asker=asker,
        channel_id=job.channel_id,
        surface=Surface.INTERACTION,
        delivery=job.delivery,
        locale=job.locale,
        private=job.private,
        request_message_id=job.request_message_id,
    )


def _source_of(job: Job) -> Source | None:
    if job.source_url is None:
        return None
    return Source(
        url=job.source_url,
        channel_id=job.source_channel_id,
        message_id=job.source_message_id,
        attachment_id=job.source_attachment_id,
        job_id=job.parent_job_id,
        image_index=job.parent_image_index,
    )

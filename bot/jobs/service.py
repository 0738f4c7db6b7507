"""Taking jobs in, cancelling them, and answering what is known of them.

The one door: every surface (command, button, modal, reply) ends in `Jobs.accept`. Each method is one
short transaction; the runner is only woken. Knows neither Discord nor kvid.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot.caps.values import CREDIT_RULES, Approval, Asker, Refusal
from bot.credits import ledger
from bot.credits.rules import price_credits, size_for_aspect_ratio
from bot.credits.values import Outrun
from bot.errors import AppError, IntakeClosed, NotEnoughCredits, Refused
from bot.ids import new_job_id, new_seed, new_transfer_id
from bot.jobs.states import ENDED, sources_of
from bot.log import get_logger
from db.engine import is_outage, may_be_committed
from db.enums import JobState
from db.queries import jobs as queries
from db.values import Job

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from sqlalchemy import Connection

    from bot.caps.admission import Admission, CheckedWords
    from bot.clock import Clock
    from db.engine import Database
    from db.enums import DeliveryMode, JobKind
    from db.enums import Surface as SurfaceKind

log = get_logger(__name__)

# So many of those who wait see their place move; who is farther back learns it once.
PLACES_SHOWN_MAX = 50
# Instead of a place in line: the job waits for the other pictures of its own member.
BEHIND_OWN = 0
# ... or the line stands still: kvid does not answer, or refuses us as a whole.
KVID_AWAY = -1
STUDIO_PAUSED = -2
DEFAULT_ASPECT_RATIO = "1:1"
# How often a decision is taken anew because another request was faster.
ACCEPT_ATTEMPTS_MAX = 6
UNKNOWN_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What a member asks for; checked by the cog against the contract's ranges before it comes here."""

    prompt: str
    negative_prompt: str | None = None
    aspect_ratio: str | None = None
    width: int | None = None
    height: int | None = None
    image_count: int = 1
    steps: int | None = None
    guidance: float | None = None
    seed: int | None = None
    output_format: str = "jpeg"

    def size(self) -> tuple[int, int]:
        """The pixels (width, height) that the price is estimated from."""
        if self.width is not None and self.height is not None:
            return self.width, self.height
        return size_for_aspect_ratio(self.aspect_ratio or DEFAULT_ASPECT_RATIO)

    def estimated_credits(self) -> int:
        return price_credits(*self.size(), self.image_count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The picture to edit: where kvid can fetch it, and where it came from so that its address can be renewed."""

    url: str
    channel_id: int | None = None
    message_id: int | None = None
    attachment_id: int | None = None
    job_id: str | None = None
    image_index: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Who asked, where, and how they can be answered.

    Shape: `channel_id` is where the answer goes; `asker` is who the rules are asked about.
    """

    request_id: int
    asker: Asker
    channel_id: int
    surface: SurfaceKind
    delivery: DeliveryMode
    locale: str
    private: bool = False
    application_id: int | None = None
    interaction_token: str | None = None
    interaction_expires_at: datetime | None = None
    card_message_id: int | None = None
    request_message_id: int | None = None

    def __repr__(self) -> str:
        return f"Origin(request_id={self.request_id}, user_id={self.asker.user_id}, channel_id={self.channel_id})"


async def _list_none(_limit: int) -> list[Job]:
    return []


class Jobs:
    """The member-facing half of the job engine; the other half is `Runner`."""

    def __init__(self, database: Database, clock: Clock, admission: Admission) -> None:
        self._database = database
        self._clock = clock
        self._admission = admission
        self._closed_key: str | None = None
        self.wake: Callable[[], None] = lambda: None
        # Called with each job that ended before anything was made of it: refused by a rule, or cancelled.
        self.on_finished: Callable[[Job], None] = lambda _job: None
        # What the gate towards kvid says: the message to refuse with, while kvid refuses us.
        self.find_closed_key: Callable[[], str | None] = lambda: None
        # ... and the first so many jobs in line, in the order in which places go to them.
        self.list_next: Callable[[int], Awaitable[list[Job]]] = _list_none

    def close_intake(self, key: str) -> None:
        """Refuse new jobs from now on with the message `key`."""
        self._closed_key = key

    def find_intake_trouble(self) -> str | None:
        """Why no new job is taken now, for the operator; None while they are."""
        if self._closed_key is not None:
            return "the process is stopping"
        if self.find_closed_key() is not None:
            return "kvid refuses our account; see kvid.account_refused in the log"
        return None

    async def accept(
        self, kind: JobKind, picture: Picture, origin: Origin, source: Source | None = None
    ) -> Job:
        """Reserve the estimated credits and put the job in line.

        **Transaction** opens one. **Repeatable** by `origin.request_id`: a second call returns the first's job.
        **Raises** IntakeClosed; Refused or NotEnoughCredits when a rule says no; then nothing is held.
        """
        closed_key = self._closed_key or self.find_closed_key()
        if closed_key is not None:
            raise IntakeClosed(closed_key)
        job = self._build(kind, picture, origin, source)
        checked = await self._admission.check_words(origin.asker, job.prompt)
        accepted, refusal = await self._decide(job, origin.asker, checked)
        if refusal is not None:
            log.info("job.refused", job=job.id, user=job.user_id, guild=job.guild_id, rule=refusal.rule.value)
            self.on_finished(accepted)
            kind_of_error = NotEnoughCredits if refusal.rule in CREDIT_RULES else Refused
            raise kind_of_error(f"failure.{refusal.key}", job_id=job.id, **refusal.params)
        if accepted.id == job.id:
            log.info(
                "job.accepted", job=job.id, user=job.user_id, guild=job.guild_id, credits=job.reserved_credits
            )
            self.wake()
        return accepted

    async def _decide(
        self, job: Job, asker: Asker, checked: CheckedWords | None
    ) -> tuple[Job, Refusal | None]:
        """Decide, and hold what the decision needs; anew when a rival was faster.

        Where a COMMIT got no answer, it is asked again: "nothing was charged" must be true, and a member who
        believes it asks for a second picture.
        """
        unknown: Exception | None = None
        for _ in range(ACCEPT_ATTEMPTS_MAX):
            try:
                return await self._database.transaction(lambda c: self._insert(c, job, asker, checked))
            except Outrun:
                continue
            except Exception as error:
                if unknown is None and not may_be_committed(error):
                    raise
                if not is_outage(error):
                    raise
                unknown = error
                log.warning("job.acceptance_unknown", job=job.id, user=job.user_id, error=repr(error))
            await self._clock.sleep(UNKNOWN_PAUSE_S)
        if unknown is not None:
            raise unknown
        raise AppError("error.try_again")

    def _build(self, kind: JobKind, picture: Picture, origin: Origin, source: Source | None) -> Job:
        now = self._clock.now()
        job_id = new_job_id()
        aspect_ratio = picture.aspect_ratio
        if aspect_ratio is None and picture.width is None:
            aspect_ratio = DEFAULT_ASPECT_RATIO
        return Job(
            id=job_id,
            request_id=origin.request_id,
            state=JobState.RESERVED,
            kind=kind,
            surface=origin.surface,
            delivery=origin.delivery,
            user_id=origin.asker.user_id,
            guild_id=origin.asker.guild_id,
            channel_id=origin.channel_id,
            locale=origin.locale,
            private=origin.private,
            prompt=picture.prompt,
            negative_prompt=picture.negative_prompt,
            aspect_ratio=aspect_ratio,
            width=picture.width,
            height=picture.height,
            image_count=picture.image_count,
            steps=picture.steps,
            guidance=picture.guidance,
            seed=picture.seed if picture.seed is not None else new_seed(),
            output_format=picture.output_format,
            source_url=source.url if source else None,
            source_channel_id=source.channel_id if source else None,
            source_message_id=source.message_id if source else None,
            source_attachment_id=source.attachment_id if source else None,
            parent_job_id=source.job_id if source else None,
            parent_image_index=source.image_index if source else None,
            application_id=origin.application_id,
            interaction_token=origin.interaction_token,
            interaction_expires_at=origin.interaction_expires_at,
            card_message_id=origin.card_message_id,
            request_message_id=origin.request_message_id,
            reserved_credits=picture.estimated_credits(),
            nonce=job_id,
            created_at=now,
            updated_at=now,
        )

    def _insert(
        self, c: Connection, job: Job, asker: Asker, checked: CheckedWords | None
    ) -> tuple[Job, Refusal | None]:
        parent = queries.find_job(c, job.parent_job_id) if job.parent_job_id else None
        if parent is not None and parent.hidden_at is not None:
            # Also a moment ago, or by repeating an edit of it.
            raise AppError("job.hidden")
        ruling = self._admission.look(
            c,
            asker,
            prompt=job.prompt,
            amount_credits=job.reserved_credits,
            now=job.created_at,
            checked=checked,
        )
        answer = ruling.answer
        if isinstance(answer, Approval):
            job = replace(job, prompt=answer.prompt, running_max=answer.running_max)
        inserted = queries.insert_job(c, job)
        if inserted is None:
            first = queries.find_job_by_request(c, job.request_id)
            if first is None:
                raise AppError("error.try_again")
            # Our own refusal, whose COMMIT had got no answer, is told all the same.
            refused = first.id == job.id and first.state is JobState.REFUSED
            return first, answer if refused and isinstance(answer, Refusal) else None
        if isinstance(answer, Refusal):
            return self._refuse(c, inserted, answer), answer
        self._admission.hold(c, ruling, inserted)
        return inserted, None

    def _refuse(self, c: Connection, job: Job, refusal: Refusal) -> Job:
        """End a job that was never in line; why, with its numbers, stays readable on its card."""
        refused = queries.advance_job(
            c,
            job.id,
            from_states=sources_of(JobState.REFUSED),
            to=JobState.REFUSED,
            now=job.created_at,
            event="job.refused",
            detail={"rule": refusal.rule.value},
            failure=refusal.rule.value,
            failure_detail=json.dumps({"text": refusal.key, **refusal.params}),
            finished_at=job.created_at,
        )
        return refused or job

    async def cancel(self, job_id: str, user_id: int) -> Job:
        """Cancel a job that still waits; its credits return.

        **Raises** AppError when it is somebody else's, unknown, or already at kvid.
        """
        now = self._clock.now()

        def work(connection: Connection) -> Job | None:
            job = queries.find_job(connection, job_id)
            if job is None or job.user_id != user_id:
                raise AppError("cancel.not_yours")
            if job.state in ENDED:
                # Pressed twice, or on a card that is a moment behind.
                return job
            cancelled = queries.advance_job(
                connection,
                job_id,
                from_states=sources_of(JobState.CANCELLED),
                to=JobState.CANCELLED,
                now=now,
                event="job.cancelled",
                finished_at=now,
            )
            if cancelled is not None:
                ledger.void(connection, transfer_id=new_transfer_id(), job_id=job_id, now=now)
                queries.note_due(connection, cancelled, now)
            return cancelled

        cancelled = await self._database.transaction(work)
        if cancelled is None:
            raise AppError("cancel.too_late")
        if cancelled.state is not JobState.CANCELLED:
            raise AppError("cancel.over")
        log.info("job.cancelled", job=job_id, user=user_id, guild=cancelled.guild_id)
        self.on_finished(cancelled)
        self.wake()
        return cancelled

    async def find(self, job_id: str) -> Job | None:
        return await self._database.read(lambda c: queries.find_job(c, job_id))

    async def get(self, job_id: str) -> Job:
        """**Raises** AppError when the job is unknown, as after a new database."""
        job = await self.find(job_id)
        if job is None:
            raise AppError("job.unknown")
        return job

    async def get_for(self, job_id: str, user_id: int) -> Job:
        """A job that this member may repeat or edit: private ones are their owner's alone, hidden ones nobody's.

        **Raises** AppError, the same for an unknown job and a stranger's.
        """
        job = await self.get(job_id)
        if job.private and job.user_id != user_id:
            raise AppError("job.unknown")
        if job.hidden_at is not None:
            raise AppError("job.hidden")
        return job

    async def find_by_message(self, message_id: int) -> Job | None:
        """The job whose result the message shows."""
        return await self._database.read(lambda c: queries.find_job_by_message(c, message_id))

    async def place_of(self, job: Job) -> int:
        """1 for the job that is next. Where many came before, those whose servers' turn comes later are left out.

        A small place may still grow or shrink with the turns; the line itself shows it.
        """
        before = await self._database.read(lambda c: queries.count_waiting_before(c, job.number or 0))
        if before < PLACES_SHOWN_MAX:
            return 1 + before
        following = [other.id for other in await self.list_next(PLACES_SHOWN_MAX)]
        return 1 + (following.index(job.id) if job.id in following else before)

    async def remember_card(self, job_id: str, message_id: int | None) -> None:
        """Keep which channel message is the card of a job asked for by a reply; None once it is gone."""
        await self._database.transaction(lambda c: queries.update_job(c, job_id, card_message_id=message_id))

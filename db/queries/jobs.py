"""Jobs and their events: accept, adopt, advance, find.

Owns every statement on `job` and `job_event`. Each arrow of a job's life is one conditional UPDATE and one
event row. Must not know what a state means to the service. Every function joins the caller's transaction.
"""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any, Unpack

from sqlalchemy import ColumnElement, Update, exists, func, insert, or_, select, text, tuple_, update

from db.enums import OPEN, TERMINAL, WAITING, JobState, Surface
from db.models import JOB, JOB_EVENT
from db.models.jobs import NOTICE_IS_DUE
from db.queries._upsert import build_inserts
from db.values import Job, JobChanges, JobEvent, JobImage

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Row

    from db.gate_values import Owner

_INSERT_JOB = build_inserts(
    JOB, lambda insert: insert.on_conflict_do_nothing(index_elements=["request_id"]).returning(JOB)
)
_INSERT_EVENT = insert(JOB_EVENT)
_COLUMNS = tuple(field.name for field in fields(Job))

NEWEST_MAX = 5000
NOTICE_DUE, NOTICE_TOLD = "notice.due", "notice.told"
STEP_FAILED = "job.step_failed"


class JobNotFound(LookupError):
    """No job has this id."""

    def __init__(self, job_id: str) -> None:
        super().__init__(job_id)
        self.job_id = job_id


def insert_job(c: Connection, job: Job) -> Job | None:
    """Store a new job with its first event, or nothing when its request was accepted before.

    Shape: the stored job, with its number; None for a second job of one `request_id`.
    Repeatable: by `request_id`.
    """
    values = _encode({name: getattr(job, name) for name in _COLUMNS if name != "number"})
    row = c.execute(_INSERT_JOB[c.dialect.name], values).one_or_none()
    if row is None:
        return None
    stored = _read_job(row)
    detail = {"reserved_credits": stored.reserved_credits}
    _insert_event(c, stored, at=stored.created_at, name=f"job.{stored.state}", detail=detail)
    return stored


def find_job(c: Connection, job_id: str) -> Job | None:
    return _find_one(c, JOB.c.id == job_id)


def get_job(c: Connection, job_id: str) -> Job:
    """Read one job.

    Raises: JobNotFound.
    """
    job = find_job(c, job_id)
    if job is None:
        raise JobNotFound(job_id)
    return job


def find_job_by_request(c: Connection, request_id: int) -> Job | None:
    return _find_one(c, JOB.c.request_id == request_id)


def find_job_by_message(c: Connection, message_id: int) -> Job | None:
    """Find the job whose result was posted as this message."""
    return _find_one(c, JOB.c.message_id == message_id)


def advance_job(
    c: Connection,
    job_id: str,
    *,
    from_states: Collection[JobState],
    to: JobState,
    now: datetime,
    event: str,
    detail: Mapping[str, object] | None = None,
    epoch: int | None = None,
    **changes: Unpack[JobChanges],
) -> Job | None:
    """Move a job along one arrow, if it still stands at the arrow's start.

    Shape: the job as it is now, or None when another writer was first (nothing is written then). With
    `epoch` the arrow is open only to the owner of that epoch. A terminal state sets `finished_at` to `now`.
    """
    if to in TERMINAL:
        changes.setdefault("finished_at", now)
    statement = _update_standing(job_id, from_states, epoch).values(
        state=to, updated_at=now, **_encode(changes)
    )
    return _execute_step(c, statement, now=now, event=event, detail=detail)


def adopt_job(c: Connection, job_id: str, now: datetime) -> Job | None:
    """Become the owner of a job that has left the line: its epoch rises, so that an earlier owner's writes miss.

    Shape: the job with the new epoch; None when it has ended, waits in line or does not exist. A job that
    somebody had begun to work on before gets an event. `updated_at` stays the time of the last state.
    """
    statement = update(JOB).where(JOB.c.id == job_id, _left_line()).values(epoch=JOB.c.epoch + 1)
    row = c.execute(statement.returning(JOB)).one_or_none()
    if row is None:
        return None
    job = _read_job(row)
    if job.state not in WAITING:
        _insert_event(c, job, at=now, name="job.taken_up", detail={"epoch": job.epoch})
    return job


def take_job(
    c: Connection,
    job_id: str,
    *,
    from_states: Collection[JobState],
    to: JobState,
    now: datetime,
    event: str,
    detail: Mapping[str, object] | None = None,
    **changes: Unpack[JobChanges],
) -> Job | None:
    """Move a job and become its owner: the epoch rises, so that an earlier owner's writes miss.

    Shape: the job with the new epoch, or None when it stands elsewhere.
    """
    statement = _update_standing(job_id, from_states, None).values(
        state=to, updated_at=now, epoch=JOB.c.epoch + 1, **_encode(changes)
    )
    return _execute_step(c, statement, now=now, event=event, detail=detail)


def count_failure(
    c: Connection, job_id: str, *, epoch: int, detail: str, now: datetime
) -> tuple[Job, int] | None:
    """Keep as an event that a step of the job raised.

    Shape: the job, and how many steps of it raised so far; None when `epoch` is not its epoch.
    """
    job = find_job(c, job_id)
    if job is None or job.epoch != epoch:
        return None
    _insert_event(c, job, at=now, name=STEP_FAILED, detail={"error": detail})
    failed = (JOB_EVENT.c.job_id == job_id) & (JOB_EVENT.c.name == STEP_FAILED)
    return job, c.execute(select(func.count()).select_from(JOB_EVENT).where(failed)).scalar_one()


def update_job(
    c: Connection, job_id: str, *, epoch: int | None = None, **changes: Unpack[JobChanges]
) -> Job | None:
    """Write columns beside the state; no event, and `updated_at` stays the time of the last state.

    Shape: the job as it is now; None when it does not exist or `epoch` is not its epoch.
    """
    statement = _update_standing(job_id, None, epoch).values(**_encode(changes))
    row = c.execute(statement.returning(JOB)).one_or_none()
    return None if row is None else _read_job(row)


def hide_job(c: Connection, job_id: str, now: datetime) -> Job | None:
    """Mark a job that ended as hidden; None when it was before, or has not ended."""
    statement = (
        update(JOB)
        .where(JOB.c.id == job_id, JOB.c.finished_at.is_not(None), JOB.c.hidden_at.is_(None))
        .values(hidden_at=now)
    )
    row = c.execute(statement.returning(JOB)).one_or_none()
    return None if row is None else _read_job(row)


def list_jobs(
    c: Connection, states: Collection[JobState], *, limit: int, user_id: int | None = None
) -> list[Job]:
    """List jobs in any of these states, oldest first."""
    statement = select(JOB).where(JOB.c.state.in_(sorted(states))).order_by(JOB.c.number).limit(limit)
    if user_id is not None:
        statement = statement.where(JOB.c.user_id == user_id)
    return [_read_job(row) for row in c.execute(statement)]


def list_newest(
    c: Connection,
    states: Collection[JobState],
    *,
    user_id: int | None = None,
    guild_id: int | None = None,
    limit: int,
) -> list[Job]:
    """List the newest jobs in any of these states, of one member or server if they are named; the newest last."""
    statement = select(JOB).where(JOB.c.state.in_(sorted(states))).order_by(JOB.c.number.desc()).limit(limit)
    for column, value in ((JOB.c.user_id, user_id), (JOB.c.guild_id, guild_id)):
        if value is not None:
            statement = statement.where(column == value)
    return [_read_job(row) for row in c.execute(statement)][::-1]


def list_waiting(
    c: Connection, *, limit: int, of: Collection[Owner] | None = None, without: Collection[Owner] = ()
) -> list[Job]:
    """List the jobs in line, oldest first: of these owners alone, or of all but these.

    Shape: an owner is a member in one server, or (with server 0) in direct messages.
    """
    owner = tuple_(JOB.c.user_id, func.coalesce(JOB.c.guild_id, 0))
    statement = select(JOB).where(_in_line())
    if of is not None:
        statement = statement.where(owner.in_(sorted(of)))
    if without:
        statement = statement.where(owner.not_in(sorted(without)))
    return [_read_job(row) for row in c.execute(statement.order_by(JOB.c.number).limit(limit))]


def list_first_waiting(c: Connection, limit: int) -> list[Job]:
    """List the first job in line of each member, wherever they asked, oldest first."""
    first = select(func.min(JOB.c.number)).where(_in_line()).group_by(JOB.c.user_id)
    statement = select(JOB).where(JOB.c.number.in_(first)).order_by(JOB.c.number).limit(limit)
    return [_read_job(row) for row in c.execute(statement)]


def list_jobs_of(c: Connection, job_ids: Sequence[str]) -> list[Job]:
    """List these jobs in this order; unknown ones are left out."""
    rows = c.execute(select(JOB).where(JOB.c.id.in_(job_ids)))
    found = {job.id: job for job in map(_read_job, rows)}
    return [found[job_id] for job_id in job_ids if job_id in found]


def list_recent_jobs(c: Connection, user_id: int, limit: int) -> list[Job]:
    """List a member's jobs, newest first."""
    statement = select(JOB).where(JOB.c.user_id == user_id).order_by(JOB.c.number.desc()).limit(limit)
    return [_read_job(row) for row in c.execute(statement)]


def list_jobs_in_server(c: Connection, guild_id: int, user_id: int, limit: int) -> list[Job]:
    """List what a member asked for in one server, newest first."""
    statement = (
        select(JOB)
        .where(JOB.c.user_id == user_id, JOB.c.guild_id == guild_id)
        .order_by(JOB.c.number.desc())
        .limit(limit)
    )
    return [_read_job(row) for row in c.execute(statement)]


def list_ended_since(c: Connection, since: datetime, limit: int) -> list[Job]:
    """List the jobs that ended well, or by their member's wish, at or after `since`, the latest first."""
    statement = (
        select(JOB)
        .where(_is_newest(), JOB.c.finished_at >= since, JOB.c.failure.is_(None))
        .order_by(JOB.c.finished_at.desc(), JOB.c.number.desc())
        .limit(limit)
    )
    return [_read_job(row) for row in c.execute(statement)]


def list_untold(c: Connection, since: datetime, until: datetime, limit: int) -> list[Job]:
    """List the jobs that ended without a picture from `since` to `until` and whose member is owed the word.

    Shape: who called a job off is owed it in the card alone where they did that, while the card is within reach.
    """
    owed = JOB_EVENT.alias()
    due = select(JOB_EVENT.c.job_id).where(
        text(f"job_event.{NOTICE_IS_DUE}"), JOB_EVENT.c.at.between(since, until)
    )
    told = exists().where(owed.c.job_id == JOB.c.id, owed.c.name == NOTICE_TOLD)
    within_reach = or_(JOB.c.surface == Surface.MESSAGE, JOB.c.interaction_expires_at > until)
    statement = (
        select(JOB)
        .where(JOB.c.id.in_(due), ~told, or_(JOB.c.state != JobState.CANCELLED, within_reach))
        .order_by(JOB.c.finished_at, JOB.c.number)
        .limit(limit)
    )
    return [_read_job(row) for row in c.execute(statement)]


def list_cards_left(c: Connection, since: datetime, until: datetime, limit: int) -> list[Job]:
    """List the replies that got their picture from `since` to `until` and whose card is not known to be gone."""
    statement = (
        select(JOB)
        .where(
            _is_newest(),
            JOB.c.finished_at.between(since, until),
            JOB.c.state == JobState.DELIVERED,
            JOB.c.surface == Surface.MESSAGE,
            JOB.c.card_message_id.is_not(None),
        )
        .order_by(JOB.c.finished_at, JOB.c.number)
        .limit(limit)
    )
    return [_read_job(row) for row in c.execute(statement)]


def note_due(c: Connection, job: Job, now: datetime) -> None:
    """Keep that the job's member is to be told of its end."""
    _insert_event(c, job, at=now, name=NOTICE_DUE, detail={})


def note_told(c: Connection, job_id: str, now: datetime) -> None:
    """Keep that the job's member was told of its end."""
    job = find_job(c, job_id)
    if job is not None:
        _insert_event(c, job, at=now, name=NOTICE_TOLD, detail={})


def _is_newest() -> ColumnElement[bool]:
    """Among the newest few thousand alone: what ended lately was not accepted long before."""
    return JOB.c.number > select(func.max(JOB.c.number)).scalar_subquery() - NEWEST_MAX


def count_waiting_before(c: Connection, number: int) -> int:
    return _count(c, _in_line() & (JOB.c.number < number))


def count_jobs(c: Connection, states: Collection[JobState]) -> int:
    return _count(c, JOB.c.state.in_(sorted(states)))


def list_events(c: Connection, job_id: str) -> list[JobEvent]:
    """List what happened to a job, in order."""
    statement = select(JOB_EVENT).where(JOB_EVENT.c.job_id == job_id).order_by(JOB_EVENT.c.id)
    return [JobEvent(**row._mapping) for row in c.execute(statement)]  # noqa: SLF001 - SQLAlchemy's public name


def _in_line() -> ColumnElement[bool]:
    return JOB.c.state.in_(sorted(WAITING)) & JOB.c.admitted_at.is_(None)


def _left_line() -> ColumnElement[bool]:
    admitted = JOB.c.state.in_(sorted(WAITING)) & JOB.c.admitted_at.is_not(None)
    return admitted | JOB.c.state.in_(sorted(OPEN - WAITING))


def _update_standing(job_id: str, from_states: Collection[JobState] | None, epoch: int | None) -> Update:
    statement = update(JOB).where(JOB.c.id == job_id)
    if from_states is not None:
        statement = statement.where(JOB.c.state.in_(sorted(from_states)))
    return statement if epoch is None else statement.where(JOB.c.epoch == epoch)


def _execute_step(
    c: Connection, statement: Update, *, now: datetime, event: str, detail: Mapping[str, object] | None
) -> Job | None:
    row = c.execute(statement.returning(JOB)).one_or_none()
    if row is None:
        return None
    job = _read_job(row)
    _insert_event(c, job, at=now, name=event, detail=detail or {})
    return job


def _insert_event(c: Connection, job: Job, *, at: datetime, name: str, detail: Mapping[str, object]) -> None:
    values = {"job_id": job.id, "at": at, "name": name, "state": job.state, "detail": dict(detail)}
    c.execute(_INSERT_EVENT, values)


def _find_one(c: Connection, condition: ColumnElement[bool]) -> Job | None:
    row = c.execute(select(JOB).where(condition).order_by(JOB.c.number).limit(1)).one_or_none()
    return None if row is None else _read_job(row)


def _count(c: Connection, condition: ColumnElement[bool]) -> int:
    return c.execute(select(func.count()).select_from(JOB).where(condition)).scalar_one()


def _encode(values: Mapping[str, Any]) -> dict[str, Any]:
    encoded = dict(values)
    if "results" in encoded:
        encoded["results"] = [asdict(image) for image in encoded["results"]]
    return encoded


def _read_job(row: Row[Any]) -> Job:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name
    values["results"] = tuple(JobImage(**image) for image in values["results"])
    return Job(**values)

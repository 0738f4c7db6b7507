"""How long kvid took for jobs lately. Owns that one statement; joins the caller's transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from db.enums import JobState
from db.models import JOB, JOB_EVENT

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from db.enums import JobKind

# Lately: among so many of the newest jobs.
NEWEST_MAX = 5_000


def list_durations_s(c: Connection, *, kind: JobKind, image_count: int, limit: int) -> list[float]:
    """List the seconds from submit to success of the newest jobs of a kind that came out, unsorted."""
    newest = select(func.max(JOB.c.number)).scalar_subquery()
    statement = (
        select(JOB.c.submitted_at, JOB_EVENT.c.at)
        .join(JOB_EVENT, (JOB_EVENT.c.job_id == JOB.c.id) & (JOB_EVENT.c.name == "job.succeeded"))
        .where(
            JOB.c.number > newest - NEWEST_MAX,
            JOB.c.state == JobState.DELIVERED,
            JOB.c.kind == kind,
            JOB.c.image_count == image_count,
            JOB.c.submitted_at.is_not(None),
        )
        .order_by(JOB.c.number.desc())
        .limit(limit)
    )
    return [max(0.0, (row.at - row.submitted_at).total_seconds()) for row in c.execute(statement)]

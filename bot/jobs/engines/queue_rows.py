"""The statements on procrastinate's tables that it does not bring along, and how they get into the database.

Every function joins the caller's transaction on PostgreSQL.
**Source**: procrastinate 3.10, `sql/schema.sql`, `sql/queries.sql`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from procrastinate.schema import SchemaManager
from sqlalchemy import bindparam, text

from db.urls import parse_url

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection

QUEUE = "jobs"
# Rows of workers that died long ago; their jobs were taken over before.
FORGOTTEN_S = 600.0

_LIST_QUEUED = text(
    "SELECT queueing_lock FROM procrastinate_jobs "
    "WHERE queueing_lock IN :job_ids AND (status = 'todo' OR (status = 'doing' AND :doing))"
).bindparams(bindparam("job_ids", expanding=True))
_LIST_HELD = text("SELECT id FROM procrastinate_jobs WHERE status = 'doing' AND worker_id = :worker_id")
# Deleted and offered anew, not put back: whoever had the row and still lives cannot end its successor.
_TAKE_STALLED = text(
    "DELETE FROM procrastinate_jobs j WHERE j.status = 'doing' AND j.queue_name = :queue AND ("
    "j.worker_id IS NULL OR j.id IN :also OR EXISTS (SELECT 1 FROM procrastinate_workers w "
    "WHERE w.id = j.worker_id AND w.last_heartbeat < now() - make_interval(secs => :stalled_s))"
    ") RETURNING j.queueing_lock"
).bindparams(bindparam("also", expanding=True))
_FORGET_WORKERS = text(
    "DELETE FROM procrastinate_workers WHERE last_heartbeat < now() - make_interval(secs => :forgotten_s)"
)
_NOTIFY = text(
    "SELECT pg_notify('procrastinate_queue_v1#' || :queue, "
    """'{"type": "job_inserted", "job_id": 0}')"""
)


def render_conninfo(url: str) -> str:
    """The address in the form that psycopg reads, without SQLAlchemy's name of the driver."""
    return parse_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def ensure_schema(c: Connection) -> None:
    """Make procrastinate's tables, if they are not there.

    **Transaction** joins the one of the migrations, whose lock lets one process at a time do it. **Repeatable** yes.
    What is in them is never missed: a newer version of procrastinate may start with new ones.
    """
    if c.execute(text("SELECT to_regclass('procrastinate_jobs')")).scalar() is None:
        driver = c.connection.driver_connection
        assert driver is not None  # noqa: S101 - an open connection has one
        driver.execute(SchemaManager.get_schema())


def list_queued(c: Connection, job_ids: Collection[str], *, doing: bool) -> set[str]:
    """Those of the jobs that wait in the queue, or (with `doing`) are worked on."""
    if not job_ids:
        return set()
    return set(c.execute(_LIST_QUEUED, {"job_ids": list(job_ids), "doing": doing}).scalars())


def list_held(c: Connection, worker_id: int) -> frozenset[int]:
    """The rows that this worker is said to work on."""
    return frozenset(c.execute(_LIST_HELD, {"worker_id": worker_id}).scalars())


def take_stalled(c: Connection, stalled_s: float, *, also: Collection[int]) -> list[str]:
    """Remove the rows of workers unheard of for so long, and the rows `also`.

    Shape: the ids of their jobs; by the database's clock, and each to one caller alone.
    """
    c.execute(_FORGET_WORKERS, {"forgotten_s": FORGOTTEN_S})
    parameters = {"queue": QUEUE, "stalled_s": stalled_s, "also": list(also)}
    return list(c.execute(_TAKE_STALLED, parameters).scalars())


def notify(c: Connection) -> None:
    """Have every worker look now: rows that were put back tell nobody of themselves."""
    c.execute(_NOTIFY, {"queue": QUEUE})

"""How long jobs took lately, as the deadline of the next ones hears of it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy.exc import OperationalError

from bot.jobs import durations
from bot.jobs.durations import Durations, find_percentile
from db.enums import JobKind, JobState
from db.queries import durations as duration_queries
from db.queries import jobs as queries
from tests.db.builders import NOW, build_job, store_job
from tests.service.doubles import MovedClock

if TYPE_CHECKING:
    import pytest
    from sqlalchemy import Connection

    from db.engine import Database

ARROWS = (
    JobState.SUBMITTING,
    JobState.SUBMITTED,
    JobState.SUCCEEDED,
    JobState.DELIVERING,
    JobState.DELIVERED,
)


def deliver(c: Connection, taken_s: float, **changes: object) -> None:
    """A job that kvid took `taken_s` for, and Discord an hour more."""
    job = store_job(c, **changes)
    succeeded_at = NOW + timedelta(seconds=taken_s)
    for state in ARROWS:
        late = {JobState.SUCCEEDED: succeeded_at, JobState.DELIVERED: succeeded_at + timedelta(hours=1)}
        queries.advance_job(
            c,
            job.id,
            from_states=frozenset(JobState),
            to=state,
            now=late.get(state, NOW),
            event=f"job.{state}",
            submitted_at=NOW,
        )


def test_the_percentile_is_one_of_the_values() -> None:
    values = [float(number) for number in range(1, 101)]
    assert [find_percentile(values, share) for share in (0.0, 0.5, 0.99, 1.0)] == [1, 50, 99, 100]
    assert find_percentile([7.0], 0.99) == 7


async def test_the_slow_ones_of_like_jobs_count_from_submit_to_success(database: Database) -> None:
    def fill(c: Connection) -> None:
        for number in range(durations.JOBS_MIN):
            deliver(c, 10.0 + number)
        for _ in range(durations.JOBS_MIN):
            deliver(c, 999.0, image_count=4)
        deliver(c, 999.0, kind=JobKind.IMAGE_TO_IMAGE)

    await database.transaction(fill)
    known = Durations(database, MovedClock())
    assert await known.find_slow_s(build_job()) == 10.0 + durations.JOBS_MIN - 1
    assert await known.find_slow_s(build_job(image_count=4)) == 999.0
    # Too few of them to say anything.
    assert await known.find_slow_s(build_job(kind=JobKind.IMAGE_TO_IMAGE)) is None


async def test_it_is_asked_once_a_minute_and_an_outage_leaves_what_was_known(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = MovedClock()
    known = Durations(database, clock)
    asked: list[float] = []

    def list_durations_s(_c: Connection, **_filters: object) -> list[float]:
        asked.append(clock.elapsed_s)
        if len(asked) > 1:
            raise OperationalError("SELECT", {}, OSError("away"))
        return [30.0] * durations.JOBS_MIN

    monkeypatch.setattr(duration_queries, "list_durations_s", list_durations_s)
    for elapsed_s in (0.0, 30.0, 59.0, 60.0):
        clock.elapsed_s = elapsed_s
        assert await known.find_slow_s(build_job()) == 30.0
    assert asked == [0.0, 60.0]
    assert await known.find_slow_s(build_job(image_count=2)) is None

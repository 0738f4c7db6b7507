"""Jobs: one per request, one winner per arrow, an event for each change."""

from __future__ import annotations

import asyncio
from datetime import UTC, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError

from db.enums import AT_KVID, OPEN, TERMINAL, TO_DELIVER, WAITING, JobState
from db.queries import jobs, line
from db.values import JobImage
from tests.db.builders import GUILD, HOUR, NOW, USER, build_job, store_job

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from db.engine import Database
    from db.values import Job


def submit(c: Connection, job: Job) -> Job | None:
    """As its first owner."""
    line.admit_jobs(c, [job.id], NOW)
    adopted = jobs.adopt_job(c, job.id, NOW)
    return adopted and jobs.advance_job(
        c,
        job.id,
        from_states=WAITING,
        to=JobState.SUBMITTING,
        now=NOW + HOUR,
        event="job.submitting",
        epoch=adopted.epoch,
    )


def test_every_state_is_in_exactly_one_set() -> None:
    sets = (WAITING, AT_KVID, TO_DELIVER, TERMINAL)
    assert sorted(state for states in sets for state in states) == sorted(JobState)
    assert OPEN.isdisjoint(TERMINAL)


async def test_a_stored_job_reads_back_as_it_was_written(database: Database) -> None:
    image = JobImage(url="https://cdn.example/1.jpg", width=1024, height=576, content_type="image/jpeg")
    job = build_job(
        guidance=7.5,
        steps=30,
        private=True,
        negative_prompt="blurry",
        results=(image,),
        interaction_token="secret",
        interaction_expires_at=NOW + HOUR,
        estimated_s=8.25,
        source_message_id=2**62,
    )
    stored = await database.transaction(lambda c: jobs.insert_job(c, job))
    assert stored is not None
    assert stored.number > 0
    for find in (
        lambda c: jobs.find_job(c, job.id),
        lambda c: jobs.get_job(c, job.id),
        lambda c: jobs.find_job_by_request(c, job.request_id),
    ):
        assert await database.read(find) == stored
    assert stored == build_job(
        **{name: getattr(job, name) for name in job.__slots__} | {"number": stored.number}
    )


async def test_times_come_back_aware_in_utc_whatever_zone_they_were_given_in(database: Database) -> None:
    seoul = timezone(timedelta(hours=9))
    job = await database.transaction(lambda c: store_job(c, created_at=NOW.astimezone(seoul)))
    again = await database.read(lambda c: jobs.get_job(c, job.id))
    assert again.created_at == NOW
    assert again.created_at.tzinfo is UTC
    assert again.finished_at is None


async def test_a_request_is_accepted_once_however_often_it_arrives(database: Database) -> None:
    copies = [build_job(request_id=42) for _ in range(8)]
    outcomes = await asyncio.gather(
        *(database.transaction(lambda c, job=job: jobs.insert_job(c, job)) for job in copies)  # type: ignore[misc]
    )
    accepted = [job for job in outcomes if job is not None]
    assert len(accepted) == 1
    assert await database.read(lambda c: jobs.find_job_by_request(c, 42)) == accepted[0]
    assert len(await database.read(lambda c: jobs.list_events(c, accepted[0].id))) == 1


async def test_an_unknown_job_is_none_to_find_and_an_error_with_its_id_to_get(database: Database) -> None:
    assert await database.read(lambda c: jobs.find_job(c, "f" * 20)) is None
    assert await database.read(lambda c: jobs.find_job_by_message(c, 1)) is None
    with pytest.raises(jobs.JobNotFound) as caught:
        await database.read(lambda c: jobs.get_job(c, "f" * 20))
    assert caught.value.job_id == "f" * 20


async def test_of_many_owners_the_last_one_alone_can_move_the_job(database: Database) -> None:
    job = await database.transaction(store_job)
    await database.transaction(lambda c: line.admit_jobs(c, [job.id], NOW))
    owners = await asyncio.gather(
        *(database.transaction(lambda c: jobs.adopt_job(c, job.id, NOW)) for _ in range(10))
    )
    assert sorted(owner.epoch for owner in owners if owner is not None) == list(range(1, 11))

    def move(c: Connection, epoch: int) -> Job | None:
        return jobs.advance_job(
            c,
            job.id,
            from_states=WAITING,
            to=JobState.SUBMITTING,
            now=NOW + HOUR,
            event="job.submitting",
            epoch=epoch,
        )

    moved = await asyncio.gather(
        *(database.transaction(lambda c, epoch=epoch: move(c, epoch)) for epoch in range(11))  # type: ignore[misc]
    )
    [won] = [one for one in moved if one is not None]
    assert (won.epoch, won.state, won.updated_at) == (10, JobState.SUBMITTING, NOW + HOUR)
    events = await database.read(lambda c: jobs.list_events(c, job.id))
    assert [event.name for event in events] == ["job.reserved", "job.submitting"]


async def test_who_is_owed_a_word_is_found_however_many_asked_since(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "NEWEST_MAX", 1)

    def fill(c: Connection) -> list[str]:
        ended = []
        for _ in range(3):
            job = store_job(c)
            failed = jobs.advance_job(
                c, job.id, from_states=OPEN, to=JobState.FAILED, now=NOW, event="job.failed", failure="render"
            )
            assert failed is not None
            jobs.note_due(c, failed, NOW)
            ended.append(job.id)
        store_job(c)
        jobs.note_told(c, ended[1], NOW)
        return [ended[0], ended[2]]

    owed = await database.transaction(fill)
    found = await database.read(lambda c: jobs.list_untold(c, NOW, NOW + HOUR, 9))
    assert [job.id for job in found] == owed
    assert await database.read(lambda c: jobs.list_untold(c, NOW + HOUR, NOW + 2 * HOUR, 9)) == []
    if database.dialect == "sqlite":
        plans = await database.read(lambda c: explain(c, lambda: jobs.list_untold(c, NOW, NOW, 1)))
        assert "ix_job_event_notice_due" in plans


def explain(c: Connection, ask: Callable[[], object]) -> str:
    """How SQLite answers what `ask` asks."""
    asked: list[tuple[str, Any]] = []
    listen = lambda _c, _cursor, statement, parameters, *_: asked.append((statement, parameters))  # noqa: E731
    event.listen(c, "before_cursor_execute", listen)
    ask()
    event.remove(c, "before_cursor_execute", listen)
    return "".join(str(c.exec_driver_sql(f"EXPLAIN QUERY PLAN {one}", values).all()) for one, values in asked)


async def test_a_job_is_adopted_from_its_place_at_kvid_to_its_end_and_no_longer(database: Database) -> None:
    job = await database.transaction(store_job)

    def adopt(c: Connection) -> Job | None:
        return jobs.adopt_job(c, job.id, NOW + HOUR)

    def move(c: Connection, to: JobState) -> Job | None:
        return jobs.advance_job(c, job.id, from_states=OPEN, to=to, now=NOW, event=f"job.{to}")

    assert await database.transaction(adopt) is None, "it waits in line"
    assert await database.read(lambda c: line.list_to_run(c, limit=9)) == []
    assert await database.transaction(lambda c: line.admit_jobs(c, [job.id, "f" * 20], NOW)) == [job.id]
    assert await database.transaction(lambda c: line.admit_jobs(c, [job.id], NOW)) == [], "once"
    epochs = []
    for state in (JobState.SUBMITTING, JobState.SUBMITTED, JobState.SUCCEEDED, JobState.DELIVERING):
        assert await database.read(lambda c: line.list_to_run(c, limit=9)) == [job.id]
        adopted = await database.transaction(adopt)
        assert adopted is not None
        assert adopted.updated_at == NOW, "the time of the state stays"
        epochs.append(adopted.epoch)
        await database.transaction(lambda c, state=state: move(c, state))  # type: ignore[misc]
    assert epochs == [1, 2, 3, 4]
    await database.transaction(lambda c: move(c, JobState.DELIVERED))
    assert await database.transaction(adopt) is None
    assert await database.read(lambda c: line.list_to_run(c, limit=9)) == []
    taken_up = [
        event
        for event in await database.read(lambda c: jobs.list_events(c, job.id))
        if event.name == "job.taken_up"
    ]
    assert [(event.state, event.detail) for event in taken_up] == [
        (JobState.SUBMITTING, {"epoch": 2}),
        (JobState.SUBMITTED, {"epoch": 3}),
        (JobState.SUCCEEDED, {"epoch": 4}),
    ]


async def test_failures_of_steps_are_counted_for_the_owner_alone(database: Database) -> None:
    job = await database.transaction(store_job)
    await database.transaction(lambda c: submit(c, job))

    def count(c: Connection, epoch: int) -> int | None:
        counted = jobs.count_failure(c, job.id, epoch=epoch, detail="RuntimeError()", now=NOW)
        return None if counted is None else counted[1]

    epochs = (1, 0, 1, 2)
    counts = [await database.transaction(lambda c, e=e: count(c, e)) for e in epochs]  # type: ignore[misc]
    assert counts == [1, None, 2, None]


async def test_an_advance_writes_state_changes_and_event_together(database: Database) -> None:
    job = await database.transaction(store_job)
    await database.transaction(lambda c: submit(c, job))
    image = JobImage(url="https://cdn.example/1.png", width=512, height=512, content_type="image/png")
    advanced = await database.transaction(
        lambda c: jobs.advance_job(
            c,
            job.id,
            from_states=AT_KVID,
            to=JobState.SUCCEEDED,
            now=NOW + 2 * HOUR,
            event="job.succeeded",
            detail={"polls": 3},
            epoch=1,
            results=(image,),
            used_credits=2,
        )
    )
    assert advanced is not None
    assert (advanced.state, advanced.results, advanced.used_credits) == (JobState.SUCCEEDED, (image,), 2)
    assert advanced.finished_at is None
    events = await database.read(lambda c: jobs.list_events(c, job.id))
    assert [(event.name, event.state, event.at, event.detail) for event in events] == [
        ("job.reserved", JobState.RESERVED, NOW, {"reserved_credits": 8}),
        ("job.submitting", JobState.SUBMITTING, NOW + HOUR, {}),
        ("job.succeeded", JobState.SUCCEEDED, NOW + 2 * HOUR, {"polls": 3}),
    ]


@pytest.mark.parametrize(("epoch", "from_states"), [(0, WAITING | AT_KVID), (None, WAITING), (1, WAITING)])
async def test_an_advance_that_comes_too_late_changes_nothing(
    database: Database, epoch: int | None, from_states: frozenset[JobState]
) -> None:
    job = await database.transaction(store_job)
    taken = await database.transaction(lambda c: submit(c, job))
    lost = await database.transaction(
        lambda c: jobs.advance_job(
            c, job.id, from_states=from_states, to=JobState.FAILED, now=NOW, event="job.failed", epoch=epoch
        )
    )
    assert lost is None
    assert await database.read(lambda c: jobs.get_job(c, job.id)) == taken
    assert len(await database.read(lambda c: jobs.list_events(c, job.id))) == 2


async def test_a_terminal_state_notes_when_the_job_ended(database: Database) -> None:
    job = await database.transaction(store_job)
    ended = await database.transaction(
        lambda c: jobs.advance_job(
            c, job.id, from_states=WAITING, to=JobState.CANCELLED, now=NOW + HOUR, event="job.cancelled"
        )
    )
    assert ended is not None
    assert ended.finished_at == NOW + HOUR


async def test_an_update_beside_the_state_writes_no_event_and_obeys_the_epoch(database: Database) -> None:
    job = await database.transaction(store_job)
    updated = await database.transaction(
        lambda c: jobs.update_job(c, job.id, epoch=0, card_message_id=5, message_id=6)
    )
    assert updated is not None
    assert (updated.state, updated.card_message_id, updated.updated_at) == (JobState.RESERVED, 5, NOW)
    assert await database.transaction(lambda c: jobs.update_job(c, job.id, epoch=1, seed=9)) is None
    assert await database.transaction(lambda c: jobs.update_job(c, "f" * 20, seed=9)) is None
    assert await database.read(lambda c: jobs.find_job_by_message(c, 6)) == updated
    assert len(await database.read(lambda c: jobs.list_events(c, job.id))) == 1


async def test_lists_and_counts_follow_the_order_of_acceptance(database: Database) -> None:
    mine = [await database.transaction(store_job) for _ in range(3)]
    other = await database.transaction(lambda c: store_job(c, user_id=USER + 1, guild_id=GUILD))
    await database.transaction(lambda c: submit(c, mine[1]))

    def look(c: Connection) -> dict[str, object]:
        return {
            "waiting": [job.id for job in jobs.list_jobs(c, WAITING, limit=10)],
            "first": [job.id for job in jobs.list_jobs(c, WAITING, limit=1)],
            "mine": [job.id for job in jobs.list_jobs(c, WAITING | AT_KVID, limit=10, user_id=USER)],
            "recent": [job.id for job in jobs.list_recent_jobs(c, USER, 2)],
            "before": [jobs.count_waiting_before(c, job.number) for job in (*mine, other)],
            "at_kvid": jobs.count_jobs(c, AT_KVID),
            "nothing": (jobs.list_jobs(c, [], limit=10), jobs.count_jobs(c, [])),
        }

    assert await database.read(look) == {
        "waiting": [mine[0].id, mine[2].id, other.id],
        "first": [mine[0].id],
        "mine": [job.id for job in mine],
        "recent": [mine[2].id, mine[1].id],
        "before": [0, 1, 1, 2],
        "at_kvid": 1,
        "nothing": ([], 0),
    }


@pytest.mark.parametrize(
    "changes", [{"image_count": 0}, {"reserved_credits": -1}, {"epoch": -1}, {"used_credits": -1}]
)
async def test_the_table_refuses_impossible_jobs(database: Database, changes: dict[str, int]) -> None:
    with pytest.raises(IntegrityError):
        await database.transaction(lambda c: store_job(c, **changes))

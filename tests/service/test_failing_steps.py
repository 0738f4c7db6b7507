"""Steps that are taken up again, come too late or raise: nothing is done twice, and nobody else waits."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from bot.jobs.service import Source
from bot.jobs.states import ENDED
from bot.kvid.errors import KvidServerError
from db.enums import JobState
from db.queries import jobs as queries
from db.values import JobImage
from tests.service.doubles import PRICE
from tests.service.world import World, look_rarely

if TYPE_CHECKING:
    from db.engine import Database
    from db.values import Job

IMAGE = JobImage(url="https://cdn.example/1.jpg", width=1024, height=1024, content_type="image/jpeg")


# --- taken up again ---


async def test_a_job_found_submitting_is_called_off_and_never_submitted_again(database: Database) -> None:
    world = World(database)
    job = await world.put(await world.accept(), JobState.SUBMITTING)
    async with world.running():
        (ended,) = await world.until_ended(job)
    assert (ended.state, ended.failure) == (JobState.UNKNOWN, "unknown")
    assert world.kvid.calls == []
    await world.assert_account(used=0)


@pytest.mark.parametrize(
    "states",
    [
        (JobState.SUBMITTING, JobState.SUBMITTED, JobState.SUCCEEDED),
        (JobState.SUBMITTING, JobState.SUBMITTED, JobState.SUCCEEDED, JobState.DELIVERING),
    ],
)
async def test_a_finished_job_is_delivered_after_a_restart(
    database: Database, states: tuple[JobState, ...]
) -> None:
    world = World(database)
    job = await world.put(
        await world.accept(), *states, kvid_job_id="kvid-9", results=(IMAGE,), used_credits=5
    )
    async with world.running():
        (ended,) = await world.until_ended(job)
    assert ended.state is JobState.DELIVERED
    assert world.surface.posts == [(job.id, job.nonce, 1)]
    assert world.kvid.calls_of("submit") == 0
    await world.assert_account(used=5)


async def test_a_post_that_was_not_noted_is_found_and_not_repeated(database: Database) -> None:
    """The message is there, the process died before it was written down."""
    world = World(database)
    waiting = await world.accept()
    job = await world.put(
        waiting,
        *(JobState.SUBMITTING, JobState.SUBMITTED, JobState.SUCCEEDED, JobState.DELIVERING),
        results=(IMAGE,),
        used_credits=8,
    )
    first = await world.surface.deliver(job, [])
    async with world.running():
        (ended,) = await world.until_ended(job)
    assert len(world.surface.posts) == 1
    assert world.kvid.calls_of("download") == 0
    assert ended.message_id == first.message_id
    await world.assert_account(used=8)


async def test_a_picture_lost_while_it_was_posted_is_called_off(database: Database) -> None:
    world = World(database)
    states = (JobState.SUBMITTING, JobState.SUBMITTED, JobState.SUCCEEDED, JobState.DELIVERING)
    job = await world.put(await world.accept(), *states, results=(IMAGE,), used_credits=8)
    world.kvid.script["download"] = [KvidServerError(http_status=500)] * 3
    async with world.running():
        (ended,) = await world.until_ended(job)
    assert (ended.state, ended.failure) == (JobState.UNDELIVERABLE, "download")
    await world.assert_account(used=0)


# --- a second owner ---


async def stand_at(world: World, state: JobState) -> Job:
    way = (JobState.SUBMITTING, JobState.SUBMITTED, JobState.SUCCEEDED, JobState.DELIVERING)
    changes = {"kvid_job_id": world.kvid.known("kvid-9"), "results": (IMAGE,), "used_credits": 5}
    if state is JobState.RESERVED:
        return await world.accept()
    return await world.put(await world.accept(), *way[: way.index(state) + 1], **changes)


@pytest.mark.parametrize("state", [JobState.SUBMITTING, JobState.SUBMITTED, JobState.SUCCEEDED])
async def test_an_owner_whose_take_is_over_changes_nothing(database: Database, state: JobState) -> None:
    world = World(database)
    world.kvid.render_s = 0.0
    mine = await stand_at(world, state)
    theirs = await database.transaction(lambda c: queries.adopt_job(c, mine.id, mine.updated_at))
    assert theirs is not None
    step = asyncio.ensure_future(world.steps.take(mine))
    await world.until(step.done)
    assert step.result() is None
    assert await world.jobs.get(mine.id) == theirs
    assert world.surface.posts == []
    await world.assert_account(used=0, held=PRICE)


@pytest.mark.parametrize(
    "state",
    [JobState.RESERVED, JobState.SUBMITTING, JobState.SUBMITTED, JobState.SUCCEEDED, JobState.DELIVERING],
)
async def test_an_owner_who_comes_after_the_end_changes_nothing(database: Database, state: JobState) -> None:
    world = World(database)
    world.kvid.render_s = 0.0
    stale = await stand_at(world, state)
    async with world.running():
        (ended,) = await world.until_ended(stale)
    usage = await world.usage()
    step = asyncio.ensure_future(world.steps.take(stale))
    again = World(database, before=world)
    await again.until(step.done)
    assert step.result() is None
    assert await world.jobs.get(stale.id) == ended
    assert await world.usage() == usage
    assert {nonce for _, nonce, _ in world.surface.posts} <= {stale.nonce}
    await world.assert_account(used=usage.today_credits)


async def test_a_job_that_ends_while_the_rows_are_read_is_not_taken_up_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows of that look still call it open; it would be posted twice."""
    world = World(database)
    world.surface.gate.clear()
    released = asyncio.Event()
    read = database.read

    async def slow(work: object) -> object:
        rows: object = await read(work)  # type: ignore[arg-type]
        await released.wait()
        return rows

    async with world.running():
        job = await world.accept()
        await world.until(lambda: world.kvid.calls_of("download") == 1)
        monkeypatch.setattr(database, "read", slow)
        world.jobs.wake()
        await world.idle()
        world.surface.gate.set()
        await world.idle()
        assert world.surface.states_of(job.id)[-1] is JobState.DELIVERED
        released.set()
        await world.idle()
    assert len(world.surface.posts) == 1


async def test_an_owner_who_was_held_up_for_long_asks_and_shows_nothing_more(database: Database) -> None:
    """A process that was suspended: somebody else has its job by now, and has told the member how it ended."""
    world = World(database)
    world.kvid.render_s = 1000.0
    mine = await stand_at(world, JobState.SUBMITTED)
    step = asyncio.ensure_future(world.steps.take(mine))
    await world.until(lambda: world.kvid.calls_of("status") == 1)
    await database.transaction(lambda c: queries.adopt_job(c, mine.id, mine.updated_at))
    world.surface.shown.clear()
    world.kvid.calls.clear()
    world.clock.elapsed_s += 3600.0
    await world.until(step.done)
    assert step.result() is None
    assert (world.kvid.calls, world.surface.shown) == ([], [])


async def test_an_owner_who_lost_a_job_that_is_being_posted_posts_nothing(database: Database) -> None:
    world = World(database)
    mine = await stand_at(world, JobState.DELIVERING)
    world.surface.look_gate.clear()
    step = asyncio.ensure_future(world.steps.take(mine))
    await world.idle()
    await database.transaction(lambda c: queries.adopt_job(c, mine.id, mine.updated_at))
    world.surface.look_gate.set()
    await world.until(step.done)
    assert step.result() is None
    assert (world.surface.looks, world.surface.posts) == (1, [])


async def test_two_processes_on_one_database_charge_each_job_once(database: Database) -> None:
    one = World(database)
    two = World(database, before=one)
    jobs = [await one.accept() for _ in range(6)]
    async with one.running(), two.running():
        ended = await one.until_ended(*jobs)
    states = {job.state for job in ended}
    assert states <= {JobState.DELIVERED, JobState.UNKNOWN}
    assert one.kvid.calls_of("submit") == 6
    paid = sum(job.state is JobState.DELIVERED for job in ended)
    await one.assert_account(used=paid * PRICE)


@pytest.mark.parametrize("state", sorted(ENDED))
async def test_a_take_of_an_ended_job_does_nothing(database: Database, state: JobState) -> None:
    world = World(database)
    job = await world.accept()
    assert await world.steps.take(replace(job, state=state)) is None
    assert await world.jobs.get(job.id) == job


# --- a bug ---


async def test_a_step_that_fails_by_a_bug_keeps_the_job_and_leaves_the_machine_in_peace(
    database: Database,
) -> None:
    world = World(database)
    world.surface.script = [RuntimeError("bug")] * 3
    async with world.running():
        with capture_logs() as lines:
            (ended,) = await world.until_ended(await world.accept())
    assert ended.state is JobState.DELIVERED
    assert len(world.surface.posts) == 1
    assert world.clock.elapsed_s > 3 * 10
    assert len([line for line in lines if line["log_level"] == "error"]) == 3
    await world.assert_account(used=PRICE)


@pytest.mark.parametrize(("step", "state"), [("source", JobState.FAILED), ("post", JobState.UNDELIVERABLE)])
async def test_a_step_that_raises_each_time_ends_its_job_alone(
    database: Database, step: str, state: JobState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty times; meanwhile the only place at kvid is free for others."""
    look_rarely(monkeypatch)
    world = World(database, concurrency=1)
    source = None
    if step == "source":
        world.surface.source_error = RuntimeError("bug")
        source = Source(url="https://cdn.example/a.png")
    else:
        # Of the first job alone: each of its attempts fails at the look.
        world.surface.script = [RuntimeError("bug")]
        world.surface.look_script = [RuntimeError("bug")] * 100
    async with world.running():
        bad = await world.accept(source=source)
        await world.until(lambda: step == "source" or world.surface.script == [])
        good = [await world.accept() for _ in range(3)]
        ended = await world.until_ended(*good, limit_s=200)
        assert {job.state for job in ended} == {JobState.DELIVERED}
        (given_up,) = await world.until_ended(bad)
    assert (given_up.state, given_up.failure) == (state, "bug")
    assert "RuntimeError" in (given_up.failure_detail or "")
    assert step == "source" or len(world.surface.look_script) == 100 - 19
    await world.assert_account(used=3 * PRICE)


async def test_a_parked_job_does_not_hold_up_stop(database: Database) -> None:
    world = World(database)
    world.surface.script = [RuntimeError("bug")] * 100
    async with world.running():
        await world.accept()
        await world.until(lambda: len(world.surface.script) < 100)
        await world.idle()
        async with asyncio.timeout(30):
            await world.runner.stop(grace_s=600)


async def test_a_look_that_fails_is_logged_and_repeated(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(database)
    async with world.running():
        await world.idle()
        read = database.read
        failures = [OSError("disk"), OSError("disk")]
        asked = {asyncio.current_task()}

        async def failing(work: object) -> object:
            # The member's own request reads too; what fails here is the runner's look.
            if failures and asyncio.current_task() not in asked:
                raise failures.pop()
            return await read(work)  # type: ignore[arg-type]

        monkeypatch.setattr(database, "read", failing)
        with capture_logs() as lines:
            (ended,) = await world.until_ended(await world.accept())
    assert ended.state is JobState.DELIVERED
    assert "runner.look_failed" in [line["event"] for line in lines]

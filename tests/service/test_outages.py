"""What the engine does while kvid, Discord or the database is away: it waits, looks, and never does it twice."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from bot.errors import IntakeClosed
from bot.jobs.ports import DeliveryDelayed, Undeliverable
from bot.jobs.service import Source
from bot.kvid.errors import (
    KvidError,
    KvidProtocolError,
    KvidRateLimited,
    KvidServerError,
    KvidUnauthorized,
    KvidUnreachable,
)
from db.enums import JobState
from db.values import JobImage
from tests.service.world import PRICE, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from db.engine import Database
    from db.values import Job

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
IMAGE = JobImage(url="https://cdn.example/1.jpg", width=1024, height=1024, content_type="image/jpeg")
HOUR_S = 3600.0
AWAY = DeliveryDelayed("Discord could not be reached")


def locked() -> OperationalError:
    return OperationalError("UPDATE job", {}, sqlite3.OperationalError("database is locked"))


def age_s(job: Job) -> float:
    assert job.submitted_at is not None
    assert job.finished_at is not None
    return (job.finished_at - job.submitted_at).total_seconds()


async def leave_delivering(world: World) -> Job:
    """A job as a process leaves it that dies while it posts."""
    states = (JobState.SUBMITTING, JobState.SUBMITTED, JobState.SUCCEEDED, JobState.DELIVERING)
    return await world.put(
        await world.accept(), *states, kvid_job_id="kvid-9", results=(IMAGE,), used_credits=PRICE
    )


# --- kvid is away while a job waits ---

OUTAGES = [
    KvidUnreachable(request_sent=False),
    KvidServerError(http_status=503),
    KvidRateLimited(http_status=429, retry_after_s=30),
    KvidUnauthorized(http_status=401),
]


@on_sqlite
@pytest.mark.parametrize("endpoint", ["status", "result"])
@pytest.mark.parametrize("error", OUTAGES, ids=lambda error: type(error).__name__)
async def test_an_outage_of_a_few_minutes_is_waited_out(
    database: Database, endpoint: str, error: KvidError
) -> None:
    world = World(database)
    world.kvid.script[endpoint] = [error] * 200
    async with world.running():
        job = await world.accept()
        await world.pass_s(200)
        assert (await world.jobs.get(job.id)).state is JobState.SUBMITTED
        world.kvid.script[endpoint].clear()
        (ended,) = await world.until_ended(job)
    assert ended.state is JobState.DELIVERED
    assert world.kvid.calls_of(endpoint) < 40
    await world.assert_account(used=PRICE)


@pytest.mark.parametrize("error", OUTAGES, ids=lambda error: type(error).__name__)
async def test_an_outage_without_end_times_the_job_out_at_its_deadline(
    database: Database, error: KvidError
) -> None:
    world = World(database)
    world.kvid.script["status"] = [error] * 200
    async with world.running():
        (ended,) = await world.until_ended(await world.accept())
    assert (ended.state, ended.failure) == (JobState.FAILED, "timeout")
    assert 300 <= age_s(ended) <= 360
    await world.assert_account(used=0)


@on_sqlite
async def test_a_refused_key_while_asking_pauses_intake_and_is_told_once_a_minute(database: Database) -> None:
    world = World(database)
    world.kvid.script["status"] = [KvidUnauthorized(http_status=401)] * 6
    async with world.running():
        with capture_logs() as lines:
            jobs = [await world.accept(f"prompt {number}") for number in range(3)]
            await world.until(lambda: len(world.kvid.script["status"]) == 0)
            with pytest.raises(IntakeClosed):
                await world.accept()
            ended = await world.until_ended(*jobs)
    assert {job.state for job in ended} == {JobState.DELIVERED}
    assert len([line for line in lines if line["event"] == "kvid.account_refused"]) == 1
    await world.assert_account(used=3 * PRICE)


@pytest.mark.parametrize("endpoint", ["status", "result"])
async def test_eight_answers_in_a_row_that_make_no_sense_are_enough(
    database: Database, endpoint: str
) -> None:
    world = World(database)
    world.kvid.script[endpoint] = [KvidProtocolError(http_status=200)] * 50
    async with world.running():
        (ended,) = await world.until_ended(await world.accept())
    assert (ended.state, ended.failure) == (JobState.FAILED, "protocol")
    assert world.kvid.calls_of(endpoint) == 8
    await world.assert_account(used=0)


@on_sqlite
async def test_nonsense_between_silences_is_no_nonsense_in_a_row(database: Database) -> None:
    world = World(database)
    nonsense: list[BaseException | None] = [KvidProtocolError(http_status=200)] * 5
    world.kvid.script["status"] = [*nonsense, KvidServerError(http_status=500), *nonsense]
    async with world.running():
        (ended,) = await world.until_ended(await world.accept())
    assert ended.state is JobState.DELIVERED


@on_sqlite
async def test_an_estimate_of_a_day_changes_neither_the_first_check_nor_the_deadline_much(
    database: Database,
) -> None:
    world = World(database)
    world.kvid.estimate = (1.0, 86_400.0)
    world.kvid.render_s = 1e6
    async with world.running():
        job = await world.accept()
        (ended,) = await world.until_ended(job)
    (submitted_s,) = [at_s for name, at_s in world.kvid.calls if name == "submit"]
    first_check_s = next(at_s for name, at_s in world.kvid.calls if name == "status")
    assert first_check_s - submitted_s <= 20
    assert (ended.state, ended.failure) == (JobState.FAILED, "timeout")
    assert 890 <= age_s(ended) <= 915
    await world.assert_account(used=0)


# --- the bot was away ---


async def stop_for_an_hour(world: World) -> Job:
    async with world.running():
        job = await world.accept()
        await world.until(lambda: world.kvid.calls_of("status") == 1)
    await world.pass_s(HOUR_S)
    assert (await world.jobs.get(job.id)).state is JobState.SUBMITTED
    return job


async def test_a_picture_that_was_finished_during_an_hour_of_downtime_is_delivered(
    database: Database,
) -> None:
    world = World(database)
    job = await stop_for_an_hour(world)
    after = World(database, before=world)
    async with after.running():
        (ended,) = await after.until_ended(job)
    assert ended.state is JobState.DELIVERED
    assert len(world.surface.posts) == 1
    assert world.kvid.calls_of("submit") == 1
    await world.assert_account(used=PRICE)


@on_sqlite
async def test_a_job_left_alone_for_an_hour_is_asked_about_once_before_its_deadline_counts(
    database: Database,
) -> None:
    world = World(database)
    world.kvid.render_s = 1e6
    job = await stop_for_an_hour(world)
    asked = world.kvid.calls_of("status")
    after = World(database, before=world)
    async with after.running():
        (ended,) = await after.until_ended(job)
    assert (ended.state, ended.failure) == (JobState.FAILED, "timeout")
    assert world.kvid.calls_of("status") == asked + 1
    await world.assert_account(used=0)


# --- Discord is away ---


async def test_a_delayed_post_is_repeated_with_the_same_nonce_after_a_look(database: Database) -> None:
    world = World(database)
    world.surface.script = [AWAY] * 4
    async with world.running():
        job = await world.accept()
        (ended,) = await world.until_ended(job)
    assert ended.state is JobState.DELIVERED
    assert world.surface.posts == [(job.id, job.nonce, 1)]
    assert world.surface.looks == 4
    assert world.clock.elapsed_s >= 2 + 4 + 8 + 16
    await world.assert_account(used=PRICE)


async def test_a_post_whose_answer_was_lost_is_found_and_not_posted_again(database: Database) -> None:
    world = World(database)
    world.surface.answers_lost = True
    world.surface.script = [AWAY] * 4
    async with world.running():
        (ended,) = await world.until_ended(await world.accept())
    assert ended.state is JobState.DELIVERED
    assert len(world.surface.posts) == 1
    assert world.kvid.calls_of("download") == 1
    await world.assert_account(used=PRICE)


@pytest.mark.parametrize("away", ["posts", "looks"])
async def test_a_discord_that_stays_away_is_given_up_after_a_quarter_of_an_hour(
    database: Database, away: str
) -> None:
    world = World(database)
    world.surface.script = [AWAY] * (200 if away == "posts" else 1)
    world.surface.look_script = [] if away == "posts" else [AWAY] * 200
    async with world.running():
        job = await world.accept()
        (ended,) = await world.until_ended(job)
    assert (ended.state, ended.failure) == (JobState.UNDELIVERABLE, "discord")
    assert ended.failure_detail == AWAY.reason
    assert 900 <= age_s(ended) <= 950
    assert world.surface.posts == []
    await world.assert_account(used=0)


@on_sqlite
async def test_a_post_that_is_put_off_ends_at_once_with_a_stop_and_goes_on_after_it(
    database: Database,
) -> None:
    world = World(database)
    world.surface.script = [AWAY] * 3
    async with world.running():
        job = await world.accept()
        await world.until(lambda: len(world.surface.script) == 0)
    assert (await world.jobs.get(job.id)).state is JobState.DELIVERING
    after = World(database, before=world)
    async with after.running():
        (ended,) = await after.until_ended(job)
    assert ended.state is JobState.DELIVERED
    assert len(world.surface.posts) == 1
    await world.assert_account(used=PRICE)


async def test_a_post_found_after_a_restart_is_settled_without_download_or_second_post(
    database: Database,
) -> None:
    world = World(database)
    job = await leave_delivering(world)
    first = await world.surface.deliver(job, [])
    async with world.running():
        (ended,) = await world.until_ended(job)
    assert (ended.state, ended.message_id) == (JobState.DELIVERED, first.message_id)
    assert world.kvid.calls == []
    assert len(world.surface.posts) == 1
    await world.assert_account(used=PRICE)


async def test_a_place_that_refuses_the_look_calls_the_picture_off(database: Database) -> None:
    world = World(database)
    job = await leave_delivering(world)
    world.surface.look_script = [Undeliverable("403 50001 Missing Access")]
    async with world.running():
        (ended,) = await world.until_ended(job)
    assert (ended.state, ended.failure) == (JobState.UNDELIVERABLE, "undeliverable")
    assert ended.failure_detail == "403 50001 Missing Access"
    assert world.surface.posts == []
    await world.assert_account(used=0)


@on_sqlite
async def test_a_delivery_left_for_an_hour_has_its_full_patience(database: Database) -> None:
    """In the first seconds of a start nothing can be looked at yet."""
    world = World(database)
    job = await leave_delivering(world)
    first = await world.surface.deliver(job, [])
    await world.pass_s(HOUR_S)
    world.surface.look_script = [AWAY] * 3
    async with world.running():
        (ended,) = await world.until_ended(job)
    assert (ended.state, ended.message_id) == (JobState.DELIVERED, first.message_id)
    await world.assert_account(used=PRICE)


async def test_a_place_known_to_be_closed_is_never_submitted(database: Database) -> None:
    world = World(database)
    world.surface.place_error = Undeliverable("the bot is no longer in that server")
    async with world.running():
        (ended,) = await world.until_ended(await world.accept())
    assert (ended.state, ended.failure) == (JobState.FAILED, "place")
    assert world.kvid.calls == []
    await world.assert_account(used=0)


async def test_a_delivery_taken_up_after_a_restart_holds_no_place_at_kvid(database: Database) -> None:
    world = World(database, concurrency=1)
    left = await leave_delivering(world)
    world.surface.gate.clear()
    async with world.running():
        await world.accept()
        await world.until(lambda: world.kvid.calls_of("submit") == 1, limit_s=10)
        assert (await world.jobs.get(left.id)).state is JobState.DELIVERING
        world.surface.gate.set()
        await world.until_ended(left)


# --- the database is away ---


def fail_transactions(
    world: World, monkeypatch: pytest.MonkeyPatch, times: int, begun: Callable[[], bool]
) -> list[OperationalError]:
    """The first `times` transactions after `begun` fail; what is left of them is returned."""
    transaction = world.database.transaction
    left = [locked() for _ in range(times)]

    async def failing(work: object) -> object:
        if left and begun():
            raise left.pop()
        return await transaction(work)  # type: ignore[arg-type]

    monkeypatch.setattr(world.database, "transaction", failing)
    return left


async def test_an_accepted_submit_is_written_although_the_database_stumbles(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(database)
    left = fail_transactions(world, monkeypatch, 5, lambda: world.kvid.calls_of("submit") == 1)
    async with world.running():
        (ended,) = await world.until_ended(await world.accept())
    assert left == []
    assert (ended.state, ended.kvid_job_id) == (JobState.DELIVERED, "kvid-1")
    assert world.kvid.calls_of("submit") == 1
    await world.assert_account(used=PRICE)


async def test_a_post_is_settled_although_the_database_stumbles(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(database)
    left = fail_transactions(world, monkeypatch, 5, lambda: bool(world.surface.posts))
    async with world.running():
        (ended,) = await world.until_ended(await world.accept())
    assert left == []
    assert ended.state is JobState.DELIVERED
    assert len(world.surface.posts) == 1
    await world.assert_account(used=PRICE)


@on_sqlite
async def test_a_post_whose_settle_failed_for_long_is_found_and_settled_later(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(database)
    fail_transactions(world, monkeypatch, 20, lambda: bool(world.surface.posts))
    async with world.running():
        (ended,) = await world.until_ended(await world.accept())
    assert ended.state is JobState.DELIVERED
    assert len(world.surface.posts) == 1
    await world.assert_account(used=PRICE)


@on_sqlite
async def test_a_submit_that_cannot_be_written_names_the_job_at_kvid_and_is_not_repeated(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(database)
    fail_transactions(world, monkeypatch, 6, lambda: world.kvid.calls_of("submit") == 1)
    async with world.running():
        with capture_logs() as lines:
            job = await world.accept()
            (ended,) = await world.until_ended(job)
    assert (ended.state, ended.failure) == (JobState.UNKNOWN, "unknown")
    assert world.kvid.calls_of("submit") == 1
    assert ("kvid-1", job.id) in [(line.get("kvid_job"), line.get("job")) for line in lines]
    await world.assert_account(used=0)


async def test_the_settle_keeps_what_kvid_reported_beside_what_was_charged(database: Database) -> None:
    world = World(database)
    world.kvid.used_credit = 99
    async with world.running():
        job = await world.accept()
        (ended,) = await world.until_ended(job)
    assert ended.used_credits == PRICE
    statement = text("SELECT reported_credits FROM transfer WHERE kind = 'settle' AND job_id = :job_id")
    reported = await database.read(lambda c: c.execute(statement, {"job_id": job.id}).scalars().all())
    assert reported == [99]
    await world.assert_account(used=PRICE)


# --- a bug ---


@pytest.mark.parametrize(("step", "state"), [("source", JobState.FAILED), ("post", JobState.UNDELIVERABLE)])
async def test_a_step_that_raises_each_time_ends_its_job_alone(
    database: Database, step: str, state: JobState
) -> None:
    """Twenty times; meanwhile the only place at kvid is free for others."""
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


@on_sqlite
async def test_a_database_that_is_away_for_long_is_no_bug(database: Database) -> None:
    world = World(database)
    world.surface.script = [locked()]
    world.surface.look_script = [locked() for _ in range(40)]
    async with world.running():
        (ended,) = await world.until_ended(await world.accept())
    assert ended.state is JobState.DELIVERED
    assert world.surface.look_script == []
    await world.assert_account(used=PRICE)


async def test_one_failed_question_after_a_long_downtime_throws_nothing_away(database: Database) -> None:
    """The deadline counts what was asked: the picture that was done during the downtime is fetched."""
    world = World(database)
    async with world.running():
        job = await world.accept()
        await world.until(lambda: world.kvid.calls_of("submit") == 1)
    await world.pass_s(3600)
    after = World(database, before=world)
    after.kvid.script["status"] = [KvidServerError(http_status=503), KvidProtocolError(http_status=502)]
    async with after.running():
        ended = (await after.until_ended(job))[0]
    assert ended.state is JobState.DELIVERED
    await after.assert_account(used=PRICE)

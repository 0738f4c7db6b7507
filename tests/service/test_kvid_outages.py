"""While kvid does not answer, a job waits and is asked about again; also after the bot itself was away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from bot.errors import IntakeClosed
from bot.kvid.errors import (
    KvidError,
    KvidProtocolError,
    KvidRateLimited,
    KvidServerError,
    KvidUnauthorized,
    KvidUnreachable,
)
from db.enums import JobState
from tests.service.doubles import PRICE
from tests.service.outage_parts import HOUR_S, age_s, on_sqlite
from tests.service.world import World, look_rarely

if TYPE_CHECKING:
    from db.engine import Database
    from db.values import Job

OUTAGES = [
    KvidUnreachable(request_sent=False),
    KvidServerError(http_status=503),
    KvidRateLimited(http_status=429, retry_after_s=30),
    KvidUnauthorized(http_status=401),
]


# --- kvid is away while a job waits ---


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
    database: Database, error: KvidError, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_rarely(monkeypatch)
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

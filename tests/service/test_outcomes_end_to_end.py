"""How each job ends, for everything that kvid and Discord may answer: state, account, card, operator's line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from bot.jobs.ports import SourceExpired, Undeliverable
from bot.jobs.service import Picture, Source
from bot.kvid.errors import (
    DownloadProblem,
    KvidAccountEmpty,
    KvidDownloadError,
    KvidError,
    KvidInvalidParameters,
    KvidInvalidPrompt,
    KvidJobFailed,
    KvidJobNotCompleted,
    KvidJobNotFound,
    KvidProtocolError,
    KvidRateLimited,
    KvidSafetyRefused,
    KvidServerError,
    KvidUnauthorized,
    KvidUnreachable,
)
from bot.kvid.model import ImageToImage, JobStatus, TextToImage
from db.enums import JobState
from tests.service.doubles import PRICE
from tests.service.world import World

if TYPE_CHECKING:
    from db.engine import Database

# Where only kvid's words differ, one database says enough.
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
TOO_LARGE = KvidDownloadError(problem=DownloadProblem.TOO_LARGE, http_status=200)


def lost_answer() -> KvidError:
    """As the client marks a submit that left and was never answered."""
    error = KvidUnreachable(request_sent=True, excerpt="reset")
    error.outcome_unknown = True
    return error


async def test_a_job_goes_from_the_press_to_the_settled_account(database: Database) -> None:
    world = World(database)
    async with world.running():
        job = await world.accept("빛나는 무대", picture=Picture(prompt="빛나는 무대", seed=7, steps=30))
        await world.assert_account(used=0, held=PRICE)
        (ended,) = await world.until_ended(job)
    assert ended.state is JobState.DELIVERED
    assert world.surface.posts == [(job.id, job.id, 1)]
    assert ended.message_id is not None
    assert ended.used_credits == PRICE
    assert ended.kvid_job_id == "kvid-1"
    assert (ended.results[0].width, ended.results[0].height) == (1024, 1024)
    assert ended.results[0].content_type == "image/jpeg"
    request = world.kvid.requests[0]
    assert isinstance(request, TextToImage)
    assert (request.prompt, request.seed, request.steps, request.aspect_ratio) == (
        "빛나는 무대",
        7,
        30,
        "1:1",
    )
    assert [event.name for event in await world.events(job)] == [
        "job.reserved",
        "job.submitting",
        "job.submitted",
        "job.succeeded",
        "job.delivering",
        "job.delivered",
    ]
    assert world.surface.states_of(job.id) == [
        JobState.SUBMITTING,
        JobState.SUBMITTED,
        JobState.DELIVERED,
    ]
    await world.assert_account(used=PRICE)


async def test_an_edit_is_sent_with_a_renewed_address_of_its_source(database: Database) -> None:
    world = World(database)
    async with world.running():
        job = await world.accept(source=Source(url="https://cdn.example/a.png"))
        (ended,) = await world.until_ended(job)
    assert ended.state is JobState.DELIVERED
    request = world.kvid.requests[0]
    assert isinstance(request, ImageToImage)
    assert request.source_urls == ("https://cdn.example/a.png?fresh",)


async def test_an_edit_whose_source_is_gone_costs_nothing(database: Database) -> None:
    world = World(database)
    world.surface.source_error = SourceExpired()
    async with world.running():
        job = await world.accept(source=Source(url="https://cdn.example/a.png"))
        (ended,) = await world.until_ended(job)
    assert (ended.state, ended.failure) == (JobState.FAILED, "source")
    assert world.kvid.calls == []
    await world.assert_account(used=0)


async def test_a_row_that_breaks_the_contract_is_never_sent(database: Database) -> None:
    world = World(database)
    async with world.running():
        job = await world.accept(picture=Picture(prompt="x", steps=33))
        (ended,) = await world.until_ended(job)
    assert (ended.state, ended.failure) == (JobState.FAILED, "parameters")
    assert world.kvid.calls == []
    await world.assert_account(used=0)


SUBMIT_CASES = [
    (KvidInvalidPrompt(code="INVALID_PROMPT", http_status=400), JobState.REFUSED, "prompt"),
    (KvidInvalidParameters(code="INVALID_PARAMETERS", http_status=400), JobState.REFUSED, "parameters"),
    (KvidSafetyRefused(code="SAFETY_CHECK_FAILED", http_status=400), JobState.REFUSED, "safety"),
    (KvidAccountEmpty(code="INSUFFICIENT_CREDITS", http_status=402), JobState.REFUSED, "closed"),
    (KvidUnauthorized(http_status=401), JobState.REFUSED, "closed"),
    (
        KvidServerError(code="SERVER_ERROR", http_status=500, outcome_unknown=True),
        JobState.UNKNOWN,
        "unknown",
    ),
    (KvidProtocolError(http_status=200, outcome_unknown=True), JobState.UNKNOWN, "unknown"),
    (KvidProtocolError(http_status=418), JobState.FAILED, "protocol"),
    (lost_answer(), JobState.UNKNOWN, "unknown"),
    (KvidJobNotFound(http_status=404), JobState.FAILED, "busy"),
    (KvidJobNotCompleted(http_status=409), JobState.FAILED, "busy"),
    (KvidJobFailed(http_status=422), JobState.FAILED, "busy"),
    (TOO_LARGE, JobState.FAILED, "busy"),
]


@pytest.mark.parametrize(("error", "state", "failure"), SUBMIT_CASES, ids=lambda part: repr(part)[:60])
async def test_a_submit_that_fails_ends_the_job_without_a_charge(
    database: Database, error: KvidError, state: JobState, failure: str
) -> None:
    world = World(database)
    world.kvid.script["submit"] = [error]
    async with world.running():
        with capture_logs() as lines:
            job = await world.accept()
            (ended,) = await world.until_ended(job)
    assert (ended.state, ended.failure) == (state, failure)
    assert ended.failure_detail is not None
    assert type(error).__name__ in ended.failure_detail
    assert ended.finished_at is not None
    assert world.kvid.calls_of("submit") == 1
    assert world.surface.posts == []
    assert world.surface.states_of(job.id) == [JobState.SUBMITTING, state]
    await world.assert_account(used=0)
    line = next(line for line in lines if line["event"] == "job.finished")
    assert (line["job"], line["state"], line["failure"]) == (job.id, state, failure)
    assert type(error).__name__ in line["detail"]


def test_every_error_of_the_client_has_a_case() -> None:
    """A rate limit is no end, so it has tests of its own."""
    tried = {type(error) for error, _, _ in SUBMIT_CASES} | {KvidRateLimited}
    assert tried == set(KvidError.__subclasses__())


ASK_ENDS = [
    (KvidJobNotFound(code="JOB_NOT_FOUND", http_status=404), "lost"),
    (KvidJobFailed(code="JOB_FAILED", http_status=422), "render"),
    (KvidSafetyRefused(code="SAFETY_CHECK_FAILED", http_status=400), "safety"),
]
ASK_PASSES = [
    KvidServerError(http_status=503),
    KvidUnreachable(request_sent=True),
    KvidProtocolError(http_status=200),
    KvidRateLimited(http_status=429, retry_after_s=30),
    KvidRateLimited(http_status=429),
    KvidUnauthorized(http_status=401),
    KvidJobNotCompleted(http_status=409),
    KvidInvalidParameters(http_status=400),
    KvidInvalidPrompt(http_status=400),
    KvidAccountEmpty(http_status=402),
    TOO_LARGE,
]


@on_sqlite
@pytest.mark.parametrize("endpoint", ["status", "result"])
@pytest.mark.parametrize(("error", "failure"), ASK_ENDS, ids=lambda part: repr(part)[:40])
async def test_kvids_word_that_no_picture_will_come_ends_the_job(
    database: Database, endpoint: str, error: KvidError, failure: str
) -> None:
    world = World(database)
    world.kvid.script[endpoint] = [error]
    async with world.running():
        job = await world.accept()
        (ended,) = await world.until_ended(job)
    assert (ended.state, ended.failure) == (JobState.FAILED, failure)
    assert world.surface.states_of(job.id) == [
        JobState.SUBMITTING,
        JobState.SUBMITTED,
        JobState.FAILED,
    ]
    assert world.surface.posts == []
    await world.assert_account(used=0)


@on_sqlite
@pytest.mark.parametrize("endpoint", ["status", "result"])
@pytest.mark.parametrize("error", ASK_PASSES, ids=lambda part: repr(part)[:40])
async def test_trouble_while_asking_passes_and_the_picture_arrives(
    database: Database, endpoint: str, error: KvidError
) -> None:
    world = World(database)
    world.kvid.script[endpoint] = [error, error]
    async with world.running():
        job = await world.accept()
        (ended,) = await world.until_ended(job)
    assert ended.state is JobState.DELIVERED
    assert len(world.surface.posts) == 1
    assert world.kvid.calls_of("submit") == 1
    await world.assert_account(used=PRICE)


async def test_a_rate_limit_while_asking_is_waited_for_as_long_as_kvid_says(database: Database) -> None:
    world = World(database)
    world.kvid.script["status"] = [KvidRateLimited(http_status=429, retry_after_s=30)]
    async with world.running():
        await world.until_ended(await world.accept())
    first, second = [at_s for name, at_s in world.kvid.calls if name == "status"][:2]
    assert second - first >= 30


@pytest.mark.parametrize("status", [JobStatus.FAILED, JobStatus.CANCELED])
async def test_a_job_that_kvid_calls_off_costs_nothing(database: Database, status: JobStatus) -> None:
    world = World(database)
    world.kvid.last_status = status
    async with world.running():
        job = await world.accept()
        (ended,) = await world.until_ended(job)
    assert (ended.state, ended.failure) == (JobState.FAILED, "render")
    assert status.value in (ended.failure_detail or "")
    await world.assert_account(used=0)


@pytest.mark.parametrize("status", [JobStatus.PROCESSING, JobStatus.UNKNOWN])
async def test_a_job_that_never_ends_is_given_up_after_its_deadline(
    database: Database, status: JobStatus
) -> None:
    world = World(database)
    world.kvid.last_status = status
    async with world.running():
        job = await world.accept()
        (ended,) = await world.until_ended(job)
        assert ended.finished_at is not None
        age_s = (ended.finished_at - job.created_at).total_seconds()
    assert (ended.state, ended.failure) == (JobState.FAILED, "timeout")
    assert 300 <= age_s <= 320
    assert world.kvid.calls_of("status") < 60
    await world.assert_account(used=0)


async def test_a_result_without_a_picture_costs_nothing(database: Database) -> None:
    world = World(database)
    world.kvid.pictures = 0
    async with world.running():
        (ended,) = await world.until_ended(await world.accept())
    assert (ended.state, ended.failure) == (JobState.FAILED, "protocol")
    await world.assert_account(used=0)


async def test_more_pictures_than_asked_for_are_left_out(database: Database) -> None:
    world = World(database)
    world.kvid.pictures = 5
    async with world.running():
        (ended,) = await world.until_ended(await world.accept(picture=Picture(prompt="x", image_count=2)))
    assert len(ended.results) == 2
    assert world.surface.posts[0][2] == 2


async def test_a_download_that_stumbles_is_tried_again(database: Database) -> None:
    world = World(database)
    world.kvid.script["download"] = [TOO_LARGE, KvidUnreachable(request_sent=True)]
    async with world.running():
        (ended,) = await world.until_ended(await world.accept())
    assert ended.state is JobState.DELIVERED
    assert world.kvid.calls_of("download") == 3
    await world.assert_account(used=PRICE)


async def test_a_picture_that_cannot_be_fetched_costs_nothing(database: Database) -> None:
    world = World(database)
    world.kvid.script["download"] = [TOO_LARGE] * 20
    async with world.running():
        (ended,) = await world.until_ended(await world.accept())
    assert (ended.state, ended.failure) == (JobState.FAILED, "download")
    assert world.kvid.calls_of("download") == 3
    assert world.surface.posts == []
    await world.assert_account(used=0)


async def test_a_picture_that_discord_does_not_take_costs_nothing(database: Database) -> None:
    world = World(database)
    world.surface.script = [Undeliverable("403 50013 Missing Permissions")]
    async with world.running():
        (ended,) = await world.until_ended(await world.accept())
    assert (ended.state, ended.failure) == (JobState.UNDELIVERABLE, "undeliverable")
    assert ended.failure_detail == "403 50013 Missing Permissions"
    await world.assert_account(used=0)


@pytest.mark.parametrize(
    ("used_credit", "tolerance", "charged", "excess"),
    [
        (5, 0, 5, 0),
        (8, 0, 8, 0),
        (0, 0, 0, 0),
        (None, 0, 8, 0),
        (12, 0, 8, 4),
        (12, 3, 11, 1),
        (12, 9, 12, 0),
    ],
)
async def test_the_member_pays_what_kvid_reports_up_to_reservation_and_tolerance(
    database: Database, used_credit: int | None, tolerance: int, charged: int, excess: int
) -> None:
    world = World(database, tolerance_credits=tolerance)
    world.kvid.used_credit = used_credit
    async with world.running():
        with capture_logs() as lines:
            (ended,) = await world.until_ended(await world.accept())
    assert ended.used_credits == charged
    await world.assert_account(used=charged)
    told = [line["credits"] for line in lines if line["event"] == "ledger.excess_on_operator"]
    assert told == ([excess] if excess else [])

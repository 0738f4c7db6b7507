"""Which job is worked on, and when: order, places, pauses, stop and start."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from bot.errors import IntakeClosed
from bot.jobs import line, service
from bot.jobs.service import KVID_AWAY
from bot.kvid.errors import (
    KvidAccountEmpty,
    KvidError,
    KvidRateLimited,
    KvidUnauthorized,
    KvidUnreachable,
)
from db.enums import Breaker, JobState
from tests.service.doubles import PRICE
from tests.service.world import MEMBER, World, look_rarely

if TYPE_CHECKING:
    from db.engine import Database


async def test_at_most_so_many_jobs_are_at_kvid_and_the_others_keep_their_order(database: Database) -> None:
    world = World(database, concurrency=3)
    async with world.running():
        jobs = [await world.accept(f"prompt {index}") for index in range(12)]
        ended = await world.until_ended(*jobs)
    assert {job.state for job in ended} == {JobState.DELIVERED}
    assert world.kvid.at_once_max == 3
    # Three start at the same moment, and which of those is heard first is kvid's business.
    taken = [int(request.prompt.removeprefix("prompt ")) for request in world.kvid.requests]
    assert [sorted(taken[start : start + 3]) for start in range(0, 12, 3)] == [
        list(range(start, start + 3)) for start in range(0, 12, 3)
    ]
    await world.assert_account(used=12 * PRICE)


async def test_waiting_jobs_show_their_place_and_move_up(database: Database) -> None:
    world = World(database, concurrency=1)
    async with world.running():
        jobs = [await world.accept() for _ in range(4)]
        await world.until_ended(*jobs)
    for index, job in enumerate(jobs):
        places = [place for shown, _, place in world.surface.shown if shown == job.id and place is not None]
        assert list(dict.fromkeys(places)) == list(range(index, 0, -1))


async def test_a_place_is_counted_over_all_members(database: Database) -> None:
    world = World(database)
    jobs = [await world.accept(user_id=user_id) for user_id in (1, 2, 3)]
    assert [await world.jobs.place_of(job) for job in jobs] == [1, 2, 3]


async def test_behind_another_servers_flood_the_place_is_that_of_the_own_turn(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "PLACES_SHOWN_MAX", 4)
    world = World(database)
    flood = [await world.accept(user_id=number) for number in range(1, 8)]
    other = await world.accept(guild_id=None)
    assert await world.jobs.place_of(other) == 2
    assert [await world.jobs.place_of(job) for job in (flood[0], flood[-1])] == [1, 7]


async def test_a_rate_limited_job_waits_and_is_then_taken(database: Database) -> None:
    world = World(database)
    world.kvid.script["submit"] = [KvidRateLimited(http_status=429, retry_after_s=20)]
    async with world.running():
        job = await world.accept()
        (ended,) = await world.until_ended(job)
    assert ended.state is JobState.DELIVERED
    first, second = [at_s for name, at_s in world.kvid.calls if name == "submit"]
    assert 20 <= second - first < 25
    assert "job.put_back" in [event.name for event in await world.events(job)]
    assert (job.id, JobState.RESERVED, 1) in world.surface.shown
    await world.assert_account(used=PRICE)


async def test_a_rate_limit_holds_every_job_back(database: Database) -> None:
    world = World(database, concurrency=1)
    world.kvid.script["submit"] = [KvidRateLimited(http_status=429, retry_after_s=20)]
    async with world.running():
        jobs = [await world.accept() for _ in range(3)]
        await world.pass_s(19)
        assert world.kvid.calls_of("submit") == 1
        await world.until_ended(*jobs)
    await world.assert_account(used=3 * PRICE)


async def test_an_absurd_rate_limit_is_not_waited_for_longer_than_a_minute(database: Database) -> None:
    world = World(database)
    world.kvid.script["submit"] = [KvidRateLimited(http_status=429, retry_after_s=86_400)]
    async with world.running():
        await world.until_ended(await world.accept(), limit_s=120)


async def test_however_often_kvid_is_busy_the_job_waits_and_is_taken(database: Database) -> None:
    world = World(database)
    world.kvid.script["submit"] = [KvidRateLimited(http_status=429)] * 12
    async with world.running():
        (ended,) = await world.until_ended(await world.accept())
    assert ended.state is JobState.DELIVERED
    assert world.kvid.calls_of("submit") == 13
    asked_s = [at_s for name, at_s in world.kvid.calls if name == "submit"]
    # Two seconds, doubled to a minute.
    assert asked_s[-1] - asked_s[0] == pytest.approx(2 + 4 + 8 + 16 + 32 + 7 * 60, abs=5)
    await world.assert_account(used=PRICE)


async def test_after_an_hour_a_job_that_kvid_is_too_busy_for_is_given_back(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_rarely(monkeypatch)
    world = World(database)
    world.kvid.script["submit"] = [KvidRateLimited(http_status=429)] * 200
    async with world.running():
        (ended,) = await world.until_ended(await world.accept())
    assert (ended.state, ended.failure) == (JobState.FAILED, "busy")
    assert ended.finished_at is not None
    assert 3600 <= (ended.finished_at - ended.created_at).total_seconds() <= 3700
    await world.assert_account(used=0)


async def test_a_kvid_that_cannot_be_reached_is_waited_for_and_each_member_told_once(
    database: Database,
) -> None:
    world = World(database)
    world.kvid.script["submit"] = [KvidUnreachable(request_sent=False)] * 7
    async with world.running():
        mine = [await world.accept(f"mine {number}") for number in range(2)]
        other = await world.accept("other", user_id=MEMBER + 1)
        await world.until(lambda: world.gate.state.breaker is Breaker.OPEN)
        late = await world.accept("late", user_id=MEMBER + 2)
        await world.idle()
        told = {job_id for job_id, _, place in world.surface.shown if place == KVID_AWAY}
        # Which of one member's jobs is the first in line may change while they come back into it.
        assert {other.id, late.id} <= told
        assert len(told & {job.id for job in mine}) == 1
        assert len(told) == 3
        ended = await world.until_ended(*mine, other, late)
    assert {job.state for job in ended} == {JobState.DELIVERED}
    assert world.kvid.calls_of("submit") == 7 + 4
    await world.assert_account(used=2 * PRICE)


async def test_after_an_hour_of_outage_what_waits_is_given_back(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_rarely(monkeypatch)
    world = World(database)
    world.kvid.script["submit"] = [KvidUnreachable(request_sent=False)] * 500
    async with world.running():
        jobs = [await world.accept(user_id=MEMBER + number) for number in range(3)]
        ended = await world.until_ended(*jobs)
    assert {(job.state, job.failure) for job in ended} == {(JobState.FAILED, "busy")}
    assert {
        3600 <= (job.finished_at - job.created_at).total_seconds() <= 3750 for job in ended if job.finished_at
    } == {True}
    for number in range(3):
        await world.assert_account(used=0, user_id=MEMBER + number)


async def test_cards_farther_back_go_on_when_the_line_does(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "PLACES_SHOWN_MAX", 2)
    world = World(database, concurrency=1)
    world.kvid.script["submit"] = [KvidUnreachable(request_sent=False)] * 5
    async with world.running():
        jobs = [await world.accept(user_id=MEMBER + number) for number in range(6)]
        await world.until(lambda: world.gate.state.breaker is Breaker.OPEN)
        await world.idle()
        world.surface.shown.clear()
        await world.until(lambda: world.gate.state.breaker is Breaker.CLOSED)
        await world.idle()
    last = [place for job_id, _, place in world.surface.shown if job_id == jobs[-1].id]
    assert last[-1] == 5


@pytest.mark.parametrize(
    "error",
    [KvidAccountEmpty(http_status=402, code="INSUFFICIENT_CREDITS"), KvidUnauthorized(http_status=401)],
)
async def test_an_empty_account_pauses_intake_and_tells_the_operator_until_it_is_mended(
    database: Database, error: KvidError
) -> None:
    world = World(database, concurrency=1)
    world.kvid.script["submit"] = [error]
    async with world.running():
        with capture_logs() as lines:
            first, second = await world.accept(), await world.accept()
            await world.until_ended(first)
        with pytest.raises(IntakeClosed) as refused:
            await world.accept()
        assert refused.value.key == "failure.closed"
        await world.pass_s(59)
        assert world.kvid.calls_of("submit") == 1
        with pytest.raises(IntakeClosed):
            await world.accept()
        await world.pass_s(2)
        third = await world.accept()
        ended = await world.until_ended(second, third)
    assert {job.state for job in ended} == {JobState.DELIVERED}
    (line,) = [line for line in lines if line["event"] == "kvid.account_refused"]
    assert line["log_level"] == "error"
    assert type(error).__name__ in line["error"]
    assert "KVID_API_KEY" in line["mend"]
    await world.assert_account(used=2 * PRICE)


async def test_stop_parks_a_polled_job_and_the_next_start_delivers_it(database: Database) -> None:
    world = World(database)
    async with world.running():
        job = await world.accept()
        await world.until(lambda: world.kvid.calls_of("status") == 1)
        async with asyncio.timeout(30):
            await world.runner.stop(grace_s=600)
    # Parked at once: it neither waits for its next check nor makes it early.
    assert world.kvid.calls_of("status") == 1
    assert (await world.jobs.get(job.id)).state is JobState.SUBMITTED
    await world.assert_account(used=0, held=PRICE)
    after = World(database, before=world)
    async with after.running():
        (ended,) = await after.until_ended(job)
    assert ended.state is JobState.DELIVERED
    assert world.kvid.calls_of("submit") == 1
    assert len(world.surface.posts) == 1
    await world.assert_account(used=PRICE)


async def test_stop_lets_a_submit_finish_and_keeps_its_answer(database: Database) -> None:
    world = World(database)
    world.kvid.submit_gate.clear()
    await world.runner.start()
    job = await world.accept()
    await world.idle()
    stopping = asyncio.ensure_future(world.runner.stop(grace_s=5))
    await world.idle()
    assert not stopping.done()
    world.kvid.submit_gate.set()
    await stopping
    parked = await world.jobs.get(job.id)
    assert (parked.state, parked.kvid_job_id) == (JobState.SUBMITTED, "kvid-1")


async def test_stop_leaves_in_time_although_a_submit_hangs(database: Database) -> None:
    world = World(database)
    world.kvid.submit_gate.clear()
    await world.runner.start()
    job = await world.accept()
    await world.idle()
    async with asyncio.timeout(30):
        await world.runner.stop(grace_s=0.05)
    assert (await world.jobs.get(job.id)).state is JobState.SUBMITTING
    world.kvid.submit_gate.set()
    after = World(database, before=world)
    async with after.running():
        (ended,) = await after.until_ended(job)
    assert ended.state is JobState.UNKNOWN
    await world.assert_account(used=0)


async def test_nothing_is_submitted_after_stop(database: Database) -> None:
    world = World(database, concurrency=1)
    async with world.running():
        jobs = [await world.accept() for _ in range(3)]
        await world.until(lambda: world.kvid.calls_of("submit") == 1)
    assert world.kvid.calls_of("submit") == 1
    assert [(await world.jobs.get(job.id)).state for job in jobs[1:]] == [JobState.RESERVED] * 2


async def test_jobs_in_line_survive_a_restart(database: Database) -> None:
    world = World(database)
    jobs = [await world.accept() for _ in range(3)]
    async with world.running():
        ended = await world.until_ended(*jobs)
    assert {job.state for job in ended} == {JobState.DELIVERED}
    await world.assert_account(used=3 * PRICE)

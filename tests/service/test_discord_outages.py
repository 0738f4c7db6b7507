"""While Discord does not answer, a post is put off, looked for and made once, or given up in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bot.jobs.ports import DeliveryDelayed, Undeliverable, Unseen
from db.enums import JobState
from db.values import JobImage
from tests.service.doubles import PRICE
from tests.service.outage_parts import HOUR_S, age_s, on_sqlite
from tests.service.world import World, look_rarely

if TYPE_CHECKING:
    from db.engine import Database
    from db.values import Job

IMAGE = JobImage(url="https://cdn.example/1.jpg", width=1024, height=1024, content_type="image/jpeg")
AWAY = DeliveryDelayed("Discord could not be reached")


async def leave_delivering(world: World) -> Job:
    """A job as a process leaves it that dies while it posts."""
    states = (JobState.SUBMITTING, JobState.SUBMITTED, JobState.SUCCEEDED, JobState.DELIVERING)
    return await world.put(
        await world.accept(), *states, kvid_job_id="kvid-9", results=(IMAGE,), used_credits=PRICE
    )


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
    database: Database, away: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_rarely(monkeypatch)
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


async def test_what_may_have_been_posted_unseen_is_called_off_and_not_posted_again(
    database: Database,
) -> None:
    world = World(database)
    job = await leave_delivering(world)
    world.surface.look_script = [Unseen("nobody can look")]
    async with world.running():
        (ended,) = await world.until_ended(job)
    assert (ended.state, ended.failure) == (JobState.UNDELIVERABLE, "unseen")
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

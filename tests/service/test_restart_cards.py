"""The last word of a card that a stop cut off is said after the restart, and only where it can be heard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from db.queries import jobs as queries
from tests.service.world import World

if TYPE_CHECKING:
    from db.engine import Database

QUARTER_HOUR_S = 900.0


async def test_cards_of_jobs_that_just_ended_are_shown_again_after_a_restart(database: Database) -> None:
    before = World(database)
    async with before.running():
        job = await before.accept()
        await before.until_ended(job)
    after = World(database, before=before)
    async with after.running():
        await after.idle()
    assert after.surface.shown_again == [job.id]


async def test_a_job_that_ended_long_ago_is_left_alone(database: Database) -> None:
    before = World(database)
    async with before.running():
        job = await before.accept()
        await before.until_ended(job)
        await before.pass_s(QUARTER_HOUR_S + 60)
    after = World(database, before=before)
    async with after.running():
        await after.idle()
    assert after.surface.shown_again == []


async def test_only_jobs_that_ended_are_listed_however_many_wait(database: Database) -> None:
    world = World(database)
    async with world.running():
        ended = [await world.accept() for _ in range(3)]
        await world.until_ended(*ended)
    since = min(job.created_at for job in ended)
    waiting = await world.accept()
    listed = await database.read(lambda c: queries.list_ended_since(c, since, 2))
    assert len(listed) == 2, "the limit holds"
    every = await database.read(lambda c: queries.list_ended_since(c, since, 50))
    assert {job.id for job in every} == {job.id for job in ended}
    assert waiting.finished_at is None

"""Whoever got no picture is owed a word until it reached them, across restarts, and not once more after."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from bot.jobs.last_words import LastWords
from bot.jobs.outcomes import Failure, failed
from db.enums import Surface
from tests.service.world import World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from db.engine import Database
    from db.values import Job

DAY_S = 86_400.0


@asynccontextmanager
async def seeing_to_it(world: World) -> AsyncIterator[LastWords]:
    last_words = LastWords(world.database, world.clock, world.surface)
    last_words.start()
    await world.idle()
    try:
        yield last_words
    finally:
        await last_words.stop(grace_s=1)


async def fail(world: World) -> Job:
    """A job that ended without a picture and whose process died before it said so."""
    job = await world.accept()
    ended = await world.steps._writes.end(job, failed(Failure.RENDER), "for the test")
    assert ended is not None
    return ended


async def test_a_failure_that_nobody_was_told_is_shown_after_a_restart(database: Database) -> None:
    world = World(database)
    job = await fail(world)
    async with seeing_to_it(world):
        assert world.surface.shown_again == [job.id]


async def test_what_was_told_is_not_shown_again(database: Database) -> None:
    world = World(database)
    job = await fail(world)
    async with seeing_to_it(world) as last_words:
        await last_words.note_told(job.id)
        await world.pass_s(600)
    async with seeing_to_it(world):
        assert world.surface.shown_again == [job.id]


async def test_another_process_says_what_its_owner_does_not_live_to_say(database: Database) -> None:
    """Not at once: whoever ended the job is saying it."""
    world = World(database)
    async with seeing_to_it(world):
        job = await fail(world)
        await world.pass_s(59)
        assert world.surface.shown_again == []
        await world.pass_s(120)
        assert set(world.surface.shown_again) == {job.id}


async def test_what_is_older_than_a_day_is_let_go(database: Database) -> None:
    world = World(database)
    await fail(world)
    await world.pass_s(DAY_S + 60)
    async with seeing_to_it(world):
        assert world.surface.shown_again == []


async def test_who_called_a_job_off_is_owed_that_in_its_card(database: Database) -> None:
    """The process that answered the press died before it changed the card, and another one lives on."""
    world = World(database)
    async with seeing_to_it(world) as last_words:
        waiting = await world.accept(surface=Surface.MESSAGE)
        await world.jobs.cancel(waiting.id, waiting.user_id)
        await world.pass_s(130)
        assert set(world.surface.shown_again) == {waiting.id}
        await last_words.note_told(waiting.id)
        world.surface.shown_again.clear()
        await world.pass_s(600)
        assert world.surface.shown_again == []


async def test_a_picture_and_a_wish_whose_card_is_out_of_reach_owe_no_word(database: Database) -> None:
    world = World(database)
    cancelled = await world.accept()
    await world.jobs.cancel(cancelled.id, cancelled.user_id)
    async with world.running():
        await world.until_ended(await world.accept())
    world.surface.shown_again.clear()
    async with seeing_to_it(world):
        await world.pass_s(600)
        assert world.surface.shown_again == []


async def test_a_database_that_is_away_is_asked_again(database: Database) -> None:
    world = World(database)
    job = await fail(world)
    read, tries = database.read, []

    async def away(work: object) -> object:
        tries.append(work)
        if len(tries) == 1:
            raise OSError("away")
        return await read(work)  # type: ignore[arg-type]

    database.read = away  # type: ignore[method-assign, assignment]
    async with seeing_to_it(world):
        assert world.surface.shown_again == []
        await world.pass_s(61)
        assert world.surface.shown_again == [job.id]


async def test_the_note_below_a_reply_is_owed_its_end_until_it_is_gone(database: Database) -> None:
    """Others see it, so it does not stay because its process died after the picture was posted."""
    world = World(database)
    async with world.running():
        (delivered,) = await world.until_ended(await world.accept(surface=Surface.MESSAGE))
    await world.jobs.remember_card(delivered.id, 42)
    await world.pass_s(3600)
    world.surface.shown_again.clear()
    async with seeing_to_it(world):
        assert world.surface.shown_again == [delivered.id]
        await world.jobs.remember_card(delivered.id, None)
        await world.pass_s(600)
        assert world.surface.shown_again == [delivered.id]

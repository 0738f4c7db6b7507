"""While the database stumbles, what kvid and Discord already did is written later and never done again."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from bot.jobs.writes import WRITE_PATIENCE_S, WRITE_RETRY_MAX_S
from db.enums import JobState
from tests.service.outage_parts import on_sqlite
from tests.service.world import PRICE, World

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from db.engine import Database


def locked() -> OperationalError:
    return OperationalError("UPDATE job", {}, sqlite3.OperationalError("database is locked"))


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
    # About a minute and a half of pauses.
    left = fail_transactions(world, monkeypatch, 20, lambda: world.kvid.calls_of("submit") == 1)
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
    # More pauses than fit into the patience of a write; the line looks as often meanwhile.
    attempts = 2 * int(WRITE_PATIENCE_S / WRITE_RETRY_MAX_S) + 20
    fail_transactions(world, monkeypatch, attempts, lambda: world.kvid.calls_of("submit") == 1)
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


async def test_a_settle_whose_answer_was_lost_still_has_its_last_word(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit came through and the connection died: the second attempt finds the row moved, by us."""
    world = World(database)
    transaction = world.database.transaction
    lost: list[int] = []

    async def losing(work: object) -> object:
        done: object = await transaction(work)  # type: ignore[arg-type]
        if world.surface.posts and not lost:
            lost.append(1)
            raise locked()
        return done

    monkeypatch.setattr(world.database, "transaction", losing)
    async with world.running():
        (ended,) = await world.until_ended(await world.accept())
    assert lost == [1]
    assert ended.state is JobState.DELIVERED
    assert len(world.surface.posts) == 1
    await world.assert_account(used=PRICE)

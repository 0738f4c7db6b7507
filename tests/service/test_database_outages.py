"""While the database stumbles, what kvid and Discord already did is written later and never done again."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from bot.caps.values import OperatorLimits
from bot.errors import NotEnoughCredits
from bot.jobs.writes import WRITE_PATIENCE_S, WRITE_RETRY_MAX_S
from db.enums import JobState
from tests.service.doubles import PRICE
from tests.service.outage_parts import on_sqlite
from tests.service.world import World

if TYPE_CHECKING:
    from collections.abc import Callable

    from db.engine import Database
    from db.values import Job


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


# --- intake ---


def unanswered() -> OperationalError:
    return OperationalError(None, None, OSError("the connection is lost"), connection_invalidated=True)


async def press(world: World) -> asyncio.Future[Job]:
    """A member asks for a picture, and time passes until they are answered."""
    accepting = asyncio.ensure_future(world.accept())
    while not accepting.done():
        await asyncio.sleep(0.005)
        if not world.database._waiting:
            world.clock.move_on()
    return accepting


@pytest.mark.parametrize("committed", [True, False])
@pytest.mark.parametrize("away", [0, 3])
async def test_an_acceptance_whose_commit_gets_no_answer_is_found_out_before_the_member_is_told(
    database: Database, monkeypatch: pytest.MonkeyPatch, *, committed: bool, away: int
) -> None:
    """Told "nothing was charged" they would ask again, and get and pay two pictures."""
    world = World(database)
    transaction = database.transaction
    errors: list[OperationalError] = [locked() for _ in range(away)] + [unanswered()]

    async def lose_the_answer(work: object) -> object:
        if not errors:
            return await transaction(work)  # type: ignore[arg-type]
        error = errors.pop()
        if committed and error.connection_invalidated:
            await transaction(work)  # type: ignore[arg-type]
        raise error

    monkeypatch.setattr(database, "transaction", lose_the_answer)
    accepting = await press(world)
    job = await accepting
    assert job.state is JobState.RESERVED
    assert await world.count(JobState.RESERVED) == await world.count(*JobState) == 1
    await world.assert_account(used=0, held=PRICE)


async def test_a_refusal_whose_commit_gets_no_answer_is_told(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(database, limits=OperatorLimits(member_daily_credits=1))
    transaction, lost = database.transaction, [unanswered()]

    async def lose_the_answer(work: object) -> object:
        done: object = await transaction(work)  # type: ignore[arg-type]
        if lost:
            raise lost.pop()
        return done

    monkeypatch.setattr(database, "transaction", lose_the_answer)
    accepting = await press(world)
    with pytest.raises(NotEnoughCredits):
        await accepting


async def test_a_database_that_stays_away_is_told_at_once_or_within_seconds(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(database)

    errors: list[OperationalError] = []

    async def be_away(_work: object) -> object:
        raise errors.pop() if errors else locked()

    monkeypatch.setattr(database, "transaction", be_away)
    for first in ([], [unanswered()]):
        errors += first
        begun_s = world.clock.elapsed_s
        accepting = await press(world)
        with pytest.raises(OperationalError):
            await accepting
        assert world.clock.elapsed_s - begun_s <= 6

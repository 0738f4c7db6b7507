"""Both engines keep the same promises over the same runner: every offered job is run, by one owner at a time.

In real time, since the queue's worker and PostgreSQL keep their own; every wait ends as soon as it can.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from bot.jobs import runner
from bot.jobs.engines import procrastinate as engine_of_many
from bot.jobs.engines import queue_manager, queue_rows
from bot.jobs.engines.procrastinate import ProcrastinateEngine
from bot.jobs.states import ENDED
from db import migrate
from db.engine import Database
from db.enums import JobState
from tests.service.doubles import PRICE, RealClock
from tests.service.world import World, build_local
from tests.support.databases import run_restartable_postgres

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from sqlalchemy import Connection

    from bot.jobs.ports import Engine
    from db.values import Job
    from tests.support.databases import MigratedDatabases

LIMIT_S = 30.0
RENDER_S = 0.3


@pytest.fixture
def database_url(migrated_postgres: MigratedDatabases) -> Iterator[str]:
    name = migrated_postgres.take()
    yield migrated_postgres.server.url(name)
    migrated_postgres.give_back(name)


@pytest.fixture
def with_queue(database_url: str) -> str:
    migrate.upgrade(database_url, also=queue_rows.ensure_schema)
    return database_url


@pytest.fixture(params=["local", "procrastinate"])
def build_engine(request: pytest.FixtureRequest, with_queue: str) -> Callable[[World, int], Engine]:
    return build_local if request.param == "local" else of_many(with_queue)


def of_many(url: str) -> Callable[[World, int], Engine]:
    def build(world: World, jobs_max: int) -> Engine:
        return ProcrastinateEngine(database=world.database, url=url, clock=world.clock, jobs_max=jobs_max)

    return build


@asynccontextmanager
async def running(
    database: Database, build: Callable[[World, int], Engine], *, before: World | None = None
) -> AsyncIterator[World]:
    world = World(
        database, concurrency=3, before=before, clock=None if before else RealClock(), build_engine=build
    )
    world.kvid.render_s, world.kvid.estimate = RENDER_S, (RENDER_S, RENDER_S)
    async with world.running():
        yield world


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not reached():  # noqa: ASYNC110 - threads and the database do the work
            await asyncio.sleep(0.02)


async def until_ended(world: World, *jobs: Job) -> list[Job]:
    wanted = {job.id for job in jobs}
    await until(lambda: wanted <= {shown for shown, state, _ in world.surface.shown if state in ENDED})
    return [await world.jobs.get(job.id) for job in jobs]


async def test_every_job_is_run_to_its_end_once(
    database: Database, build_engine: Callable[[World, int], Engine]
) -> None:
    async with running(database, build_engine) as world:
        jobs = [await world.accept(f"prompt {number}") for number in range(9)]
        ended = await until_ended(world, *jobs)
    assert {job.state for job in ended} == {JobState.DELIVERED}
    assert {job.epoch for job in ended} == {1}
    assert sorted(posted for posted, _, _ in world.surface.posts) == sorted(job.id for job in jobs)
    assert world.kvid.calls_of("submit") == 9
    assert world.kvid.at_once_max <= 3
    await assert_account(world, used=9 * PRICE)


async def test_what_one_stops_another_goes_on_with_at_once(
    database: Database, build_engine: Callable[[World, int], Engine]
) -> None:
    async with running(database, build_engine) as world:
        world.kvid.render_s, world.kvid.estimate = 1000.0, (0.5, 0.5)
        job = await world.accept()
        await until(lambda: world.kvid.calls_of("status") == 1)
    assert (await world.jobs.get(job.id)).state is JobState.SUBMITTED
    world.kvid.finish_all()
    begun_s = world.clock.elapsed_s
    async with running(database, build_engine, before=world) as other:
        (ended,) = await until_ended(other, job)
    assert (ended.state, ended.epoch) == (JobState.DELIVERED, 2)
    assert world.clock.elapsed_s - begun_s < 6
    assert world.kvid.calls_of("submit") == 1
    assert len(world.surface.posts) == 1


async def test_a_step_that_raises_is_run_again(
    database: Database, build_engine: Callable[[World, int], Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "STEP_FAILED_PAUSE_S", 0.2)
    async with running(database, build_engine) as world:
        world.surface.script = [RuntimeError("bug")] * 2
        (ended,) = await until_ended(world, await world.accept())
    assert (ended.state, ended.epoch) == (JobState.DELIVERED, 3)
    assert len(world.surface.posts) == 1


async def test_jobs_go_on_although_every_connection_is_cut(
    database: Database, build_engine: Callable[[World, int], Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "OUTAGE_PAUSE_S", 0.2)
    async with running(database, build_engine) as world:
        first = [await world.accept() for _ in range(3)]
        await until(lambda: world.kvid.calls_of("submit") >= 1)
        for _ in range(3):
            cut_connections(database)
            await asyncio.sleep(0.3)
        later = await world.accept()
        ended = await until_ended(world, *first, later)
    # A submit whose answer could not be written is called off; nothing is charged twice, whatever was cut.
    assert {job.state for job in ended} <= {JobState.DELIVERED, JobState.UNKNOWN}
    assert ended[-1].state is JobState.DELIVERED
    delivered = sum(job.state is JobState.DELIVERED for job in ended)
    assert len(world.surface.posts) == delivered
    await assert_account(world, used=delivered * PRICE)


# --- the queue of many machines ---


async def test_an_offer_belongs_to_the_transaction_it_is_made_in(database: Database, with_queue: str) -> None:
    world = World(database, build_engine=of_many(with_queue))
    engine = of_many(with_queue)(world, 1)
    job = await world.accept()

    def offer_and_fail(c: Connection) -> None:
        engine.offer(c, [job.id])
        assert queue_rows.list_queued(c, [job.id], doing=True) == {job.id}
        raise LookupError

    with pytest.raises(LookupError):
        await database.transaction(offer_and_fail)
    assert await count_rows(database) == 0
    for _ in range(2):
        await database.transaction(lambda c: engine.offer(c, [job.id]))
    assert await count_rows(database) == 1, "an offer that is made again is the same offer"


async def test_a_job_that_fell_out_of_the_queue_is_offered_again(
    database: Database, with_queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_of_many, "RECONCILE_INTERVAL_S", 0.0)
    monkeypatch.setattr(engine_of_many, "SWEEP_INTERVAL_S", 0.2)
    world = World(database, build_engine=of_many(with_queue))
    job = await world.accept()
    assert await world.gate.admit() == [job.id]
    await database.transaction(lambda c: c.execute(text("DELETE FROM procrastinate_jobs")))
    async with running(database, of_many(with_queue)) as other:
        (ended,) = await until_ended(other, job)
    assert ended.state is JobState.DELIVERED


@pytest.mark.parametrize("holder", ["nobody", "dead", "ourselves"])
async def test_a_row_that_nobody_works_on_is_taken_over(
    database: Database, with_queue: str, monkeypatch: pytest.MonkeyPatch, holder: str
) -> None:
    """Its worker died, was forgotten, or is this one, which never learned that the row is its own."""
    monkeypatch.setattr(engine_of_many, "SWEEP_INTERVAL_S", 0.2)
    monkeypatch.setattr(engine_of_many, "BEAT_INTERVAL_S", 0.2)
    monkeypatch.setattr(engine_of_many, "STALLED_S", 1.0)
    async with running(database, of_many(with_queue)) as world:
        job = await world.accept()
        await until_ended(world, job)
        await database.transaction(lambda c: hold_row(c, holder))
        async with asyncio.timeout(LIMIT_S):
            while await count_rows(database):  # noqa: ASYNC110 - another task does the work
                await asyncio.sleep(0.05)


async def test_a_server_that_is_away_for_long_takes_no_job_from_a_worker_that_lives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Everybody's heartbeat is old when it comes back; nobody has to be started again."""
    for name, seconds in {"STALLED_S": 1.5, "BEAT_INTERVAL_S": 0.2, "SWEEP_INTERVAL_S": 0.1}.items():
        monkeypatch.setattr(engine_of_many, name, seconds)
    monkeypatch.setattr(queue_manager, "GAP_S", 0.6)
    monkeypatch.setattr(runner, "OUTAGE_PAUSE_S", 0.2)
    folder = Path(tempfile.mkdtemp(prefix="kvid-bot-pg-"))
    try:
        with run_restartable_postgres(folder) as postgres:
            url = postgres.server.create("fleet")
            migrate.upgrade(url, also=queue_rows.ensure_schema)
            database = Database(url)
            async with running(database, of_many(url)) as world:
                world.kvid.render_s, world.kvid.estimate = 1000.0, (2.0, 2.0)
                job = await world.accept()
                await until(lambda: world.kvid.calls_of("status") >= 1)
                await asyncio.to_thread(postgres.stop)
                await asyncio.sleep(3.0)
                await asyncio.to_thread(postgres.start)
                # Longer than it takes to call a worker dead.
                await asyncio.sleep(3.0)
                world.kvid.finish_all()
                later = await world.accept()
                ended = await until_ended(world, job, later)
            assert [(one.state, one.epoch) for one in ended] == [(JobState.DELIVERED, 1)] * 2
            assert len(world.surface.posts) == 2
            await assert_account(world, used=2 * PRICE)
            await database.close()
    finally:
        shutil.rmtree(folder)


async def test_a_worker_whose_row_was_taken_over_cannot_end_its_successor(
    database: Database, with_queue: str
) -> None:
    world = World(database, build_engine=of_many(with_queue))
    engine = of_many(with_queue)(world, 1)
    job = await world.accept()
    await database.transaction(lambda c: engine.offer(c, [job.id]))

    def take_over(c: Connection) -> tuple[int, list[str]]:
        row_id = c.execute(text("UPDATE procrastinate_jobs SET status = 'doing' RETURNING id")).scalar_one()
        taken = queue_rows.take_stalled(c, 10.0, also=[])
        engine.offer(c, taken)
        return row_id, taken

    old, taken = await database.transaction(take_over)
    assert taken == [job.id]
    end = text("SELECT procrastinate_finish_job_v1(:row_id, 'succeeded', true)")
    with pytest.raises(Exception, match="Job was not found"):
        await database.transaction(lambda c: c.execute(end, {"row_id": old}))
    assert await count_rows(database) == 1


def hold_row(c: Connection, holder: str) -> None:
    alive = c.execute(text("SELECT max(id) FROM procrastinate_workers")).scalar_one()
    dead = c.execute(
        text(
            "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '60 s') RETURNING id"
        )
    ).scalar_one()
    worker_id = {"nobody": None, "dead": dead, "ourselves": alive}[holder]
    c.execute(
        text(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, args, status, worker_id) "
            "VALUES ('jobs', 'kvid_bot.run_job', 'x', 'x', '{\"job_id\": \"x\"}', 'doing', :worker_id)"
        ),
        {"worker_id": worker_id},
    )


def cut_connections(database: Database) -> None:
    """As a restart of the server does, but for its absence."""
    statement = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with database._writer.connect() as connection:
        connection.execute(statement)


async def count_rows(database: Database) -> int:
    count = text("SELECT count(*) FROM procrastinate_jobs")
    return await database.read(lambda c: c.execute(count).scalar_one())


async def assert_account(world: World, *, used: int) -> None:
    usage = await world.usage()
    assert (usage.month_credits, usage.held_credits) == (used, 0)

"""A process whose database another one has taken over leaves by itself, in order, and loses nothing."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest

from db import lock
from db.enums import JobState
from db.queries import jobs as queries
from tests.support.member import Member, pictures_of, text_of
from tests.support.process import START_S, BotProcess, environment, run_bot
from tests.support.servers import run_servers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from db.engine import Database
    from tests.support.servers import Servers

LOOK_S = 0.05
# As from a signal: ten seconds, here counted from the moment the watch gives up.
STOP_LIMIT_S = 10.0
# The app with a watch that looks ten times a second: it would need a minute.
HURRIED = """
from bot import cli, only_one

only_one.WATCH_INTERVAL_S = 0.1
raise SystemExit(cli.main(["run"]))
"""
LOCKS = (
    "FROM pg_locks JOIN pg_database ON oid = database "
    "WHERE locktype = 'advisory' AND datname = current_database()"
)


async def until(reached: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(START_S):
        while not await reached():  # noqa: ASYNC110 - another process does it
            await asyncio.sleep(LOOK_S)


async def is_online(servers: Servers) -> bool:
    state = await Member._state(servers, "")
    return bool(state["bot_online"])


async def states_of_jobs(database: Database) -> list[JobState]:
    """Oldest first."""
    jobs = await database.read(lambda c: queries.list_jobs(c, frozenset(JobState), limit=20))
    return [job.state for job in sorted(jobs, key=lambda job: job.number or 0)]


@asynccontextmanager
async def run_hurried(servers: Servers, database_url: str, log_path: Path) -> AsyncIterator[BotProcess]:
    """The bot, online. It has to end by itself; if it did not, it is killed."""
    with log_path.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", HURRIED),
            env=environment(servers, database_url, KVID_CONCURRENCY="2"),
            stdout=log,
            stderr=log,
        )
    bot = BotProcess(process, log_path)

    async def started() -> bool:
        assert process.returncode is None, bot.log_text()
        return await is_online(servers)

    try:
        await until(started)
        yield bot
    finally:
        await bot.stop(with_signal=signal.SIGKILL)


async def ask_for_three(servers: Servers, member: Member, studio: str, database: Database) -> None:
    """One job stays at kvid, one is on its way there for two seconds, one is in line."""

    async def taken() -> bool:
        submits: int = (await servers.kvid_books())["submits"]
        return submits == 2

    async def in_line() -> bool:
        return len(await states_of_jobs(database)) == 3

    await servers.kvid_fault("status", {"set": {"status": "processing"}}, times=1_000)
    await member.slash(studio, "imagine", prompt="lost 0", width=256, height=256)
    await member.wait_for_text(studio, "Making your picture")
    await servers.kvid_fault("submit", {"after": True, "delay_s": 2.0})
    await member.slash(studio, "imagine", prompt="lost 1", width=256, height=256)
    await until(taken)
    await member.slash(studio, "imagine", prompt="lost 2", width=256, height=256)
    await until(in_line)


async def take_over(watching: psycopg.Connection, other: psycopg.Connection) -> None:
    """Give the lock to `other`, which stands in line for it when its holder's session is ended."""

    async def stands_in_line() -> bool:
        return watching.execute(f"SELECT 1 {LOCKS} AND NOT granted").fetchone() is not None

    def take() -> None:
        other.execute("SELECT pg_advisory_lock(%s)", (lock._LOCK_KEY,))

    taking = asyncio.create_task(asyncio.to_thread(take))
    await until(stands_in_line)
    watching.execute(f"SELECT pg_terminate_backend(pid) {LOCKS} AND granted")
    await asyncio.wait_for(taking, START_S)


async def leaves_by_itself(bot: BotProcess) -> None:
    async def gave_up() -> bool:
        return bool(bot.events("lock.taken_away"))

    await until(gave_up)
    begun = time.monotonic()
    assert await asyncio.wait_for(bot.process.wait(), 2 * STOP_LIMIT_S) == 0
    assert time.monotonic() - begun < STOP_LIMIT_S


def assert_in_order(bot: BotProcess) -> None:
    """Nothing was cut short, and nothing of this spoke after the service had."""
    names = [line["event"] for line in bot.log_lines()]
    told = [
        name for name in names if name.startswith("lock.") or name.endswith((".stopped", "_short", "failed"))
    ]
    assert told == ["lock.lost", "lock.taken_away", "runner.stopped", "service.stopped"]
    assert names[-1] == "service.stopped"
    assert [line["cut_short"] for line in bot.events("runner.stopped")] == [0]
    assert "Traceback" not in bot.log_text()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_who_lost_the_lock_for_good_parks_its_jobs_and_leaves_and_the_next_goes_on(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    """Three jobs in three stages: three pictures, three submits, three charges."""
    address = database_url.replace("postgresql+psycopg", "postgresql")
    async with run_servers() as servers:
        member = await Member.join(servers)
        studio = member.channel("studio")

        async def all_delivered() -> bool:
            return await states_of_jobs(database) == [JobState.DELIVERED] * 3

        with (
            psycopg.connect(address, autocommit=True) as watching,
            psycopg.connect(address, autocommit=True) as other,
        ):
            async with run_hurried(servers, database_url, tmp_path / "first.log") as first:
                await member.refresh()
                await ask_for_three(servers, member, studio, database)
                await take_over(watching, other)
                await leaves_by_itself(first)
            assert_in_order(first)
            parked = [JobState.SUBMITTED, JobState.SUBMITTED, JobState.RESERVED]
            assert await states_of_jobs(database) == parked
            # What it let go of in the end was not the lock of the other.
            holders = watching.execute(f"SELECT pid {LOCKS} AND granted").fetchall()
            assert holders == [(other.info.backend_pid,)]

        await servers.clear_kvid_faults()
        async with run_bot(servers, database_url, tmp_path / "second.log"):
            await until(all_delivered)
        results = [text_of(m).split("\n")[1] for m in await member.messages(studio) if pictures_of(m)]
        assert sorted(results) == ["> lost 0", "> lost 1", "> lost 2"]
        books = await servers.kvid_books()
        assert (books["submits"], books["charged_credits"]) == (3, 3)

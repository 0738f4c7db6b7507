"""A gateway and two workers on one PostgreSQL: whatever becomes of a worker, each job is done once."""

from __future__ import annotations

import asyncio
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from bot.credits import audit
from db.enums import JobState
from db.queries import jobs as queries
from tests.support.member import Member, pictures_of
from tests.support.process import START_S, environment, start_alone, start_bot, start_worker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from db.engine import Database
    from db.values import Job
    from tests.support.process import BotProcess
    from tests.support.servers import Servers

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

TAKEOVER_MAX_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    servers: Servers
    database: Database
    gateway: BotProcess
    workers: tuple[BotProcess, BotProcess]
    member: Member

    @property
    def studio(self) -> str:
        return self.member.channel("studio")

    async def find_holder(self) -> tuple[BotProcess, BotProcess]:
        """The worker that submitted the one job, and the other one."""
        await until(lambda: any(worker.events("job.submitted") for worker in self.workers))
        one, other = self.workers
        return (one, other) if one.events("job.submitted") else (other, one)

    async def wait_for_state(self, state: JobState) -> Job:
        async with asyncio.timeout(START_S):
            while True:
                jobs = await self.database.read(lambda c: queries.list_jobs(c, frozenset(JobState), limit=5))
                if [job.state for job in jobs] == [state]:
                    return jobs[0]
                await asyncio.sleep(0.05)

    async def assert_done_once(self) -> None:
        """One submit, one picture, one charge, and the account agrees."""
        pictures = [message for message in await self.member.messages(self.studio) if pictures_of(message)]
        assert len(pictures) == 1
        books = await self.servers.kvid_books()
        assert (books["submits"], books["charged_credits"]) == (1, 1)
        assert await self.database.read(audit.find_differences) == []
        for process in (self.gateway, *self.workers):
            assert not process.events("incident.opened")
            assert not process.events("job.step_failed")
            assert "Traceback" not in process.log_text()


async def until(reached: Callable[[], object]) -> None:
    async with asyncio.timeout(START_S):
        while not reached():  # noqa: ASYNC110 - other processes do it
            await asyncio.sleep(0.05)


@pytest.fixture
async def fleet(
    servers: Servers, database: Database, database_url: str, tmp_path: Path
) -> AsyncIterator[Fleet]:
    started: list[BotProcess] = []
    try:
        for name in ("one", "two"):
            log = tmp_path / f"{name}.log"
            started.append(await start_worker(servers, database_url, log, arguments=["--role", "worker"]))
        gateway = await start_bot(
            servers,
            database_url,
            tmp_path / "gateway.log",
            arguments=["--role", "gateway", "--shards", "0-0/1"],
        )
        started.append(gateway)
        yield Fleet(
            servers=servers,
            database=database,
            gateway=gateway,
            workers=(started[0], started[1]),
            member=await Member.join(servers),
        )
    finally:
        for process in started:
            if process.process.returncode is None:
                process.process.send_signal(signal.SIGCONT)
                await process.stop()
    codes = [process.process.returncode for process in started]
    assert set(codes) <= {0, -signal.SIGKILL}, "\n".join(process.log_text() for process in started)


async def test_a_request_to_the_gateway_is_made_and_posted_by_a_worker(fleet: Fleet) -> None:
    await fleet.servers.set_kvid(render_s=0.3)
    await fleet.member.slash(fleet.studio, "imagine", prompt="by many", width=256, height=256)
    await fleet.wait_for_state(JobState.DELIVERED)
    delivered = [len(process.events("job.finished")) for process in (fleet.gateway, *fleet.workers)]
    assert delivered[0] == 0
    assert sorted(delivered[1:]) == [0, 1]
    await fleet.assert_done_once()


async def test_a_killed_workers_job_is_taken_over_and_posted_once(fleet: Fleet) -> None:
    await fleet.servers.set_kvid(render_s=3.0)
    await fleet.member.slash(fleet.studio, "imagine", prompt="orphan", width=256, height=256)
    holder, survivor = await fleet.find_holder()
    await fleet.wait_for_state(JobState.SUBMITTED)
    holder.process.send_signal(signal.SIGKILL)
    killed_s = time.monotonic()
    await until(lambda: survivor.events("job.taken_up"))
    assert time.monotonic() - killed_s < TAKEOVER_MAX_S
    job = await fleet.wait_for_state(JobState.DELIVERED)
    assert time.monotonic() - killed_s < TAKEOVER_MAX_S
    assert job.epoch == 2
    await fleet.assert_done_once()


async def test_a_suspended_worker_that_wakes_late_changes_nothing(fleet: Fleet) -> None:
    await fleet.servers.set_kvid(render_s=3.0)
    await fleet.member.slash(fleet.studio, "imagine", prompt="sleeper", width=256, height=256)
    holder, survivor = await fleet.find_holder()
    await fleet.wait_for_state(JobState.SUBMITTED)
    holder.process.send_signal(signal.SIGSTOP)
    done = await fleet.wait_for_state(JobState.DELIVERED)
    assert survivor.events("job.finished")
    # The last word of the card comes a moment after the picture.
    await asyncio.sleep(4.0)
    shown = await fleet.member.messages(fleet.studio)
    requests = len(await fleet.servers.bot_requests())
    holder.process.send_signal(signal.SIGCONT)
    # Long enough for everything it had in hand.
    await asyncio.sleep(5.0)
    assert await fleet.member.messages(fleet.studio) == shown
    assert len(await fleet.servers.bot_requests()) == requests
    assert await fleet.wait_for_state(JobState.DELIVERED) == done
    await fleet.assert_done_once()
    # ... and it is of use again.
    await fleet.servers.set_kvid(render_s=0.1)
    assert await survivor.stop() == 0
    await fleet.member.slash(fleet.studio, "imagine", prompt="awake", width=256, height=256)
    await until(lambda: holder.events("job.finished"))


async def test_a_stopped_worker_hands_its_job_over_at_once(fleet: Fleet) -> None:
    await fleet.servers.set_kvid(render_s=4.0)
    await fleet.member.slash(fleet.studio, "imagine", prompt="handed over", width=256, height=256)
    holder, other = await fleet.find_holder()
    await fleet.wait_for_state(JobState.SUBMITTED)
    assert await holder.stop() == 0
    stopped_s = time.monotonic()
    await until(lambda: other.events("job.taken_up"))
    # Long before a dead worker's jobs would be taken over.
    assert time.monotonic() - stopped_s < 5.0
    assert (await fleet.wait_for_state(JobState.DELIVERED)).epoch == 2
    await fleet.assert_done_once()


async def test_one_process_for_everything_does_not_start_beside_a_fleet(
    fleet: Fleet, database_url: str, tmp_path: Path
) -> None:
    alone = await start_alone(tmp_path / "alone.log", environment(fleet.servers, database_url))
    assert await asyncio.wait_for(alone.process.wait(), START_S) == 1
    assert "Another kvid-bot already works on this database" in alone.log_text()
    assert all(process.process.returncode is None for process in (fleet.gateway, *fleet.workers))

"""Stopping parks or finishes, starting goes on: nothing is charged or posted twice."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

import aiohttp
import pytest

from db.enums import JobState
from db.queries import jobs as queries
from tests.flow.conftest import only_sqlite
from tests.support.member import Member, pictures_of, text_of
from tests.support.process import environment, run_bot, start_bot
from tests.support.servers import run_servers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from db.engine import Database
    from tests.flow.conftest import Stack

STOP_LIMIT_S = 10.0


@pytest.mark.parametrize("with_signal", [signal.SIGTERM, signal.SIGINT])
async def test_running_and_waiting_jobs_go_on_after_a_restart(
    database: Database, database_url: str, tmp_path: Path, with_signal: signal.Signals
) -> None:
    """Ten jobs in every stage, stop, start: ten pictures, ten submits, ten charges."""
    async with run_servers() as servers:
        bot = await start_bot(servers, database_url, tmp_path / "bot.log", KVID_CONCURRENCY="3")
        members = [await Member.join(servers, skip=skip) for skip in (0, 1)]
        studio = members[0].channel("studio")
        await servers.set_kvid(render_s=2.0)
        for number in range(10):
            member = members[number % 2]
            await member.slash(studio, "imagine", prompt=f"parked {number}", width=256, height=256)
        await members[0].wait_for_text(studio, "Making your picture")
        begun = time.monotonic()
        assert await bot.stop(with_signal=with_signal) == 0
        assert time.monotonic() - begun < STOP_LIMIT_S
        states = await database.read(
            lambda c: [job.state for job in queries.list_jobs(c, frozenset(JobState), limit=20)]
        )
        assert set(states) <= {JobState.RESERVED, JobState.SUBMITTED, JobState.DELIVERED}
        await servers.set_kvid(render_s=0.1)
        async with run_bot(servers, database_url, tmp_path / "bot.log") as again:
            async with asyncio.timeout(60):
                while True:
                    seen = await members[0].messages(studio)
                    results = [text_of(m).split("\n")[1] for m in seen if pictures_of(m)]
                    if len(results) >= 10:
                        break
                    await asyncio.sleep(0.1)
            assert sorted(results) == [f"> parked {number}" for number in range(10)]
            assert not again.events("incident.opened")
        books = await servers.kvid_books()
        assert (books["submits"], books["charged_credits"]) == (10, 10)
        done = await database.read(lambda c: queries.count_jobs(c, frozenset({JobState.DELIVERED})))
        assert done == 10
        assert "Traceback" not in bot.log_text()


@only_sqlite
async def test_a_stop_leaves_a_job_at_kvid_held_and_parked(stack: Stack) -> None:
    member = await stack.member()
    studio = member.channel("studio")
    await stack.servers.set_kvid(render_s=30)
    await member.slash(studio, "imagine", prompt="long one", width=256, height=256)
    await member.wait_for_text(studio, "Making your picture")
    assert await stack.bot.stop() == 0
    job = await stack.last_job(member)
    assert job.state is JobState.SUBMITTED
    assert (await stack.usage(member)).held_credits == 1


@only_sqlite
async def test_the_health_check_answers_while_it_runs(
    database_url: str, tmp_path: Path, unused_tcp_port: int
) -> None:
    async with (
        run_servers() as servers,
        run_bot(servers, database_url, tmp_path / "bot.log", HTTP_PORT=str(unused_tcp_port)),
        servers.session.get(f"http://127.0.0.1:{unused_tcp_port}/healthz") as answer,
    ):
        assert answer.status == 200
        assert await answer.json() == {"healthy": True}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bot",
            "run",
            env=environment(servers, f"sqlite:///{tmp_path / 'second.db'}", HTTP_PORT=str(unused_tcp_port)),
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await asyncio.wait_for(process.communicate(), 30)
        assert process.returncode == 1
        assert f"Port {unused_tcp_port} for /healthz is taken" in said.decode()
        assert "Traceback" not in said.decode()


async def test_the_demo_is_ready_in_one_line_and_leaves_nothing_behind(
    tmp_path: Path, unused_tcp_port_factory: Callable[[], int]
) -> None:
    """`kvid-bot demo`, Ctrl-C: exit code 0, no trace, no process left."""
    discord_port, kvid_port = unused_tcp_port_factory(), unused_tcp_port_factory()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot",
        "demo",
        "--discord-port",
        str(discord_port),
        "--kvid-port",
        str(kvid_port),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.getcwd()},  # noqa: PTH109 - the project's folder
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), 40)).decode()
    assert f"open http://127.0.0.1:{discord_port}" in line
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{discord_port}/") as page:
        assert page.status == 200
    process.send_signal(signal.SIGINT)
    more, errors = await asyncio.wait_for(process.communicate(), 20)
    assert (process.returncode, more, errors) == (0, b"", b"")
    for port in (discord_port, kvid_port):
        with pytest.raises(OSError, match=r"refused|Connect"):
            await asyncio.open_connection("127.0.0.1", port)


async def test_a_taken_port_is_said_in_one_line(
    tmp_path: Path, unused_tcp_port_factory: Callable[[], int]
) -> None:
    taken = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    async with taken:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bot",
            "demo",
            "--discord-port",
            str(port),
            "--kvid-port",
            str(unused_tcp_port_factory()),
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.getcwd()},  # noqa: PTH109 - the project's folder
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 1
    assert said.decode().strip().count("\n") == 0
    assert f"port {port} is taken" in said.decode()

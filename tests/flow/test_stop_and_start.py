"""Stopping parks or finishes, starting goes on: nothing is charged or posted twice."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import time
from typing import TYPE_CHECKING

import aiohttp
import psycopg
import pytest

from bot import app
from db import migrate
from db.enums import JobState
from db.lock import build_lock
from db.queries import jobs as queries
from tests.flow.conftest import only_sqlite
from tests.support.cli import KEYS
from tests.support.member import Member, pictures_of, text_of
from tests.support.process import START_S, STOP_S, environment, run_bot, start_alone, start_bot
from tests.support.servers import run_servers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from db.engine import Database
    from tests.flow.conftest import Stack
    from tests.support.servers import Servers

STOP_LIMIT_S = 10.0
TAKEN = (
    "kvid-bot: Another kvid-bot already works on this database. "
    "Stop it first, or give this one a DATABASE_URL of its own."
)
# The app with a login that waits for a database call without an end.
HANGING = """
import threading
from bot import app, cli

app.STOP_S, app.STOP_FORCED_S = 0.5, 3.0

async def login(self):
    def hang(connection):
        print("hanging", flush=True)
        threading.Event().wait()
    await self._database.transaction(hang)

app.App.login = login
raise SystemExit(cli.main(["run"]))
"""


@pytest.mark.parametrize("with_signal", [signal.SIGTERM, signal.SIGINT])
async def test_running_and_waiting_jobs_go_on_after_a_restart(
    database: Database, database_url: str, tmp_path: Path, with_signal: signal.Signals
) -> None:
    """Ten jobs in every stage, stop, start: ten pictures, ten submits, ten charges."""
    async with run_servers() as servers:
        bot = await start_bot(servers, database_url, tmp_path / "bot.log", KVID_CONCURRENCY="3")
        members = [await Member.join(servers, skip=skip) for skip in (0, 1)]
        studio = members[0].channel("studio")
        await members[0].slash(studio, "imagine", prompt="parked 0", width=256, height=256)
        first = await members[0].wait_for_text(studio, "Here it is")
        await servers.set_kvid(held=True)
        for number in range(1, 10):
            member = members[number % 2]
            await member.slash(studio, "imagine", prompt=f"parked {number}", width=256, height=256)
        await members[0].wait_for_text(studio, "Making your picture", after=first["id"])
        begun = time.monotonic()
        assert await bot.stop(with_signal=with_signal) == 0
        assert time.monotonic() - begun < STOP_LIMIT_S
        states = await database.read(
            lambda c: [job.state for job in queries.list_jobs(c, frozenset(JobState), limit=20)]
        )
        assert set(states) == {JobState.RESERVED, JobState.SUBMITTED, JobState.DELIVERED}
        await servers.set_kvid(held=False)
        async with run_bot(servers, database_url, tmp_path / "bot.log") as again:
            async with asyncio.timeout(START_S):
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
    await stack.servers.set_kvid(held=True)
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
        _, said = await asyncio.wait_for(process.communicate(), START_S)
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
    line = (await asyncio.wait_for(process.stdout.readline(), START_S)).decode()
    assert f"open http://127.0.0.1:{discord_port}" in line
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{discord_port}/") as page:
        assert page.status == 200
    process.send_signal(signal.SIGINT)
    more, errors = await asyncio.wait_for(process.communicate(), STOP_S)
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
        _, said = await asyncio.wait_for(process.communicate(), START_S)
    assert process.returncode == 1
    assert said.decode().strip().count("\n") == 0
    assert f"port {port} is taken" in said.decode()


async def _answer_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take what comes, until the other side has had enough."""
    while await reader.read(65_536):
        pass
    writer.close()


def alone(database_url: str, **settings: str) -> dict[str, str]:
    """An environment without a local Discord or kvid."""
    clean = {name: value for name, value in os.environ.items() if name not in KEYS}
    given = {"HTTP_PORT": "0", "LOG_FORMAT": "json", "DATABASE_URL": database_url}
    return {**clean, **KEYS, **given, **settings}


@only_sqlite
@pytest.mark.parametrize("with_signal", [signal.SIGTERM, signal.SIGINT])
async def test_a_stop_is_heard_while_discord_does_not_answer(
    database_url: str, tmp_path: Path, with_signal: signal.Signals
) -> None:
    """Discord takes the connection and says nothing: the signal ends the process all the same."""
    asked = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await _answer_nothing(reader, writer)

    silent = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    async with silent:
        settings = alone(database_url, DISCORD_API_BASE=f"http://127.0.0.1:{port}/api/v10")
        bot = await start_alone(tmp_path / "bot.log", settings)
        async with asyncio.timeout(START_S):
            await asked.wait()
        begun = time.monotonic()
        assert await bot.stop(with_signal=with_signal) == 0
    assert time.monotonic() - begun < STOP_LIMIT_S
    assert bot.events("service.stopped")
    assert "Traceback" not in bot.log_text()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_stop_is_heard_while_the_database_makes_the_start_wait(
    database_url: str, tmp_path: Path
) -> None:
    """Another machine holds the lock that migrations wait for: the signal ends the process all the same."""
    address = database_url.replace("postgresql+psycopg", "postgresql")
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with psycopg.connect(address, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", (migrate._LOCK_KEY,))
        bot = await start_alone(tmp_path / "bot.log", alone(database_url))
        async with asyncio.timeout(START_S):
            while (other.execute(waiting).fetchone() or (0,))[0] == 0:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)
        begun = time.monotonic()
        assert await bot.stop() == 0
        assert time.monotonic() - begun < STOP_LIMIT_S
    assert bot.events("service.stopped")
    assert "Traceback" not in bot.log_text()


async def test_a_thread_that_hangs_cannot_hold_up_the_end(tmp_path: Path) -> None:
    """A database call that never returns: soon after the signal, here three seconds, it is gone."""
    assert app.STOP_S < app.STOP_FORCED_S < STOP_LIMIT_S
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", HANGING),
        env={**os.environ, **KEYS, "HTTP_PORT": "0", "DATABASE_URL": f"sqlite:///{tmp_path / 'x.db'}"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), START_S) == b"hanging\n"
    process.send_signal(signal.SIGTERM)
    _, said = await asyncio.wait_for(process.communicate(), STOP_S)
    assert process.returncode == 0
    assert b"service.part_cut_short" in said
    assert b"Traceback" not in said


async def test_only_one_process_works_on_a_database(database_url: str, tmp_path: Path) -> None:
    """The second gives up with one line; the first works on; after kill -9 the next one starts at once."""
    async with run_servers() as servers:
        first = await start_bot(servers, database_url, tmp_path / "first.log")
        member = await Member.join(servers)
        studio = member.channel("studio")
        await servers.set_kvid(held=True)
        await member.slash(studio, "imagine", prompt="undisturbed", width=256, height=256)
        second = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", "run"),
            env=environment(servers, database_url),
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await asyncio.wait_for(second.communicate(), START_S)
        plain = [line for line in said.decode().splitlines() if not line.startswith("{")]
        assert plain == [TAKEN]
        assert second.returncode == 1
        assert said.decode().count("lock.awaited") == 1
        await servers.set_kvid(held=False)
        assert "undisturbed" in text_of(await member.wait_for_result(studio))
        assert (await servers.kvid_books())["submits"] == 1

        await first.stop(with_signal=signal.SIGKILL)
        async with run_bot(servers, database_url, tmp_path / "third.log") as third:
            async with asyncio.timeout(START_S):
                while not third.events("service.started"):  # noqa: ASYNC110 - another process writes the log
                    await asyncio.sleep(0.05)
            assert not third.events("lock.lost")
        assert "Traceback" not in first.log_text()


async def test_a_quick_restart_waits_for_the_one_that_leaves(database_url: str, tmp_path: Path) -> None:
    async with run_servers() as servers:
        lock = build_lock(database_url)
        assert lock.take()
        starting = asyncio.create_task(start_bot(servers, database_url, tmp_path / "bot.log"))
        log = tmp_path / "bot.log"
        async with asyncio.timeout(START_S):
            while not log.exists() or "lock.awaited" not in log.read_text("utf-8"):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.05)
        lock.release()
        assert await (await starting).stop() == 0


@only_sqlite
async def test_the_fullest_log_holds_no_secret_and_no_prompt(
    servers: Servers, database_url: str, tmp_path: Path
) -> None:
    async with run_bot(servers, database_url, tmp_path / "bot.log", LOG_LEVEL="DEBUG") as bot:
        member = await Member.join(servers)
        studio = member.channel("studio")
        await member.slash(studio, "imagine", prompt="a very private wish", width=256, height=256)
        await member.wait_for_result(studio)
        await member.wait_for_text(studio, "Here it is")
        paths = [str(request["path"]) for request in await servers.bot_requests()]
    tokens = {
        match[1] for path in paths if (match := re.search(r"/(?:interactions|webhooks)/\d+/([^/?]+)", path))
    }
    assert tokens
    log = bot.log_text()
    assert '"level": "debug"' in log
    for secret in (*KEYS.values(), *tokens, "a very private wish", "very private"):
        assert secret not in log

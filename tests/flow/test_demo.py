"""The demo behaves the same wherever it is started: no settings of the operator's, a folder of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp

from tests.support.member import Member, pictures_of
from tests.support.servers import Servers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

ROOT = Path(__file__).parents[2]
READY_S = 90.0
STOP_S = 60.0
# Each of these alone would stop the demo's bot, or change what it does.
HOSTILE = {
    "DISCORD_TOKEN": "the operators own token",
    "DISCORD_API_BASE": "ftp://nowhere",
    "KVID_API_KEY": "the operators own key",
    "KVID_CONCURRENCY": "0",
    "DATABASE_URL": "nonsense://",
    "MEMBER_DAILY_CREDITS": "0",
    "SERVER_MONTHLY_CREDITS": "0",
    "LOG_LEVEL": "LOUD",
    "DEV_GUILD_ID": "1",
}
# No server answers there.
PROXY = "http://127.0.0.1:9"


def from_here(folder: Path) -> str:
    return os.path.relpath(ROOT, folder)


@contextlib.asynccontextmanager
async def run_demo(folder: Path, ports: tuple[int, int], **environment: str) -> AsyncIterator[Servers]:
    discord_port, kvid_port = ports
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "demo"),
        *("--discord-port", str(discord_port), "--kvid-port", str(kvid_port)),
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        line = (await asyncio.wait_for(process.stdout.readline(), READY_S)).decode()
        if not line:
            _, said = await process.communicate()
            raise AssertionError(said.decode())
        assert "kvid-bot is ready" in line
        async with aiohttp.ClientSession() as session:
            yield Servers(
                discord_url=f"http://127.0.0.1:{discord_port}",
                kvid_url=f"http://127.0.0.1:{kvid_port}",
                session=session,
            )
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        _, errors = await asyncio.wait_for(process.communicate(), STOP_S)
    assert (process.returncode, errors) == (0, b"")


async def test_no_setting_of_the_operator_reaches_the_demo(
    tmp_path: Path, unused_tcp_port_factory: Callable[[], int]
) -> None:
    """Neither from `.env` nor from the environment, in any case: a picture comes, and the log is as always."""
    written = "".join(f"{name}={value}\n" for name, value in HOSTILE.items())
    (tmp_path / ".env").write_text(written, "utf-8")
    inherited = {name.lower() if place % 2 else name: HOSTILE[name] for place, name in enumerate(HOSTILE)}
    # A relative folder in the search path means the one the demo was started in.
    inherited |= {"http_proxy": PROXY, "PYTHONPATH": from_here(tmp_path)}
    discord_port, kvid_port = unused_tcp_port_factory(), unused_tcp_port_factory()
    async with run_demo(tmp_path, (discord_port, kvid_port), **inherited) as servers:
        member = await Member.join(servers)
        studio = member.channel("studio")
        await member.slash(studio, "imagine", prompt="no limits here", width=256, height=256)
        result = await member.wait_for_result(studio)
        assert len(pictures_of(result)) == 1
    assert (tmp_path / ".env").read_text("utf-8") == written
    log = tmp_path / ".demo" / str(discord_port) / "bot.log"
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    assert {"info"} == {line["level"] for line in lines}


async def test_two_demos_in_one_folder_leave_each_other_alone(
    tmp_path: Path, unused_tcp_port_factory: Callable[[], int]
) -> None:
    """Each has its own files and a working bot; a demo begins with an empty folder of its own alone."""
    ports = [(unused_tcp_port_factory(), unused_tcp_port_factory()) for _ in range(2)]
    first, second = (tmp_path / ".demo" / str(discord_port) for discord_port, _ in ports)
    second.mkdir(parents=True)
    (second / "kvid-bot.db").write_text("left by an earlier demo", "utf-8")
    async with run_demo(tmp_path, ports[0]) as one:
        files = {path.name for path in first.iterdir()}
        assert {"kvid.log", "discord.log", "bot.log", "kvid-bot.db"} <= files
        async with run_demo(tmp_path, ports[1]):
            assert files <= {path.name for path in first.iterdir()}
            assert (second / "kvid-bot.db").read_bytes().startswith(b"SQLite format 3")
        member = await Member.join(one)
        studio = member.channel("studio")
        await member.slash(studio, "imagine", prompt="still here", width=256, height=256)
        assert pictures_of(await member.wait_for_result(studio))

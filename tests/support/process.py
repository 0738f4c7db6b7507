"""The real bot, as its operator starts it: a process with environment variables and a log on stderr."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from tests.support.warm import WarmProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from tests.support.servers import Servers

# Longer than any machine needs: they are waited for only by a test that fails.
START_S = 90.0
STOP_S = 30.0


class BotProcess:
    def __init__(self, process: asyncio.subprocess.Process | WarmProcess, log_path: Path) -> None:
        self.process = process
        self._log_path = log_path

    def log_text(self) -> str:
        return self._log_path.read_text("utf-8")

    def log_lines(self) -> list[dict[str, Any]]:
        """The structured lines so far."""
        return [json.loads(line) for line in self.log_text().splitlines() if line.startswith("{")]

    def events(self, name: str) -> list[dict[str, Any]]:
        return [line for line in self.log_lines() if line.get("event") == name]

    async def stop(self, *, with_signal: signal.Signals = signal.SIGTERM) -> int:
        if self.process.returncode is None:
            self.process.send_signal(with_signal)
        return await asyncio.wait_for(self.process.wait(), STOP_S)


def environment(servers: Servers, database_url: str, **settings: str) -> dict[str, str]:
    return {
        **{
            name: value for name, value in os.environ.items() if name not in {"DISCORD_TOKEN", "KVID_API_KEY"}
        },
        "DISCORD_TOKEN": "local-discord-token",
        "DISCORD_API_BASE": f"{servers.discord_url}/api/v10",
        "KVID_API_KEY": "local-kvid-key",
        "KVID_BASE_URL": servers.kvid_url,
        "DATABASE_URL": database_url,
        "HTTP_PORT": "0",
        "LOG_FORMAT": "json",
        **settings,
    }


async def start_alone(
    log_path: Path,
    settings: dict[str, str],
    *,
    cold: bool = False,
    arguments: Sequence[str] = (),
    change: str | None = None,
) -> BotProcess:
    """Start the bot without waiting for anything; `cold` by Python itself and not from the warm server.

    Shape: `change` as `WarmProcess.start` has it.
    """
    with log_path.open("ab") as log:
        if not cold:
            warm = await WarmProcess.start(
                ["run", *arguments],
                environment=settings,
                output=log.fileno(),
                errors=log.fileno(),
                change=change,
            )
            return BotProcess(warm, log_path)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", "run", *arguments), env=settings, stdout=log, stderr=log
        )
        return BotProcess(process, log_path)


async def start_bot(
    servers: Servers,
    database_url: str,
    log_path: Path,
    *,
    cold: bool = False,
    arguments: Sequence[str] = (),
    change: str | None = None,
    **settings: str,
) -> BotProcess:
    """Start the bot and wait until the local Discord sees it online with its commands."""
    bot = await start_alone(
        log_path,
        environment(servers, database_url, **settings),
        cold=cold,
        arguments=arguments,
        change=change,
    )
    async with asyncio.timeout(START_S):
        while True:
            if await servers.is_bot_online(with_commands=True):
                return bot
            assert bot.process.returncode is None, bot.log_text()
            await asyncio.sleep(0.05)


async def start_worker(
    servers: Servers, database_url: str, log_path: Path, *, arguments: Sequence[str], **settings: str
) -> BotProcess:
    """Start a process of a fleet that the local Discord does not see come online, and wait until it says so."""
    bot = await start_alone(log_path, environment(servers, database_url, **settings), arguments=arguments)
    async with asyncio.timeout(START_S):
        while not bot.events("service.started"):
            assert bot.process.returncode is None, bot.log_text()
            await asyncio.sleep(0.05)
    return bot


@asynccontextmanager
async def run_bot(
    servers: Servers, database_url: str, log_path: Path, *, cold: bool = False, **settings: str
) -> AsyncIterator[BotProcess]:
    bot = await start_bot(servers, database_url, log_path, cold=cold, **settings)
    try:
        yield bot
    finally:
        code = await bot.stop()
    assert code == 0, bot.log_text()

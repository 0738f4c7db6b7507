"""A process of the bot that can be told where to die, and that is started again each time."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any

from tests.support import crashing
from tests.support.process import environment, start_alone, start_bot

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.process import BotProcess
    from tests.support.servers import Servers

LOOK_S = 0.15
# Longer than any machine needs, and than a fleet takes to see that a word is still owed.
END_S = 180.0
ALL, GATEWAY, WORKER = "all", "gateway", "worker"


class Victim:
    """Shape: `settings` are the bot's own, as environment variables."""

    def __init__(self, servers: Servers, role: str, url: str, folder: Path, **settings: str) -> None:
        self.role = role
        self._servers = servers
        self._url = url
        self._folder = folder
        self._settings: dict[str, Any] = dict(settings)
        self._seen = folder / crashing.SEEN
        self._bot: BotProcess | None = None

    async def start(self, *, clock_ahead_s: float) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._seen.touch()
        settings = {
            **self._settings,
            crashing.FOLDER: str(self._folder),
            crashing.CLOCK_AHEAD_S: str(clock_ahead_s),
        }
        log, arguments = self._folder / "bot.log", ["--role", self.role]
        if self.role != WORKER:
            self._bot = await start_bot(
                self._servers, self._url, log, arguments=arguments, change=crashing.__name__, **settings
            )
            return
        started = self._count_starts()
        self._bot = await start_alone(
            log,
            environment(self._servers, self._url, **settings),
            arguments=arguments,
            change=crashing.__name__,
        )
        async with asyncio.timeout(END_S):
            while self._count_starts() == started:  # noqa: ASYNC110 - another process
                await asyncio.sleep(LOOK_S)

    def _count_starts(self) -> int:
        """By its log, to which every process of it adds."""
        log = self._folder / "bot.log"
        return log.read_text("utf-8").count('"service.started"') if log.exists() else 0

    @property
    def bot(self) -> BotProcess:
        assert self._bot is not None
        return self._bot

    def kill(self) -> None:
        """For a test that has failed."""
        if self._bot is not None:
            self._bot.process.send_signal(signal.SIGKILL)

    async def stop(self) -> None:
        assert await self.bot.stop() == 0, self.bot.log_text()[-4000:]

    def list_reached(self) -> list[str]:
        """The boundaries since it was armed last."""
        lines = self._seen.read_text("utf-8").splitlines()
        last = len(lines) - lines[::-1].index(crashing.ARMED) if crashing.ARMED in lines else 0
        return lines[last:]

    def _count_armed(self) -> int:
        return self._seen.read_text("utf-8").splitlines().count(crashing.ARMED)

    async def arm(self, boundary: str | None) -> None:
        """Let it write down every boundary from now on, and die at this one."""
        armed = self._count_armed()
        (self._folder / crashing.PLAN).write_text(boundary or "", "utf-8")
        self.bot.process.send_signal(signal.SIGUSR1)
        async with asyncio.timeout(END_S):
            while self._count_armed() == armed:  # noqa: ASYNC110 - another process
                await asyncio.sleep(LOOK_S / 4)

    @property
    def is_alive(self) -> bool:
        return self.bot.process.returncode is None

    async def bury(self) -> None:
        """Once it is dead: until Discord knows of it, too."""
        assert self.bot.process.returncode == -signal.SIGKILL, self.bot.log_text()[-4000:]
        async with asyncio.timeout(END_S):
            while self.role != WORKER and await self._servers.is_bot_online():  # noqa: ASYNC110 - another process
                await asyncio.sleep(LOOK_S)

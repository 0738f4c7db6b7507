"""The whole service in the test's process, with a clock that the test moves, between the local kvid and Discord.

So a day of it passes in a minute, over real sockets, and what it keeps can be counted.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import aiohttp
import discord

from bot import app as app_module
from bot.app import App
from bot.settings import Settings
from tests.service.doubles import MovedClock
from tests.support.member import Member

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.support.servers import Servers

QUIET_TURNS = 12
IDLE_TIMEOUT_S = 60.0
ONLINE_S = 60.0


class DayClock(MovedClock):
    """Begins now, since the local Discord's own clock does."""

    def __init__(self) -> None:
        super().__init__()
        self._begun_at = datetime.now(UTC)

    def now(self) -> datetime:
        return self._begun_at + timedelta(seconds=self.elapsed_s)

    def leap(self, delay_s: float) -> None:
        """So much time at once: whoever sleeps within it wakes late, as after a machine's own sleep."""
        self.elapsed_s += delay_s
        if any(at_s <= self.elapsed_s for at_s, _, future in self._sleepers if not future.done()):
            self.move_on()


class MovedApp:
    def __init__(self, app: App, clock: DayClock, servers: Servers) -> None:
        self.app = app
        self.clock = clock
        self.servers = servers
        self.in_flight = 0
        self._told_s = 0.0

    async def idle(self) -> None:
        """Until nothing more happens at this moment: no request and no transaction is under way."""
        async with asyncio.timeout(IDLE_TIMEOUT_S):
            quiet = 0
            while quiet < QUIET_TURNS:
                busy = self.in_flight > 0 or self.app._database._waiting > 0
                await asyncio.sleep(0.0005 if busy else 0)
                quiet = 0 if busy else quiet + 1

    async def until_online(self) -> None:
        """discord.py connects by its own clock, so this waits by that."""
        end = time.monotonic() + ONLINE_S
        while not (self.app.client.is_ready() and (await Member._state(self.servers, ""))["bot_online"]):
            assert time.monotonic() < end, "the bot does not get online"
            await asyncio.sleep(0.01)

    async def tell_discord(self) -> None:
        """The local Discord's clock goes by itself; this brings it to ours."""
        passed_s = self.clock.elapsed_s - self._told_s
        if passed_s > 0:
            self._told_s = self.clock.elapsed_s
            await self.servers.advance_clock(passed_s)

    async def until(self, reached: Callable[[], Any], *, limit_s: float = 1200.0) -> Any:
        """Let time pass, from one moment to the next, until `reached` answers something."""
        end_s = self.clock.elapsed_s + limit_s
        while True:
            await self.idle()
            found = await reached()
            if found:
                return found
            assert self.clock.elapsed_s < end_s, "it does not happen in time"
            assert self.clock.move_on(), "nothing will ever happen"
            await self.tell_discord()

    async def pass_s(self, delay_s: float, *, leap_s: float) -> None:
        """Let so much time pass in leaps, while nothing is under way that a leap would spoil."""
        end_s = self.clock.elapsed_s + delay_s
        while self.clock.elapsed_s < end_s:
            self.clock.leap(min(leap_s, end_s - self.clock.elapsed_s))
            await self.idle()
        await self.tell_discord()


@asynccontextmanager
async def run_moved_app(servers: Servers, database_url: str) -> AsyncIterator[MovedApp]:
    """Started and online, with the clock in the test's hand."""
    clock = DayClock()
    before = discord.http.Route.BASE, discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY, discord.Asset.BASE
    settings = Settings.model_validate(
        {
            "discord_token": "local-discord-token",
            "discord_api_base": f"{servers.discord_url}/api/v10",
            "kvid_api_key": "local-kvid-key",
            "kvid_base_url": servers.kvid_url,
            "database_url": database_url,
            "http_port": 0,
        }
    )
    with patch.object(app_module, "SystemClock", lambda: clock):
        app = App(settings)
    moved = MovedApp(app, clock, servers)
    request = aiohttp.ClientSession._request

    async def counted(session: aiohttp.ClientSession, *arguments: Any, **options: Any) -> Any:
        moved.in_flight += 1
        try:
            return await request(session, *arguments, **options)
        finally:
            moved.in_flight -= 1

    # discord.py deletes a note after a while by its own clock; by that, a fast day would end with all its notes.
    notes = SimpleNamespace(sleep=clock.sleep, create_task=asyncio.create_task)
    with (
        patch.object(aiohttp.ClientSession, "_request", counted),
        patch.object(discord.message, "asyncio", notes),
    ):
        try:
            await app._start()
            await moved.until_online()
            yield moved
        finally:
            await app._stop()
            discord.http.Route.BASE, discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = before[:2]
            discord.Asset.BASE = before[2]

"""The bot's own Discord client in the test's process, logged in by REST alone as a process that only runs jobs."""

from __future__ import annotations

import contextlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import discord

from bot.app import use_discord_at
from bot.caps.service import Caps
from bot.caps.values import OperatorLimits
from bot.charts.painter import Painter
from bot.client import KvidBot
from bot.clock import SystemClock
from bot.i18n import Catalogue
from bot.jobs.service import Jobs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from db.engine import Database
    from tests.support.servers import Servers


class HastyClock:
    """`bot.clock.Clock` whose sleeps are over at once and are counted as time that went by."""

    def __init__(self) -> None:
        self._real = SystemClock()
        self.slept_s: list[float] = []

    def now(self) -> datetime:
        return self._real.now()

    def monotonic(self) -> float:
        return self._real.monotonic() + sum(self.slept_s)

    async def sleep(self, delay_s: float) -> None:
        self.slept_s.append(delay_s)


@asynccontextmanager
async def run_rest_bot(servers: Servers, database: Database, clock: HastyClock) -> AsyncIterator[KvidBot]:
    before = discord.http.Route.BASE, discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY, discord.Asset.BASE
    use_discord_at(f"{servers.discord_url}/api/v10")
    caps = Caps(database, clock, OperatorLimits())
    client = KvidBot(
        database=database,
        jobs=Jobs(database, clock, caps.admission),
        caps=caps,
        painter=Painter(),
        catalogue=Catalogue.load(),
        clock=clock,
        dev_guild_id=None,
    )
    try:
        await client.login("local-discord-token")
        yield client
    finally:
        # Before it has connected, AutoShardedClient.close raises AttributeError in 2.7.1.
        with contextlib.suppress(AttributeError):
            await client.close()
        await client.http.close()
        discord.http.Route.BASE, discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY, discord.Asset.BASE = before

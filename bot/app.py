"""The only place that builds the parts of the service, starts them in order and stops them in reverse."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING

import aiohttp
import discord
import yarl

from bot.client import KvidBot
from bot.clock import SystemClock
from bot.credits.values import Limits
from bot.health import HealthServer
from bot.i18n import Catalogue
from bot.jobs.runner import Runner
from bot.jobs.service import Jobs
from bot.jobs.steps import Steps
from bot.kvid import KvidClient
from bot.log import get_logger
from db import migrate
from db.engine import Database

if TYPE_CHECKING:
    from bot.settings import Settings

log = get_logger(__name__)

# Ten seconds from the signal to the end of the process, shared by what must be waited for.
STOP_JOBS_S = 6.0
STOP_CARDS_S = 1.0
STOP_DISCORD_S = 2.0


class StartFailed(Exception):
    """The service cannot run; the message says what happened and what to do."""


def use_discord_at(api_base: str) -> None:
    """Point discord.py to another Discord. It keeps the address in a class, so this holds for the process.

    The gateway's address comes from `GET {base}/gateway/bot`. **Source**: platform notes 13.
    """
    # Nothing here speaks; the warnings about voice would only worry an operator.
    discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
    discord.http.Route.BASE = api_base
    if not api_base.startswith("https://discord.com/"):
        local = yarl.URL(api_base).origin()
        discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = local.with_scheme(
            "wss" if local.scheme == "https" else "ws"
        ).with_path("/gateway")
        discord.Asset.BASE = str(local)


class App:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._clock = SystemClock()
        self._database = Database(settings.database_url)
        self._kvid = KvidClient(
            base_url=settings.kvid_base_url,
            api_key=settings.kvid_api_key.get_secret_value(),
            product_code=settings.kvid_product_code,
        )
        self._jobs = Jobs(
            self._database,
            self._clock,
            Limits(
                member_daily_credits=settings.member_daily_credits,
                server_monthly_credits=settings.server_monthly_credits,
            ),
        )
        use_discord_at(settings.discord_api_base)
        self.client = KvidBot(
            database=self._database,
            jobs=self._jobs,
            catalogue=Catalogue.load(),
            clock=self._clock,
            dev_guild_id=settings.dev_guild_id,
        )
        self._runner = Runner(
            database=self._database,
            clock=self._clock,
            jobs=self._jobs,
            steps=Steps(
                database=self._database,
                clock=self._clock,
                kvid=self._kvid,
                surface=self.client.delivery,
                settle_tolerance_credits=settings.settle_tolerance_credits,
            ),
            surface=self.client.delivery,
            concurrency=settings.kvid_concurrency,
        )
        self._health = HealthServer(settings.http_port, lambda: not self.client.is_closed())
        self._connecting: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Until SIGTERM or SIGINT. **Raises** StartFailed."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, stop.set)
        try:
            await self._start()
            await self._until(stop)
        finally:
            await self._stop()

    async def _start(self) -> None:
        await asyncio.to_thread(migrate.upgrade, self._settings.database_url)
        if self._settings.http_port:
            try:
                await self._health.start()
            except OSError as error:
                raise StartFailed(
                    f"Port {self._settings.http_port} for /healthz is taken. Set HTTP_PORT to a free one, or to 0."
                ) from error
        try:
            await self.client.login(self._settings.discord_token.get_secret_value())
        except discord.LoginFailure as error:
            raise StartFailed(
                "Discord refused DISCORD_TOKEN. Make a new one on the Bot page of the Developer Portal."
            ) from error
        except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
            raise StartFailed(
                f"Discord does not answer at {self._settings.discord_api_base} ({type(error).__name__}). "
                "Check DISCORD_API_BASE and this machine's network."
            ) from error
        # Jobs need Discord's REST alone, so they go on before the gateway is there.
        await self._runner.start()
        self._connecting = asyncio.create_task(self.client.connect(), name="gateway")
        log.info("service.started", user=str(self.client.user))

    async def _until(self, stop: asyncio.Event) -> None:
        assert self._connecting is not None  # noqa: S101 - set by _start
        stopping = asyncio.create_task(stop.wait(), name="stop")
        await asyncio.wait({stopping, self._connecting}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if self._connecting.done() and not stop.is_set():
            error = self._connecting.exception()
            if isinstance(error, discord.PrivilegedIntentsRequired):
                raise StartFailed(
                    "Discord refused the gateway intents, although none is privileged."
                ) from error
            if error is not None:
                raise error

    async def _stop(self) -> None:
        """Intake first, then jobs, then what they needed."""
        self._jobs.close_intake("error.stopping")
        await self._runner.stop(grace_s=STOP_JOBS_S)
        await self.close()
        log.info("service.stopped")

    async def close(self) -> None:
        """Let go of everything that was opened; also without a start."""
        await self.client.delivery.stop(grace_s=STOP_CARDS_S)
        # Before setup has run, AutoShardedClient.close raises AttributeError in 2.7.1.
        with contextlib.suppress(TimeoutError, AttributeError):
            await asyncio.wait_for(self.client.close(), STOP_DISCORD_S)
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait({self._connecting}, timeout=1)
        await self._health.stop()
        await self._kvid.close()
        await self._database.close()


async def sync_commands(settings: Settings) -> str:
    """Register the commands now, whatever the stored hash says."""
    app = App(settings)
    try:
        await asyncio.to_thread(migrate.upgrade, settings.database_url)
        await app.client.login(settings.discord_token.get_secret_value())
        await app.client.sync_commands(force=True)
        return "The commands are registered."
    finally:
        await app.close()

"""The only place that builds the parts of the service, starts them in order and stops them in reverse."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from typing import TYPE_CHECKING

import aiohttp
import discord
import yarl

from bot.caps.service import Caps
from bot.caps.values import OperatorLimits
from bot.charts.painter import Painter
from bot.client import KvidBot
from bot.clock import SystemClock
from bot.housekeeping import Housekeeping
from bot.i18n import Catalogue
from bot.identify import IdentifyTurns
from bot.jobs.service import Jobs
from bot.log import get_logger
from bot.metrics import Metrics
from bot.only_one import AlreadyRunning, OnlyOne
from bot.readiness import find_gateway_trouble
from bot.roles import Role, check_role
from bot.tasks import run_abandonable
from bot.timers import Timers
from bot.watch import Watch
from bot.work import Work, upgrade_with_queue
from db import migrate
from db.engine import Database
from db.lock import build_lock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator

    from bot.readiness import Check
    from bot.roles import Shards
    from bot.settings import Settings

log = get_logger(__name__)

# Ten seconds from the signal to the end of the process: one deadline, whatever each part takes of it.
STOP_S = 9.0
STOP_FORCED_S = 9.5
STOP_JOBS_S = 5.5
STOP_CARDS_S = 1.0
STOP_BACKGROUND_S = 0.5
STOP_PART_S = 2.0
_ALONE = (
    "Another kvid-bot already works on this database. "
    "Stop it first, or give this one a DATABASE_URL of its own."
)
_BESIDE_ALL = (
    "A kvid-bot that does everything by itself already works on this database. Stop it first "
    "(gateways and workers share the database among each other alone), or use another DATABASE_URL."
)
# Missing Access and Unknown Guild. Source: Discord's JSON error codes.
_NOT_IN_SERVER = frozenset({50001, 10004})


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


@contextlib.contextmanager
def tell_as_start_failure(settings: Settings) -> Iterator[None]:
    """Turn what Discord, or the way to it, refuses into a StartFailed."""
    try:
        yield
    except discord.LoginFailure as error:
        raise StartFailed(
            "Discord refused DISCORD_TOKEN. Make a new one on the Bot page of the Developer Portal."
        ) from error
    except discord.PrivilegedIntentsRequired as error:
        raise StartFailed("Discord refused the gateway intents, although none is privileged.") from error
    except discord.HTTPException as error:
        if settings.dev_guild_id is not None and error.code in _NOT_IN_SERVER:
            raise StartFailed(
                "DEV_GUILD_ID names a server that the bot is not in. "
                "Invite the bot there, correct the id, or leave it empty."
            ) from error
        raise StartFailed(
            f"Discord at {settings.discord_api_base} refused (HTTP {error.status}, code {error.code}). "
            "Check DISCORD_API_BASE, or try again later."
        ) from error
    except discord.ConnectionClosed as error:
        raise StartFailed(
            f"Discord closed the gateway (code {error.code}). Check DISCORD_TOKEN, or try again later."
        ) from error
    # UnicodeError: a host that is no name, such as one with two dots in a row.
    except (discord.GatewayNotFound, aiohttp.ClientError, OSError, UnicodeError) as error:
        raise StartFailed(
            f"Discord does not answer at {settings.discord_api_base} ({type(error).__name__}). "
            "Check DISCORD_API_BASE and this machine's network."
        ) from error


class App:
    """**Raises** SettingsError where the role cannot be had with these settings."""

    def __init__(self, settings: Settings, role: Role = Role.ALL, shards: Shards | None = None) -> None:
        check_role(role, shards, settings.database_url)
        self._settings = settings
        self._role = role
        self._clock = SystemClock()
        self._database = Database(settings.database_url)
        caps = Caps(
            self._database,
            self._clock,
            OperatorLimits(
                member_daily_credits=settings.member_daily_credits,
                server_monthly_credits=settings.server_monthly_credits,
            ),
        )
        metrics = Metrics()
        self._jobs = Jobs(self._database, self._clock, caps.admission)
        self._jobs.on_finished = metrics.job_finished
        self._painter = Painter()
        use_discord_at(settings.discord_api_base)
        self.client = KvidBot(
            database=self._database,
            jobs=self._jobs,
            caps=caps,
            painter=self._painter,
            catalogue=Catalogue.load(),
            clock=self._clock,
            dev_guild_id=settings.dev_guild_id,
            shards=shards,
            identify_turns=IdentifyTurns(self._database, self._clock) if role is Role.GATEWAY else None,
            syncs_commands=role is not Role.WORKER and (shards is None or shards.first == 0),
        )
        self.client.retry.on_tried = metrics.discord_tried
        self._work = Work(
            settings,
            role,
            metrics,
            database=self._database,
            clock=self._clock,
            jobs=self._jobs,
            delivery=self.client.delivery,
        )
        self._housekeeping = Housekeeping(
            self._database,
            self._clock,
            Timers(self._database, self._clock, shared=role is not Role.ALL),
        )
        self._watch = Watch(
            settings,
            metrics,
            database=self._database,
            clock=self._clock,
            is_alive=lambda: not self.client.is_closed(),
            checks=self._build_checks(),
        )
        self._only_one = OnlyOne(build_lock(settings.database_url, shared=role is not Role.ALL), self._clock)
        self._connecting: asyncio.Task[None] | None = None
        self._stop_deadline: float | None = None

    async def run(self) -> None:
        """Until SIGTERM or SIGINT, which are heard while it starts, too. **Raises** StartFailed."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, self._told_to_stop, stop)
        self._only_one.on_taken_away = lambda: self._told_to_stop(stop)
        try:
            starting = asyncio.create_task(self._start(), name="start")
            if await _ends_before(stop, starting):
                starting.result()
                if self._connecting is None:
                    await stop.wait()
                elif await _ends_before(stop, self._connecting):
                    with tell_as_start_failure(self._settings):
                        self._connecting.result()
            elif not starting.done():
                starting.cancel()
                await asyncio.wait({starting}, timeout=STOP_PART_S)
        finally:
            await self._stop()

    def _told_to_stop(self, stop: asyncio.Event) -> None:
        if stop.is_set():
            return
        stop.set()
        self._stop_deadline = self._clock.monotonic() + STOP_S
        # What hangs in a thread cannot be cancelled, and Python would wait for it at its end.
        # All that matters is stored, as for a kill; the exit was asked for, so it is no failure.
        forced = threading.Timer(STOP_FORCED_S, os._exit, (0,))
        forced.daemon = True
        forced.start()

    async def _start(self) -> None:
        await self._take_lock()
        await self._migrate()
        try:
            await self._watch.start()
        except OSError as error:
            raise StartFailed(
                f"Port {self._settings.http_port} for /healthz is taken. Set HTTP_PORT to a free one, or to 0."
            ) from error
        await self.login()
        # Jobs need Discord's REST alone, so they go on before the gateway is there.
        await self._work.start()
        self._housekeeping.start()
        if self._role is not Role.WORKER:
            self.client.automod.start()
            self.client.log_channel.start()
            self._connecting = asyncio.create_task(self.client.connect(), name="gateway")
        log.info("service.started", user=str(self.client.user), role=self._role.value)

    async def _migrate(self) -> None:
        try:
            upgrade = migrate.upgrade if self._role is Role.ALL else upgrade_with_queue
            await run_abandonable("migrate", lambda: upgrade(self._settings.database_url))
        except migrate.SchemaTooNew as error:
            raise StartFailed(f"{str(error)[0].upper()}{str(error)[1:]}.") from error

    def _build_checks(self) -> dict[str, Check]:
        """What this role needs to be ready beside the database; a worker takes nothing in."""

        async def gateway() -> str | None:
            return find_gateway_trouble(self.client)

        async def intake() -> str | None:
            return self._jobs.find_intake_trouble()

        return {} if self._role is Role.WORKER else {"gateway": gateway, "intake": intake}

    async def _take_lock(self) -> None:
        try:
            await self._only_one.take()
        except AlreadyRunning as error:
            raise StartFailed(_ALONE if self._role is Role.ALL else _BESIDE_ALL) from error
        except OSError as error:
            raise StartFailed(f"The database cannot be used ({error}). Check DATABASE_URL.") from error

    async def login(self) -> None:
        """**Raises** StartFailed."""
        with tell_as_start_failure(self._settings):
            await self.client.login(self._settings.discord_token.get_secret_value())

    async def _stop(self) -> None:
        """Intake first, then jobs, then what they needed."""
        self._jobs.close_intake("error.stopping")
        # A second more: tasks that were cut short are given the time to say so.
        await self._end("jobs", self._work.stop(grace_s=STOP_JOBS_S), limit_s=STOP_JOBS_S + 1)
        await self.close()
        log.info("service.stopped")

    async def close(self) -> None:
        """Let go of everything that was opened; also without a start."""
        # What they have not done they do after the next start.
        for part in (self.client.log_channel, self.client.automod, self._housekeeping):
            await self._end(type(part).__name__, part.stop(grace_s=STOP_BACKGROUND_S))
        await self._end("cards", self.client.delivery.stop(grace_s=STOP_CARDS_S))
        await self._end("discord", self._close_client())
        if self._connecting is not None:
            self._connecting.cancel()
            await self._end("gateway", asyncio.wait({self._connecting}))
        await self._end("charts", self._painter.stop())
        await self._end("watch", self._watch.stop())
        await self._end("work", self._work.close(grace_s=STOP_BACKGROUND_S))
        await self._end("database", self._database.close())
        await self._end("lock", self._only_one.release())

    async def _close_client(self) -> None:
        # Before setup has run, AutoShardedClient.close raises AttributeError in 2.7.1.
        with contextlib.suppress(AttributeError):
            await self.client.close()

    async def _end(self, part: str, work: Awaitable[object], *, limit_s: float = STOP_PART_S) -> None:
        """Give `work` its time, or what is left of the whole; whatever it does, the next part has its turn."""
        now = self._clock.monotonic()
        if self._stop_deadline is None:
            self._stop_deadline = now + STOP_S
        try:
            async with asyncio.timeout(max(0.0, min(limit_s, self._stop_deadline - now))):
                await work
        except TimeoutError:
            log.warning("service.part_cut_short", part=part)
        except Exception:
            log.exception("service.part_failed", part=part)


async def _ends_before(stop: asyncio.Event, task: asyncio.Task[None]) -> bool:
    """Wait for either; True when the task has ended and `stop` was not asked for."""
    stopping = asyncio.create_task(stop.wait(), name="stop")
    await asyncio.wait({stopping, task}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if stop.is_set() and task.done() and not task.cancelled():
        # Looked at, so that asyncio does not complain: once a stop is asked for, it changes nothing.
        task.exception()
    return not stop.is_set()


async def sync_commands(settings: Settings) -> str:
    """Register the commands now, whatever the stored hash says. **Raises** StartFailed."""
    app = App(settings)
    try:
        await asyncio.to_thread(migrate.upgrade, settings.database_url)
        await app.login()
        with tell_as_start_failure(settings):
            await app.client.sync_commands(force=True)
        return "The commands are registered."
    finally:
        await app.close()

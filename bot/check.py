"""`kvid-bot check`: each thing the service needs, one line each, with OK or the mend."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp
import discord

from bot.app import use_discord_at
from bot.kvid import KvidClient
from bot.kvid.errors import KvidError, KvidUnauthorized
from db import migrate
from db.engine import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bot.settings import Settings

STEP_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    name: str
    mend: str | None = None

    def line(self) -> str:
        return f"{self.name:<12}{'OK' if self.mend is None else self.mend}"


async def run_checks(settings: Settings) -> AsyncIterator[Finding]:
    """Yield each finding as soon as it is known."""
    yield Finding(name="settings")
    database = await _check_database(settings)
    yield database
    yield (
        await _check_migrations(settings)
        if database.mend is None
        else Finding(name="migrations", mend="not looked at: the database does not answer")
    )
    yield await _check_discord(settings)
    yield await _check_kvid(settings)


async def _check_database(settings: Settings) -> Finding:
    database = Database(settings.database_url)
    try:
        async with asyncio.timeout(STEP_TIMEOUT_S):
            await database.read(lambda connection: connection.exec_driver_sql("SELECT 1").scalar())
    except Exception as error:  # noqa: BLE001 - every driver has its own errors; the operator needs one line
        reason = str(error).splitlines()[0][:160] if str(error) else type(error).__name__
        return Finding(
            name="database", mend=f"cannot be opened ({reason}). Check DATABASE_URL and that it runs"
        )
    finally:
        await database.close()
    return Finding(name="database")


async def _check_migrations(settings: Settings) -> Finding:
    if await asyncio.to_thread(migrate.current, settings.database_url) is None:
        # A new database is no fault: the first `run` sets it up.
        return Finding(name="migrations")
    try:
        pending = await asyncio.to_thread(migrate.pending, settings.database_url)
    except migrate.SchemaTooNew as error:
        return Finding(name="migrations", mend=str(error))
    if pending:
        return Finding(
            name="migrations", mend="not applied yet. Run: kvid-bot db upgrade (kvid-bot run does it too)"
        )
    return Finding(name="migrations")


async def _check_discord(settings: Settings) -> Finding:
    use_discord_at(settings.discord_api_base)
    client = discord.Client(intents=discord.Intents.none())
    try:
        async with asyncio.timeout(STEP_TIMEOUT_S):
            await client.login(settings.discord_token.get_secret_value())
    except discord.LoginFailure:
        return Finding(
            name="discord",
            mend="the token is refused. Make a new one on the Bot page of the Developer Portal, set DISCORD_TOKEN",
        )
    # UnicodeError: a host that is no name, such as one with two dots in a row.
    except (discord.DiscordException, aiohttp.ClientError, OSError, UnicodeError) as error:
        return Finding(
            name="discord", mend=f"cannot be reached ({type(error).__name__}). Check DISCORD_API_BASE"
        )
    finally:
        await client.close()
    return Finding(name="discord")


async def _check_kvid(settings: Settings) -> Finding:
    kvid = KvidClient(
        base_url=settings.kvid_base_url,
        api_key=settings.kvid_api_key.get_secret_value(),
        product_code=settings.kvid_product_code,
    )
    try:
        async with asyncio.timeout(STEP_TIMEOUT_S):
            await kvid.check_key()
    except KvidUnauthorized:
        return Finding(
            name="kvid", mend="the key is refused. Copy it again from your kvid account, set KVID_API_KEY"
        )
    except (KvidError, TimeoutError) as error:
        return Finding(name="kvid", mend=f"cannot be reached ({type(error).__name__}). Check KVID_BASE_URL")
    finally:
        await kvid.close()
    return Finding(name="kvid")

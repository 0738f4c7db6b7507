"""The local kvid and the local Discord on free ports, inside the test's event loop."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import web

from sandbox.discord.server import create_app as create_discord
from sandbox.discord.settings import DiscordSettings
from sandbox.kvid.server import create_app as create_kvid
from sandbox.kvid.settings import KvidSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """Both services and a client session to talk to their control endpoints."""

    discord_url: str
    kvid_url: str
    session: aiohttp.ClientSession

    async def kvid_fault(
        self, endpoint: str, fault: dict[str, Any], *, times: int = 1, skip: int = 0
    ) -> None:
        body = {"endpoint": endpoint, "fault": fault, "times": times, "skip": skip}
        await self._post(f"{self.kvid_url}/control/fault", body)

    async def clear_kvid_faults(self) -> None:
        async with self.session.delete(f"{self.kvid_url}/control/fault") as answer:
            answer.raise_for_status()

    async def set_kvid(self, **settings: Any) -> None:
        await self._post(f"{self.kvid_url}/control/settings", settings)

    async def kvid_books(self) -> dict[str, Any]:
        return await self._get(f"{self.kvid_url}/control/books")

    async def discord_fault(self, **fault: Any) -> None:
        await self._post(f"{self.discord_url}/control/fault", fault)

    async def clear_discord_faults(self) -> None:
        async with self.session.delete(f"{self.discord_url}/control/fault") as answer:
            assert answer.status < 300, await answer.text()

    async def advance_clock(self, seconds: float) -> None:
        await self._post(f"{self.discord_url}/control/clock", {"advance_s": seconds})

    async def set_bot_permissions(self, channel_id: str, **change: Any) -> None:
        await self._post(f"{self.discord_url}/control/permissions", {"channel_id": channel_id, **change})

    async def bot_requests(self) -> list[dict[str, Any]]:
        requests: list[dict[str, Any]] = (await self._get(f"{self.discord_url}/control/requests"))["requests"]
        return requests

    async def all_messages(self, channel_id: str) -> list[dict[str, Any]]:
        url = f"{self.discord_url}/control/messages?channel_id={channel_id}"
        messages: list[dict[str, Any]] = (await self._get(url))["messages"]
        return messages

    async def _post(self, url: str, body: dict[str, Any]) -> None:
        async with self.session.post(url, json=body) as answer:
            assert answer.status < 300, await answer.text()

    async def _get(self, url: str) -> dict[str, Any]:
        async with self.session.get(url) as answer:
            assert answer.status == 200, await answer.text()
            body: dict[str, Any] = await answer.json()
            return body


@asynccontextmanager
async def run_servers(
    *, kvid: KvidSettings | None = None, discord: DiscordSettings | None = None, crowd: int = 0
) -> AsyncIterator[Servers]:
    """`crowd`: so many more members in the local Discord's server."""
    kvid_settings = kvid or KvidSettings(render_s=0.2, quick_pictures=True)
    discord_settings = discord or DiscordSettings(rate_limits_relaxed=True, crowd=crowd)
    async with (
        _serve(create_kvid(kvid_settings)) as kvid_url,
        _serve(create_discord(discord_settings)) as discord_url,
        aiohttp.ClientSession() as session,
    ):
        yield Servers(discord_url=discord_url, kvid_url=kvid_url, session=session)


@asynccontextmanager
async def _serve(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()

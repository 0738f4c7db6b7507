"""The local kvid and the local Discord on free ports, inside the test's event loop."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import web

from sandbox.discord.core import CORE
from sandbox.discord.server import create_app as create_discord
from sandbox.discord.settings import DiscordSettings
from sandbox.kvid.server import create_app as create_kvid
from sandbox.kvid.settings import KvidSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import datetime

LOOK_S, LOOKS = 0.02, 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """Both services and a client session to talk to their control endpoints."""

    discord_url: str
    kvid_url: str
    session: aiohttp.ClientSession
    # Where the local Discord runs in this process: how often a message has changed there.
    count_changes: Callable[[], int] | None = None

    async def wait_for_change(self, changes: int) -> None:
        """Until more messages have changed than so many, and a moment at most: what is shown is costly to ask for."""
        for _ in range(LOOKS):
            await asyncio.sleep(LOOK_S)
            if self.count_changes is None or self.count_changes() != changes:
                return

    async def kvid_fault(
        self, endpoint: str, fault: dict[str, Any], *, times: int = 1, skip: int = 0
    ) -> None:
        body = {"endpoint": endpoint, "fault": fault, "times": times, "skip": skip}
        await self._post(f"{self.kvid_url}/control/fault", body)

    async def kvid_fault_rate(self, rate: float, *kinds: str, **more: Any) -> None:
        """So large a share of the requests meets one of these kinds, until the faults are cleared."""
        await self._post(f"{self.kvid_url}/control/fault-rate", {"rate": rate, "kinds": kinds, **more})

    async def clear_kvid_faults(self) -> None:
        async with self.session.delete(f"{self.kvid_url}/control/fault") as answer:
            answer.raise_for_status()

    async def set_kvid(self, **settings: Any) -> None:
        await self._post(f"{self.kvid_url}/control/settings", settings)

    @asynccontextmanager
    async def kvid_held(self) -> AsyncIterator[None]:
        """Inside, no picture gets done, however slow or quick the machine is; afterwards all go on."""
        await self.set_kvid(held=True)
        try:
            yield
        finally:
            await self.set_kvid(held=False)

    async def kvid_books(self) -> dict[str, Any]:
        """All of them: the account, faults, requests, every job ever submitted."""
        books = await self._get(f"{self.kvid_url}/control/books")
        while books["next"] is not None:
            page = await self._get(f"{self.kvid_url}/control/books?after={books['next']}")
            books = {**page, "jobs": books["jobs"] + page["jobs"]}
        return books

    async def discord_fault(self, **fault: Any) -> None:
        await self._post(f"{self.discord_url}/control/fault", fault)

    async def discord_fault_rate(self, rate: float, *kinds: str, **more: Any) -> None:
        await self._post(f"{self.discord_url}/control/fault-rate", {"rate": rate, "kinds": kinds, **more})

    async def make_world(self, *, servers: int, members: int, channels: int = 3) -> dict[str, Any]:
        """More servers with the bot in them, and guests of several of them: their ids."""
        body = {"servers": servers, "members": members, "channels": channels}
        world: dict[str, Any] = await self._change("world", **body)
        return world

    async def set_session_starts(self, **limits: Any) -> None:
        """`shards`, `max_concurrency`, `identify_interval_s`, `remaining`."""
        await self._change("session-start", **limits)

    async def disturb_gateway(self, action: str, **more: Any) -> None:
        """`close` (code, resumable), `reconnect`, `invalid_session`, of some `shards`; `double` the next events."""
        await self._change("gateway", action=action, **more)

    async def discord_books(self) -> dict[str, Any]:
        """All of them: faults, requests, every message the bot ever made, every interaction and its answers."""
        books = await self._get(f"{self.discord_url}/control/books")
        while books["next_message"] is not None or books["next_interaction"] is not None:
            # Past the end a page is empty, so the list that is whole already stays as it is.
            after = {
                f"after_{name}": books[f"{name}s"][-1]["number"] if books[f"{name}s"] else 0
                for name in ("message", "interaction")
            }
            query = "&".join(f"{name}={number}" for name, number in after.items())
            page = await self._get(f"{self.discord_url}/control/books?{query}")
            for name in ("messages", "interactions"):
                page[name] = books[name] + page[name]
            books = page
        return books

    async def count_requests(self) -> int:
        """How many the bot has made of Discord so far."""
        books = await self._get(f"{self.discord_url}/control/books?limit=1")
        return sum(books["requests"].values())

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

    # --- the server as its administrators change it; `more` may name another with guild_id ---

    async def set_locale(self, preferred_locale: str, **more: Any) -> None:
        await self._change("guild", preferred_locale=preferred_locale, **more)

    async def set_member_roles(self, user_id: str, roles: list[str], **more: Any) -> None:
        await self._change("member", user_id=user_id, roles=roles, **more)

    async def set_joined_at(self, user_id: str, joined_at: datetime, **more: Any) -> None:
        await self._change("member", user_id=user_id, joined_at=joined_at.isoformat(), **more)

    async def add_member(self, username: str, **more: Any) -> str:
        """Somebody new on the server; answers their id."""
        member: dict[str, Any] = (await self._change("member", username=username, **more))["user"]
        return str(member["id"])

    async def remove_member(self, user_id: str, **more: Any) -> None:
        await self._change("member", user_id=user_id, member=False, **more)

    async def add_role(self, name: str, **more: Any) -> str:
        role: str = (await self._change("role", name=name, **more))["id"]
        return role

    async def set_role_permissions(
        self, role_id: str, *, allow: tuple[str, ...] = (), deny: tuple[str, ...] = (), **more: Any
    ) -> None:
        """Turn permissions of a role on and off by their names, as MANAGE_GUILD."""
        await self._change("role", role_id=role_id, allow=list(allow), deny=list(deny), **more)

    async def delete_role(self, role_id: str) -> None:
        await self._delete(f"role/{role_id}")

    async def add_channel(self, name: str, **more: Any) -> str:
        """A text channel, with type=4 a category; answers its id."""
        channel: str = (await self._change("channel", name=name, **more))["id"]
        return channel

    async def move_channel(self, channel_id: str, category_id: str | None) -> None:
        await self._change("channel", channel_id=channel_id, parent_id=category_id)

    async def delete_channel(self, channel_id: str) -> None:
        await self._delete(f"channel/{channel_id}")

    async def put_automod_rule(self, name: str, *keywords: str, **more: Any) -> str:
        """A keyword rule, or with trigger_type and trigger_metadata another; with rule_id a change of that one.

        Shape: answers the rule's id.
        """
        metadata = {"keyword_filter": list(keywords), "regex_patterns": [], "allow_list": []}
        body = {"name": name, "trigger_type": 1, "trigger_metadata": metadata, **more}
        rule: str = (await self._change("automod", **body))["id"]
        return rule

    async def delete_automod_rule(self, rule_id: str) -> None:
        await self._delete(f"automod/{rule_id}")

    async def is_bot_online(self, *, with_commands: bool = False) -> bool:
        bot = await self._get(f"{self.discord_url}/control/bot")
        return bool(bot["online"] and (bot["commands"] or not with_commands))

    async def kick_bot(self, **more: Any) -> None:
        await self._change("bot", member=False, **more)

    async def invite_bot(self, **more: Any) -> None:
        await self._change("bot", member=True, **more)

    async def set_command_permissions(self, command_id: str, *rules: tuple[int, str, bool]) -> None:
        """What the Integrations page says: type (1 role, 2 user, 3 channel), id, whether they may."""
        permissions = [{"type": kind, "id": one, "permission": may} for kind, one, may in rules]
        await self._change("command-permissions", command_id=command_id, permissions=permissions)

    async def managed_role(self) -> str:
        """The role that came with the bot."""
        state = await self._get(f"{self.discord_url}/page/state")
        role: str = next(one["id"] for one in state["guild"]["roles"] if one["managed"])
        return role

    async def _change(self, what: str, **body: Any) -> Any:
        async with self.session.post(f"{self.discord_url}/control/{what}", json=body) as answer:
            assert answer.status < 300, await answer.text()
            return None if answer.status == 204 else await answer.json()

    async def _delete(self, path: str) -> None:
        async with self.session.delete(f"{self.discord_url}/control/{path}") as answer:
            assert answer.status < 300, await answer.text()

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
        _serve(discord_app := create_discord(discord_settings)) as discord_url,
        aiohttp.ClientSession() as session,
    ):
        yield Servers(
            discord_url=discord_url,
            kvid_url=kvid_url,
            session=session,
            count_changes=lambda: discord_app[CORE].books.revision,
        )


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

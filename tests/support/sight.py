"""What a member of the local Discord sees, and the waiting for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tests.support.wire import pictures_of, text_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.servers import Servers

# Longer than any machine needs: only a test that fails waits for it.
WAIT_S = 60.0
LOOKED_AT = 8


class Sight:
    servers: Servers
    user_id: str

    @property
    def changes(self) -> int:
        return 0 if self.servers.count_changes is None else self.servers.count_changes()

    async def messages(self, channel_id: str, *, limit: int = 100) -> list[dict[str, Any]]:
        """The newest, oldest first."""
        channel = f"{self.servers.discord_url}/page/channels/{channel_id}"
        url = f"{channel}/messages?as={self.user_id}&limit={limit}"
        async with self.servers.session.get(url) as answer:
            assert answer.status == 200, await answer.text()
            found: list[dict[str, Any]] = (await answer.json())["messages"]
            return found

    async def _messages_after(self, channel_id: str, after: str) -> list[dict[str, Any]]:
        """The newest hundred, without those before `after` where a few reach back to it: each costs a rendering."""
        if after != "0":
            seen = await self.messages(channel_id, limit=LOOKED_AT)
            if len(seen) < LOOKED_AT or int(seen[0]["id"]) <= int(after):
                return seen
        return await self.messages(channel_id)

    async def wait_for(
        self,
        channel_id: str,
        matches: Callable[[dict[str, Any]], object],
        *,
        after: str = "0",
        timeout_s: float = WAIT_S,
    ) -> dict[str, Any]:
        """The newest message after the id `after` that matches, as soon as this member sees one."""
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout_s
        while True:
            changes = self.changes
            seen = await self._messages_after(channel_id, after)
            newest_first: list[dict[str, Any]] = seen[::-1]
            for message in newest_first:
                if int(message["id"]) > int(after) and matches(message):
                    return message
            if loop.time() > end:
                shown = "\n".join(f"{m['id']} {m['author']['username']}: {text_of(m)!r}" for m in seen[-8:])
                raise AssertionError(f"no such message; the last ones were:\n{shown}")
            await self.servers.wait_for_change(changes)

    async def wait_for_text(
        self, channel_id: str, part: str, *, after: str = "0", timeout_s: float = WAIT_S
    ) -> dict[str, Any]:
        return await self.wait_for(channel_id, lambda m: part in text_of(m), after=after, timeout_s=timeout_s)

    async def wait_for_exactly(self, channel_id: str, words: str, *, after: str = "0") -> dict[str, Any]:
        """A message of just these words; a refusal may quote below them what was typed."""
        return await self.wait_for(channel_id, lambda m: text_of(m).split("\n> ")[0] == words, after=after)

    async def wait_until_gone(self, channel_id: str, message_id: str) -> None:
        async with asyncio.timeout(WAIT_S):
            while True:
                changes = self.changes
                if message_id not in [message["id"] for message in await self.messages(channel_id)]:
                    return
                await self.servers.wait_for_change(changes)

    async def newest_id(self, channel_id: str) -> str:
        """The id of the newest message this member sees, to look only behind it."""
        seen = await self.messages(channel_id, limit=1)
        newest: str = seen[-1]["id"] if seen else "0"
        return newest

    async def wait_for_result(
        self, channel_id: str, *, after: str = "0", timeout_s: float = WAIT_S
    ) -> dict[str, Any]:
        return await self.wait_for(
            channel_id, lambda m: bool(pictures_of(m)), after=after, timeout_s=timeout_s
        )

    async def download(self, url: str) -> bytes:
        async with self.servers.session.get(url) as answer:
            assert answer.status == 200
            return await answer.read()

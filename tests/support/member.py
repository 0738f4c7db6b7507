"""A member of the local Discord, acting through the same endpoints as its page."""

from __future__ import annotations

import asyncio
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.servers import Servers

WAIT_S = 20.0
LOOK_S = 0.03
OPTION_TYPES = {str: 3, int: 4, bool: 5, float: 10}


@dataclass(frozen=True, slots=True)
class File:
    name: str
    data: bytes
    content_type: str


class Refused(Exception):
    """The local Discord's client-side check did not let the member do that."""


class Member:
    def __init__(self, servers: Servers, user_id: str, state: dict[str, Any]) -> None:
        self.servers = servers
        self.user_id = user_id
        self.state = state

    @classmethod
    async def join(cls, servers: Servers, *, moderator: bool = False, skip: int = 0) -> Member:
        """The first plain member (or moderator) of the start world, after `skip` others."""
        state = await cls._state(servers, "")
        people = [user for user in state["users"] if not user.get("bot") and user["moderator"] is moderator]
        user_id = people[skip]["id"]
        return cls(servers, user_id, await cls._state(servers, user_id))

    @staticmethod
    async def _state(servers: Servers, user_id: str) -> dict[str, Any]:
        query = f"?as={user_id}" if user_id else ""
        async with servers.session.get(f"{servers.discord_url}/page/state{query}") as answer:
            assert answer.status == 200, await answer.text()
            body: dict[str, Any] = await answer.json()
            return body

    async def refresh(self) -> None:
        self.state = await self._state(self.servers, self.user_id)

    def channel(self, name: str) -> str:
        found: str = next(c["id"] for c in self.state["channels"] if c["name"] == name)
        return found

    def direct_channel(self) -> str:
        """The direct messages with the bot."""
        bot_id = self.state["bot"]["id"]
        direct = (c for c in self.state["channels"] if (c.get("recipient") or {}).get("id") == bot_id)
        found: str = next(direct)["id"]
        return found

    # --- acting ---

    async def slash(self, channel_id: str, name: str, *, forge: bool = False, **options: Any) -> str:
        """Use a slash command; a File as value becomes an attachment."""
        files = [value for value in options.values() if isinstance(value, File)]
        wire = []
        for key, value in options.items():
            if isinstance(value, File):
                wire.append({"name": key, "type": 11, "value": files.index(value)})
            else:
                wire.append({"name": key, "type": OPTION_TYPES[type(value)], "value": value})
        body = {
            "type": 2,
            "channel_id": channel_id,
            "command_id": self._command(name, 1),
            "options": wire,
            "target_id": None,
            "locale": "en-US",
        }
        if forge:
            body["forge"] = True
        return await self._interact(body, files)

    async def menu(self, message: dict[str, Any], name: str) -> str:
        body = {
            "type": 2,
            "channel_id": message["channel_id"],
            "command_id": self._command(name, 3),
            "options": [],
            "target_id": message["id"],
            "locale": "en-US",
        }
        return await self._interact(body, [])

    def _command(self, name: str, kind: int) -> str:
        found: str = next(
            c["id"] for c in self.state["commands"] if c["name"] == name and c.get("type", 1) == kind
        )
        return found

    async def press(self, message: dict[str, Any], label: str) -> str:
        """Press the button of `message` whose label begins with `label`."""
        button = next(b for b in buttons_of(message) if str(b.get("label", "")).startswith(label))
        body = {
            "type": 3,
            "channel_id": message["channel_id"],
            "message_id": message["id"],
            "component": {"custom_id": button["custom_id"], "component_type": 2},
        }
        return await self._interact(body, [])

    async def open_modal(self, act: Callable[[], Any]) -> dict[str, Any]:
        """Do `act` and return the window that the bot opens for this member."""
        url = f"{self.servers.discord_url}/page/events?as={self.user_id}"
        async with self.servers.session.ws_connect(url) as events:
            await act()
            async with asyncio.timeout(WAIT_S):
                async for frame in events:
                    if frame.type is not aiohttp.WSMsgType.TEXT:
                        continue
                    event = json.loads(frame.data)
                    if event["t"] == "INTERACTION_MODAL":
                        modal: dict[str, Any] = event["d"]
                        return modal
        raise AssertionError("no window was opened")

    async def submit(
        self, channel_id: str, modal: dict[str, Any], *, message: dict[str, Any] | None = None, **values: str
    ) -> str:
        """Send a window off, opened from `message` where one did it; `values` by the fields' custom_ids."""
        components = []
        for label in modal["components"]:
            field = label["component"]
            value = values.get(field["custom_id"])
            filled: dict[str, Any] = {"type": field["type"], "custom_id": field["custom_id"]}
            if field["type"] == 4:
                filled["value"] = value or ""
            else:
                default = [o["value"] for o in field["options"] if o.get("default")]
                filled["values"] = [value] if value else default
            components.append({"type": 18, "component": filled})
        body = {
            "type": 5,
            "channel_id": channel_id,
            "message_id": message["id"] if message else None,
            "modal_id": modal["modal_id"],
            "components": components,
        }
        return await self._interact(body, [])

    async def say(
        self,
        channel_id: str,
        content: str,
        *,
        reply_to: str | None = None,
        ping: bool = True,
        files: tuple[File, ...] = (),
    ) -> dict[str, Any]:
        form = _form({"content": content, "reply_to": reply_to, "ping": ping}, list(files))
        url = f"{self.servers.discord_url}/page/channels/{channel_id}/messages?as={self.user_id}"
        async with self.servers.session.post(url, data=form) as answer:
            assert answer.status in {200, 201}, await answer.text()
            message: dict[str, Any] = await answer.json()
            return message

    async def _interact(self, body: dict[str, Any], files: list[File]) -> str:
        url = f"{self.servers.discord_url}/page/interactions?as={self.user_id}"
        async with self.servers.session.post(url, data=_form(body, files)) as answer:
            if answer.status >= 400:
                raise Refused(await answer.text())
            interaction: str = (await answer.json())["interaction_id"]
            return interaction

    # --- seeing ---

    async def messages(self, channel_id: str) -> list[dict[str, Any]]:
        url = f"{self.servers.discord_url}/page/channels/{channel_id}/messages?as={self.user_id}&limit=100"
        async with self.servers.session.get(url) as answer:
            assert answer.status == 200, await answer.text()
            found: list[dict[str, Any]] = (await answer.json())["messages"]
            return found

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
            seen = await self.messages(channel_id)
            newest_first: list[dict[str, Any]] = seen[::-1]
            for message in newest_first:
                if int(message["id"]) > int(after) and matches(message):
                    return message
            if loop.time() > end:
                shown = "\n".join(f"{m['id']} {m['author']['username']}: {text_of(m)!r}" for m in seen[-8:])
                raise AssertionError(f"no such message; the last ones were:\n{shown}")
            await asyncio.sleep(LOOK_S)

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
                if message_id not in [message["id"] for message in await self.messages(channel_id)]:
                    return
                await asyncio.sleep(LOOK_S)

    async def newest_id(self, channel_id: str) -> str:
        """The id of the newest message this member sees, to look only behind it."""
        seen = await self.messages(channel_id)
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


def _form(body: dict[str, Any], files: list[File]) -> aiohttp.FormData:
    form = aiohttp.FormData(default_to_multipart=True)
    form.add_field("payload_json", json.dumps(body), content_type="application/json")
    for index, file in enumerate(files):
        form.add_field(
            f"files[{index}]", io.BytesIO(file.data), filename=file.name, content_type=file.content_type
        )
    return form


def walk(components: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for component in components:
        yield component
        yield from walk(component.get("components", []))


def text_of(message: dict[str, Any]) -> str:
    """All words of a message, from its content and its text displays."""
    shown = [part["content"] for part in walk(message.get("components") or []) if part["type"] == 10]
    return "\n".join([message.get("content") or "", *shown]).strip()


def buttons_of(message: dict[str, Any]) -> list[dict[str, Any]]:
    return [part for part in walk(message.get("components") or []) if part["type"] == 2]


def pictures_of(message: dict[str, Any]) -> list[dict[str, Any]]:
    """The media of a message: url, description ..."""
    return [
        {**item["media"], "description": item.get("description")}
        for part in walk(message.get("components") or [])
        if part["type"] == 12
        for item in part["items"]
    ]

"""What the tests of the local Discord share: a running server, raw requests, and a raw gateway client."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import web

from sandbox.discord.core import CORE, Core
from sandbox.discord.server import create_app
from sandbox.discord.settings import DiscordSettings
from sandbox.discord.world import find_channel, find_user

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

Json = dict[str, Any]
WAIT_S = 30.0
INTENTS = 1 | 1 << 9 | 1 << 12
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360f8cf"
    "c0000003010100c9fe92ef0000000049454e44ae426082"
)
TOKEN = DiscordSettings().bot_token
FLAG_V2 = 1 << 15
SLASH: Json = {
    "name": "imagine",
    "description": "Make a picture",
    "options": [{"type": 3, "name": "prompt", "description": "What to draw", "required": True}],
}


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer, read."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def refusal(self) -> tuple[int, int]:
        return self.status, self.body["code"]

    def problems(self, *path: str) -> list[str]:
        """The codes of the field errors at a place of the 50035 tree."""
        node = self.body["errors"]
        for part in path:
            node = node[part]
        return [one["code"] for one in node["_errors"]]


class Gateway:
    """A bot's websocket without a library."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.session_id = ""
        self.sequence = 0

    async def receive(self) -> Json:
        message = await self.socket.receive(timeout=WAIT_S)
        assert message.type is aiohttp.WSMsgType.TEXT, (message.type, self.socket.close_code)
        frame: Json = json.loads(message.data)
        self.sequence = frame.get("s") or self.sequence
        return frame

    async def receive_close(self) -> int | None:
        """The close code, after whatever else was under way."""
        while (await self.socket.receive(timeout=WAIT_S)).type is aiohttp.WSMsgType.TEXT:
            pass
        return self.socket.close_code

    async def wait_for(self, event: str) -> Json:
        while (frame := await self.receive())["t"] != event:
            pass
        data: Json = frame["d"]
        return data

    async def identify(self, *, token: str = TOKEN, intents: Any = INTENTS, **more: Any) -> Json:
        body = {"token": token, "intents": intents, "properties": {}, **more}
        await self.socket.send_json({"op": 2, "d": body})
        ready = await self.wait_for("READY")
        self.session_id = ready["session_id"]
        return ready

    async def drain_guilds(self, count: int = 1) -> None:
        for _ in range(count):
            await self.wait_for("GUILD_CREATE")

    async def seen_until(self, event: str) -> list[str]:
        """Names of the events up to and including one."""
        names = []
        while True:
            frame = await self.receive()
            names.append(str(frame["t"]))
            if frame["t"] == event:
                return names


class Local:
    """A running local Discord with short ways to everything in it."""

    def __init__(self, core: Core, base: str, session: aiohttp.ClientSession) -> None:
        self.core = core
        self.base = base
        self.session = session

    def user(self, handle: str = "mina_fan") -> str:
        return find_user(self.core.world, handle).id

    def channel(self, name: str = "general") -> str:
        return find_channel(self.core.world, name).id

    def direct(self, handle: str = "mina_fan") -> str:
        found = self.core.world.find_direct_channel(self.core.bot_id, self.user(handle))
        assert found is not None
        return found.id

    @property
    def guild(self) -> str:
        return next(iter(self.core.world.guilds))

    @property
    def app(self) -> str:
        return f"/applications/{self.core.settings.application_id}"

    async def request(self, method: str, path: str, **options: Any) -> Answer:
        async with self.session.request(method, self.base + path, **options) as response:
            text = await response.text()
            is_json = response.headers.get("Content-Type") == "application/json"
            return Answer(response.status, json.loads(text) if is_json else text, response.headers)

    async def bot(
        self, method: str, path: str, body: Any = None, *, token: str | None = None, **more: Any
    ) -> Answer:
        """A REST request of the bot."""
        headers = {"Authorization": f"Bot {token or self.core.settings.bot_token}"}
        if body is not None:
            more["json"] = body
        return await self.request(method, f"/api/v10{path}", headers=headers, **more)

    async def upload(self, method: str, path: str, body: Any, *files: tuple[str, bytes]) -> Answer:
        return await self.bot(method, path, data=build_form(body, *files))

    async def post(
        self, body: Any, *, channel: str = "general", files: tuple[tuple[str, bytes], ...] = ()
    ) -> Answer:
        path = f"/channels/{self.channel(channel)}/messages"
        return await (self.upload("POST", path, body, *files) if files else self.bot("POST", path, body))

    async def control(self, path: str, body: Json) -> Answer:
        return await self.request("POST", f"/control/{path}", json=body)

    async def page(self, method: str, path: str, *, act: str = "mina_fan", **options: Any) -> Answer:
        join = "&" if "?" in path else "?"
        return await self.request(method, f"/page/{path}{join}as={self.user(act)}", **options)

    async def say(
        self,
        content: str,
        *files: tuple[str, bytes],
        channel: str | None = None,
        act: str = "mina_fan",
        **more: Any,
    ) -> Answer:
        """A member's message; `channel` is an id."""
        path = f"channels/{channel or self.channel()}/messages"
        return await self.page("POST", path, act=act, data=build_form({"content": content, **more}, *files))

    async def interact(
        self, body: Json, *files: tuple[str, bytes], act: str = "mina_fan", session: str | None = None
    ) -> Answer:
        body = {"channel_id": self.channel(), "locale": "en-US", **body}
        path = "interactions" if session is None else f"interactions?session={session}"
        return await self.page("POST", path, act=act, data=build_form(body, *files))

    async def register(self, *commands: Json) -> list[str]:
        answer = await self.bot("PUT", f"{self.app}/commands", list(commands))
        assert answer.status == 200, answer.body
        return [one["id"] for one in answer.body]

    async def slash(self, *, act: str = "mina_fan", session: str | None = None, **more: Any) -> Any:
        """Use /imagine and answer the interaction as the server knows it."""
        [command] = await self.register({**SLASH, "integration_types": [0, 1]})
        options = [{"name": "prompt", "type": 3, "value": "stage lights"}]
        body = {"type": 2, "command_id": command, "options": options, **more}
        answer = await self.interact(body, act=act, session=session)
        assert answer.status == 202, answer.body
        return next(one for one in self.core.interactions if one.id == answer.body["interaction_id"])

    async def answer(
        self, interaction: Any, kind: int, data: Any = None, *, with_response: bool = True
    ) -> Answer:
        path = (
            f"/interactions/{interaction.id}/{interaction.token}/callback?with_response={int(with_response)}"
        )
        return await self.bot("POST", path, {"type": kind} if data is None else {"type": kind, "data": data})

    async def hook(
        self, interaction: Any, method: str, path: str = "/messages/@original", body: Any = None
    ) -> Answer:
        return await self.bot(method, f"/webhooks/{self.core.bot_id}/{interaction.token}{path}", body)

    @asynccontextmanager
    async def gateway(self) -> AsyncIterator[Gateway]:
        """Connected and greeted, not yet identified."""
        async with self.session.ws_connect(f"{self.base}/gateway?v=10&encoding=json") as socket:
            connected = Gateway(socket)
            assert (await connected.receive())["op"] == 10
            yield connected

    @asynccontextmanager
    async def online(self, **identify: Any) -> AsyncIterator[Gateway]:
        async with self.gateway() as connected:
            ready = await connected.identify(**identify)
            await connected.drain_guilds(len(ready["guilds"]))
            yield connected

    @asynccontextmanager
    async def events(self, act: str = "mina_fan", *, session: str | None = None) -> AsyncIterator[Gateway]:
        more = "" if session is None else f"&session={session}"
        async with self.session.ws_connect(f"{self.base}/page/events?as={self.user(act)}{more}") as socket:
            yield Gateway(socket)


def build_form(body: Any, *files: tuple[str, bytes]) -> aiohttp.FormData:
    form = aiohttp.FormData(default_to_multipart=True, quote_fields=False)
    form.add_field("payload_json", json.dumps(body), content_type="application/json")
    for index, (name, data) in enumerate(files):
        form.add_field(f"files[{index}]", data, filename=name, content_type="application/octet-stream")
    return form


@asynccontextmanager
async def serve_local(**settings: Any) -> AsyncIterator[Local]:
    app = create_app(DiscordSettings(**{"rate_limits_relaxed": True, **settings}))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with aiohttp.ClientSession() as session:
            yield Local(app[CORE], base, session)
    finally:
        await runner.cleanup()

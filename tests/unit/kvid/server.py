"""A scripted kvid on loopback: answers the next step of its script, and remembers what it was asked."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.unit.kvid import samples

Step: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True, kw_only=True)
class Asked:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int


@dataclass(slots=True, kw_only=True)
class ScriptedKvid:
    base_url: str = ""
    asked: list[Asked] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(
            Asked(
                method=request.method,
                target=request.raw_path,
                headers=dict(request.headers),
                body=await request.read(),
                connection=id(request.transport),
            )
        )
        return await self.steps.pop(0)(request)

    def script(self, *steps: Step) -> None:
        self.steps.extend(steps)


@asynccontextmanager
async def running_kvid() -> AsyncIterator[ScriptedKvid]:
    kvid = ScriptedKvid()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", kvid.answer)
    async with TestServer(app) as server:
        kvid.base_url = str(server.make_url("/")).rstrip("/")
        yield kvid
    assert not kvid.steps, "the script was not played to its end"


def sample(name: str) -> Step:
    case = samples.load(name)
    headers = {"Content-Type": "text/html" if "body_text" in case else "application/json", **case["headers"]}
    return plain(case["http_status"], samples.body_of(case), headers)


def plain(status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> Step:
    async def step(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, body=body, headers=headers)

    return step


def as_json(status: int, body: Any) -> Step:
    return plain(status, json.dumps(body).encode(), {"Content-Type": "application/json"})


async def drop(request: web.Request) -> web.StreamResponse:
    """End the connection without an answer."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def raw(data: bytes) -> Step:
    """Write these bytes instead of an answer, then hang up."""

    async def step(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.write(data)
        request.transport.close()
        return web.Response()

    return step

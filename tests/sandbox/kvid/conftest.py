"""A local kvid on a free port, and a plain caller that knows the contract's addresses and nothing of the bot."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web

from sandbox.kvid.server import create_app
from sandbox.kvid.settings import KvidSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

PREFIX = "/ai/generation"
WAIT_S = 30.0
SMALL = {"width": 256, "height": 256}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def data(self) -> Any:
        assert self.status == 200, self.body
        assert self.json["success"] is True
        return self.json["data"]

    @property
    def error(self) -> tuple[int, str]:
        answer = self.json
        assert answer["success"] is False
        assert answer["error"]["message"]
        return self.status, answer["error"]["code"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    session: aiohttp.ClientSession
    url: str

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        key: str | None = "local-kvid-key",
        fault: Any = None,
        **more: Any,
    ) -> Answer:
        headers = more.pop("headers", {})
        if key is not None:
            headers["api-key"] = key
        if fault is not None:
            headers["x-sandbox-fault"] = fault if isinstance(fault, str) else json.dumps(fault)
        if body is not None:
            more["json"] = body
        address = path if path.startswith("http") else f"{self.url}{path}"
        async with self.session.request(method, address, headers=headers, **more) as response:
            return Answer(
                status=response.status,
                headers={name.lower(): value for name, value in response.headers.items()},
                body=await response.read(),
            )

    async def submit(self, fault: Any = None, **parameters: Any) -> Answer:
        """A text-to-image job of 256x256, unless the parameters say otherwise."""
        kind = "image-to-image" if {"image_url", "image_urls"} & set(parameters) else "text-to-image"
        body: dict[str, Any] = {"prompt": "stage"}
        if "aspect_ratio" not in parameters:
            body["image_size"] = SMALL
        body |= parameters
        body = {name: value for name, value in body.items() if value is not ...}
        return await self.call("POST", f"{PREFIX}/{kind}/generate-async", body=body, fault=fault)

    async def status(self, job_id: str, fault: Any = None) -> Answer:
        return await self.call("GET", f"{PREFIX}/status", params={"jobId": job_id}, fault=fault)

    async def result(self, job_id: str, fault: Any = None) -> Answer:
        return await self.call("GET", f"{PREFIX}/result", params={"jobId": job_id}, fault=fault)

    async def wait(self, job_id: str) -> Any:
        """The status of the job once it is over."""
        async with asyncio.timeout(WAIT_S):
            while True:
                data = (await self.status(job_id)).data
                if data["status"] not in {"queued", "processing"}:
                    return data
                await asyncio.sleep(0.005)

    async def make(self, **parameters: Any) -> Any:
        """Submit, wait, and the completed result."""
        job_id = (await self.submit(**parameters)).data["job_id"]
        assert (await self.wait(job_id))["status"] == "completed"
        return (await self.result(job_id)).data

    async def download(self, address: str) -> Answer:
        return await self.call("GET", address, key=None)

    async def books(self) -> Any:
        return (await self.call("GET", "/control/books", key=None)).json

    async def control(self, what: str, body: Any) -> Answer:
        return await self.call("POST", f"/control/{what}", body=body, key=None)


QUICK = KvidSettings(render_s=0.01, quick_pictures=True)


@pytest.fixture
async def start() -> AsyncIterator[Callable[..., Any]]:
    """Start a local kvid with these settings changed; everything is stopped after the test."""
    runners: list[web.AppRunner] = []
    async with aiohttp.ClientSession() as session:

        async def _start(**changes: Any) -> Caller:
            runner = web.AppRunner(create_app(replace(QUICK, **changes)), shutdown_timeout=0.1)
            runners.append(runner)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            return Caller(session=session, url=f"http://127.0.0.1:{runner.addresses[0][1]}")

        yield _start
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
async def kvid(start: Callable[..., Any]) -> Caller:
    caller = await start()
    assert isinstance(caller, Caller)
    return caller

"""The local Discord as a process: one line when its port is taken, gone within a second when told so."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from typing import TYPE_CHECKING

import aiohttp
import pytest

from sandbox.discord.server import run, serve

if TYPE_CHECKING:
    from tests.sandbox.discord.support import Local

CODE = "from sandbox.discord.server import run; run(port=0)"


async def test_a_taken_port_is_an_os_error(local: Local) -> None:
    port = int(local.base.rsplit(":", 1)[1])
    with pytest.raises(OSError, match="address already in use"):
        await serve("127.0.0.1", port)
    with pytest.raises(OSError, match="address already in use"):
        await asyncio.to_thread(run, "127.0.0.1", port)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_ends_within_a_second_with_websockets_open(number: signal.Signals) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CODE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        line = (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
        base = line.split()[-1]
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{base}/gateway") as gateway,
            session.ws_connect(f"{base}/page/events") as page,
        ):
            assert (await gateway.receive_json())["op"] == 10
            body = {"token": "local-discord-token", "intents": 1}
            await gateway.send_json({"op": 2, "d": body})
            assert (await gateway.receive_json())["t"] == "READY"
            started = time.monotonic()
            process.send_signal(number)
            while (await page.receive(timeout=5)).type is not aiohttp.WSMsgType.CLOSED:
                pass
            _, errors = await asyncio.wait_for(process.communicate(), 5)
        assert time.monotonic() - started < 1.5
        assert (process.returncode, errors) == (0, b"")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

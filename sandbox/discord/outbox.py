"""Owns the sending side of one websocket: a bounded queue and the one task that empties it.

A reader that does not keep up is disconnected; nobody else waits for it.
"""

import asyncio
import json
from typing import Any

from aiohttp import web

QUEUE_MAX = 2000
SEND_WAIT_S = 10.0
CLOSE_WAIT_S = 0.2


class Outbox:
    """Frames for one websocket, in order."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self.socket = socket
        self._queue: asyncio.Queue[str | tuple[int, str]] = asyncio.Queue(maxsize=QUEUE_MAX)
        self._overflowed = False
        self._writer = asyncio.create_task(self._write(), name="discord-outbox")

    def send(self, frame: dict[str, Any]) -> None:
        self._put(json.dumps(frame, separators=(",", ":")))

    def close_soon(self, code: int, reason: str = "") -> None:
        """Close after what is queued has gone out."""
        self._put((code, reason))

    def _put(self, item: str | tuple[int, str]) -> None:
        if self._writer.done():
            return
        try:
            self._queue.put_nowait(item)
        except asyncio.QueueFull:
            self._overflowed = True

    async def _write(self) -> None:
        while not self.socket.closed:
            item = await self._queue.get()
            if isinstance(item, str):
                if not await self._send_text(item):
                    return
            else:
                await close_socket(self.socket, *item)
                return

    async def _send_text(self, text: str) -> bool:
        """Whether the reader is still there and keeping up."""
        try:
            async with asyncio.timeout(SEND_WAIT_S):
                await self.socket.send_str(text)
        except ConnectionError:
            return False
        except TimeoutError:
            self._overflowed = True
        if self._overflowed:
            await close_socket(self.socket, 1008, "too slow")
        return not self._overflowed

    async def stop(self) -> None:
        self._writer.cancel()
        await asyncio.gather(self._writer, return_exceptions=True)


async def close_socket(socket: web.WebSocketResponse, code: int, reason: str = "") -> None:
    """Close without waiting long for the other side's answer."""
    try:
        async with asyncio.timeout(CLOSE_WAIT_S):
            await socket.close(code=code, message=reason.encode(), drain=False)
    except TimeoutError:
        return

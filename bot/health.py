"""/healthz on 127.0.0.1: whether this process lives, for the container's health check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Callable


class HealthServer:
    """Answers 200 while `is_healthy` holds and 503 otherwise."""

    def __init__(self, port: int, is_healthy: Callable[[], bool]) -> None:
        self._port = port
        self._is_healthy = is_healthy
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """**Raises** OSError when the port is taken."""
        app = web.Application()
        app.router.add_get("/healthz", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _answer(self, _request: web.Request) -> web.Response:
        healthy = self._is_healthy()
        return web.json_response({"healthy": healthy}, status=200 if healthy else 503)

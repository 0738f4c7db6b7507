"""What others may ask this process over HTTP: whether it lives, whether it is ready, and its metrics.

Owns the server and the three answers; what they say comes from outside. Nothing in them is secret, and nothing
names a member, but they are for the operator: the server listens where `HTTP_HOST` says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from bot.metrics import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bot.readiness import Finding


class HealthServer:
    """`/healthz` answers 200 while `is_healthy` holds, `/readyz` while all parts are ready, and 503 otherwise."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        is_healthy: Callable[[], bool],
        find_readiness: Callable[[], Awaitable[Finding]],
        render_metrics: Callable[[], Awaitable[bytes]],
    ) -> None:
        self._host = host
        self._port = port
        self._is_healthy = is_healthy
        self._find_readiness = find_readiness
        self._render_metrics = render_metrics
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """**Raises** OSError when the port is taken."""
        app = web.Application()
        app.router.add_get("/healthz", self._tell_health)
        app.router.add_get("/readyz", self._tell_readiness)
        app.router.add_get("/metrics", self._tell_metrics)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _tell_health(self, _request: web.Request) -> web.Response:
        healthy = self._is_healthy()
        return web.json_response({"healthy": healthy}, status=200 if healthy else 503)

    async def _tell_readiness(self, _request: web.Request) -> web.Response:
        found = await self._find_readiness()
        answer = {"ready": found.ready, "parts": dict(found.parts)}
        return web.json_response(answer, status=200 if found.ready else 503)

    async def _tell_metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=await self._render_metrics(), headers={"content-type": CONTENT_TYPE})

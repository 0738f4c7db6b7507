"""Owns the assembly of routes and the life of the process: start, serve, end within a second.

`create_app` is for tests and for the demo in one process; `run` is the body of `sandbox discord`.
"""

import asyncio
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from aiohttp import web

from sandbox.discord import (
    callbacks,
    control,
    control_load,
    control_places,
    page_api,
    page_interactions,
    routes_channels,
    routes_guilds,
    routes_meta,
    webhooks,
)
from sandbox.discord.core import CORE, Core
from sandbox.discord.gateway import handle_gateway
from sandbox.discord.middleware import API_PREFIX, Handler, bot_requests, errors_as_json, own_page_only
from sandbox.discord.outbox import close_socket
from sandbox.discord.settings import DiscordSettings

PAGE_FOLDER = Path(__file__).parent / "page"
SHUTDOWN_S = 0.5
GONE_TEXT = "This content is no longer available."


def create_app(settings: DiscordSettings | None = None) -> web.Application:
    """The whole local Discord as one aiohttp application."""
    settings = settings or DiscordSettings()
    core = Core(settings)
    app = web.Application(
        middlewares=[_note_origin, errors_as_json, own_page_only],
        client_max_size=settings.page_request_bytes_max,
    )
    app[CORE] = core
    api = web.Application(middlewares=[bot_requests], client_max_size=settings.bot_request_bytes_max)
    api[CORE] = core
    # Servers first: a fixed word of a path must not be taken for a command's id.
    for room in (routes_guilds, routes_meta, routes_channels, callbacks, webhooks):
        api.add_routes(room.build_routes())
    app.add_subapp(API_PREFIX, api)
    for own in (page_api, page_interactions, control, control_load, control_places):
        app.add_routes(own.build_routes())
    app.router.add_get("/", _get_index)
    app.router.add_get("/page/static/{path:.+}", _get_static)
    app.router.add_get("/gateway", handle_gateway)
    app.router.add_get("/gateway/", handle_gateway)
    app.router.add_get("/attachments/{channel_id}/{attachment_id}/{filename}", _get_attachment)
    app.on_shutdown.append(_close_sockets)
    app.on_cleanup.append(_stop_timers)
    return app


@web.middleware
async def _note_origin(request: web.Request, handler: Handler) -> web.StreamResponse:
    request.app[CORE].cdn.origin = f"http://{request.host}"
    return await handler(request)


async def _get_index(_: web.Request) -> web.StreamResponse:
    return _serve_file("index.html")


async def _get_static(request: web.Request) -> web.StreamResponse:
    return _serve_file(request.match_info["path"])


def _serve_file(name: str) -> web.StreamResponse:
    path = (PAGE_FOLDER / name.replace("\0", "")).resolve()
    if not path.is_relative_to(PAGE_FOLDER.resolve()) or not path.is_file():
        raise web.HTTPNotFound
    return web.FileResponse(path, headers={"Cache-Control": "no-cache"})


async def _get_attachment(request: web.Request) -> web.Response:
    found = request.app[CORE].cdn.find(request.path, dict(request.query))
    if found is None:
        return web.Response(status=404, text=GONE_TEXT)
    attachment, data = found
    headers = {"Cache-Control": "private, max-age=3600", "X-Content-Type-Options": "nosniff"}
    return web.Response(body=data, content_type=attachment.content_type, headers=headers)


async def _close_sockets(app: web.Application) -> None:
    core = app[CORE]
    sockets = [one.outbox.socket for one in core.sessions.connected() if one.outbox is not None]
    sockets += [page.outbox.socket for page in core.pages.pages]
    await asyncio.gather(*(close_socket(socket, 1001, "going away") for socket in sockets))


async def _stop_timers(app: web.Application) -> None:
    app[CORE].interactions.clear()


async def serve(
    host: str,
    port: int,
    settings: DiscordSettings | None = None,
    *,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT.

    Shape: `ready` gets the page's address once the port is open.
    Raises: OSError when the port is taken.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    runner = web.AppRunner(create_app(settings), access_log=None, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        for number in (signal.SIGTERM, signal.SIGINT):
            with suppress(NotImplementedError):
                loop.add_signal_handler(number, stop.set)
        if ready is not None:
            ready(f"http://{host}:{runner.addresses[0][1]}")
        await stop.wait()
    finally:
        await runner.cleanup()


def run(
    host: str = "127.0.0.1",
    port: int = 8788,
    settings: DiscordSettings | None = None,
    *,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Run the local Discord as a process of its own.

    Raises: OSError when the port is taken.
    """
    asyncio.run(serve(host, port, settings, ready=ready or _say_address))


def _say_address(address: str) -> None:
    sys.stdout.write(f"Local Discord: {address}\n")
    sys.stdout.flush()

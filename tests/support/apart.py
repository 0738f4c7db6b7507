"""The local kvid and the local Discord as processes of their own: a load run must not share its loop with them."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp

from tests.support.servers import Servers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

HERE = Path(__file__).parent.parent.parent
START_S, STOP_S = 30.0, 10.0
# Settings that this checkout does not know are left out: a benchmark also starts older ones.
_START = {
    "kvid": """
import asyncio, json, sys
from sandbox.kvid.server import run
from sandbox.kvid.settings import KvidSettings as Settings
def start(settings): asyncio.run(run("127.0.0.1", 0, settings))
""",
    "discord": """
import json, sys
from sandbox.discord.server import run
from sandbox.discord.settings import DiscordSettings as Settings
def start(settings): run(port=0, settings=settings)
""",
}
_RUN = """
given = json.loads(sys.argv[1])
start(Settings(**{name: value for name, value in given.items() if name in Settings.__dataclass_fields__}))
"""


@asynccontextmanager
async def serve_apart(
    service: str, settings: Mapping[str, Any], tree: Path = HERE
) -> AsyncIterator[tuple[str, int]]:
    """Start "kvid" or "discord" of a checkout: its address and its process id."""
    code = _START[service] + _RUN
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, json.dumps(settings), cwd=tree, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), START_S)
        assert line, f"the local {service} did not start"
        yield line.decode().split()[-1], process.pid
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), STOP_S)


@asynccontextmanager
async def run_servers_apart(
    *, kvid: Mapping[str, Any] | None = None, discord: Mapping[str, Any] | None = None
) -> AsyncIterator[Servers]:
    """Both, set for load unless the settings say otherwise: prepared pictures, no rate limits, a rich account."""
    kvid_settings = {
        "render_s": 0.2,
        "concurrency": 64,
        "queue_max": 5_000,
        "balance_credits": 10_000_000,
        "prepared_pictures": True,
        **(kvid or {}),
    }
    async with (
        serve_apart("kvid", kvid_settings) as (kvid_url, _),
        serve_apart("discord", {"rate_limits_relaxed": True, **(discord or {})}) as (discord_url, _),
        aiohttp.ClientSession() as session,
    ):
        yield Servers(discord_url=discord_url, kvid_url=kvid_url, session=session)

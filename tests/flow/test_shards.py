"""Two gateways with a shard each and a worker on one PostgreSQL: every server is served."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from bot.caps.policies import Policies
from bot.clock import SystemClock
from db.queries import servers as queries
from tests.support.books import compare, read_account
from tests.support.crowd import Crowd
from tests.support.process import start_worker

if TYPE_CHECKING:
    from pathlib import Path

    from db.engine import Database
    from tests.support.process import BotProcess
    from tests.support.servers import Servers

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

WAIT_S, LOOK_S = 30.0, 0.1
GUILDS = 4
# A server of each shard that the bot was in, and is no more. Source: Discord developer docs, "Sharding".
LEFT = {shard: (1_000_000 + shard) << 22 for shard in (0, 1)}


def shard_of(guild_id: int) -> int:
    return (guild_id >> 22) % 2


async def list_left(database: Database) -> set[int]:
    found = [await database.read(lambda c, one=one: queries.find_server(c, one)) for one in LEFT.values()]  # type: ignore[misc]
    return {shard for shard, server in zip(LEFT, found, strict=True) if server and server.left_at is not None}


async def until_left(database: Database, shards: set[int]) -> None:
    async with asyncio.timeout(WAIT_S):
        while await list_left(database) != shards:  # noqa: ASYNC110 - other processes do it
            await asyncio.sleep(LOOK_S)


async def test_each_gateway_serves_the_servers_of_its_shards_and_forgets_those_alone(
    servers: Servers, database: Database, database_url: str, tmp_path: Path
) -> None:
    await servers.set_kvid(render_s=0.1)
    await servers.set_session_starts(shards=2, max_concurrency=2)
    world = await servers.make_world(servers=GUILDS, members=GUILDS, channels=1)
    assert {shard_of(int(guild["id"])) for guild in world["guilds"]} == {0, 1}
    await Policies(database, SystemClock()).meet(dict.fromkeys(LEFT.values(), "ko"))
    started: list[BotProcess] = []

    async def start(shard: int) -> None:
        arguments = ["--role", "gateway", "--shards", f"{shard}-{shard}/2"]
        log = tmp_path / f"gateway-{shard}.log"
        started.append(await start_worker(servers, database_url, log, arguments=arguments))

    try:
        log = tmp_path / "worker.log"
        started.append(await start_worker(servers, database_url, log, arguments=["--role", "worker"]))
        await start(0)
        # The other shard's gateway is not there yet.
        await until_left(database, {0})
        await start(1)
        await until_left(database, {0, 1})
        crowd = await Crowd.gather(servers, guilds=GUILDS, members=GUILDS, channels=1)
        acts = await crowd.make(2 * GUILDS, width=256, height=256)
        assert [act.ended for act in acts] == ["picture"] * len(acts)
        in_channel = {one["channel_ids"][0]: int(one["id"]) for one in world["guilds"]}
        assert {shard_of(in_channel[act.channel_id]) for act in acts} == {0, 1}
    finally:
        codes = [await process.stop() for process in started]
    assert codes == [0] * 3, "\n".join(process.log_text() for process in started)
    books = compare(
        await database.read(read_account), await servers.kvid_books(), await servers.discord_books()
    )
    assert books.findings == ()

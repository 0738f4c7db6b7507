"""Several sessions of one bot: shards, the spacing of identifies, what happens to some of them alone."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.sandbox.discord.support import INTENTS, TOKEN, Gateway, Local, serve_local


async def _books(local: Local) -> Any:
    return (await local.request("GET", "/control/books")).body["gateway"]


async def _refused(gateway: Gateway, **more: Any) -> bool:
    body = {"token": TOKEN, "intents": INTENTS, "properties": {}, **more}
    await gateway.socket.send_json({"op": 2, "d": body})
    frame = await gateway.receive()
    assert frame["op"] in (0, 9)
    assert frame["op"] == 0 or frame["d"] is False
    return bool(frame["op"] == 9)


async def test_a_second_identify_within_five_seconds_is_an_invalid_session() -> None:
    async with serve_local(rate_limits_relaxed=False) as local:
        async with local.gateway() as first, local.gateway() as second:
            assert not await _refused(first, shard=[0, 2])
            assert await _refused(second, shard=[1, 2])
            await local.control("clock", {"advance_s": 4.5})
            assert await _refused(second, shard=[1, 2])
            await local.control("clock", {"advance_s": 0.6})
            assert not await _refused(second, shard=[1, 2])
        assert await _books(local) == {"identify": 2, "identify_refused": 2}


async def test_buckets_may_identify_at_once_and_a_resume_always() -> None:
    async with serve_local(identify_interval_s=5, max_concurrency=2) as local, AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(local.gateway()) for _ in range(3)]
        answers = [await _refused(socket, shard=[number, 3]) for number, socket in enumerate(sockets)]
        assert answers == [False, False, True]
        session_id = next(iter(local.core.sessions.connected())).id
        await sockets[0].socket.close(code=4000)
        again = await stack.enter_async_context(local.gateway())
        body = {"token": TOKEN, "session_id": session_id, "seq": 1}
        await again.socket.send_json({"op": 6, "d": body})
        await again.wait_for("RESUMED")
        await again.socket.close(code=4000)
        lost = await stack.enter_async_context(local.gateway())
        await lost.socket.send_json({"op": 6, "d": {**body, "session_id": "gone"}})
        assert (await lost.receive())["op"] == 9
        assert await _books(local) == {
            "identify": 2,
            "identify_refused": 1,
            "resume": 1,
            "resume_refused": 1,
        }


async def test_the_limits_are_told_and_changed_on_demand() -> None:
    async with serve_local(shards=4, max_concurrency=2, session_starts_per_day=9) as local:
        described = (await local.bot("GET", "/gateway/bot")).body
        limit = described["session_start_limit"]
        assert (described["shards"], limit["max_concurrency"]) == (4, 2)
        assert (limit["total"], limit["remaining"]) == (9, 9)
        assert 0 < limit["reset_after"] <= 86_400_000
        change = {"shards": 6, "max_concurrency": 3, "identify_interval_s": 5, "remaining": 1}
        assert (await local.control("session-start", change)).status == 200
        async with local.gateway() as first, local.gateway() as second:
            assert not await _refused(first, shard=[0, 2])
            assert await _refused(second, shard=[1, 2])
            described = (await local.bot("GET", "/gateway/bot")).body
            assert (described["shards"], described["session_start_limit"]["remaining"]) == (6, 0)
            await local.control("clock", {"advance_s": 86_401})
            assert not await _refused(second, shard=[1, 2])
            await local.control("reset", {})
            assert (await local.bot("GET", "/gateway/bot")).body["shards"] == 4


@pytest.mark.parametrize("wrong", [{"shards": 0}, {"max_concurrency": 99}, {"identify_interval_s": "now"}])
async def test_limits_that_make_no_sense_are_refused(local: Local, wrong: dict[str, Any]) -> None:
    assert (await local.control("session-start", wrong)).refusal == (400, 50035)


async def test_every_session_of_a_shard_hears_its_events(local: Local) -> None:
    async with local.online(shard=[0, 1]) as one, local.online(shard=[0, 1]) as other:
        await local.say("twice")
        for gateway in (one, other):
            assert (await gateway.wait_for("MESSAGE_CREATE"))["guild_id"] == local.guild


async def test_only_the_named_shards_are_disturbed(local: Local) -> None:
    owner = (int(local.guild) >> 22) % 2
    async with local.online(shard=[1 - owner, 2]) as gone, local.online(shard=[owner, 2]) as kept:
        answer = await local.control(
            "gateway", {"action": "close", "shards": [1 - owner], "resumable": False}
        )
        assert answer.body == {"sessions": 1}
        assert await gone.receive_close() == 4000
        await local.say("still here")
        await kept.wait_for("MESSAGE_CREATE")
    assert (await local.control("gateway", {"action": "close", "shards": "all"})).status == 400


async def test_an_interaction_may_be_dispatched_twice(local: Local) -> None:
    async with local.online() as gateway:
        await local.control("gateway", {"action": "double"})
        interaction = await local.slash()
        seen = [(await gateway.wait_for("INTERACTION_CREATE"))["id"] for _ in range(2)]
        assert seen == [interaction.id] * 2
        await local.slash()
        await local.say("end")
        assert await gateway.seen_until("MESSAGE_CREATE") == ["INTERACTION_CREATE", "MESSAGE_CREATE"]

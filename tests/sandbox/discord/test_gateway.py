"""The gateway's own rules: identify, intents, shards, resume, close codes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.discord.support import INTENTS, TOKEN, Gateway, Local, serve_local


async def test_the_address_points_here(local: Local) -> None:
    url = (await local.request("GET", "/api/v10/gateway")).body["url"]
    assert url == local.base.replace("http", "ws") + "/gateway"
    described = (await local.bot("GET", "/gateway/bot")).body
    assert (described["url"], described["shards"]) == (url, 1)
    assert described["session_start_limit"]["max_concurrency"] == 1
    assert (await local.request("GET", "/api/v10/gateway/bot")).refusal == (401, 0)
    async with local.gateway() as gateway:
        assert (await gateway.identify())["resume_gateway_url"] == url


@pytest.mark.parametrize(
    ("identify", "code"),
    [
        ({"token": "wrong"}, 4004),
        ({"intents": INTENTS | 1 << 15}, 4014),
        ({"intents": INTENTS | 1 << 1}, 4014),
        ({"intents": INTENTS | 1 << 8}, 4014),
        ({"intents": 1 << 40}, 4013),
        ({"intents": "all"}, 4013),
        ({"shard": [1, 1]}, 4010),
        ({"shard": "0"}, 4010),
    ],
)
async def test_a_wrong_identify_is_closed(local: Local, identify: dict[str, Any], code: int) -> None:
    async with local.gateway() as gateway:
        body = {"token": TOKEN, "intents": INTENTS, "properties": {}, **identify}
        await gateway.socket.send_json({"op": 2, "d": body})
        assert await gateway.receive_close() == code


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("{", 4002),
        ("[]", 4002),
        ('{"op": "x"}', 4002),
        ('{"op": 2}', 4002),
        ('{"op": 77}', 4001),
        ('{"op": 3, "d": {}}', 4003),
        ('{"op": 1, "d": "' + "x" * 4096 + '"}', 4002),
    ],
)
async def test_a_wrong_frame_is_closed(local: Local, frame: str, code: int) -> None:
    async with local.gateway() as gateway:
        await gateway.socket.send_str(frame)
        assert await gateway.receive_close() == code


async def test_the_second_identify_is_closed(local: Local) -> None:
    async with local.online() as gateway:
        await gateway.socket.send_json({"op": 2, "d": {"token": TOKEN, "intents": 0}})
        assert await gateway.receive_close() == 4005


async def test_too_many_frames_are_closed(local: Local) -> None:
    async with local.gateway() as gateway:
        for _ in range(121):
            await gateway.socket.send_bytes(b'{"op": 1, "d": null}')
        assert await gateway.receive_close() == 4008


async def test_a_heartbeat_is_acknowledged_and_its_absence_ends_the_connection() -> None:
    async with serve_local(heartbeat_interval_ms=20) as local, local.gateway() as gateway:
        await gateway.socket.send_json({"op": 1, "d": None})
        assert (await gateway.receive())["op"] == 11
        assert await gateway.receive_close() == 4009


async def _resume(gateway: Gateway, session_id: str, sequence: int) -> None:
    body = {"token": TOKEN, "session_id": session_id, "seq": sequence}
    await gateway.socket.send_json({"op": 6, "d": body})


async def test_a_resume_replays_what_was_missed(local: Local) -> None:
    async with local.online() as gateway:
        await local.control("gateway", {"action": "close", "code": 4000, "resumable": True})
        assert await gateway.receive_close() == 4000
    await local.say("missed")
    async with local.gateway() as again:
        await _resume(again, gateway.session_id, gateway.sequence)
        assert await again.seen_until("RESUMED") == ["MESSAGE_CREATE", "RESUMED"]
        await local.say("live")
        await again.wait_for("MESSAGE_CREATE")


async def test_a_resume_takes_the_session_from_an_older_connection(local: Local) -> None:
    async with local.online() as gateway, local.gateway() as again:
        await _resume(again, gateway.session_id, gateway.sequence)
        await again.wait_for("RESUMED")
        assert await gateway.receive_close() == 4000
        await local.say("live")
        await again.wait_for("MESSAGE_CREATE")
        assert local.core.sessions.online


@pytest.mark.parametrize("sequence", [99, -5])
async def test_a_resume_of_nothing_known_is_an_invalid_session(local: Local, sequence: int) -> None:
    async with local.online() as gateway:
        pass
    async with local.gateway() as again:
        await _resume(again, gateway.session_id, sequence)
        frame = await again.receive()
        assert (frame["op"], frame["d"]) == (9, False)
        await _resume(again, "unknown", 1)
        assert (await again.receive())["op"] == 9


async def test_a_session_is_lost_after_its_window_or_a_clean_end(local: Local) -> None:
    async with local.online() as gateway:
        await gateway.socket.close(code=4000)
    await local.control("clock", {"advance_s": 181})
    async with local.gateway() as again:
        await _resume(again, gateway.session_id, gateway.sequence)
        assert (await again.receive())["op"] == 9
    async with local.online() as gateway:
        await gateway.socket.close(code=1000)
    async with local.gateway() as again:
        await _resume(again, gateway.session_id, gateway.sequence)
        assert (await again.receive())["op"] == 9


async def test_a_session_that_missed_too_much_cannot_be_resumed(
    local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.discord.sessions.REPLAY_MAX", 3)
    async with local.online() as gateway:
        await gateway.socket.close(code=4000)
    for _ in range(4):
        await local.say("missed")
    async with local.gateway() as again:
        await _resume(again, gateway.session_id, gateway.sequence)
        assert (await again.receive())["op"] == 9


async def test_reconnect_and_invalid_session_are_sent_on_demand(local: Local) -> None:
    async with local.online() as gateway:
        await local.control("gateway", {"action": "reconnect"})
        assert (await gateway.receive())["op"] == 7
        await local.control("gateway", {"action": "invalid_session"})
        frame = await gateway.receive()
        assert (frame["op"], frame["d"]) == (9, False)
    assert (await local.control("gateway", {"action": "explode"})).status == 400


async def test_events_follow_intents(local: Local) -> None:
    async with local.online(intents=1 | 1 << 12) as direct_only:
        await local.say("server")
        await local.say("direct", channel=local.direct())
        assert (await direct_only.wait_for("MESSAGE_CREATE"))["channel_id"] == local.direct()


async def test_events_follow_shards(local: Local) -> None:
    owner = (int(local.guild) >> 22) % 2
    async with local.online(shard=[owner, 2]) as mine, local.online(shard=[1 - owner, 2]) as other:
        await local.say("server")
        assert (await mine.wait_for("MESSAGE_CREATE"))["guild_id"] == local.guild
        await local.say("direct", channel=local.direct())
        first = mine if owner == 0 else other
        assert (await first.wait_for("MESSAGE_CREATE"))["channel_id"] == local.direct()


async def test_ready_names_the_shard_and_its_servers(local: Local) -> None:
    owner = (int(local.guild) >> 22) % 2
    async with local.gateway() as gateway:
        ready = await gateway.identify(shard=[1 - owner, 2])
        assert (ready["shard"], ready["guilds"]) == ([1 - owner, 2], [])


async def test_updates_deletions_reactions_and_typing_are_told(local: Local) -> None:
    async with local.online(intents=INTENTS | 1 << 10 | 1 << 11) as gateway:
        made = await local.post({"content": "x"})
        path = f"/channels/{local.channel()}/messages/{made.body['id']}"
        await local.bot("PATCH", path, {"content": "y"})
        await local.bot("PUT", f"{path}/reactions/%E2%AD%90/@me")
        await local.bot("DELETE", f"{path}/reactions/%E2%AD%90/@me")
        await local.page("POST", f"channels/{local.channel()}/typing")
        await local.bot("DELETE", path)
        assert await gateway.seen_until("MESSAGE_DELETE") == [
            "MESSAGE_CREATE",
            "MESSAGE_UPDATE",
            "MESSAGE_REACTION_ADD",
            "MESSAGE_REACTION_REMOVE",
            "TYPING_START",
            "MESSAGE_DELETE",
        ]


async def test_members_are_answered_by_id_or_by_name(local: Local) -> None:
    async with local.online() as gateway:
        ask = {"guild_id": local.guild, "limit": 10, "nonce": "n"}
        await gateway.socket.send_json({"op": 8, "d": {**ask, "user_ids": [local.user(), "1"]}})
        chunk = await gateway.wait_for("GUILD_MEMBERS_CHUNK")
        assert [one["user"]["username"] for one in chunk["members"]] == ["mina_fan"]
        assert (chunk["not_found"], chunk["nonce"]) == (["1"], "n")
        await gateway.socket.send_json({"op": 8, "d": {**ask, "query": "neon"}})
        chunk = await gateway.wait_for("GUILD_MEMBERS_CHUNK")
        assert [one["user"]["username"] for one in chunk["members"]] == ["neon_otter"]
        await gateway.socket.send_json({"op": 8, "d": {"guild_id": "1"}})
        await gateway.socket.send_json({"op": 1, "d": None})
        assert (await gateway.receive())["op"] == 11


async def test_pages_hear_when_the_bot_comes_and_goes(local: Local) -> None:
    async with local.events() as events:
        async with local.online():
            assert (await events.wait_for("BOT_ONLINE"))["online"] is True
            assert (await local.page("GET", "state")).body["bot_online"] is True
        assert (await events.wait_for("BOT_ONLINE"))["online"] is False

"""A larger world on demand: servers over all shards, guests of several of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.sandbox.discord.support import Local


async def _grow(local: Local, **size: int) -> Any:
    answer = await local.control("world", size)
    assert answer.status == 200, answer.body
    return answer.body


async def test_servers_have_channels_and_guests_are_in_several(local: Local) -> None:
    world = await _grow(local, servers=20, members=200, channels=4)
    assert [len(one["channel_ids"]) for one in world["guilds"]] == [4] * 20
    assert len({one["id"] for one in world["guilds"]}) == 20
    users = world["users"]
    assert len({one["id"] for one in users}) == len({one["direct_channel_id"] for one in users}) == 200
    assert all(2 <= len(one["guild_ids"]) <= 3 for one in users)
    sizes = [sum(one["id"] in user["guild_ids"] for user in users) for one in world["guilds"]]
    assert min(sizes) > 10
    assert sorted({int(one["id"]) >> 22 for one in world["guilds"]}) == list(
        range(int(world["guilds"][0]["id"]) >> 22, (int(world["guilds"][0]["id"]) >> 22) + 20)
    )


async def test_the_bot_hears_of_new_servers_on_their_shards_and_of_their_end(local: Local) -> None:
    async with local.online(shard=[0, 2]) as even, local.online(shard=[1, 2]) as odd:
        world = await _grow(local, servers=4, members=3)
        for shard, gateway in enumerate((even, odd)):
            expected = [one["id"] for one in world["guilds"] if (int(one["id"]) >> 22) % 2 == shard]
            heard = [await gateway.wait_for("GUILD_CREATE") for _ in range(2)]
            assert [one["id"] for one in heard] == expected
            assert [one["member_count"] for one in heard] == [
                2 + sum(one in user["guild_ids"] for user in world["users"]) for one in expected
            ]
        await local.control("reset", {})
        for gateway in (even, odd):
            gone = await gateway.wait_for("GUILD_DELETE")
            assert gone["id"] in {one["id"] for one in world["guilds"]}
    state = (await local.page("GET", "state")).body
    assert len(state["guilds"]) == 2


async def test_the_same_request_again_changes_nothing_and_a_larger_one_adds(local: Local) -> None:
    first = await _grow(local, servers=3, members=5)
    assert await _grow(local, servers=3, members=5) == first
    larger = await _grow(local, servers=5, members=9)
    assert [one["id"] for one in larger["guilds"]][:3] == [one["id"] for one in first["guilds"]]
    for before, after in zip(first["users"], larger["users"], strict=False):
        assert before["id"] == after["id"]
        assert set(before["guild_ids"]) <= set(after["guild_ids"])


async def test_guests_write_and_press_there_and_in_direct_messages(local: Local) -> None:
    world = await _grow(local, servers=2, members=2)
    guest, guild = world["users"][1], world["guilds"][1]
    assert guild["id"] in guest["guild_ids"]
    [command] = await local.register({"name": "imagine", "description": "d"})
    async with local.online():
        for channel in (guild["channel_ids"][0], guest["direct_channel_id"]):
            path = f"/page/channels/{channel}/messages?as={guest['id']}"
            assert (await local.request("POST", path, json={"content": "hello"})).status == 200
            body = {"type": 2, "command_id": command, "channel_id": channel, "options": []}
            path = f"/page/interactions?as={guest['id']}"
            assert (await local.request("POST", path, json=body)).status == 202
    state = (await local.request("GET", f"/page/state?as={guest['id']}")).body
    assert {one["guild_id"] for one in state["channels"]} - {None} == set(guest["guild_ids"])


async def test_guests_without_servers_are_alone_with_the_bot(local: Local) -> None:
    world = await _grow(local, members=1)
    assert world["guilds"] == []
    assert world["users"][0]["guild_ids"] == []


@pytest.mark.parametrize("wrong", [{"servers": 201}, {"members": -1}, {"channels": 0}, {"servers": "many"}])
async def test_a_world_that_makes_no_sense_is_refused(local: Local, wrong: dict[str, Any]) -> None:
    assert (await local.control("world", wrong)).refusal == (400, 50035)

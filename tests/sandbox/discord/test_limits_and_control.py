"""Rate limits, faults, the clock, the request log and the reset."""

from __future__ import annotations

import time

import aiohttp
import pytest

from tests.sandbox.discord.support import PIXEL, Local, serve_local


async def test_the_sixth_message_in_five_seconds_is_limited() -> None:
    async with serve_local(rate_limits_relaxed=False) as local:
        left = [(await local.post({"content": "x"})).headers["X-RateLimit-Remaining"] for _ in range(5)]
        assert left == ["4", "3", "2", "1", "0"]
        limited = await local.post({"content": "x"})
        assert limited.refusal == (429, 0)
        assert 0 < limited.body["retry_after"] <= 5
        assert limited.body["global"] is False
        for name in (
            "Via",
            "Retry-After",
            "X-RateLimit-Limit",
            "X-RateLimit-Bucket",
            "X-RateLimit-Reset-After",
        ):
            assert limited.headers[name]
        assert limited.headers["X-RateLimit-Scope"] == "user"
        assert (await local.post({"content": "x"}, channel="studio")).status == 200
        await local.control("clock", {"advance_s": 5})
        assert (await local.post({"content": "x"})).status == 200


async def test_more_than_fifty_requests_a_second_are_limited_globally() -> None:
    async with serve_local(rate_limits_relaxed=False, global_requests_per_s=3) as local:
        for _ in range(3):
            assert (await local.bot("GET", "/users/@me")).status == 200
        limited = await local.bot("GET", "/gateway/bot")
        assert limited.refusal == (429, 0)
        assert limited.body["global"] is True
        assert (limited.headers["X-RateLimit-Global"], limited.headers["Via"]) == ("true", "1.1 google")
        interaction_route = await local.bot("GET", f"/webhooks/{local.core.bot_id}/t/messages/@original")
        assert interaction_route.refusal == (401, 50027)


async def test_one_interaction_token_has_its_own_small_window() -> None:
    async with serve_local(rate_limits_relaxed=False) as local:
        interaction = await local.slash()
        await local.answer(interaction, 5)
        for _ in range(4):
            assert (await local.hook(interaction, "GET")).status == 200
        assert (await local.hook(interaction, "GET")).refusal == (429, 0)


async def test_every_route_carries_the_headers(local: Local) -> None:
    for path in ("/users/@me", f"/channels/{local.channel()}", "/gateway"):
        headers = (await local.bot("GET", path)).headers
        assert headers["X-RateLimit-Bucket"]
        assert int(headers["X-RateLimit-Remaining"]) < int(headers["X-RateLimit-Limit"])
        assert float(headers["X-RateLimit-Reset"]) > time.time() - 5


async def test_old_windows_do_not_pile_up(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.discord.ratelimit.BUCKETS_MAX", 3)
    for name in ("general", "studio", "announcements", "stage outfits"):
        await local.bot("GET", f"/channels/{local.channel(name)}")
    await local.control("clock", {"advance_s": 60})
    await local.bot("GET", "/users/@me")
    assert len(local.core.limits._windows) == 2


async def test_a_fault_answers_the_next_matching_requests(local: Local) -> None:
    fault = {"method": "post", "path_regex": "^/channels/.*/messages$", "status": 500, "times": 2}
    await local.control("fault", {**fault, "code": 7, "message": "no"})
    assert (await local.bot("GET", "/users/@me")).status == 200
    for _ in range(2):
        answer = await local.post({"content": "x"})
        assert (answer.status, answer.body) == (500, {"message": "no", "code": 7})
    assert (await local.post({"content": "x"})).status == 200
    assert len((await local.request("GET", "/control/messages")).body["messages"]) == 1


async def test_a_fault_may_come_after_the_work(local: Local) -> None:
    await local.control("fault", {"path_regex": "/api/v10/channels", "status": 502, "after": True})
    assert (await local.post({"content": "x"})).status == 502
    assert len((await local.request("GET", "/control/messages")).body["messages"]) == 1


@pytest.mark.parametrize("after", [False, True])
async def test_a_connection_is_dropped_with_or_without_the_work_done(local: Local, *, after: bool) -> None:
    await local.control("fault", {"path_regex": "messages", "drop": True, "after": after})
    with pytest.raises(aiohttp.ClientError):
        await local.post({"content": "x"})
    assert len((await local.request("GET", "/control/messages")).body["messages"]) == after
    assert (await local.request("GET", "/control/requests")).body["requests"][-1]["status"] is None
    assert (await local.post({"content": "x"})).status == 200


async def test_a_fault_may_only_delay(local: Local) -> None:
    await local.control("fault", {"path_regex": "messages", "delay_s": 0.03})
    started = time.monotonic()
    assert (await local.post({"content": "x"})).status == 200
    assert time.monotonic() - started >= 0.03


async def test_a_limit_can_be_injected_with_its_headers(local: Local) -> None:
    await local.control("fault", {"path_regex": "messages", "status": 429, "retry_after_s": 0.25})
    answer = await local.post({"content": "x"})
    assert (answer.refusal, answer.body["retry_after"]) == ((429, 0), 0.25)
    assert (answer.headers["Via"], answer.headers["Retry-After"]) == ("1.1 google", "1")


@pytest.mark.parametrize("via", [True, False])
async def test_a_limit_may_be_silent_about_its_length(local: Local, *, via: bool) -> None:
    await local.control("fault", {"path_regex": "messages", "status": 429, "via": via, "silent": True})
    url = f"{local.base}/api/v10/channels/{local.channel()}/messages"
    async with local.session.get(url) as answer:
        assert answer.status == 429
        assert "Retry-After" not in answer.headers
        assert ("Via" in answer.headers) is via


async def test_a_fault_may_meet_only_large_files(local: Local) -> None:
    fault = {"path_regex": "messages", "status": 413, "code": 40005, "over_bytes": len(PIXEL), "times": 9}
    await local.control("fault", fault)
    body = {"attachments": [{"id": 0, "filename": "a.png"}]}
    assert (await local.post({"content": "x"})).status == 200
    assert (await local.post(body, files=(("a.png", PIXEL),))).status == 200
    assert (await local.post(body, files=(("a.png", PIXEL + b"x"),))).refusal == (413, 40005)


async def test_faults_are_forgotten_on_demand(local: Local) -> None:
    await local.control("fault", {"path_regex": "", "status": 500, "times": 99})
    assert (await local.request("DELETE", "/control/fault")).status == 204
    assert (await local.bot("GET", "/users/@me")).status == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("fault", {"path_regex": "("}),
        ("fault", {"path_regex": "", "status": 99}),
        ("fault", {"path_regex": "", "delay_s": -1}),
        ("fault", {"path_regex": "", "over_bytes": -1}),
        ("fault", {"path_regex": "", "status": 429, "silent": "no"}),
        ("clock", {"advance_s": -1}),
        ("clock", {"advance_s": "soon"}),
        ("clock", {"advance_s": 1e12}),
        ("gateway", {"action": "close", "code": 1}),
    ],
)
async def test_a_control_request_that_makes_no_sense_is_refused(
    local: Local, path: str, body: dict[str, object]
) -> None:
    assert (await local.control(path, body)).refusal == (400, 50035)


async def test_requests_are_logged_with_route_body_files_and_status(local: Local) -> None:
    body = {"content": "x", "attachments": [{"id": 0, "filename": "a.png"}]}
    await local.post(body, files=(("a.png", PIXEL),))
    await local.bot("GET", "/nowhere?q=1", token="wrong")
    requests = (await local.request("GET", "/control/requests")).body["requests"]
    first, second = requests[-2:]
    assert (first["method"], first["route"]) == ("POST", "/channels/{channel_id}/messages")
    assert first["path"] == f"/channels/{local.channel()}/messages"
    assert (first["body"], first["status"]) == (body, 200)
    assert first["files"] == [
        {"name": "a.png", "content_type": "application/octet-stream", "size": len(PIXEL)}
    ]
    assert (second["route"], second["status"], second["query"]) == ("/nowhere", 404, {"q": "1"})
    later = await local.request("GET", f"/control/requests?since={first['n']}")
    assert [one["n"] for one in later.body["requests"]] == [second["n"]]
    assert len((await local.request("GET", "/control/requests?since=x")).body["requests"]) == 2


async def test_a_reset_brings_back_the_start(local: Local) -> None:
    async with local.online() as gateway, local.events() as events:
        await local.register({"name": "imagine", "description": "d"})
        await local.post({"content": "x"}, files=(("a.png", PIXEL),))
        await local.control("clock", {"advance_s": 99})
        await local.control("fault", {"path_regex": "", "status": 500, "times": 99})
        await local.control("permissions", {"channel_id": local.channel(), "deny": ["VIEW_CHANNEL"]})
        await local.control("permissions", {"channel_id": local.channel(), "bot_member": False})
        await local.control("permissions", {"channel_id": local.channel("showcase"), "bot_member": True})
        await gateway.wait_for("GUILD_CREATE")
        assert (await local.control("reset", {})).status == 204
        assert await gateway.seen_until("CHANNEL_UPDATE") == [
            "GUILD_CREATE",
            "GUILD_DELETE",
            "CHANNEL_UPDATE",
        ]
        await events.wait_for("STATE")
        assert (await local.request("GET", "/control/messages")).body["messages"] == []
        state = (await local.page("GET", "state")).body
        assert (state["clock_offset_s"], len(state["commands"]), state["bot_online"]) == (0, 1, True)
        assert (await local.post({"content": "x"})).status == 200


async def test_ids_grow_and_tell_the_time(local: Local) -> None:
    first, second = local.core.clock.make_id(), local.core.clock.make_id()
    assert int(first) < int(second)
    assert abs(((int(first) >> 22) + 1_420_070_400_000) / 1000 - time.time()) < 5

"""Faults that hit a share of the requests, and what each kind of them looks like."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from tests.sandbox.discord.support import PIXEL, Answer, Local


async def _books(local: Local) -> Any:
    return (await local.request("GET", "/control/books")).body


async def _hit(local: Local, kind: str, **more: Any) -> None:
    assert (await local.control("fault-rate", {"rate": 1, "kinds": [kind], **more})).status == 200


async def test_a_share_of_the_requests_is_hit_and_counted_by_kind(local: Local) -> None:
    rate = {"rate": 0.25, "seed": 7, "kinds": ["500", "502"], "method": "get", "path_regex": "^/users/@me$"}
    assert (await local.control("fault-rate", rate)).body == {"rate": 0.25, "kinds": ["500", "502"]}
    seen = [(await local.bot("GET", "/users/@me")).status for _ in range(100)]
    assert (await local.post({"content": "x"})).status == 200
    counted = (await _books(local))["faults"]
    assert counted == {"500": seen.count(500), "502": seen.count(502)}
    assert min(counted.values()) > 3
    assert 10 < sum(counted.values()) < 45
    await local.request("DELETE", "/control/fault-rate")
    await local.control("fault-rate", rate)
    assert [(await local.bot("GET", "/users/@me")).status for _ in range(100)] == seen


async def test_rates_are_forgotten_on_demand(local: Local) -> None:
    for path in ("fault-rate", "fault"):
        await _hit(local, "503")
        assert (await local.bot("GET", "/users/@me")).status == 503
        assert (await local.request("DELETE", f"/control/{path}")).status == 204
        assert (await local.bot("GET", "/users/@me")).status == 200
    await _hit(local, "503")
    await local.control("reset", {})
    assert (await local.bot("GET", "/users/@me")).status == 200
    assert (await _books(local))["faults"] == {}


async def _assert_limited(answer: Answer, scope: str) -> None:
    assert answer.refusal == (429, 0)
    assert answer.body["retry_after"] == 0.25
    assert answer.body["global"] is (scope == "global")
    assert answer.headers["X-RateLimit-Scope"] == scope
    assert (answer.headers["Via"], answer.headers["Retry-After"]) == ("1.1 google", "1")
    assert ("X-RateLimit-Global" in answer.headers) is (scope == "global")


@pytest.mark.parametrize("scope", ["user", "shared", "global"])
async def test_a_limit_says_whose_it_is(local: Local, scope: str) -> None:
    kind = "429" if scope == "user" else f"429_{scope}"
    await _hit(local, kind, retry_after_s=0.25)
    await _assert_limited(await local.post({"content": "x"}), scope)
    await local.request("DELETE", "/control/fault")
    await local.control("fault", {"status": 429, "scope": scope, "retry_after_s": 0.25})
    await _assert_limited(await local.post({"content": "x"}), scope)
    assert (await _books(local))["faults"] == {kind: 2}


async def test_the_firewall_in_front_answers_without_via_and_without_json(local: Local) -> None:
    await _hit(local, "429_no_via", retry_after_s=2.5)
    answer = await local.post({"content": "x"})
    assert (answer.status, answer.body, answer.headers["Retry-After"]) == (429, "error code: 1015", "3")
    assert "Via" not in answer.headers
    await local.request("DELETE", "/control/fault")
    await local.control("fault", {"status": 429, "via": False})
    assert "Via" not in (await local.post({"content": "x"})).headers
    assert (await _books(local))["faults"] == {"429_no_via": 2}


@pytest.mark.parametrize("kind", ["reset", "reset_after"])
async def test_a_reset_comes_before_or_after_the_work(local: Local, kind: str) -> None:
    await _hit(local, kind)
    with pytest.raises(aiohttp.ClientError):
        await local.post({"content": "x"})
    made = (await local.request("GET", "/control/messages")).body["messages"]
    assert len(made) == (kind == "reset_after")
    assert (await _books(local))["faults"] == {kind: 1}


async def test_a_slow_answer_is_late_and_whole(local: Local) -> None:
    await _hit(local, "slow", delay_s=0.03)
    assert (await local.post({"content": "x"})).status == 200
    assert (await _books(local))["faults"] == {"slow": 1}


async def test_uploads_over_a_size_are_too_large_and_nothing_else_is(local: Local) -> None:
    await _hit(local, "too_large", upload_bytes_max=len(PIXEL))
    body = {"attachments": [{"id": 0, "filename": "a.png"}]}
    assert (await local.post({"content": "x"})).status == 200
    assert (await local.post(body, files=(("a.png", PIXEL),))).status == 200
    assert (await local.post(body, files=(("a.png", PIXEL + b"x"),))).refusal == (413, 40005)
    assert (await _books(local))["faults"] == {"too_large": 1}


async def test_single_faults_are_counted_too(local: Local) -> None:
    await local.control("fault", {"path_regex": "", "status": 502, "after": True})
    await local.post({"content": "x"})
    assert (await _books(local))["faults"] == {"502_after": 1}


@pytest.mark.parametrize(
    "wrong",
    [
        {"rate": 1.5},
        {"rate": "often"},
        {"kinds": []},
        {"kinds": ["418"]},
        {"kinds": "500"},
        {"seed": -1},
        {"path_regex": "("},
        {"delay_s": 1e9},
        {"upload_bytes_max": -1},
    ],
)
async def test_a_rate_that_makes_no_sense_is_refused(local: Local, wrong: dict[str, Any]) -> None:
    answer = await local.control("fault-rate", {"rate": 0.5, "kinds": ["500"], **wrong})
    assert answer.refusal == (400, 50035)


async def test_a_scope_that_is_none_is_refused(local: Local) -> None:
    assert (await local.control("fault", {"status": 429, "scope": "whole"})).refusal == (400, 50035)


async def test_rates_are_bounded(local: Local) -> None:
    for _ in range(50):
        await local.control("fault-rate", {"rate": 0, "kinds": ["500"]})
    assert (await local.control("fault-rate", {"rate": 0, "kinds": ["500"]})).status == 400

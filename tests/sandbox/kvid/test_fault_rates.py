"""Faults that hit a share of the requests, and what each kind of them looks like."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from sandbox.kvid.fault_rates import KINDS

if TYPE_CHECKING:
    from tests.sandbox.kvid.conftest import Caller


async def _hit(kvid: Caller, kind: str, **more: Any) -> None:
    answer = await kvid.control("fault-rate", {"rate": 1, "kinds": [kind], **more})
    assert answer.json == {"success": True}


async def _calm(kvid: Caller) -> None:
    assert (await kvid.call("DELETE", "/control/fault-rate", key=None)).json == {"success": True}


async def _counted(kvid: Caller) -> Any:
    return (await kvid.books())["faults"]


async def test_a_share_of_an_endpoints_requests_is_hit_and_counted_by_kind(kvid: Caller) -> None:
    job_id = (await kvid.make())["job_id"]
    rate = {"rate": 0.25, "seed": 7, "kinds": ["500", "503"], "endpoint": "status"}
    await kvid.control("fault-rate", rate)
    seen = [(await kvid.status(job_id)).status for _ in range(100)]
    assert (await kvid.result(job_id)).status == 200
    counted = await _counted(kvid)
    assert counted == {"500": seen.count(500), "503": seen.count(503)}
    assert min(counted.values()) > 3
    assert 10 < sum(counted.values()) < 45
    await _calm(kvid)
    await kvid.control("fault-rate", rate)
    assert [(await kvid.status(job_id)).status for _ in range(100)] == seen


async def test_limits_come_with_and_without_saying_when(kvid: Caller) -> None:
    await _hit(kvid, "429", retry_after_s=6.5)
    answer = await kvid.submit()
    assert (answer.error, answer.headers["retry-after"]) == ((429, "RATE_LIMITED"), "7")
    await _calm(kvid)
    await _hit(kvid, "429_bare")
    answer = await kvid.submit()
    assert (answer.status, "retry-after" in answer.headers) == (429, False)
    assert await _counted(kvid) == {"429": 1, "429_bare": 1}
    assert (await kvid.books())["submits"] == 0


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_server_errors_hit_every_endpoint(kvid: Caller, status: int) -> None:
    result = await kvid.make()
    await _hit(kvid, str(status))
    calls = (kvid.submit(), kvid.status("x"), kvid.result("x"), kvid.download(result["result_url"]))
    assert [(await call).status for call in calls] == [status] * 4
    assert await _counted(kvid) == {str(status): 4}


@pytest.mark.parametrize("kind", ["reset", "reset_after", "half_body"])
async def test_a_broken_connection_comes_before_or_after_the_work(kvid: Caller, kind: str) -> None:
    await _hit(kvid, kind)
    with pytest.raises(aiohttp.ClientError):
        await kvid.submit()
    assert (await kvid.books())["submits"] == (kind != "reset")
    assert await _counted(kvid) == {kind: 1}


async def test_a_slow_answer_is_late_and_whole(kvid: Caller) -> None:
    await _hit(kvid, "slow", delay_s=0.05)
    begun = time.monotonic()
    assert (await kvid.submit()).status == 200
    assert time.monotonic() - begun >= 0.05
    assert await _counted(kvid) == {"slow": 1}


async def test_an_answer_may_be_for_another_job_but_never_a_submits(kvid: Caller) -> None:
    job_id = (await kvid.make())["job_id"]
    await _hit(kvid, "wrong_job")
    for answer in (await kvid.status(job_id), await kvid.result(job_id)):
        assert answer.data["job_id"] not in {job_id, ""}
    other = (await kvid.submit()).data["job_id"]
    await _calm(kvid)
    assert (await kvid.status(other)).data["job_id"] == other
    assert await _counted(kvid) == {"wrong_job": 2}


async def test_a_forgotten_job_stays_forgotten_outside_and_known_inside(kvid: Caller) -> None:
    job_id = (await kvid.make())["job_id"]
    await _hit(kvid, "forgotten")
    assert (await kvid.status(job_id)).error == (404, "JOB_NOT_FOUND")
    await _calm(kvid)
    for answer in (await kvid.status(job_id), await kvid.result(job_id)):
        assert answer.error == (404, "JOB_NOT_FOUND")
    [job] = (await kvid.books())["jobs"]
    assert (job["status"], job["forgotten"]) == ("completed", True)
    kept = (await kvid.make())["job_id"]
    assert (await kvid.result(kept, fault="forget")).status == 404
    assert (await kvid.status(kept)).status == 404


async def test_a_share_of_the_jobs_fails_or_never_finishes(kvid: Caller) -> None:
    await _hit(kvid, "job_failed")
    failed = (await kvid.submit()).data["job_id"]
    await _calm(kvid)
    await _hit(kvid, "never_finishes")
    hanging = (await kvid.submit()).data["job_id"]
    assert (await kvid.wait(failed))["status"] == "failed"
    await _calm(kvid)
    await kvid.make()
    assert (await kvid.status(hanging)).data["status"] == "processing"
    assert await _counted(kvid) == {"job_failed": 1, "never_finishes": 1}


async def test_every_kind_is_counted_under_its_name(kvid: Caller) -> None:
    for kind, (endpoints, _) in KINDS.items():
        await kvid.control("reset", {})
        job_id = (await kvid.make())["job_id"]
        await _hit(kvid, kind, delay_s=0)
        try:
            await (kvid.submit() if "submit" in endpoints else kvid.status(job_id))
        except aiohttp.ClientError:
            assert kind in {"reset", "reset_after", "half_body"}
        assert await _counted(kvid) == {kind if kind != "slow" else "other": 1}


async def test_rates_end_on_demand_and_with_a_reset(kvid: Caller) -> None:
    await _hit(kvid, "500")
    await kvid.call("DELETE", "/control/fault", key=None)
    assert (await kvid.submit()).status == 200
    await _hit(kvid, "500")
    await kvid.control("reset", {})
    assert (await kvid.submit()).status == 200
    assert await _counted(kvid) == {}


async def test_the_next_requests_faults_come_before_the_rates(kvid: Caller) -> None:
    await _hit(kvid, "500")
    await kvid.control("fault", {"endpoint": "submit", "fault": "RATE_LIMITED"})
    assert [(await kvid.submit()).status for _ in range(2)] == [429, 500]


@pytest.mark.parametrize(
    "wrong",
    [
        {"rate": 1.5},
        {"rate": True},
        {"kinds": []},
        {"kinds": ["418"]},
        {"kinds": "500"},
        {"kinds": [[]]},
        {"seed": -1},
        {"seed": 0.5},
        {"endpoint": "images"},
        {"endpoint": []},
        {"delay_s": 1e9},
        {"retry_after_s": "soon"},
        {"colour": 1},
    ],
)
async def test_a_rate_that_makes_no_sense_is_refused(kvid: Caller, wrong: dict[str, Any]) -> None:
    answer = await kvid.control("fault-rate", {"rate": 0.5, "kinds": ["500"], **wrong})
    assert answer.error == (400, "INVALID_PARAMETERS")


async def test_rates_are_bounded(kvid: Caller) -> None:
    for _ in range(50):
        await _hit(kvid, "500")
    answer = await kvid.control("fault-rate", {"rate": 0, "kinds": ["500"]})
    assert answer.error == (400, "INVALID_PARAMETERS")

"""Every way in which the local kvid can be told to misbehave."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from sandbox.kvid.contract import ERRORS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox.kvid.conftest import Caller


@pytest.mark.parametrize("code", ERRORS)
async def test_any_error_of_the_contract_can_be_asked_for_by_its_code(kvid: Caller, code: str) -> None:
    answer = await kvid.submit(fault=code)
    assert answer.error == (ERRORS[code][0], code)
    assert ("retry-after" in answer.headers) is (code == "RATE_LIMITED")
    assert (await kvid.books())["submits"] == 0


async def test_an_unknown_code_and_another_status_can_be_asked_for(kvid: Caller) -> None:
    answer = await kvid.submit(fault={"code": "OUT_OF_PAINT", "status": 503, "message": "no paint"})
    assert answer.error == (503, "OUT_OF_PAINT")
    assert answer.json["error"]["message"] == "no paint"
    answer = await kvid.submit(fault={"code": "RATE_LIMITED", "headers": {"Retry-After": "17"}})
    assert answer.headers["retry-after"] == "17"


@pytest.mark.parametrize(
    ("fault", "status", "body", "content_type"),
    [
        ("html", 502, b"<html>", "text/html"),
        ("empty", 200, b"", "application/json"),
        ("truncated-json", 200, b'{"success": true', "application/json"),
        ({"status": 200, "body": {"success": "maybe"}}, 200, b'{"success": "maybe"}', "application/json"),
        ({"status": 201, "body": [1, 2]}, 201, b"[1, 2]", "application/json"),
        ({"status": 500}, 500, b"null", "application/json"),
        ({"status": 503, "body": "", "headers": {"Retry-After": "1"}}, 503, b"", "text/plain"),
    ],
)
async def test_any_answer_can_be_dictated(
    kvid: Caller, fault: Any, status: int, body: bytes, content_type: str
) -> None:
    answer = await kvid.submit(fault=fault)
    assert (answer.status, answer.headers["content-type"].split(";")[0]) == (status, content_type)
    assert answer.body.startswith(body)


async def test_a_dropped_submit_did_no_work_unless_it_is_dropped_after(kvid: Caller) -> None:
    for fault, submits in (("drop", 0), ({"drop": True}, 0), ("drop-after", 1)):
        with pytest.raises(aiohttp.ClientConnectionError):
            await kvid.submit(fault=fault)
        assert (await kvid.books())["submits"] == submits


async def test_an_error_after_the_work_hides_an_accepted_job(kvid: Caller) -> None:
    assert (await kvid.submit(fault={"code": "SERVER_ERROR", "after": True})).status == 500
    assert (await kvid.books())["submits"] == 1


async def test_a_body_can_be_cut_in_the_middle(kvid: Caller) -> None:
    job_id = (await kvid.submit()).data["job_id"]
    await kvid.wait(job_id)
    for call in (
        kvid.result(job_id, fault="cut"),
        kvid.submit(fault={"status": 200, "body": "abcdef", "cut": True}),
        kvid.call("GET", f"/images/{job_id}.jpg", fault="cut"),
    ):
        with pytest.raises(aiohttp.ClientPayloadError):
            await call


async def test_an_answer_can_be_late_before_or_after_the_work(kvid: Caller) -> None:
    for fault in ({"delay_s": 0.05}, {"delay_s": 0.05, "after": True}):
        began_s = time.monotonic()
        assert (await kvid.submit(fault=fault)).status == 200
        assert time.monotonic() - began_s >= 0.05


async def test_fields_of_an_answer_can_be_replaced_and_removed(kvid: Caller) -> None:
    assert (await kvid.submit(fault={"job_id": "img_other"})).data["job_id"] == "img_other"
    data = (await kvid.submit(fault={"set": {"job_id": 5, "status": "dreaming"}, "remove": ["message"]})).data
    assert (data["job_id"], data["status"], "message" in data) == (5, "dreaming", False)
    assert (await kvid.status("img_none", fault={"job_id": "x"})).error == (404, "JOB_NOT_FOUND")


@pytest.mark.parametrize(
    ("fault", "status", "message"),
    [
        ("fail", "failed", "The model returned no image"),
        ({"job": "fail", "message": "GPU melted"}, "failed", "GPU melted"),
        ("cancel", "canceled", "The job was canceled"),
        ({"job": "cancel", "message": "by hand"}, "canceled", "by hand"),
    ],
)
async def test_a_job_can_be_made_to_fail_or_be_canceled_free_of_charge(
    kvid: Caller, fault: Any, status: str, message: str
) -> None:
    job_id = (await kvid.submit(fault=fault)).data["job_id"]
    data = await kvid.wait(job_id)
    assert (data["status"], data["error_message"]) == (status, message)
    assert (await kvid.result(job_id)).error == (400, "JOB_FAILED")
    books = await kvid.books()
    assert (books["balance_credits"], books["held_credits"], books["charged_credits"]) == (100_000, 0, 0)


async def test_a_job_can_be_ended_while_it_waits_or_renders(start: Callable[..., Any]) -> None:
    kvid = await start(render_s=30, concurrency=1)
    first, second = [(await kvid.submit()).data["job_id"] for _ in range(2)]
    assert (await kvid.status(second, fault="cancel")).data["status"] == "canceled"
    third = (await kvid.submit()).data["job_id"]
    assert (await kvid.result(first, fault="fail")).error == (400, "JOB_FAILED")
    assert (await kvid.status(first, fault="cancel")).data["status"] == "failed"
    assert (await kvid.status(third)).data["status"] == "processing"


async def test_a_job_that_never_ends_holds_its_credits_but_no_place(start: Callable[..., Any]) -> None:
    kvid = await start(concurrency=1)
    hung = (await kvid.submit(fault="hang")).data["job_id"]
    waiting = (await kvid.submit()).data["job_id"]
    await kvid.status(waiting, fault={"job": "hang"})
    await kvid.make()
    books = await kvid.books()
    assert [job["status"] for job in books["jobs"]] == ["processing", "processing", "completed"]
    assert (books["held_credits"], books["rendering"]) == (2, 0)
    assert (await kvid.result(hung)).error == (400, "JOB_NOT_COMPLETED")


@pytest.mark.parametrize(("used", "charged"), [(0, 0), (50, 50), (None, 1)])
async def test_the_reported_credits_can_differ_from_the_price(
    kvid: Caller, used: int | None, charged: int
) -> None:
    data = await kvid.make(fault={"used_credit": used})
    assert data.get("used_credit") == used
    assert ("used_credit" in data) is (used is not None)
    assert (await kvid.books())["charged_credits"] == charged
    honest = await kvid.make()
    assert (await kvid.result(honest["job_id"], fault={"used_credit": 9})).data["used_credit"] == 9


@pytest.mark.parametrize(
    ("shape", "fields"),
    [("result_url", {"result_url"}), ("result_urls", {"result_urls"}), ("images", {"images"})],
)
async def test_the_links_of_a_result_can_come_in_one_shape_alone(
    kvid: Caller, shape: str, fields: set[str]
) -> None:
    data = await kvid.make(num_images=2, fault={"result_shape": shape})
    assert {"result_url", "result_urls", "images"} & set(data) == fields


async def test_a_download_can_be_huge_moved_or_no_picture(kvid: Caller) -> None:
    address = (await kvid.make())["result_url"]

    async def get(fault: Any) -> Any:
        return await kvid.call("GET", address, fault=fault, allow_redirects=False)

    assert len((await get({"size_bytes": 300_001})).body) == 300_001
    moved = await get({"redirect": "http://elsewhere.test/a.jpg"})
    assert (moved.status, moved.headers["location"]) == (302, "http://elsewhere.test/a.jpg")
    answer = await get({"status": 200, "body": "no picture", "headers": {"Content-Type": "image/png"}})
    assert (answer.body, answer.headers["content-type"]) == (b"no picture", "image/png")
    assert (await get({"set": {"a": 1}})).headers["content-type"] == "image/jpeg"


async def test_the_script_hits_the_next_requests_of_its_endpoint_after_those_it_skips(kvid: Caller) -> None:
    rule = {"endpoint": "status", "fault": {"code": "SERVER_ERROR"}, "times": 2, "skip": 1}
    assert (await kvid.control("fault", rule)).status == 200
    job_id = (await kvid.submit()).data["job_id"]
    assert [(await kvid.status(job_id)).status for _ in range(4)] == [200, 500, 500, 200]


async def test_a_rule_for_any_endpoint_waits_for_whichever_comes_first(kvid: Caller) -> None:
    job_id = (await kvid.make())["job_id"]
    calls: tuple[Callable[[], Any], ...] = (
        kvid.submit,
        partial(kvid.status, job_id),
        partial(kvid.result, job_id),
        partial(kvid.download, f"/images/{job_id}.jpg"),
    )
    for call in calls:
        await kvid.control("fault", {"endpoint": "any", "fault": "html"})
        assert (await call()).status == 502
        assert (await call()).status == 200


async def test_the_script_can_be_cleared(kvid: Caller) -> None:
    await kvid.control("fault", {"endpoint": "submit", "fault": "drop", "times": 99})
    assert (await kvid.call("DELETE", "/control/fault")).status == 200
    assert (await kvid.submit()).status == 200


@pytest.mark.parametrize(
    "fault",
    [
        5, "nonsense", [], {"colour": 1}, {"code": "UNKNOWN"}, {"code": 5}, {"status": 99}, {"status": True},
        {"delay_s": -1}, {"delay_s": 301}, {"job": "explode"}, {"result_shape": "list"}, {"size_bytes": -1},
        {"size_bytes": 10**10}, {"used_credit": -1}, {"used_credit": "8"}, {"headers": {"a": 5}},
        {"headers": {"a": "b\r\nc"}}, {"redirect": "http://a\r\nb"}, {"remove": "a"}, {"drop": 1}, None,
    ],
)  # fmt: skip
async def test_a_fault_nobody_could_carry_out_is_refused(kvid: Caller, fault: Any) -> None:
    assert (await kvid.control("fault", {"fault": fault})).error == (400, "INVALID_PARAMETERS")
    if fault is not None:
        assert (await kvid.submit(fault=fault)).error == (400, "INVALID_PARAMETERS")


@pytest.mark.parametrize(
    "rule",
    [{"endpoint": "all"}, {"times": 0}, {"times": "1"}, {"skip": -1}, {"when": 1}, {"endpoint": ["any"]}],
)
async def test_a_rule_that_makes_no_sense_is_refused(kvid: Caller, rule: dict[str, Any]) -> None:
    assert (await kvid.control("fault", {"fault": "drop"} | rule)).error == (400, "INVALID_PARAMETERS")


async def test_the_script_has_a_limit(kvid: Caller) -> None:
    answers = [await kvid.control("fault", {"fault": "drop"}) for _ in range(101)]
    assert [answer.status for answer in answers[-2:]] == [200, 400]


async def test_a_caller_that_hangs_up_during_a_delay_harms_nobody(kvid: Caller) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(kvid.submit(fault={"delay_s": 0.1}), 0.02)
    assert (await kvid.submit()).status == 200

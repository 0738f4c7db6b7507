"""The books: every job with what it cost and who asked for it, and how every request ended."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox.kvid.conftest import Caller


async def _books(kvid: Caller, query: str) -> Any:
    return (await kvid.call("GET", f"/control/books?{query}", key=None)).json


async def test_asking_for_a_job_is_counted_and_refused_asking_too(kvid: Caller) -> None:
    job_id = (await kvid.submit()).data["job_id"]
    await kvid.wait(job_id)
    for _ in range(2):
        result = (await kvid.result(job_id)).data
    for _ in range(3):
        await kvid.download(result["result_url"])
    await kvid.status("elsewhere")
    with pytest.raises(aiohttp.ClientError):
        await kvid.status(job_id, fault="drop-after")
    books = await kvid.books()
    [job] = books["jobs"]
    assert (job["number"], job["result_asks"], job["downloads"]) == (1, 2, 3)
    asks = books["requests"]
    # aiohttp itself asks once more where a kept connection broke under a GET.
    broken = asks.pop("status broken")
    assert broken >= 1
    assert job["status_asks"] == asks.pop("status 200") + broken
    assert asks == {
        "submit 200": 1,
        "result 200": 2,
        "download 200": 3,
        "status JOB_NOT_FOUND": 1,
    }


async def test_the_account_agrees_with_its_jobs(kvid: Caller) -> None:
    await kvid.make()
    failed = (await kvid.submit(fault="fail")).data["job_id"]
    await kvid.wait(failed)
    hanging = (await kvid.submit(fault="hang")).data["job_id"]
    await kvid.make(num_images=2)
    books = await kvid.books()
    jobs = books["jobs"]
    assert [job["status"] for job in jobs] == ["completed", "failed", "processing", "completed"]
    assert [job["fault"] for job in jobs] == [None, "job_failed", "never_finishes", None]
    assert books["charged_credits"] == sum(job["charged_credits"] for job in jobs) == 3
    assert books["held_credits"] == sum(job["held_credits"] for job in jobs) > 0
    assert books["balance_credits"] == 100_000 - books["charged_credits"]
    await kvid.status(hanging, fault="cancel")
    assert (await kvid.books())["held_credits"] == 0


async def test_jobs_come_in_pages(kvid: Caller) -> None:
    for _ in range(5):
        await kvid.submit()
    first = await _books(kvid, "limit=2")
    assert ([job["number"] for job in first["jobs"]], first["next"]) == ([1, 2], 2)
    last = await _books(kvid, "after=2")
    assert ([job["number"] for job in last["jobs"]], last["next"]) == ([3, 4, 5], None)
    assert (await _books(kvid, "limit=0"))["jobs"] == []
    answer = await kvid.call("GET", "/control/books?after=-1", key=None)
    assert answer.error == (400, "INVALID_PARAMETERS")


async def test_what_a_job_cost_stays_known_when_the_job_is_gone(start: Callable[..., Any]) -> None:
    kvid = await start(jobs_kept_max=2)
    for _ in range(4):
        await kvid.make()
    books = await kvid.books()
    assert [job["number"] for job in books["jobs"]] == [3, 4]
    assert (books["jobs_lost"], books["charged_credits"], books["submits"]) == (2, 4, 4)


async def test_prepared_pictures_are_drawn_once_and_have_the_size_that_was_asked_for(kvid: Caller) -> None:
    assert (await kvid.control("settings", {"prepared_pictures": True})).status == 200
    seen = []
    for prompt in ("one", "two"):
        result = await kvid.make(prompt=prompt, image_size={"width": 512, "height": 256})
        data = (await kvid.download(result["result_url"])).body
        with Image.open(io.BytesIO(data)) as image:
            assert (image.size, image.format) == ((512, 256), "JPEG")
        assert result["size"] == len(data) < 8_000
        seen.append(data)
    assert seen[0] == seen[1]
    result = await kvid.make(output_format="png")
    assert (await kvid.download(result["result_url"])).body.startswith(b"\x89PNG")
    assert (
        await kvid.control("settings", {"prepared_pictures": False, "quick_pictures": True})
    ).status == 200
    assert (await kvid.download((await kvid.make())["result_url"])).body not in seen
    assert (await kvid.control("settings", {"prepared_pictures": 1})).status == 400

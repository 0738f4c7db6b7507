"""The life of a job at the local kvid: queue, money, pictures."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from sandbox.kvid.contract import build_size, price_credits
from sandbox.kvid.settings import KvidSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox.kvid.conftest import Caller


async def test_a_result_says_what_the_contract_says(kvid: Caller) -> None:
    data = await kvid.make(prompt="무대")
    assert set(data) == {
        "job_id", "status", "result_url", "width", "height", "size", "type", "used_credit", "prompt", "created_at",
    }  # fmt: skip
    picture = await kvid.download(data["result_url"])
    assert picture.headers["content-type"] == data["type"] == "image/jpeg"
    assert len(picture.body) == data["size"]
    assert (data["width"], data["height"], data["prompt"]) == (256, 256, "무대")
    assert data["created_at"].endswith("Z")


async def test_a_status_says_what_the_contract_says(kvid: Caller) -> None:
    job_id = (await kvid.submit()).data["job_id"]
    data = (await kvid.status(job_id)).data
    assert set(data) == {"job_id", "status", "image_type", "prompt", "created_at"}
    assert data["image_type"] == "text-to-image"


@pytest.mark.parametrize(("name", "kind"), [("jpeg", "JPEG"), ("png", "PNG")])
async def test_the_picture_has_the_format_and_size_that_was_asked_for(
    kvid: Caller, name: str, kind: str
) -> None:
    data = await kvid.make(output_format=name, image_size={"width": 320, "height": 257})
    assert data["type"] == f"image/{name}"
    with Image.open(BytesIO((await kvid.download(data["result_url"])).body)) as image:
        assert (image.format, image.size) == (kind, (320, 257))


async def test_several_images_come_as_one_link_and_as_a_list(kvid: Caller) -> None:
    data = await kvid.make(num_images=3)
    links = [image["url"] for image in data["images"]]
    assert data["result_url"] == links[0]
    bodies = {(await kvid.download(link)).body for link in links}
    assert len(bodies) == 3
    assert data["used_credit"] == 3 * price_credits((256, 256), 1)
    assert all(set(image) == {"url", "width", "height", "size", "type"} for image in data["images"])


async def test_the_same_seed_and_parameters_give_the_same_bytes_and_others_do_not(kvid: Caller) -> None:
    async def draw(**parameters: Any) -> bytes:
        return (await kvid.download((await kvid.make(**parameters))["result_url"])).body

    first = await draw(seed=7)
    assert await draw(seed=7) == first
    assert await draw(seed=8) != first
    assert await draw(seed=7, prompt="beach") != first
    assert await draw(seed=7, guidance_scale=10) != first
    assert await draw() != await draw()


async def test_links_lead_to_the_address_that_was_asked_unless_one_is_set(start: Callable[..., Any]) -> None:
    kvid = await start()
    assert (await kvid.make())["result_url"].startswith(f"{kvid.url}/images/")
    kvid = await start(base_url="https://cdn.example.test/")
    assert (await kvid.make())["result_url"].startswith("https://cdn.example.test/images/")


@pytest.mark.parametrize(
    ("size", "credits_each"),
    [
        ((512, 512), 2), ((768, 512), 3), ((512, 768), 3), ((768, 768), 4), ((1024, 768), 6), ((768, 1024), 6),
        ((1024, 1024), 8), ((1024, 576), 5), ((256, 256), 1), ((1024, 256), 2), ((1000, 1000), 8), ((640, 640), 4),
    ],
)  # fmt: skip
async def test_the_price_is_the_listed_one_or_seven_and_a_half_per_megapixel_rounded_up(
    kvid: Caller, size: tuple[int, int], credits_each: int
) -> None:
    data = await kvid.make(image_size={"width": size[0], "height": size[1]}, num_images=2)
    assert data["used_credit"] == 2 * credits_each
    books = await kvid.books()
    assert (books["held_credits"], books["charged_credits"]) == (0, 2 * credits_each)
    assert books["balance_credits"] == 100_000 - 2 * credits_each


@pytest.mark.parametrize(
    ("ratio", "size"),
    [
        ((1, 1), (1024, 1024)), ((16, 9), (1024, 576)), ((9, 16), (576, 1024)), ((4, 3), (1024, 768)),
        ((3, 2), (1024, 704)), ((2, 3), (704, 1024)), ((4, 5), (832, 1024)), ((21, 9), (1024, 448)),
        ((100, 1), (1024, 256)), ((1, 9999), (256, 1024)), ((1920, 1080), (1024, 576)),
    ],
)  # fmt: skip
def test_a_ratio_becomes_a_long_side_of_1024_and_the_nearest_step(
    ratio: tuple[int, int], size: tuple[int, int]
) -> None:
    assert build_size(*ratio) == size


async def test_a_ratio_is_drawn_and_without_any_size_the_picture_is_1024_square(kvid: Caller) -> None:
    data = await kvid.make(aspect_ratio="16:9")
    assert (data["width"], data["height"], data["used_credit"]) == (1024, 576, 5)
    data = await kvid.make(image_size=...)
    assert (data["width"], data["height"], data["used_credit"]) == (1024, 1024, 8)


async def test_credits_are_set_aside_at_submit_and_the_next_job_is_refused(start: Callable[..., Any]) -> None:
    kvid = await start(balance_credits=3, render_s=30)
    assert (await kvid.submit(num_images=2)).status == 200
    books = await kvid.books()
    assert (books["balance_credits"], books["held_credits"]) == (3, 2)
    assert (await kvid.submit(num_images=2)).error == (402, "INSUFFICIENT_CREDITS")
    assert (await kvid.submit()).status == 200


async def test_jobs_wait_in_order_and_at_most_so_many_render_at_once(start: Callable[..., Any]) -> None:
    kvid = await start(concurrency=2, render_s=0.03)
    jobs = [(await kvid.submit()).data["job_id"] for _ in range(6)]
    most = 0
    while (books := await kvid.books())["waiting"] or books["rendering"]:
        states = [job["status"] for job in books["jobs"]]
        assert states.count("processing") == books["rendering"]
        assert "queued" not in states[: states.index("queued")] if "queued" in states else True
        most = max(most, books["rendering"])
    assert most == 2
    started = [job["started_at"] for job in books["jobs"]]
    assert [job["job_id"] for job in books["jobs"]] == jobs
    assert started == sorted(started)


async def test_the_expected_time_grows_with_the_queue(start: Callable[..., Any]) -> None:
    kvid = await start(concurrency=2, render_s=10)
    said = [(await kvid.submit()).data["estimated_time"] for _ in range(5)]
    assert said == ["10s", "10s", "10-20s", "10-20s", "20-30s"]


async def test_a_full_queue_says_when_to_come_back(start: Callable[..., Any]) -> None:
    kvid = await start(concurrency=1, queue_max=1, render_s=9)
    assert [(await kvid.submit()).status for _ in range(2)] == [200, 200]
    answer = await kvid.submit()
    assert answer.error == (429, "RATE_LIMITED")
    assert answer.headers["retry-after"] == "9"


async def test_too_many_requests_a_second_are_told_when_to_come_back(start: Callable[..., Any]) -> None:
    kvid = await start(requests_per_s=3)
    answers = [await kvid.status("img_1") for _ in range(5)]
    assert [answer.status for answer in answers] == [404, 404, 404, 429, 429]
    assert int(answers[-1].headers["retry-after"]) >= 1


async def test_a_result_before_the_end_is_refused(start: Callable[..., Any]) -> None:
    kvid = await start(render_s=30, concurrency=1)
    jobs = [(await kvid.submit()).data["job_id"] for _ in range(2)]
    assert [(await kvid.status(job)).data["status"] for job in jobs] == ["processing", "queued"]
    for job in jobs:
        assert (await kvid.result(job)).error == (400, "JOB_NOT_COMPLETED")


async def test_a_painter_that_breaks_fails_its_own_job_alone(
    kvid: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr("sandbox.kvid.works.draw_quick", None)
        job_id = (await kvid.submit()).data["job_id"]
        assert (await kvid.wait(job_id))["error_message"] == "Internal error: TypeError"
    await kvid.make()


async def test_old_jobs_and_old_pictures_are_forgotten_within_their_limits(start: Callable[..., Any]) -> None:
    kvid = await start(jobs_kept_max=2, picture_bytes_kept_max=1)
    results = [await kvid.make() for _ in range(3)]
    assert (await kvid.status(results[0]["job_id"])).error == (404, "JOB_NOT_FOUND")
    assert (await kvid.status(results[2]["job_id"])).status == 200
    assert (await kvid.download(results[1]["result_url"])).status == 404
    assert (await kvid.download(results[2]["result_url"])).status == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"concurrency": 0},
        {"render_s": -1},
        {"render_s": float("nan")},
        {"balance_credits": -1},
        {"api_keys": frozenset()},
    ],
)
def test_settings_nobody_could_serve_with_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="at least"):
        KvidSettings(**wrong)


def test_the_keys_are_not_shown() -> None:
    assert "secret" not in repr(KvidSettings(api_keys=frozenset({"secret"})))

"""Image-to-image: sources are fetched within limits, and what comes back is the source, changed."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from PIL import Image, ImageChops, ImageDraw, ImageStat

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.sandbox.kvid.conftest import Caller


def build_source(size: tuple[int, int] = (256, 256), kind: str = "PNG", mode: str = "RGB") -> bytes:
    """Left half dark, right half bright, with a disc: easy to recognise again."""
    image = Image.new("RGB", size, (30, 60, 30))
    draw = ImageDraw.Draw(image)
    draw.rectangle((size[0] // 2, 0, size[0], size[1]), fill=(220, 230, 220))
    draw.ellipse((40, 60, 100, 120), fill=(240, 240, 90))
    out = BytesIO()
    image.convert(mode).save(out, format=kind)
    return out.getvalue()


@pytest.fixture
async def shelf() -> AsyncIterator[Callable[[str, bytes], str]]:
    """Puts bytes on a web server of their own and says where they are."""
    files: dict[str, bytes] = {}

    async def serve(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name.startswith("moved"):
            return web.Response(status=302, headers={"Location": f"/{name}"})
        return web.Response(body=files[name]) if name in files else web.Response(status=404)

    app = web.Application()
    app.router.add_get("/{name}", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()

    def put(name: str, data: bytes) -> str:
        files[name] = data
        return f"http://127.0.0.1:{runner.addresses[0][1]}/{name}"

    yield put
    await runner.cleanup()


async def edit(kvid: Caller, **parameters: Any) -> Image.Image:
    data = await kvid.make(output_format="png", seed=3, **parameters)
    return Image.open(BytesIO((await kvid.download(data["result_url"])).body)).convert("RGB")


def measure_difference(first: Image.Image, second: Image.Image) -> float:
    return sum(ImageStat.Stat(ImageChops.difference(first, second)).mean) / 3


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
async def test_an_edit_changes_the_picture_and_keeps_it_recognisable(
    start: Callable[..., Any], shelf: Callable[[str, bytes], str], kind: str
) -> None:
    kvid = await start(quick_pictures=False)
    source = build_source(kind=kind)
    edited = await edit(kvid, image_url=shelf("a", source), prompt="dreamy lights, pink")
    original = Image.open(BytesIO(source)).convert("RGB")
    assert measure_difference(edited, original) > 15
    left, right = (
        ImageStat.Stat(edited.crop(box).convert("L")).mean[0]
        for box in ((20, 40, 110, 200), (150, 40, 240, 200))
    )
    assert right - left > 40


async def test_a_colour_in_the_prompt_is_seen_in_the_edit(
    start: Callable[..., Any], shelf: Callable[[str, bytes], str]
) -> None:
    kvid = await start(quick_pictures=False)
    address = shelf("a", build_source())
    red, _, blue = ImageStat.Stat(await edit(kvid, image_url=address, prompt="빨간 조명")).mean
    assert red > blue + 20
    red, _, blue = ImageStat.Stat(await edit(kvid, image_url=address, prompt="blue light")).mean
    assert blue > red + 20


async def test_the_same_edit_of_the_same_source_is_the_same_wherever_the_source_lies(
    start: Callable[..., Any], shelf: Callable[[str, bytes], str]
) -> None:
    kvid = await start(quick_pictures=False)
    first = await edit(kvid, image_url=shelf("a", build_source()), prompt="film")
    assert (
        measure_difference(first, await edit(kvid, image_url=shelf("b", build_source()), prompt="film")) == 0
    )
    other = await edit(kvid, image_url=shelf("c", build_source(mode="L")), prompt="film")
    assert measure_difference(first, other) > 0


@pytest.mark.parametrize("prompt", ["neon rain", "snow and confetti", "흑백 필름", "soft pastel night", "🎤"])
async def test_several_sources_become_one_picture_in_every_mood(
    start: Callable[..., Any], shelf: Callable[[str, bytes], str], prompt: str
) -> None:
    kvid = await start(quick_pictures=False)
    address = shelf("a", build_source(mode="RGBA"))
    image = await edit(
        kvid, image_urls=[address, shelf("b", build_source((600, 300), mode="P"))], prompt=prompt
    )
    assert image.size == (256, 256)


@pytest.mark.parametrize(
    ("source", "size"),
    [
        ((500, 500), (1024, 1024)),
        ((400, 225), (1024, 576)),
        ((200, 400), (512, 1024)),
        ((4_000, 100), (1024, 256)),
    ],
)
async def test_an_edit_without_a_size_takes_the_shape_of_its_source_and_its_price(
    kvid: Caller, shelf: Callable[[str, bytes], str], source: tuple[int, int], size: tuple[int, int]
) -> None:
    data = await kvid.make(image_url=shelf("a", build_source(source)), image_size=...)
    assert (data["width"], data["height"]) == size
    books = await kvid.books()
    assert books["jobs"][0]["charged_credits"] == data["used_credit"] <= 8
    assert books["held_credits"] == 0


@pytest.mark.parametrize(
    ("data", "changes", "message"),
    [
        (b"GIF89a" + b"\x00" * 40, {}, "must be JPEG, PNG or WebP"),
        (b"<html></html>", {}, "must be JPEG, PNG or WebP"),
        (b"", {}, "must be JPEG, PNG or WebP"),
        (b"\x89PNG\r\n\x1a\nnonsense", {}, "cannot be read"),
        (build_source()[:-400], {"quick_pictures": False}, "cannot be read"),
        (build_source(), {"source_bytes_max": 100}, "too large"),
        (build_source(), {"source_pixels_max": 100}, "too many pixels"),
    ],
)
async def test_a_source_that_cannot_be_used_fails_the_job_and_costs_nothing(
    start: Callable[..., Any],
    shelf: Callable[[str, bytes], str],
    data: bytes,
    changes: dict[str, Any],
    message: str,
) -> None:
    kvid = await start(**changes)
    job_id = (await kvid.submit(image_url=shelf("a", data))).data["job_id"]
    status = await kvid.wait(job_id)
    assert status["status"] == "failed"
    assert message in status["error_message"]
    assert (await kvid.result(job_id)).error == (400, "JOB_FAILED")
    books = await kvid.books()
    assert (books["balance_credits"], books["held_credits"]) == (100_000, 0)


async def test_a_source_that_cannot_be_reached_fails_the_job(
    start: Callable[..., Any], shelf: Callable[[str, bytes], str]
) -> None:
    kvid = await start(source_timeout_s=0.2)
    here = shelf("a", build_source())
    for address, message in (
        ("http://127.0.0.1:1/a.png", "could not be fetched"),
        (here.replace("/a", "/missing"), "HTTP 404"),
        (here.replace("/a", "/moved"), "could not be fetched"),
    ):
        status = await kvid.wait((await kvid.submit(image_url=address)).data["job_id"])
        assert (status["status"], message in status["error_message"]) == ("failed", True)


async def test_a_source_that_never_answers_fails_the_job_in_time(start: Callable[..., Any]) -> None:
    kvid = await start(source_timeout_s=0.05)
    await kvid.control("fault", {"endpoint": "download", "fault": {"delay_s": 5}})
    job_id = (await kvid.submit(image_url=f"{kvid.url}/images/a.png")).data["job_id"]
    assert "in time" in (await kvid.wait(job_id))["error_message"]

"""What a submit may say, over a socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox.kvid.conftest import PREFIX

if TYPE_CHECKING:
    from tests.sandbox.kvid.conftest import Caller

TEXT = f"{PREFIX}/text-to-image/generate-async"
SOURCE = "http://127.0.0.1:1/a.png"


@pytest.mark.parametrize("prompt", ["", "  \n", None, 5, ["a"], ..., "a" * 10_001, "a\x00b", "\ud800"])
async def test_an_empty_or_invalid_prompt_is_refused(kvid: Caller, prompt: Any) -> None:
    assert (await kvid.submit(prompt=prompt)).error == (400, "INVALID_PROMPT")


@pytest.mark.parametrize(
    "parameters",
    [
        {"negative_prompt": 5},
        {"negative_prompt": "a" * 10_001},
        {"negative_prompt": None},
        {"image_size": {"width": 255, "height": 256}},
        {"image_size": {"width": 256, "height": 1025}},
        {"image_size": {"width": 256.0, "height": 256}},
        {"image_size": {"width": "256", "height": 256}},
        {"image_size": {"width": True, "height": 256}},
        {"image_size": {"width": 256}},
        {"image_size": {"width": 256, "height": 256, "depth": 3}},
        {"image_size": "square_hd"},
        {"image_size": None},
        {"aspect_ratio": "16/9"},
        {"aspect_ratio": "0:1"},
        {"aspect_ratio": "16:9:4"},
        {"aspect_ratio": 1.5},
        {"aspect_ratio": "1:1", "image_size": {"width": 256, "height": 256}},
        {"num_inference_steps": 25},
        {"num_inference_steps": 20.0},
        {"num_inference_steps": "20"},
        {"num_inference_steps": True},
        {"guidance_scale": 4},
        {"guidance_scale": "7.5"},
        {"guidance_scale": None},
        {"guidance_scale": [3]},
        {"seed": -1},
        {"seed": 1.5},
        {"seed": "7"},
        {"seed": 2**53},
        {"seed": None},
        {"seed": True},
        {"num_images": 0},
        {"num_images": 5},
        {"num_images": "2"},
        {"output_format": "webp"},
        {"output_format": "JPEG"},
        {"output_format": None},
        {"enable_safety_checker": "yes"},
        {"enable_safety_checker": 1},
        {"enable_safety_checker": None},
        {"num_image": 2},
        {"image_url": ""},
        {"image_url": "ftp://example.test/a.png"},
        {"image_url": "data:image/png;base64,AAAA"},
        {"image_url": "http://"},
        {"image_url": "http://[::1"},
        {"image_url": "http://a.test/" + "a" * 4_096},
        {"image_url": [SOURCE]},
        {"image_urls": SOURCE},
        {"image_urls": []},
        {"image_urls": [SOURCE] * 5},
        {"image_urls": [SOURCE, 5]},
        {"image_url": SOURCE, "image_urls": [SOURCE]},
    ],
)
async def test_a_parameter_outside_the_contract_is_refused_and_costs_nothing(
    kvid: Caller, parameters: dict[str, Any]
) -> None:
    assert (await kvid.submit(**parameters)).error == (400, "INVALID_PARAMETERS")
    books = await kvid.books()
    assert (books["submits"], books["held_credits"]) == (0, 0)


@pytest.mark.parametrize(
    "parameters",
    [
        {"negative_prompt": ""},
        {"image_size": {"width": 1024, "height": 256}},
        {"image_size": {"width": 300, "height": 257}},
        {"image_size": ...},
        {"aspect_ratio": "9:16"},
        *({"num_inference_steps": steps} for steps in (20, 30, 40, 50)),
        *({"guidance_scale": scale} for scale in (3, 5, 7.5, 10, 3.0)),
        {"seed": 0},
        {"seed": 2**53 - 1},
        {"num_images": 1},
        {"num_images": 4},
        {"output_format": "jpeg"},
        {"output_format": "png"},
        {"enable_safety_checker": True},
        {"enable_safety_checker": False},
        {"product_code": "x"},
        {"image_url": SOURCE},
        {"image_urls": [SOURCE] * 4},
        {"prompt": "은빛 무대\n의상"},
        {"prompt": "a" * 10_000},
    ],
)
async def test_a_parameter_within_the_contract_is_accepted(kvid: Caller, parameters: dict[str, Any]) -> None:
    data = (await kvid.submit(**parameters)).data
    assert set(data) == {"job_id", "status", "message", "estimated_time", "image_type"}
    assert data["job_id"].startswith("img_")
    assert data["status"] == "queued"


async def test_an_edit_needs_a_source_and_a_text_job_takes_none(kvid: Caller) -> None:
    path = f"{PREFIX}/image-to-image/generate-async"
    assert (await kvid.call("POST", path, body={"prompt": "a"})).error == (400, "MISSING_PARAMETERS")
    body = {"prompt": "a", "image_url": SOURCE}
    assert (await kvid.call("POST", TEXT, body=body)).error == (400, "INVALID_PARAMETERS")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"5", b'{"prompt": NaN}', b"\xff\xfe", b"[" * 100_000, b'"text"']
)
async def test_a_body_that_is_no_json_object_is_refused(kvid: Caller, body: bytes) -> None:
    answer = await kvid.call("POST", TEXT, data=body, headers={"Content-Type": "application/json"})
    assert answer.error == (400, "INVALID_PARAMETERS")


async def test_a_body_of_another_type_or_beyond_the_limit_is_refused(kvid: Caller) -> None:
    answer = await kvid.call("POST", TEXT, data=b'{"prompt": "a"}', headers={"Content-Type": "text/plain"})
    assert answer.error == (400, "INVALID_PARAMETERS")
    answer = await kvid.call("POST", TEXT, body={"prompt": "a" * 300_000})
    assert answer.error == (413, "INVALID_PARAMETERS")


async def test_a_missing_key_is_401_and_a_wrong_key_is_403_on_every_endpoint(kvid: Caller) -> None:
    for method, path in (
        ("POST", TEXT),
        ("POST", f"{PREFIX}/image-to-image/generate-async"),
        ("GET", f"{PREFIX}/status?jobId=x"),
        ("GET", f"{PREFIX}/result?jobId=x"),
    ):
        assert (await kvid.call(method, path, key=None)).error == (401, "UNAUTHORIZED")
        assert (await kvid.call(method, path, key="wrong")).error == (403, "FORBIDDEN")


async def test_a_lookup_needs_a_known_job(kvid: Caller) -> None:
    for what in ("status", "result"):
        assert (await kvid.call("GET", f"{PREFIX}/{what}")).error == (400, "MISSING_PARAMETERS")
        assert (await kvid.call("GET", f"{PREFIX}/{what}?jobId=img_1")).error == (404, "JOB_NOT_FOUND")


async def test_an_unknown_address_or_method_is_refused_in_the_contracts_shape(kvid: Caller) -> None:
    assert (await kvid.call("GET", "/nowhere")).error == (404, "NOT_FOUND")
    assert (await kvid.call("DELETE", TEXT)).error == (405, "METHOD_NOT_ALLOWED")
    assert (await kvid.download("/images/none.jpg")).error == (404, "NOT_FOUND")


@pytest.mark.parametrize("prompt", ["an unsafe-test, please", "NSFW idol", "누드 사진"])
async def test_the_safety_filter_refuses_its_words_unless_it_is_off(kvid: Caller, prompt: str) -> None:
    assert (await kvid.submit(prompt=prompt)).error == (422, "SAFETY_CHECK_FAILED")
    assert (await kvid.submit(prompt=prompt, enable_safety_checker=False)).status == 200


async def test_the_safety_filter_leaves_words_alone_that_only_contain_one_of_its_own(kvid: Caller) -> None:
    assert (await kvid.submit(prompt="gorey denuded nudeless")).status == 200

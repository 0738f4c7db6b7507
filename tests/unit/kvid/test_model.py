from typing import Any

import pytest

from bot.kvid import ImageSize, ImageToImage, InvalidFieldError, TextToImage

SOURCE = "https://cdn.kvid.ai/images/a.jpg"


def test_every_parameter_of_the_contract_is_kept() -> None:
    request = TextToImage(
        prompt="stage lights",
        negative_prompt="blurry",
        size=ImageSize(width=256, height=1024),
        steps=50,
        guidance=7.5,
        seed=0,
        image_count=4,
        output_format="png",
        safety_checker=False,
    )
    assert (request.size, request.steps, request.guidance) == (ImageSize(width=256, height=1024), 50, 7.5)
    assert (request.seed, request.image_count, request.output_format) == (0, 4, "png")
    assert request.safety_checker is False


def test_prompts_are_normalised_to_nfc_and_otherwise_unchanged() -> None:
    decomposed = " \u1112\u1161\u11ab\u1100\u1173\u11af "
    request = TextToImage(prompt=decomposed, negative_prompt="e\u0301")
    assert request.prompt == " 한글 "
    assert request.negative_prompt == "é"


def test_a_blank_negative_prompt_is_none() -> None:
    assert TextToImage(prompt="a", negative_prompt="  ").negative_prompt is None


@pytest.mark.parametrize(
    ("field", "problem", "fields"),
    [
        ("prompt", "empty", {"prompt": " \n\t"}),
        ("prompt", "empty", {"prompt": ""}),
        ("prompt", "not_text", {"prompt": "a\ud800"}),
        ("prompt", "too_long", {"prompt": "a" * 10_001}),
        ("negative_prompt", "too_long", {"negative_prompt": "a" * 10_001}),
        ("negative_prompt", "not_text", {"negative_prompt": "\udfff"}),
        ("aspect_ratio", "exclusive", {"size": ImageSize(width=512, height=512), "aspect_ratio": "1:1"}),
        ("aspect_ratio", "malformed", {"aspect_ratio": "0:1"}),
        ("aspect_ratio", "malformed", {"aspect_ratio": "wide"}),
        ("aspect_ratio", "malformed", {"aspect_ratio": "1:1\n"}),
        ("steps", "not_offered", {"steps": 25}),
        ("guidance", "not_offered", {"guidance": 4.0}),
        ("seed", "out_of_range", {"seed": 2**53}),
        ("seed", "out_of_range", {"seed": True}),
        ("image_count", "out_of_range", {"image_count": 0}),
        ("image_count", "out_of_range", {"image_count": 5}),
        ("output_format", "not_offered", {"output_format": "webp"}),
    ],
)
@pytest.mark.parametrize("kind", [TextToImage, ImageToImage])
def test_what_the_contract_forbids_cannot_be_built(
    kind: Any, field: str, problem: str, fields: dict[str, Any]
) -> None:
    sources = {"source_urls": (SOURCE,)} if kind is ImageToImage else {}
    with pytest.raises(InvalidFieldError) as caught:
        kind(**{"prompt": "a", **sources, **fields})
    assert (caught.value.field, caught.value.problem) == (field, problem)
    assert str(caught.value) == f"{field}: {problem}"


@pytest.mark.parametrize(
    ("width", "height", "field"),
    [
        (255, 512, "width"),
        (1025, 512, "width"),
        (512, 255, "height"),
        (512, 1025, "height"),
        (True, 512, "width"),
    ],
)
def test_a_side_outside_256_to_1024_is_refused(width: int, height: int, field: str) -> None:
    with pytest.raises(InvalidFieldError) as caught:
        ImageSize(width=width, height=height)
    assert caught.value.field == field


@pytest.mark.parametrize("steps", [20, 30, 40, 50])
@pytest.mark.parametrize("guidance", [3, 5, 7.5, 10])
@pytest.mark.parametrize("aspect_ratio", ["1:1", "16:9", "9:16", "21:9"])
def test_what_the_contract_offers_can_be_built(steps: int, guidance: float, aspect_ratio: str) -> None:
    request = TextToImage(prompt="a", steps=steps, guidance=guidance, aspect_ratio=aspect_ratio)
    assert request.aspect_ratio == aspect_ratio


@pytest.mark.parametrize(
    ("urls", "problem"),
    [
        ((), "out_of_range"),
        ((SOURCE,) * 11, "out_of_range"),
        ((SOURCE, "data:image/png;base64,AA"), "malformed"),
    ],
)
def test_sources_are_one_to_ten_web_addresses(urls: tuple[str, ...], problem: str) -> None:
    with pytest.raises(InvalidFieldError) as caught:
        ImageToImage(prompt="a", source_urls=urls)
    assert (caught.value.field, caught.value.problem) == ("source_urls", problem)

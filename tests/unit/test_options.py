"""The options: what Discord offers is exactly what the checks behind it take; forged values are refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import AppError
from bot.i18n import Catalogue
from bot.jobs.requests import build_request
from bot.kvid.model import GUIDANCE_OFFERED, STEPS_OFFERED, TextToImage
from cogs import _options
from cogs._options import check_picture, check_prompt, nearest_ratio
from tests.db.builders import build_job

CATALOGUE = Catalogue.load()


@pytest.mark.parametrize(
    ("choices", "values"),
    [
        (_options.RATIO_CHOICES, _options.ASPECT_RATIOS),
        (_options.SIZE_CHOICES, tuple(range(256, 1025, 64))),
        (_options.STEP_CHOICES, STEPS_OFFERED),
        (_options.GUIDANCE_CHOICES, GUIDANCE_OFFERED),
        (_options.FORMAT_CHOICES, ("jpeg", "png")),
    ],
)
def test_what_is_offered_is_what_is_taken(choices: list[Any], values: tuple[object, ...]) -> None:
    assert tuple(choice.value for choice in choices) == values
    assert len(choices) <= 25
    assert all(1 <= len(choice.name) <= 100 for choice in choices)


@pytest.mark.parametrize(
    "option",
    [
        *[{"aspect_ratio": choice.value} for choice in _options.RATIO_CHOICES],
        *[{"width": choice.value, "height": 256} for choice in _options.SIZE_CHOICES],
        *[{"steps": choice.value} for choice in _options.STEP_CHOICES],
        *[{"guidance": choice.value} for choice in _options.GUIDANCE_CHOICES],
        *[{"output_format": choice.value} for choice in _options.FORMAT_CHOICES],
        *[{"images": count} for count in range(1, 5)],
        *[{"seed": seed} for seed in (0, 1, 2**31 - 1)],
        {"negative_prompt": "blurry"},
    ],
    ids=str,
)
def test_every_offered_value_passes_and_makes_a_request_that_may_be_sent(option: dict[str, Any]) -> None:
    picture = check_picture(prompt="x", **option)
    job = build_job(
        prompt=picture.prompt,
        negative_prompt=picture.negative_prompt,
        aspect_ratio=picture.aspect_ratio,
        width=picture.width,
        height=picture.height,
        image_count=picture.image_count,
        steps=picture.steps,
        guidance=picture.guidance,
        seed=picture.seed or 0,
        output_format=picture.output_format,
    )
    assert isinstance(build_request(job, None), TextToImage)
    assert picture.estimated_credits() >= 1


@pytest.mark.parametrize(
    ("option", "key"),
    [
        ({"aspect_ratio": "1:1", "width": 512, "height": 512}, "input.size_both"),
        ({"aspect_ratio": "1:1", "height": 512}, "input.size_both"),
        ({"width": 512}, "input.size_half"),
        ({"height": 512}, "input.size_half"),
        ({"width": 0, "height": 512}, "input.size_range"),
        ({"width": 512, "height": 1088}, "input.size_range"),
        ({"width": 513, "height": 512}, "input.size_range"),
        ({"width": -512, "height": 512}, "input.size_range"),
        ({"width": 192, "height": 192}, "input.size_range"),
        ({"aspect_ratio": "2:1"}, "input.value"),
        ({"aspect_ratio": "1:1 "}, "input.value"),
        ({"aspect_ratio": ""}, "input.value"),
        ({"images": 0}, "input.value"),
        ({"images": 5}, "input.value"),
        ({"images": 10**30}, "input.value"),
        ({"steps": 21}, "input.value"),
        ({"steps": 0}, "input.value"),
        ({"guidance": 7.4}, "input.value"),
        ({"guidance": math.nan}, "input.value"),
        ({"guidance": math.inf}, "input.value"),
        ({"seed": -1}, "input.value"),
        ({"seed": 2**31}, "input.value"),
        ({"output_format": "webp"}, "input.value"),
        ({"output_format": "JPEG"}, "input.value"),
        ({"prompt": ""}, "input.prompt_empty"),
        ({"prompt": " \n\t"}, "input.prompt_empty"),
        ({"prompt": "x" * 1001}, "input.prompt_long"),
        ({"negative_prompt": "x" * 1001}, "input.prompt_long"),
    ],
    ids=str,
)
def test_a_forged_value_is_refused_with_its_message(option: dict[str, Any], key: str) -> None:
    with pytest.raises(AppError) as refused:
        check_picture(**({"prompt": "x"} | option))
    assert refused.value.key == key
    told = CATALOGUE.text("en-US", key, **refused.value.params)
    assert "{" not in told
    assert "Nothing was charged" in told


def test_a_prompt_is_trimmed_and_composed() -> None:
    assert check_prompt("  무대  ") == "무대"
    assert check_prompt("e\u0301") == "\u00e9"
    assert check_prompt("x" * 1000) == "x" * 1000
    assert check_picture(prompt="x", negative_prompt="  ").negative_prompt is None


@pytest.mark.parametrize("bad", ["\x00", "\ud800", "\x1b", "\x7f"])
def test_what_no_database_or_terminal_takes_is_left_out_of_a_prompt(bad: str) -> None:
    assert check_prompt(f"a{bad}b") == "ab"
    with pytest.raises(AppError, match="prompt_empty"):
        check_prompt(bad)


@given(st.text(st.characters() | st.sampled_from("\x00\ud800\n"), max_size=1200))
def test_a_checked_prompt_can_be_stored_and_sent(prompt: str) -> None:
    try:
        clean = check_prompt(prompt)
    except AppError as refused:
        key = refused.key
        assert key in {"input.prompt_empty", "input.prompt_long"}
        return
    assert 1 <= len(clean) <= 1000
    assert "\x00" not in clean
    clean.encode()
    build_request(build_job(prompt=clean), None)


@pytest.mark.parametrize(
    ("size", "ratio"),
    [
        ((1000, 1000), "1:1"),
        ((1920, 1080), "16:9"),
        ((1080, 1920), "9:16"),
        ((4000, 3000), "4:3"),
        ((2000, 3000), "2:3"),
        ((40_000, 1), "16:9"),
        ((1, 40_000), "9:16"),
        ((1, 1), "1:1"),
    ],
)
def test_an_edit_keeps_the_shape_of_its_source(size: tuple[int, int], ratio: str) -> None:
    assert nearest_ratio(*size) == ratio

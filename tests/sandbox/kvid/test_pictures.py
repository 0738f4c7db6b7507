"""What the painter draws: every mood at every size, never a character its fonts do not have."""

from __future__ import annotations

from io import BytesIO
from random import Random

import pytest
from PIL import Image, ImageStat

from sandbox.kvid.contract import Generation, parse_submit
from sandbox.kvid.pictures import draw_picture
from sandbox.kvid.pictures.lettering import clean, load_font, split_prompt, wrap
from sandbox.kvid.pictures.moods import read_mood


def build_generation(prompt: str, output_format: str = "png") -> Generation:
    return parse_submit({"prompt": prompt, "output_format": output_format}, "text-to-image")


@pytest.mark.parametrize(
    "prompt",
    [
        "K-pop idol on stage", "portrait, glass skin makeup, pastel pink",
        "걸그룹 군무, 네온", "abstract silk in gold",
        "비 내리는 서울 거리의 밤", "여름 바다의 밴드", "눈 내리는 숲", "confetti finale, glitter",
        "🎤🎤🎤", "a" * 10_000,
        "가" * 10_000, "은 " * 3_000, "!!!", "soft pastel beach, orange and mint",
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [(256, 256), (384, 256), (256, 512)])
def test_every_prompt_becomes_a_picture_with_something_on_it(prompt: str, size: tuple[int, int]) -> None:
    image = Image.open(BytesIO(draw_picture(build_generation(prompt), (), size, 5, 0)))
    assert image.size == size
    assert ImageStat.Stat(image.convert("L")).stddev[0] > 12


def test_the_painter_repeats_itself_to_the_byte_and_numbers_differ() -> None:
    generation = build_generation("가수, 은빛 무대", "jpeg")
    first = draw_picture(generation, (), (256, 256), 5, 0)
    assert draw_picture(generation, (), (256, 256), 5, 0) == first
    assert draw_picture(generation, (), (256, 256), 5, 1) != first
    assert draw_picture(generation, (), (256, 256), 6, 0) != first


@pytest.mark.parametrize(
    ("prompt", "composition", "place"),
    [
        ("closeup portrait", "bust", "stage"), ("얼굴 메이크업", "bust", "stage"),
        ("boys dance crew in the city", "group", "city"),
        ("멤버 단체 사진, 바다", "group", "beach"), ("solo singer in a forest", "solo", "forest"),
        ("향수 제품", "light", "stage"),
    ],
)  # fmt: skip
def test_words_choose_composition_and_place(prompt: str, composition: str, place: str) -> None:
    mood = read_mood(prompt, Random(1))
    assert (mood.composition, mood.place) == (composition, place)


def test_a_colour_named_in_either_language_is_used() -> None:
    assert read_mood("blue stage", Random(1)).first == read_mood("파란 무대", Random(1)).first
    assert read_mood("은 무대", Random(1)).named
    assert not read_mood("아이돌은 밤을 걷는다", Random(1)).named


def test_what_the_fonts_cannot_show_is_replaced_or_left_out() -> None:
    assert clean("déjà 🎤 vu\n\t은빛") == "deja vu 은빛"
    assert clean("\u0000\u202e\u0627") == ""
    assert clean("뷁 똠방각하 ♥") == "뷁 똠방각하 ♥"


def test_a_headline_is_the_first_clause_or_the_first_words() -> None:
    assert split_prompt("Idol on stage, blue light, rain") == ("Idol on stage", "blue light, rain")
    headline, rest = split_prompt("an idol who is walking slowly through the endless rain")
    assert f"{headline} {rest}" == "an idol who is walking slowly through the endless rain"
    assert split_prompt("7.5 litres")[0] == "7.5 litres"
    assert len(split_prompt("가" * 90)[0]) <= 34


@pytest.mark.parametrize("text", ["one two three four five six", "가" * 80, "a" * 80, "한 글자 와 " * 9])
def test_lines_stay_within_their_width_and_number(text: str) -> None:
    font = load_font("light", 20)
    lines, fits = wrap(text, font, 120, 3)
    assert len(lines) <= 3
    assert all(font.getlength(line) <= 120 for line in lines)
    assert fits == (not lines[-1].endswith("…"))

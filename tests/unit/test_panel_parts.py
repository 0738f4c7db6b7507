"""What the settings panel reads from its windows, changes among others' changes, and tells of a change."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from typing import Any

import pytest

from bot.caps.overview import Overtaken, revert
from bot.caps.values import (
    COOLDOWN_S_MAX,
    CREDITS_MAX,
    ENTRIES_MAX,
    Cap,
    CapOf,
    Policy,
)
from bot.errors import AppError
from bot.safety.words import WORDS_PER_LIST_MAX
from cogs._panel import Names
from cogs._panel_acts_caps import put_cap
from cogs._panel_acts_more import read_zone
from cogs._panel_acts_places import put_places
from cogs._panel_format import describe_change
from cogs._panel_input import (
    WORDS_SHOWN_MAX,
    WORDS_TYPED_MAX,
    BadWord,
    read_cap,
    read_length,
    read_number,
    read_words,
    split_pages,
)
from db.enums import BalancePeriod
from tests.unit.test_panel import FULL, KNOWN, TEXT, long_words

# --- what a change did ---


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            {"member_cap": Cap(credits=10)},
            {"member_cap": Cap(credits=20)},
            "Default cap: 10 credits a day → **20 credits a day**",
        ),
        (
            {"cooldown_s": 90},
            {"cooldown_s": 7200},
            "Pause between pictures: 90 seconds → **2 hours**",
        ),
        ({"gifts_allowed": False}, {"gifts_allowed": True}, "Gifts between members: off → **on**"),
        (
            {"role_caps": (CapOf(id=7, cap=Cap(credits=1)), CapOf(id=8, cap=Cap(credits=2)))},
            {"role_caps": (CapOf(id=7, cap=Cap(credits=1)),)},
            "Cap of <@&8>: 2 credits a day → **no cap**",
        ),
        (
            {"denied_places": (1, 2)},
            {"denied_places": (2, 3)},
            "Never here: added <#3> · took out <#1>",
        ),
        ({"automod_words": ("a",)}, {"automod_words": ("b", "c")}, "AutoMod: 2 added, 1 taken out"),
    ],
)
def test_a_change_is_told_in_one_line(before: dict[str, Any], after: dict[str, Any], said: str) -> None:
    told = describe_change(TEXT, Names(), Policy(**before), Policy(**after))
    assert told.startswith("✅ ")
    assert said in told
    assert "\n" not in told


def test_every_setting_has_words_for_its_change() -> None:
    """Whatever of a full policy is set from nothing, there is a line for it, and no raw name of a field."""
    for one in fields(Policy):
        changed = replace(Policy(), **{one.name: getattr(FULL, one.name)})
        told = describe_change(TEXT, KNOWN, Policy(), changed)
        assert told, one.name
        assert one.name not in told
        assert "None" not in told


# --- what is typed ---


@pytest.mark.parametrize(
    ("typed", "amount"),
    [
        ("20", 20),
        (" 20 ", 20),
        ("0", 0),
        ("1,000", 1_000),
        ("1000000", 1_000_000),
        ("1\u202f000\u202f000", 1_000_000),
    ],
)
def test_a_plain_number_is_read(typed: str, amount: int) -> None:
    assert read_number(typed, least=0, most=CREDITS_MAX) == amount


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "٣",
        "-5",
        "1e9",
        "1,00",
        "1.000",
        "1 000",
        "0x1",
        "²",
        "1000001",
        "9" * 5000,
        "１２",
        "1,000,00",
        "+3",
    ],
)
def test_a_number_that_can_be_misread_is_refused(typed: str) -> None:
    with pytest.raises(AppError) as refused:
        read_number(typed, least=0, most=CREDITS_MAX)
    assert refused.value.key == "panel.number"


@pytest.mark.parametrize(("least", "most"), [(1, 10), (0, 50)])
def test_a_refused_number_is_told_no_other_that_would_be_refused(least: int, most: int) -> None:
    with pytest.raises(AppError) as refused:
        read_number("lots", least=least, most=most)
    told = TEXT(refused.value.key, **refused.value.params)
    assert [int(one) for one in re.findall(r"\d+", told)] == [least, most]


@pytest.mark.parametrize(
    ("typed", "period", "cap"),
    [
        ("", "day", None),
        ("unlimited", "week", Cap(credits=None, period=BalancePeriod.WEEK)),
        (" Unlimited ", "day", Cap(credits=None)),
        ("5", "month", Cap(credits=5, period=BalancePeriod.MONTH)),
        ("5", "ever", Cap(credits=5)),
    ],
)
def test_a_cap_is_read_with_its_period(typed: str, period: str, cap: Cap | None) -> None:
    assert read_cap({"typed": [typed], "period": [period]}) == cap


def test_a_length_keeps_to_its_longest_in_every_unit() -> None:
    assert read_length({"typed": ["2"], "unit": ["minute"]}, most_s=COOLDOWN_S_MAX) == 120
    assert read_length({"typed": [""], "unit": ["day"]}, most_s=COOLDOWN_S_MAX) == 0
    with pytest.raises(AppError):
        read_length({"typed": ["25"], "unit": ["hour"]}, most_s=COOLDOWN_S_MAX)


@pytest.mark.parametrize(
    ("typed", "zone"),
    [("Asia/Seoul", "Asia/Seoul"), ("seoul", "Asia/Seoul"), ("new york", "America/New_York")],
)
def test_a_city_is_enough_for_a_time_zone(typed: str, zone: str) -> None:
    assert read_zone(typed) == zone


@pytest.mark.parametrize("typed", ["", "   ", "Atlantis", "e"])
def test_a_zone_that_is_none_or_several_is_refused(typed: str) -> None:
    with pytest.raises(AppError):
        read_zone(typed)


def test_pages_of_a_long_list_hold_every_word_once_and_fit_into_a_window() -> None:
    words = long_words(WORDS_PER_LIST_MAX)
    pages = split_pages(words)
    assert [word for start, end in pages for word in words[start:end]] == list(words)
    assert all(len("\n".join(words[start:end])) <= WORDS_SHOWN_MAX < WORDS_TYPED_MAX for start, end in pages)
    assert split_pages(()) == [(0, 0)]


def test_an_edited_page_stands_between_the_others_without_doubles() -> None:
    assert read_words("b, c", ("a",), ("d",)) == ("a", "b", "c", "d")
    assert read_words("a\nA", ("a",), ("d",)) == ("a", "d")
    full = tuple(f"w{number}" for number in range(WORDS_PER_LIST_MAX))
    refused = read_words("one more", full)
    assert isinstance(refused, BadWord)
    assert refused.key == "panelwords.too_many"


@pytest.mark.parametrize(
    ("typed", "key"),
    [("!!!", "no_letters"), ("x" * 61, "too_long"), ("a\x00b", "control"), ("ok\n\x07", "control")],
)
def test_a_word_that_cannot_be_listed_is_named(typed: str, key: str) -> None:
    refused = read_words(typed)
    assert isinstance(refused, BadWord)
    assert refused.key == f"panelwords.{key}"


# --- changing one of many ---


def test_choosing_places_adds_and_takes_out_only_what_was_touched() -> None:
    assert put_places((1, 2, 3), shown={1, 2}, chosen=(2, 9), most=100) == (2, 3, 9)
    assert put_places((), shown=(), chosen=(4, 4, 5), most=100) == (4, 5)
    assert put_places((7,), shown={1}, chosen=(1,), most=100) == (7,)
    with pytest.raises(AppError):
        put_places(tuple(range(100)), shown=(), chosen=(500,), most=100)


def test_a_cap_is_put_in_place_and_the_others_stay() -> None:
    one, two = (CapOf(id=number, cap=Cap(credits=number)) for number in (1, 2))
    assert put_cap((one, two), 1, Cap(credits=9)) == (CapOf(id=1, cap=Cap(credits=9)), two)
    assert put_cap((one, two), 1, None) == (two,)
    assert put_cap((one,), 2, Cap(credits=2)) == (one, two)
    with pytest.raises(AppError):
        put_cap(FULL.role_caps, 1, Cap(credits=1))
    assert len(put_cap(FULL.role_caps, FULL.role_caps[0].id, Cap(credits=1))) == ENTRIES_MAX


@pytest.mark.parametrize(
    ("now", "before", "after", "reverted"),
    [
        ({"a": 2, "b": 7}, {"a": 1}, {"a": 2}, {"a": 1, "b": 7}),
        ({"a": [1, 2, 9]}, {"a": [1]}, {"a": [1, 2]}, {"a": [1, 9]}),
        ({"a": [1, 9]}, {"a": [1, 2]}, {"a": [1]}, {"a": [1, 9, 2]}),
        (
            {"a": [{"id": 1, "x": 5}, {"id": 2, "x": 2}]},
            {"a": [{"id": 2, "x": 1}]},
            {"a": [{"id": 2, "x": 2}]},
            {"a": [{"id": 1, "x": 5}, {"id": 2, "x": 1}]},
        ),
    ],
)
def test_taking_a_change_back_keeps_what_others_changed(
    now: dict[str, Any], before: dict[str, Any], after: dict[str, Any], reverted: dict[str, Any]
) -> None:
    assert revert(now, before, after) == reverted


@pytest.mark.parametrize(
    ("now", "before", "after"),
    [
        ({"a": 3}, {"a": 1}, {"a": 2}),
        ({"a": [1]}, {"a": [1]}, {"a": [1, 2]}),
        ({"a": [{"id": 1, "x": 9}]}, {"a": [{"id": 1, "x": 1}]}, {"a": [{"id": 1, "x": 2}]}),
        ({"a": None}, {"a": [1]}, {"a": [2]}),
        ({"a": 1}, {"b": 1}, {"b": 2}),
    ],
)
def test_a_change_that_was_overtaken_is_not_taken_back(
    now: dict[str, Any], before: dict[str, Any], after: dict[str, Any]
) -> None:
    with pytest.raises(Overtaken):
        revert(now, before, after)

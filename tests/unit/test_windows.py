"""The windows of moderators: within Discord's bounds, and whatever is typed into one is read as meant or refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.caps.values import Allowance, Cap
from bot.errors import AppError
from cogs import _member_views, _picture_views, _windows
from cogs._member_acts import read_cap
from cogs._studio_members import offer_window
from db.enums import BalancePeriod
from tests.support.wire import buttons_of, text_of
from tests.unit.moderator_parts import CUSTOM_ID_MAX, JOB_ID, ROLE, TEXT, USER, build_history, components

if TYPE_CHECKING:
    from collections.abc import Callable

    from discord import ui


@pytest.mark.parametrize(
    ("cap", "now", "chosen", "typed"),
    [
        (None, "Now: no cap of their own", "day", None),
        (Cap(credits=None), "Now: as much as they like", "unlimited", None),
        (Cap(credits=0, period=BalancePeriod.WEEK), "Now: 0 credits a week", "week", "0"),
        (Cap(credits=50, period=BalancePeriod.MONTH), "Now: 50 credits a month", "month", "50"),
    ],
)
def test_the_window_of_an_own_cap_shows_the_present_one(
    cap: Cap | None, now: str, chosen: str, typed: str | None
) -> None:
    history = build_history(allowance=Allowance(cap=cap or Cap(credits=7), own=cap is not None))
    view = _member_views.member_layout(TEXT, history)
    buttons = {one["label"]: one["custom_id"] for one in buttons_of({"components": components(view)})}
    shown = buttons["Own cap"].removeprefix(f"member1:cap:{USER}").removeprefix(":")
    assert _member_views.read_cap_id(shown) == cap
    words_now, kind, amount, _ = _member_views.cap_window(TEXT, USER, cap).to_dict()["components"]
    assert words_now["content"] == now
    assert [one["value"] for one in kind["component"]["options"] if one.get("default")] == [chosen]
    assert amount["component"].get("value") == typed


@pytest.mark.parametrize("shown", ["ever-5", "day", "day-", "day-x", "week-1000001", "5", ":"])
def test_a_forged_cap_opens_no_window(shown: str) -> None:
    with pytest.raises(AppError, match="stale"):
        _member_views.read_cap_id(shown)


@pytest.mark.parametrize(
    ("typed", "amount"),
    [("5", 5), (" 1,050 ", 1050), ("1 000", 1000), ("1.000.000", 1_000_000), ("1\u202f000", 1000)],
)
def test_a_typed_amount_is_read_with_its_thousands_apart(typed: str, amount: int) -> None:
    assert _windows.parse_amount(typed) == amount


@pytest.mark.parametrize(
    "typed",
    [
        *("", "0", "-1", "1e3", "five", "1000001", "9" * 13, "٣", "½", "0x10"),
        # None of them is ten times as much, nor a hundred times.
        *("1.5", "1,5", "2.50", "1,000.50", "1,00", "1 2", "1..000", "1,000 000", "1,000,"),
    ],
)
def test_another_amount_is_refused(typed: str) -> None:
    with pytest.raises(AppError, match="amount"):
        _windows.parse_amount(typed)


@given(st.text(max_size=40))
def test_whatever_is_typed_is_read_or_refused(typed: str) -> None:
    """An amount, days and ids come from outside; none of them may break anything."""
    for read in (_windows.parse_amount, _windows.parse_days, _windows.parse_id):
        try:
            number = read(typed)
        except AppError:
            continue
        assert number is None or 1 <= number < 2**63


@pytest.mark.parametrize("typed", ["0", "-1", "", "٣", str(2**63), "9999999999999999999"])
def test_what_no_id_can_be_is_no_id(typed: str) -> None:
    """It would otherwise reach the database, which has no room for it."""
    with pytest.raises(AppError, match="stale"):
        _windows.parse_id(typed)
    assert _windows.parse_id(str(2**63 - 1)) == 2**63 - 1


def test_a_count_may_be_nothing_and_no_more_than_credits_may_be() -> None:
    assert _windows.parse_count("0") == 0
    with pytest.raises(AppError, match="stale"):
        _windows.parse_count("1000001")


def test_days_are_a_number_or_never() -> None:
    assert _windows.parse_days("") is None
    assert _windows.parse_days(" 30 ") == 30
    for typed in ("0", "3651", "soon"):
        with pytest.raises(AppError, match="days"):
            _windows.parse_days(typed)


@pytest.mark.parametrize(
    ("values", "cap"),
    [
        ({"cap": ["none"]}, None),
        ({"cap": ["unlimited"], "typed": ["5"]}, Cap(credits=None)),
        ({"cap": ["week"], "typed": ["0"]}, Cap(credits=0, period=BalancePeriod.WEEK)),
        ({"cap": ["month"], "typed": ["1,000"]}, Cap(credits=1000, period=BalancePeriod.MONTH)),
    ],
)
def test_an_own_cap_is_read(values: dict[str, list[str]], cap: Cap | None) -> None:
    assert read_cap(values) == cap


@pytest.mark.parametrize(
    "values", [{}, {"cap": ["ever"], "typed": ["5"]}, {"cap": ["day"]}, {"cap": ["day"], "typed": ["x"]}]
)
def test_another_cap_is_refused(values: dict[str, list[str]]) -> None:
    with pytest.raises(AppError):
        read_cap(values)


@pytest.mark.parametrize(
    "build",
    [
        lambda: _member_views.block_window(TEXT, USER),
        lambda: _member_views.reset_window(TEXT, USER, 1_000_000),
        lambda: _member_views.grant_window(TEXT, USER),
        lambda: _member_views.take_window(TEXT, USER, 1_000_000),
        lambda: _member_views.cap_window(TEXT, USER, Cap(credits=1_000_000)),
        lambda: _picture_views.hide_window(TEXT, JOB_ID, "hide"),
        lambda: _picture_views.hide_window(TEXT, JOB_ID, "both"),
        lambda: _picture_views.block_window(TEXT, JOB_ID),
        lambda: offer_window(TEXT, ROLE, 1_000_000, "x" * 200, 3650),
    ],
)
async def test_a_window_keeps_to_discords_bounds(build: Callable[[], ui.Modal]) -> None:
    modal = build()
    sent = modal.to_dict()
    assert len(sent["title"]) <= 45
    assert len(sent["custom_id"]) <= CUSTOM_ID_MAX
    assert 1 <= len(sent["components"]) <= 5
    for part in sent["components"]:
        assert len(part.get("label", "")) <= 45
        assert len(part.get("description") or "") <= 100
    assert modal.is_finished()


@pytest.mark.parametrize(
    ("days", "told"),
    [
        (None, "within 30 days. They never expire."),
        (1, "within 1 day. What is left expires 1 day from now."),
        (2, "within 2 days. What is left expires 2 days from now."),
        (365, "within 30 days. What is left expires 365 days from now."),
    ],
)
def test_an_offer_to_a_role_says_how_long_it_is_open(days: int | None, told: str) -> None:
    assert told in text_of({"components": offer_window(TEXT, ROLE, 5, "x", days).to_dict()["components"]})

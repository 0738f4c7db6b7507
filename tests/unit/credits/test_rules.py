"""Prices, sizes, periods, and the arithmetic of a settle."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.credits.rules import (
    balance_keys,
    find_limit,
    next_reset,
    price_credits,
    settle_amount,
    size_for_aspect_ratio,
)
from bot.credits.values import LimitReached, LimitRule, Limits
from db.enums import BalancePeriod, BalanceScope
from db.values import BalanceKey

NOW = datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
SEOUL = timezone(timedelta(hours=9))
amounts = st.integers(0, 10_000)


@pytest.mark.parametrize(
    ("width", "height", "price"),
    [
        (512, 512, 2),
        (768, 512, 3),
        (512, 768, 3),
        (768, 768, 4),
        (1024, 768, 6),
        (768, 1024, 6),
        (1024, 1024, 8),
        (256, 256, 1),
        (1024, 576, 5),
        (576, 1024, 5),
        (1000, 400, 3),
        (1000, 800, 6),
    ],
)
def test_a_size_has_its_price_in_either_orientation(width: int, height: int, price: int) -> None:
    assert price_credits(width, height) == price
    assert price_credits(width, height, 4) == 4 * price


@given(st.integers(256, 1024), st.integers(256, 1024))
def test_a_price_is_whole_positive_and_the_same_turned_round(width: int, height: int) -> None:
    assert 1 <= price_credits(width, height) == price_credits(height, width) <= 8


@pytest.mark.parametrize(("width", "height", "count"), [(0, 512, 1), (512, -1, 1), (512, 512, 0)])
def test_nothing_has_no_price(width: int, height: int, count: int) -> None:
    with pytest.raises(ValueError, match="one"):
        price_credits(width, height, count)


@pytest.mark.parametrize(
    ("ratio", "size"),
    [
        ("1:1", (1024, 1024)),
        ("16:9", (1024, 576)),
        ("9:16", (576, 1024)),
        ("4:3", (1024, 768)),
        ("3:2", (1024, 704)),
        ("2:3", (704, 1024)),
        ("21:9", (1024, 448)),
        ("4:5", (832, 1024)),
        ("100:1", (1024, 256)),
        ("1:100", (256, 1024)),
        ("99999:99998", (1024, 1024)),
    ],
)
def test_a_ratio_stands_for_a_size(ratio: str, size: tuple[int, int]) -> None:
    assert size_for_aspect_ratio(ratio) == size


@given(st.integers(1, 99_999), st.integers(1, 99_999))
def test_every_ratio_stands_for_a_size_that_kvid_takes(width: int, height: int) -> None:
    size = size_for_aspect_ratio(f"{width}:{height}")
    assert max(size) == 1024
    assert min(size) >= 256
    assert min(size) % 64 == 0
    assert (size[0] >= size[1]) == (width >= height) or size[0] == size[1]


@pytest.mark.parametrize(
    "ratio", ["", "16", "16:", "0:1", "1:0", "-1:2", "1.5:1", "１:１", "1:1\n", "9" * 9 + ":1"]
)
def test_anything_else_is_no_ratio(ratio: str) -> None:
    with pytest.raises(ValueError, match="aspect ratio"):
        size_for_aspect_ratio(ratio)


def test_a_reservation_in_a_server_counts_in_five_balances_in_locking_order() -> None:
    keys = balance_keys(1, 2, NOW)
    assert keys == tuple(sorted(keys))
    assert {(key.scope, key.owner_id, key.period, key.period_start) for key in keys} == {
        (BalanceScope.MEMBER, 1, BalancePeriod.DAY, date(2026, 12, 31)),
        (BalanceScope.MEMBER, 1, BalancePeriod.MONTH, date(2026, 12, 1)),
        (BalanceScope.MEMBER, 1, BalancePeriod.EVER, date(1970, 1, 1)),
        (BalanceScope.SERVER, 2, BalancePeriod.MONTH, date(2026, 12, 1)),
        (BalanceScope.SERVER, 2, BalancePeriod.EVER, date(1970, 1, 1)),
    }


def test_without_a_server_only_the_member_is_counted() -> None:
    assert [key.scope for key in balance_keys(1, None, NOW)] == [BalanceScope.MEMBER] * 3


def test_periods_are_utc_wherever_the_time_was_read() -> None:
    in_seoul = datetime(2027, 1, 1, 8, 59, tzinfo=SEOUL)
    assert balance_keys(1, 2, in_seoul) == balance_keys(1, 2, NOW)
    assert next_reset(BalancePeriod.DAY, in_seoul) == datetime(2027, 1, 1, tzinfo=UTC)


def test_a_time_without_a_zone_has_no_period() -> None:
    with pytest.raises(ValueError, match="aware"):
        balance_keys(1, None, NOW.replace(tzinfo=None))


@pytest.mark.parametrize(
    ("now", "day", "month"),
    [
        (NOW, datetime(2027, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        (
            datetime(2028, 2, 28, tzinfo=UTC),
            datetime(2028, 2, 29, tzinfo=UTC),
            datetime(2028, 3, 1, tzinfo=UTC),
        ),
        (
            datetime(2026, 1, 30, 12, tzinfo=UTC),
            datetime(2026, 1, 31, tzinfo=UTC),
            datetime(2026, 2, 1, tzinfo=UTC),
        ),
    ],
)
def test_a_period_ends_at_the_next_utc_midnight_that_belongs_to_it(
    now: datetime, day: datetime, month: datetime
) -> None:
    assert next_reset(BalancePeriod.DAY, now) == day
    assert next_reset(BalancePeriod.MONTH, now) == month
    assert next_reset(BalancePeriod.EVER, now) is None


def test_limits_govern_the_members_day_and_the_servers_month_alone() -> None:
    limits = Limits(member_daily_credits=10, server_monthly_credits=0)
    found = {(key.scope, key.period): find_limit(key, limits) for key in balance_keys(1, 2, NOW)}
    assert {where: limit for where, limit in found.items() if limit} == {
        (BalanceScope.MEMBER, BalancePeriod.DAY): (LimitRule.MEMBER_DAILY, 10),
        (BalanceScope.SERVER, BalancePeriod.MONTH): (LimitRule.SERVER_MONTHLY, 0),
    }
    assert all(find_limit(key, Limits()) is None for key in balance_keys(1, 2, NOW))


@given(amounts, amounts, amounts)
def test_a_settle_splits_what_was_reported_and_charges_no_more_than_allowed(
    reserved: int, used: int, tolerance: int
) -> None:
    charged, excess = settle_amount(reserved, used, tolerance)
    assert charged + excess == used
    assert 0 <= charged <= reserved + tolerance
    assert excess == 0 or charged == reserved + tolerance


@pytest.mark.parametrize(("used", "held", "left"), [(3, 4, 3), (10, 0, 0), (12, 0, 0)])
def test_a_refusal_says_what_is_left_and_never_less_than_nothing(used: int, held: int, left: int) -> None:
    refusal = LimitReached(
        rule=LimitRule.MEMBER_DAILY,
        limit_credits=10,
        used_credits=used,
        held_credits=held,
        needed_credits=8,
        resets_at=NOW,
    )
    assert refusal.left_credits == left


def test_balance_keys_of_equal_parts_are_equal() -> None:
    parts = {"scope": BalanceScope.MEMBER, "owner_id": 1, "period": BalancePeriod.DAY}
    one, two = (BalanceKey(**parts, period_start=date(2026, 1, day)) for day in (1, 2))  # type: ignore[arg-type]
    assert one < two

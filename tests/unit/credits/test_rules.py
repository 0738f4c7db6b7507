"""Prices, sizes, periods, and the arithmetic of a settle."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.credits.rules import (
    EVER_START,
    balance_keys,
    build_key,
    draw_grants,
    local_day,
    next_reset,
    period_start,
    price_credits,
    settle_amount,
    size_for_aspect_ratio,
    split_charge,
)
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


def keys_of(guild_id: int | None = 2, channel_id: int | None = 3) -> tuple[BalanceKey, ...]:
    return balance_keys(
        user_id=1,
        guild_id=guild_id,
        channel_id=channel_id,
        local_date=date(2027, 1, 1),
        utc_date=date(2026, 12, 31),
    )


MEMBERS_OWN = {
    (BalanceScope.MEMBER, 0, 1, BalancePeriod.DAY, date(2026, 12, 31)),
    (BalanceScope.MEMBER, 0, 1, BalancePeriod.MONTH, date(2026, 12, 1)),
    (BalanceScope.MEMBER, 0, 1, BalancePeriod.EVER, EVER_START),
}
IN_A_SERVER = MEMBERS_OWN | {
    (BalanceScope.MEMBERSHIP, 2, 1, BalancePeriod.DAY, date(2027, 1, 1)),
    (BalanceScope.MEMBERSHIP, 2, 1, BalancePeriod.WEEK, date(2026, 12, 28)),
    (BalanceScope.MEMBERSHIP, 2, 1, BalancePeriod.MONTH, date(2027, 1, 1)),
    (BalanceScope.MEMBERSHIP, 2, 1, BalancePeriod.EVER, EVER_START),
    (BalanceScope.SERVER, 2, 2, BalancePeriod.DAY, date(2027, 1, 1)),
    (BalanceScope.SERVER, 2, 2, BalancePeriod.MONTH, date(2027, 1, 1)),
    (BalanceScope.SERVER, 2, 2, BalancePeriod.EVER, EVER_START),
}
IN_A_CHANNEL = IN_A_SERVER | {
    (BalanceScope.CHANNEL, 2, 3, BalancePeriod.DAY, date(2027, 1, 1)),
    (BalanceScope.CHANNEL, 2, 3, BalancePeriod.WEEK, date(2026, 12, 28)),
    (BalanceScope.CHANNEL, 2, 3, BalancePeriod.MONTH, date(2027, 1, 1)),
}


@pytest.mark.parametrize(
    ("guild_id", "channel_id", "counted"),
    [(None, None, MEMBERS_OWN), (None, 3, MEMBERS_OWN), (2, None, IN_A_SERVER), (2, 3, IN_A_CHANNEL)],
)
def test_a_reservation_counts_in_these_balances_in_locking_order(
    guild_id: int | None, channel_id: int | None, counted: set[object]
) -> None:
    keys = keys_of(guild_id, channel_id)
    assert keys == tuple(sorted(keys))
    assert {(k.scope, k.guild_id, k.owner_id, k.period, k.period_start) for k in keys} == counted
    assert len(keys) == len(counted)


def test_periods_are_utc_wherever_the_time_was_read() -> None:
    in_seoul = datetime(2027, 1, 1, 8, 59, tzinfo=SEOUL)
    assert local_day(in_seoul, UTC) == date(2026, 12, 31)
    assert local_day(NOW, SEOUL) == date(2027, 1, 1)
    assert next_reset(BalancePeriod.DAY, in_seoul) == datetime(2027, 1, 1, tzinfo=UTC)


def test_a_time_without_a_zone_has_no_period() -> None:
    with pytest.raises(ValueError, match="aware"):
        local_day(NOW.replace(tzinfo=None), UTC)
    with pytest.raises(ValueError, match="aware"):
        next_reset(BalancePeriod.DAY, NOW.replace(tzinfo=None))


@given(st.dates(date(1971, 1, 1), date(9000, 1, 1)))
def test_every_period_begins_at_or_before_its_days_and_holds_all_of_them(day: date) -> None:
    for period in BalancePeriod:
        start = period_start(period, day)
        assert start <= day
        assert period_start(period, start) == start
    assert period_start(BalancePeriod.WEEK, day).weekday() == 0
    assert (day - period_start(BalancePeriod.WEEK, day)).days < 7
    assert period_start(BalancePeriod.MONTH, day) == day.replace(day=1)


def test_a_key_names_the_period_that_contains_a_day() -> None:
    key = build_key(BalanceScope.CHANNEL, 2, 3, BalancePeriod.WEEK, date(2026, 3, 1))
    assert (key.guild_id, key.owner_id, key.period_start) == (2, 3, date(2026, 2, 23))


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


@given(amounts, amounts, amounts)
def test_a_settle_splits_what_was_reported_and_charges_no_more_than_allowed(
    reserved: int, used: int, tolerance: int
) -> None:
    charged, excess = settle_amount(reserved, used, tolerance)
    assert charged + excess == used
    assert 0 <= charged <= reserved + tolerance
    assert excess == 0 or charged == reserved + tolerance


GRANTS = st.lists(st.integers(1, 50), max_size=5)


@given(GRANTS, st.integers(0, 100), st.integers(0, 400))
def test_a_charge_is_borne_by_the_allowance_first_and_then_by_the_grants_in_their_order(
    held: list[int], allowance: int, used: int
) -> None:
    parts = [(str(index), amount) for index, amount in enumerate(held)]
    reserved = allowance + sum(held)
    charged = min(used, reserved)
    borne = split_charge(charged, reserved, parts)
    assert sum(amount for _, amount in borne) == max(0, charged - allowance)
    assert [grant_id for grant_id, _ in borne] == [grant_id for grant_id, _ in parts[: len(borne)]]
    for index, (_, amount) in enumerate(borne):
        full = parts[index][1]
        assert 0 < amount <= full
        assert amount == full or index == len(borne) - 1


@given(GRANTS, st.integers(0, 300))
def test_grants_are_drawn_in_their_order_to_the_last_credit_needed_or_not_at_all(
    left: list[int], needed: int
) -> None:
    drawn = draw_grants(needed, [(str(index), amount) for index, amount in enumerate(left)])
    if needed > sum(left):
        assert drawn is None
        return
    assert drawn is not None
    assert sum(amount for _, amount in drawn) == needed
    for index, (grant_id, amount) in enumerate(drawn):
        assert grant_id == str(index)
        assert 0 < amount <= left[index]
        assert amount == left[index] or index == len(drawn) - 1


def test_balance_keys_of_equal_parts_are_equal() -> None:
    parts = {"scope": BalanceScope.MEMBER, "guild_id": 0, "owner_id": 1, "period": BalancePeriod.DAY}
    one, two = (BalanceKey(**parts, period_start=date(2026, 1, day)) for day in (1, 2))  # type: ignore[arg-type]
    assert one < two

"""Prices, sizes, periods and the arithmetic of a settle. Pure.

Owns every number about credits that is not stored. Must not read a clock, a setting or the database.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, assert_never

from bot.credits.values import LimitRule
from db.enums import BalancePeriod, BalanceScope
from db.values import BalanceKey

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.credits.values import Limits

# Long side, short side -> credits for one picture. Source: kvid's price page as read in kvid-api-notes.
PRICE_TABLE: Mapping[tuple[int, int], int] = {
    (512, 512): 2,
    (768, 512): 3,
    (768, 768): 4,
    (1024, 768): 6,
    (1024, 1024): 8,
}
# 7.5 credits per 1,000,000 pixels, kept whole: 15 credits per 2,000,000.
_RATE_CREDITS, _RATE_PIXELS = 15, 2_000_000

LONG_SIDE_PIXELS = 1024
SIDE_STEP_PIXELS = 64
SIDE_MIN_PIXELS = 256
_ASPECT_RATIO = re.compile(r"([0-9]{1,5}):([0-9]{1,5})")

EVER_START = date(1970, 1, 1)


def price_credits(width: int, height: int, image_count: int = 1) -> int:
    """Estimate what a job costs; kvid's report decides later.

    Raises: ValueError for a side or a count below one.
    """
    if min(width, height, image_count) < 1:
        raise ValueError("sides and count start at one")
    one = PRICE_TABLE.get((max(width, height), min(width, height)))
    if one is None:
        one = -(-width * height * _RATE_CREDITS // _RATE_PIXELS)
    return one * image_count


def size_for_aspect_ratio(aspect_ratio: str) -> tuple[int, int]:
    """Give the size that a ratio such as "16:9" stands for.

    Shape: (width, height); the long side 1024 pixels, the short one the nearest multiple of 64, at least 256.
    Raises: ValueError when it is not two positive whole numbers and a colon.
    """
    match = _ASPECT_RATIO.fullmatch(aspect_ratio)
    width, height = (int(part) for part in match.groups()) if match else (0, 0)
    if width == 0 or height == 0:
        raise ValueError("an aspect ratio is two positive numbers and a colon")
    long, short = max(width, height), min(width, height)
    steps = (2 * LONG_SIDE_PIXELS * short + SIDE_STEP_PIXELS * long) // (2 * SIDE_STEP_PIXELS * long)
    side = max(SIDE_MIN_PIXELS, steps * SIDE_STEP_PIXELS)
    return (LONG_SIDE_PIXELS, side) if width >= height else (side, LONG_SIDE_PIXELS)


def balance_keys(user_id: int, guild_id: int | None, reserved_at: datetime) -> tuple[BalanceKey, ...]:
    """Name every balance that a reservation counts in, in the order in which they are locked.

    Raises: ValueError for a naive time.
    """
    keys = [_build_key(BalanceScope.MEMBER, user_id, period, reserved_at) for period in BalancePeriod]
    if guild_id is not None:
        periods = (BalancePeriod.MONTH, BalancePeriod.EVER)
        keys += [_build_key(BalanceScope.SERVER, guild_id, period, reserved_at) for period in periods]
    return tuple(sorted(keys))


def find_limit(key: BalanceKey, limits: Limits) -> tuple[LimitRule, int] | None:
    """Find the limit that governs a balance, if one does."""
    match key.scope, key.period:
        case BalanceScope.MEMBER, BalancePeriod.DAY:
            rule, limit_credits = LimitRule.MEMBER_DAILY, limits.member_daily_credits
        case BalanceScope.SERVER, BalancePeriod.MONTH:
            rule, limit_credits = LimitRule.SERVER_MONTHLY, limits.server_monthly_credits
        case _:
            return None
    return None if limit_credits is None else (rule, limit_credits)


def period_start(period: BalancePeriod, at: datetime) -> date:
    """Give the first UTC day of the period that contains `at`.

    Raises: ValueError for a naive time.
    """
    day = _utc_day(at)
    match period:
        case BalancePeriod.DAY:
            return day
        case BalancePeriod.MONTH:
            return day.replace(day=1)
        case BalancePeriod.EVER:
            return EVER_START
        case _:
            assert_never(period)


def next_reset(period: BalancePeriod, now: datetime) -> datetime | None:
    """Tell when the period that contains `now` ends; EVER does not.

    Raises: ValueError for a naive time.
    """
    start = period_start(period, now)
    match period:
        case BalancePeriod.DAY:
            end = start + timedelta(days=1)
        case BalancePeriod.MONTH:
            end = (start + timedelta(days=31)).replace(day=1)
        case BalancePeriod.EVER:
            return None
        case _:
            assert_never(period)
    return datetime.combine(end, time(), UTC)


def settle_amount(reserved: int, used: int, tolerance: int) -> tuple[int, int]:
    """Split what kvid reported into what the member is charged and what the operator bears.

    Shape: (charged, excess), in credits; charged is at most reserved + tolerance.
    """
    charged = min(used, reserved + tolerance)
    return charged, used - charged


def _build_key(scope: BalanceScope, owner_id: int, period: BalancePeriod, at: datetime) -> BalanceKey:
    return BalanceKey(scope=scope, owner_id=owner_id, period=period, period_start=period_start(period, at))


def _utc_day(at: datetime) -> date:
    if at.tzinfo is None:
        raise ValueError("a period needs an aware time")
    return at.astimezone(UTC).date()

"""Prices, sizes, periods and the arithmetic of a settle. Pure.

Owns every number about credits that is not stored. Must not read a clock, a setting or the database.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, assert_never

from db.enums import BalancePeriod, BalanceScope
from db.values import BalanceKey

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import tzinfo

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

_ALL_PERIODS = tuple(BalancePeriod)
_MEMBER_PERIODS = (BalancePeriod.DAY, BalancePeriod.MONTH, BalancePeriod.EVER)
_SERVER_PERIODS = (BalancePeriod.DAY, BalancePeriod.MONTH, BalancePeriod.EVER)
# Where a refund gives back: what kvid was paid stays counted where the operator's own limits look.
REFUNDED_SCOPES = frozenset({BalanceScope.CHANNEL, BalanceScope.MEMBERSHIP})
_CHANNEL_PERIODS = (BalancePeriod.DAY, BalancePeriod.WEEK, BalancePeriod.MONTH)


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


def balance_keys(
    *, user_id: int, guild_id: int | None, channel_id: int | None, local_date: date, utc_date: date
) -> tuple[BalanceKey, ...]:
    """Name every balance that a reservation counts in, in the order in which they are locked.

    Shape: the member's own counters by the UTC day; in a server also the channel's, the membership's and the
    server's, by the day in the server's time zone.
    """
    counted: list[tuple[BalanceScope, int, int, date, tuple[BalancePeriod, ...]]] = [
        (BalanceScope.MEMBER, 0, user_id, utc_date, _MEMBER_PERIODS)
    ]
    if guild_id is not None:
        counted += [
            (BalanceScope.SERVER, guild_id, guild_id, local_date, _SERVER_PERIODS),
            (BalanceScope.MEMBERSHIP, guild_id, user_id, local_date, _ALL_PERIODS),
        ]
        if channel_id is not None:
            counted.append((BalanceScope.CHANNEL, guild_id, channel_id, local_date, _CHANNEL_PERIODS))
    starts = {
        day: {period: period_start(period, day) for period in _ALL_PERIODS} for day in {local_date, utc_date}
    }
    keys = [
        BalanceKey(scope, guild, owner, period, starts[day][period])
        for scope, guild, owner, day, periods in counted
        for period in periods
    ]
    return tuple(sorted(keys))


def build_key(
    scope: BalanceScope, guild_id: int, owner_id: int, period: BalancePeriod, day: date
) -> BalanceKey:
    """Name the balance of the period that contains `day`."""
    return BalanceKey(
        scope=scope,
        guild_id=guild_id,
        owner_id=owner_id,
        period=period,
        period_start=period_start(period, day),
    )


def period_start(period: BalancePeriod, day: date) -> date:
    """Give the first day of the period that contains `day`; weeks begin on Monday."""
    match period:
        case BalancePeriod.DAY:
            return day
        case BalancePeriod.WEEK:
            return day - timedelta(days=day.weekday())
        case BalancePeriod.MONTH:
            return day.replace(day=1)
        case BalancePeriod.EVER:
            return EVER_START
        case _:
            assert_never(period)


def local_day(at: datetime, zone: tzinfo) -> date:
    """Tell which day it is in a time zone.

    Raises: ValueError for a naive time.
    """
    if at.tzinfo is None:
        raise ValueError("a day needs an aware time")
    return at.astimezone(zone).date()


def next_reset(period: BalancePeriod, now: datetime, zone: tzinfo = UTC) -> datetime | None:
    """Tell when the period that contains `now` ends in a time zone; EVER does not.

    Shape: UTC. Where midnight is skipped by daylight saving time, the first moment of the new day.
    Raises: ValueError for a naive time.
    """
    start = period_start(period, local_day(now, zone))
    match period:
        case BalancePeriod.DAY:
            end = start + timedelta(days=1)
        case BalancePeriod.WEEK:
            end = start + timedelta(days=7)
        case BalancePeriod.MONTH:
            end = (start + timedelta(days=31)).replace(day=1)
        case BalancePeriod.EVER:
            return None
        case _:
            assert_never(period)
    return datetime.combine(end, time(), zone).astimezone(UTC)


def settle_amount(reserved: int, used: int, tolerance: int) -> tuple[int, int]:
    """Split what kvid reported into what the member is charged and what the operator bears.

    Shape: (charged, excess), in credits; charged is at most reserved + tolerance.
    """
    charged = min(used, reserved + tolerance)
    return charged, used - charged


def split_charge(
    charged: int, reserved: int, parts: Sequence[tuple[str, int]]
) -> tuple[tuple[str, int], ...]:
    """Tell what of a charge each grant bears: the allowance goes first, then the grants in their order.

    Shape: (grant id, credits) for grants that bear anything; `parts` is what the reservation held of each.
    """
    rest = charged - (reserved - sum(amount for _, amount in parts))
    borne = []
    for grant_id, amount in parts:
        share = max(0, min(rest, amount))
        rest -= share
        if share:
            borne.append((grant_id, share))
    return tuple(borne)


def draw_grants(needed: int, grants: Sequence[tuple[str, int]]) -> tuple[tuple[str, int], ...] | None:
    """Take `needed` credits from grants in their order.

    Shape: (grant id, credits); None when all of them together are too little.
    """
    drawn = []
    for grant_id, left in grants:
        if needed <= 0:
            break
        share = min(needed, left)
        needed -= share
        drawn.append((grant_id, share))
    return None if needed > 0 else tuple(drawn)

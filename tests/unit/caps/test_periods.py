"""Days, weeks and months of a server: where they end, through daylight saving time, leap days and month ends."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.caps.limits import day_of, keys_of
from bot.caps.values import Policy
from bot.caps.zones import find_zone, list_zones, suggest_zones, zone_of_locale
from bot.credits.rules import local_day, next_reset, period_start
from db.enums import BalancePeriod, BalanceScope
from tests.unit.caps.questions import ASKER, ask

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.caps.rules import Question

DAY, WEEK, MONTH = BalancePeriod.DAY, BalancePeriod.WEEK, BalancePeriod.MONTH
NEW_YORK, SEOUL = "America/New_York", "Asia/Seoul"
INSTANT = timedelta(microseconds=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "now", "period", "end"),
    [
        # Spring: 8 March 2026 has 23 hours in New York.
        (NEW_YORK, "2026-03-08 04:59:59", DAY, "2026-03-08 05:00"),
        (NEW_YORK, "2026-03-08 05:00:00", DAY, "2026-03-09 04:00"),
        (NEW_YORK, "2026-03-08 05:00:00", WEEK, "2026-03-09 04:00"),
        (NEW_YORK, "2026-03-01 05:00:00", MONTH, "2026-04-01 04:00"),
        # Autumn: 1 November 2026 has 25 hours there, and both of its hours from one to two are that day.
        (NEW_YORK, "2026-11-01 05:30:00", DAY, "2026-11-02 05:00"),
        (NEW_YORK, "2026-11-01 06:30:00", DAY, "2026-11-02 05:00"),
        (NEW_YORK, "2026-11-01 03:59:59", MONTH, "2026-11-01 04:00"),
        (NEW_YORK, "2026-11-01 04:00:00", MONTH, "2026-12-01 05:00"),
        # Seoul keeps its clocks.
        (SEOUL, "2026-03-08 14:59:59", DAY, "2026-03-08 15:00"),
        (SEOUL, "2026-03-08 15:00:00", DAY, "2026-03-09 15:00"),
        (SEOUL, "2026-11-01 15:00:00", WEEK, "2026-11-08 15:00"),
        (SEOUL, "2026-12-31 15:00:00", MONTH, "2027-01-31 15:00"),
        # Leap days.
        (SEOUL, "2028-02-28 15:00:00", DAY, "2028-02-29 15:00"),
        (SEOUL, "2028-02-28 15:00:00", MONTH, "2028-02-29 15:00"),
        (NEW_YORK, "2028-02-29 05:00:00", DAY, "2028-03-01 05:00"),
        (NEW_YORK, "2100-02-28 05:00:00", DAY, "2100-03-01 05:00"),
        # Midnight does not exist: Cairo's clocks go from 24:00 to 1:00 on 24 April 2026.
        ("Africa/Cairo", "2026-04-23 12:00:00", DAY, "2026-04-23 22:00"),
        ("Africa/Cairo", "2026-04-23 22:00:00", DAY, "2026-04-24 21:00"),
        # Midnight comes twice: Havana's go from 1:00 to 0:00 on 1 November 2026.
        ("America/Havana", "2026-10-31 12:00:00", DAY, "2026-11-01 04:00"),
        ("America/Havana", "2026-11-01 05:30:00", DAY, "2026-11-02 05:00"),
        # The hour before midnight comes twice: Santiago's go from 24:00 to 23:00 on 4 April 2026.
        ("America/Santiago", "2026-04-05 03:30:00", DAY, "2026-04-05 04:00"),
        # A whole day does not exist: Samoa had no 30 December 2011.
        ("Pacific/Apia", "2011-12-29 12:00:00", DAY, "2011-12-30 10:00"),
        ("UTC", "2026-01-31 23:59:59", MONTH, "2026-02-01 00:00"),
    ],
)
def test_a_period_ends_at_its_own_midnight(zone: str, now: str, period: BalancePeriod, end: str) -> None:
    at = utc(now)
    assert next_reset(period, at, ZoneInfo(zone)) == utc(end)
    assert local_day(utc(end), ZoneInfo(zone)) != local_day(utc(end) - INSTANT, ZoneInfo(zone))


@given(
    st.sampled_from(list_zones()),
    st.floats(utc("2012-01-01").timestamp(), utc("2060-01-01").timestamp()),
    st.sampled_from([DAY, WEEK, MONTH]),
)
def test_until_its_end_every_moment_is_of_the_same_period_and_then_the_next_begins(
    zone: str, moment: float, period: BalancePeriod
) -> None:
    now, place = datetime.fromtimestamp(moment, UTC), ZoneInfo(zone)
    start = period_start(period, local_day(now, place))
    end = next_reset(period, now, place)
    assert end is not None
    assert now < end <= now + timedelta(days=32)
    for before in (end - INSTANT, now + (end - now) / 2):
        assert period_start(period, local_day(before, place)) == start
    assert period_start(period, local_day(end, place)) > start


def test_what_counts_for_ever_never_starts_over() -> None:
    assert next_reset(BalancePeriod.EVER, utc("2026-03-08"), ZoneInfo(SEOUL)) is None


def starts_of(question: Question) -> Iterator[tuple[BalanceScope, BalancePeriod, date]]:
    for key in question.keys:
        if key.period is not BalancePeriod.EVER:
            yield key.scope, key.period, key.period_start


def test_a_servers_balances_are_of_its_own_day_and_a_members_of_the_utc_day() -> None:
    # The last evening of a leap February in UTC is the first morning of March in Seoul.
    now = utc("2028-02-29 15:30")
    question = ask(policy=Policy(time_zone=SEOUL), now=now)
    here, everywhere = date(2028, 3, 1), date(2028, 2, 29)
    assert set(starts_of(question)) == {
        (BalanceScope.MEMBER, DAY, everywhere),
        (BalanceScope.MEMBER, MONTH, date(2028, 2, 1)),
        *((scope, DAY, here) for scope in BalanceScope if scope is not BalanceScope.MEMBER),
        *((scope, MONTH, here) for scope in BalanceScope if scope is not BalanceScope.MEMBER),
        (BalanceScope.MEMBERSHIP, WEEK, date(2028, 2, 28)),
        (BalanceScope.CHANNEL, WEEK, date(2028, 2, 28)),
    }
    assert question.local_date == here == day_of(now, Policy(time_zone=SEOUL))
    assert keys_of(ASKER, Policy(time_zone=NEW_YORK), now) != question.keys


# --- zones ---


@pytest.mark.parametrize(
    ("locale", "zone"),
    [("en-US", NEW_YORK), ("ko", SEOUL), ("de", "Europe/Berlin"), ("xx", "UTC"), ("", "UTC"), (None, "UTC")],
)
def test_a_servers_language_gives_its_first_zone(locale: str | None, zone: str) -> None:
    assert zone_of_locale(locale) == zone


def test_every_zone_that_is_offered_exists() -> None:
    for name in (*list_zones(), *suggest_zones("", "UTC")):
        assert ZoneInfo(name).key == name


@pytest.mark.parametrize(
    ("typed", "zone"),
    [
        ("asia/seoul", SEOUL),
        (" america/new york ", NEW_YORK),
        ("utc", "UTC"),
        ("Etc/GMT+9", None),
        ("../../etc/passwd", None),
        ("", None),
        ("Seoul", None),
    ],
)
def test_a_zone_is_found_by_its_whole_name_alone(typed: str, zone: str | None) -> None:
    assert find_zone(typed) == zone


def test_zones_are_suggested_by_their_city_first_and_never_more_than_discord_shows() -> None:
    assert suggest_zones("seo", "UTC")[0] == SEOUL
    assert suggest_zones("new y", "UTC")[0] == NEW_YORK
    assert suggest_zones("", SEOUL)[0] == SEOUL
    assert len(suggest_zones("", SEOUL)) == len(set(suggest_zones("", SEOUL))) == 25
    assert len(suggest_zones("a", "UTC")) == 25
    assert suggest_zones("no such place", "UTC") == []

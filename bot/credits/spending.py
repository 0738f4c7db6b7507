"""What was used and what is held, read from the ledger's running sums.

Joins the caller's transaction and only reads. Must not know Discord, settings or the clock.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from bot.credits import rules
from bot.credits.values import Usage
from db.enums import BalancePeriod, BalanceScope
from db.queries import balances as balance_queries
from db.queries import credits as queries
from db.values import Balance, BalanceKey

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from sqlalchemy import Connection

OPEN_RESERVATIONS_MAX = 1_000


def find_forgivable(c: Connection, key: BalanceKey) -> int:
    """Tell what a reset would forgive in a membership's balance: what its cap counts but does not hold.

    Transaction: joins, and only reads.
    """
    balance = balance_queries.find_balance(c, key) or Balance(key=key)
    open_ones = queries.list_open_reservations(c, key.guild_id, key.owner_id, OPEN_RESERVATIONS_MAX)
    held = sum(
        one.amount_credits - one.granted_credits
        for one in open_ones
        if rules.period_start(key.period, one.local_date) == key.period_start
    )
    return max(0, balance.counted_credits - held)


def find_usage(c: Connection, *, user_id: int, now: datetime) -> Usage:
    """Tell what a member used today and this month (UTC) in all servers, and what running jobs hold.

    Transaction: joins, and only reads.
    """
    day = rules.local_day(now, UTC)
    found = _read_periods(c, BalanceScope.MEMBER, 0, user_id, day)
    return Usage(
        today_credits=found[BalancePeriod.DAY].used_credits,
        month_credits=found[BalancePeriod.MONTH].used_credits,
        held_credits=found[BalancePeriod.EVER].held_credits,
    )


def find_usage_in_server(c: Connection, *, guild_id: int, user_id: int, local_date: date) -> Usage:
    """Tell what a member used in one server in the running periods of its time zone.

    Transaction: joins, and only reads.
    """
    found = _read_periods(c, BalanceScope.MEMBERSHIP, guild_id, user_id, local_date)
    return Usage(
        today_credits=found[BalancePeriod.DAY].used_credits,
        week_credits=found[BalancePeriod.WEEK].used_credits,
        month_credits=found[BalancePeriod.MONTH].used_credits,
        held_credits=found[BalancePeriod.EVER].held_credits,
    )


def _read_periods(
    c: Connection, scope: BalanceScope, guild_id: int, owner_id: int, day: date
) -> Mapping[BalancePeriod, Balance]:
    keys = {period: rules.build_key(scope, guild_id, owner_id, period, day) for period in BalancePeriod}
    found = balance_queries.find_balances(c, list(keys.values()))
    return {period: found.get(key) or Balance(key=key) for period, key in keys.items()}

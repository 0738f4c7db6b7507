"""Which cap and which budget govern, which counters a request counts in, which grants may be spent. Pure.

Owns what the decision, the cards and the operator's verbs must say alike. Must not know a request, a clock or
the database.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from bot.caps.values import Allowance, Asker, Cap, OperatorLimits, Policy
from bot.credits.rules import balance_keys, local_day
from db.enums import BalancePeriod
from db.values import FOREVER, BalanceKey

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date, datetime

    from db.values import CreditGrant, Membership

# How much a credit per period is worth beside others: 210 days hold whole days, weeks and months of 30 days.
PERIODS_IN_210_DAYS = {BalancePeriod.DAY: 210, BalancePeriod.WEEK: 30, BalancePeriod.MONTH: 7}


def day_of(now: datetime, policy: Policy) -> date:
    """The day it is in the server."""
    return local_day(now, ZoneInfo(policy.time_zone))


def keys_of(asker: Asker, policy: Policy, now: datetime) -> tuple[BalanceKey, ...]:
    """Every balance that a reservation of this asker counts in now."""
    return balance_keys(
        user_id=asker.user_id,
        guild_id=asker.guild_id,
        channel_id=asker.channel_id,
        local_date=local_day(now, ZoneInfo(policy.time_zone)),
        utc_date=local_day(now, UTC),
    )


def budget_of(policy: Policy, operator: OperatorLimits) -> int | None:
    """What a server may use per month; None is unlimited."""
    own = policy.operator_budget_credits
    ceiling = own if own is not None else operator.server_monthly_credits
    return lower_of(ceiling, policy.server_budget_credits)


def lower_of(first: int | None, second: int | None) -> int | None:
    given = [limit for limit in (first, second) if limit is not None]
    return min(given) if given else None


def spendable(grants: Iterable[CreditGrant], now: datetime) -> list[CreditGrant]:
    """Grants with credits left, soonest to expire first, those that never do last."""
    usable = [
        one for one in grants if one.left_credits > 0 and (one.expires_at is None or one.expires_at > now)
    ]
    return sorted(usable, key=lambda one: (one.expires_at or FOREVER, one.created_at, one.id))


def effective_cap(policy: Policy, membership: Membership | None, role_ids: Iterable[int]) -> Allowance:
    """The cap that governs a member: their own, else the most generous of their roles', else the default.

    Shape: an Allowance with the cap and its origin alone.
    """
    if membership is not None and membership.cap_period is not None:
        return Allowance(cap=Cap(credits=membership.cap_credits, period=membership.cap_period), own=True)
    held = set(role_ids)
    of_roles = [entry for entry in policy.role_caps if entry.id in held]
    if of_roles:
        best = max(of_roles, key=lambda entry: generosity(entry.cap))
        return Allowance(cap=best.cap, role_id=best.id)
    return Allowance(cap=policy.member_cap)


def generosity(cap: Cap) -> tuple[bool, int]:
    """How much a cap allows, for comparing caps of different periods."""
    return cap.credits is None, (cap.credits or 0) * PERIODS_IN_210_DAYS[cap.period]

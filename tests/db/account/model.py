"""What the ledger must say, worked out anew from what happened: plain lists and loops, nothing of the ledger's.

Owns its own idea of caps, days and the order in which credits are used. Knows the policies' values, but neither the
rules nor the tables.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from tests.db.account.values import DISTANT, Granted, Held, Key, Offer, Parts, Sums, first_day, total

if TYPE_CHECKING:
    from collections.abc import Collection

    from bot.caps.values import Cap, OperatorLimits, Policy


class Account:
    """All that happened, and what follows from it."""

    def __init__(self, operator: OperatorLimits, zones: dict[int, str]) -> None:
        self.operator = operator
        self.zones = {guild_id: ZoneInfo(name) for guild_id, name in zones.items()}
        self.policies: dict[int, Policy] = {}
        self.member_caps: dict[tuple[int, int], Cap] = {}
        self.grants: dict[str, Granted] = {}
        self.offers: dict[str, Offer] = {}
        self.holds: dict[str, Held] = {}
        self.resets: dict[Key, int] = {}
        # By moderators' hands into the account, and by expiry and correction out of it.
        self.granted_credits = 0
        self.ended_credits = 0

    # --- counting ---

    def day_in(self, guild_id: int | None, at: datetime) -> date:
        return at.astimezone(self.zones.get(guild_id or 0, UTC)).date()

    def keys_of(self, held: Held) -> list[Key]:
        keys = [
            ("member", 0, held.user_id, period, first_day(period, held.at.date()))
            for period in ("day", "month", "ever")
        ]
        guild = held.guild_id
        if guild is None:
            return keys
        places = [
            ("server", guild, ("day", "month", "ever")),
            ("membership", held.user_id, ("day", "week", "month", "ever")),
        ]
        if held.channel_id is not None:
            places.append(("channel", held.channel_id, ("day", "week", "month")))
        return keys + [
            (scope, guild, owner, period, first_day(period, held.day))
            for scope, owner, periods in places
            for period in periods
        ]

    def balances(self) -> dict[Key, Sums]:
        found: dict[Key, Sums] = {}
        for held in self.holds.values():
            for key in self.keys_of(held):
                sums = found.setdefault(key, Sums())
                sums.held += held.held
                sums.used += held.paid if key[0] in {"member", "server"} else held.used
                sums.jobs += held.is_open
                sums.last = max(sums.last or held.at, held.at)
                if key[0] == "membership":
                    sums.exempt += held.granted - held.forgiven.get(key, 0)
        for key, amount in self.resets.items():
            found[key].exempt += amount
        return found

    # --- deciding ---

    def cap_of(self, guild_id: int, user_id: int, roles: set[int]) -> Cap | None:
        own = self.member_caps.get((guild_id, user_id))
        if own is not None:
            return own
        policy = self.policies[guild_id]
        caps = [one.cap for one in policy.role_caps if one.id in roles]
        if not caps:
            return policy.member_cap
        days = {"day": 1, "week": 7, "month": 30}
        # Of equals the first; unlimited above all.
        return max(
            caps, key=lambda cap: float("inf") if cap.credits is None else cap.credits / days[cap.period]
        )

    def spendable(self, guild_id: int, user_id: int, now: datetime) -> list[tuple[str, Granted]]:
        mine = [
            (grant_id, one)
            for grant_id, one in self.grants.items()
            if (one.guild_id, one.user_id) == (guild_id, user_id)
            and one.left > 0
            and (one.expires_at or DISTANT) > now
        ]
        return sorted(mine, key=lambda pair: (pair[1].expires_at or DISTANT, pair[1].created_at, pair[0]))

    def draw(self, needed: int, guild_id: int, user_id: int, now: datetime) -> Parts | None:
        parts: Parts = []
        for grant_id, one in self.spendable(guild_id, user_id, now):
            if needed > 0:
                parts.append((grant_id, min(needed, one.left)))
                needed -= parts[-1][1]
        return parts if needed <= 0 else None

    def expired(self, now: datetime) -> Parts:
        return [
            (grant_id, one.left)
            for grant_id, one in self.grants.items()
            if one.left and (one.expires_at or DISTANT) <= now
        ]

    def open_offers(self, guild_id: int | None, roles: Collection[int], now: datetime) -> set[str]:
        return {
            offer_id
            for offer_id, offer in self.offers.items()
            if offer.guild_id == guild_id
            and offer.role_id in roles
            and offer.open_until > now
            and (offer.expires_at or DISTANT) > now
        }

    def decide(self, wanted: Held, roles: set[int], now: datetime) -> str | Parts:
        """The rule that refuses, or what grants must bear; writes the limits that count into `wanted`."""
        balances = self.balances()
        by_place = {(key[0], key[3]): key for key in self.keys_of(wanted)}

        def room(scope: str, period: str, limit: int | None) -> bool:
            if limit is None:
                return True
            key = by_place[scope, period]
            wanted.limits[key] = limit
            return balances.get(key, Sums()).counted + wanted.amount <= limit

        guild = wanted.guild_id
        own = by_place["member" if guild is None else "membership", "ever"]
        if guild is None:
            if balances.get(own, Sums()).jobs >= 13:
                return "queue"
            return [] if room("member", "day", self.operator.member_daily_credits) else "member_daily"
        policy = self.policies[guild]
        channel_cap = next((one.cap for one in policy.channel_caps if one.id == wanted.channel_id), None)
        if channel_cap is not None and not room("channel", channel_cap.period, channel_cap.credits):
            return "channel_cap"
        mine = balances.get(own, Sums())
        if mine.jobs >= policy.running_max + policy.waiting_max:
            return "queue"
        if policy.cooldown_s and mine.last and now - mine.last < timedelta(seconds=policy.cooldown_s):
            return "cooldown"
        if not room("member", "day", self.operator.member_daily_credits):
            return "member_daily"
        budgets = [self.operator.server_monthly_credits, policy.server_budget_credits]
        budget = min((one for one in budgets if one is not None), default=None)
        if not room("server", "month", budget):
            return "server_monthly"
        return self._bear(wanted, self.cap_of(guild, wanted.user_id, roles), by_place, balances, now)

    def _bear(
        self,
        wanted: Held,
        cap: Cap | None,
        by_place: dict[tuple[str, str], Key],
        balances: dict[Key, Sums],
        now: datetime,
    ) -> str | Parts:
        if cap is None or cap.credits is None or wanted.guild_id is None:
            return []
        key = by_place["membership", cap.period]
        wanted.limits[key] = cap.credits
        left = max(0, cap.credits - balances.get(key, Sums()).counted)
        parts = self.draw(max(0, wanted.amount - left), wanted.guild_id, wanted.user_id, now)
        if parts is None:
            has_any = self.spendable(wanted.guild_id, wanted.user_id, now)
            return "granted" if has_any else "cap"
        return parts

    # --- what happens ---

    def grant(self, grant_id: str, one: Granted) -> None:
        self.grants[grant_id] = one
        self.granted_credits += one.amount

    def give(self, grant_id: str, gift_id: str, receiver: int, amount: int, now: datetime) -> None:
        source = self.grants[grant_id]
        source.removed += amount
        self.grants[gift_id] = Granted(source.guild_id, receiver, amount, now, source.expires_at)

    def end(self, parts: Parts) -> None:
        for grant_id, amount in parts:
            self.grants[grant_id].removed += amount
        self.ended_credits += total(parts)

    def hold(self, job_id: str, wanted: Held, parts: Parts) -> None:
        wanted.parts = parts
        self.holds[job_id] = wanted
        for grant_id, amount in parts:
            self.grants[grant_id].held += amount

    def settle(self, job_id: str, used: int, tolerance: int) -> None:
        held = self.holds[job_id]
        charged = min(used, held.amount)
        if used > held.amount:
            balances = self.balances()
            rooms = [limit - balances[key].counted for key, limit in held.limits.items()]
            charged += max(0, min([used - held.amount, tolerance, *rooms]))
        rest = min(charged, held.amount) - (held.amount - total(held.parts))
        for grant_id, amount in held.parts:
            share = max(0, min(rest, amount))
            rest -= share
            self.grants[grant_id].held -= amount
            self.grants[grant_id].used += share
            if share:
                held.borne.append((grant_id, share))
        held.charged = charged

    def void(self, job_id: str) -> None:
        held = self.holds[job_id]
        for grant_id, amount in held.parts:
            self.grants[grant_id].held -= amount
        held.voided = True

    def refund(self, job_id: str) -> None:
        held = self.holds[job_id]
        allowance = held.used - total(held.borne)
        for key in self.keys_of(held):
            if key[0] == "membership":
                # The allowance is filled, and no further.
                held.forgiven[key] = max(0, allowance - self.forgivable(key))
        for grant_id, amount in held.borne:
            self.grants[grant_id].used -= amount
        held.refunded = True

    def forgivable(self, key: Key) -> int:
        """What a cap counts as used: neither held, nor granted, nor forgiven."""
        held = sum(
            one.held - total(one.parts)
            for one in self.holds.values()
            if one.is_open and key in self.keys_of(one)
        )
        return self.balances().get(key, Sums()).counted - held

    def reset(self, guild_id: int, user_id: int, period: str, now: datetime) -> int:
        key = ("membership", guild_id, user_id, period, first_day(period, self.day_in(guild_id, now)))
        forgiven = self.forgivable(key)
        if forgiven:
            self.resets[key] = self.resets.get(key, 0) + forgiven
        return forgiven

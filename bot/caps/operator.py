"""What the operator of the bot decides and reads: the global stop, one server's ceiling, fresh starts, totals.

Owns these acts; the operator is actor 0 of the audit log, and row 0 of the servers. Must not know the command
line. A running process obeys with its next decision, since every decision reads the version of that row.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from bot.caps.acts import Acts
from bot.caps.limits import budget_of, day_of, effective_cap
from bot.caps.policies import OPERATOR_ID, Changed, parse_policy
from bot.credits import ledger
from bot.credits.rules import build_key, local_day
from bot.credits.values import Outrun
from bot.ids import new_transfer_id
from db.enums import AuditAction, BalancePeriod, BalanceScope
from db.queries import balances as balance_queries
from db.queries import grants as grant_queries
from db.queries import servers as queries
from db.queries import totals as total_queries
from db.values import AuditEntry, Balance, CreditGrant, Membership

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from bot.caps.policies import Policies
    from bot.caps.values import Cap, OperatorLimits, Policy
    from bot.clock import Clock
    from db.engine import Database
    from db.queries.totals import Excess, Totals

ALL_PERIODS = (BalancePeriod.DAY, BalancePeriod.WEEK, BalancePeriod.MONTH)
GRANTS_SHOWN_MAX = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """The global stop: why, and since when."""

    reason: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The whole account. Units: whole credits; `granted_left_credits` may still be spent.

    Shape: `members` with what was given back, as kvid was paid for it.
    """

    servers: int
    members: Totals
    returned_credits: int
    granted_left_credits: int
    excess: Excess
    stop: Stop | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOverview:
    """One server's account.

    Shape: `budget_credits` is per month, None unlimited; `month` is the running one, with what was given back,
    as the budget counts it; `members` without that.
    """

    policy: Policy
    left_at: datetime | None
    budget_credits: int | None
    month: Balance
    members: Totals
    returned_credits: int
    granted_left_credits: int
    excess: Excess


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberOverview:
    """One member's account, in one server or over all of them (then without cap, grants and membership).

    Shape: `periods` in one server are without what was given back, as caps count; over all of them with it,
    as the operator's limit counts. `cap` is what governs without their roles, which only Discord knows.
    """

    periods: Mapping[BalancePeriod, Balance]
    returned_credits: int
    cap: Cap | None = None
    grants: tuple[CreditGrant, ...] = ()
    membership: Membership | None = None


class Operator(Acts):
    def __init__(self, database: Database, clock: Clock, policies: Policies, limits: OperatorLimits) -> None:
        super().__init__(database, clock, policies)
        self._limits = limits

    # --- the global stop ---

    async def stop(self, reason: str) -> bool:
        """Refuse every new job everywhere; what is on its way goes on. False when it was stopped before."""
        return await self._set_stop(
            {"stopped": True, "reason": reason, "since": self._clock.now().isoformat()}, reason
        )

    async def resume(self, reason: str | None = None) -> bool:
        """Take jobs again; False when nothing was stopped."""
        return await self._set_stop({"stopped": False}, reason)

    async def _set_stop(self, document: Mapping[str, object], reason: str | None) -> bool:
        stopped = document["stopped"]

        def work(c: Connection) -> AuditEntry | None:
            row = queries.find_server(c, OPERATOR_ID)
            before = row is not None and bool(row.policy.get("stopped"))
            if before is stopped:
                return None
            if not queries.write_policy(c, OPERATOR_ID, document, version=row.version if row else 0):
                raise Outrun
            return self.entry(
                OPERATOR_ID,
                OPERATOR_ID,
                AuditAction.SETTING,
                "stopped",
                before={"stopped": before},
                after={"stopped": stopped},
                reason=reason,
            )

        return await self.act(work)

    # --- one server, one member ---

    async def set_budget(
        self, guild_id: int, amount_credits: int | None, reason: str | None = None
    ) -> Changed:
        """Give one server a ceiling of its own per month; None: the default of all servers."""
        return await self._policies.change(
            guild_id,
            OPERATOR_ID,
            lambda policy: replace(policy, operator_budget_credits=amount_credits),
            subject="operator_budget_credits",
            reason=reason,
        )

    async def reset(self, guild_id: int, user_id: int, reason: str) -> dict[BalancePeriod, int]:
        """Start a member's day, week and month over: which of them a cap counts depends on their roles.

        Shape: how many credits were forgiven of each; what is held stays held.
        """
        now = self._clock.now()
        forgiven: dict[BalancePeriod, int] = {}

        def work(c: Connection) -> AuditEntry | None:
            forgiven.clear()
            day = day_of(now, self._policies.load(c, guild_id, None).policy)
            for period in ALL_PERIODS:
                amount = ledger.reset(
                    c,
                    transfer_id=new_transfer_id(),
                    guild_id=guild_id,
                    user_id=user_id,
                    period=period,
                    local_date=day,
                    actor_id=OPERATOR_ID,
                    reason=reason,
                    now=now,
                )
                if amount:
                    forgiven[period] = amount
            if not forgiven:
                return None
            return self.entry(
                guild_id,
                OPERATOR_ID,
                AuditAction.RESET,
                "allowance",
                target_id=user_id,
                before={"used_credits": max(forgiven.values())}
                | {f"used_{period}": amount for period, amount in forgiven.items()},
                after={"used_credits": 0} | {f"used_{period}": 0 for period in forgiven},
                reason=reason,
            )

        await self.act(work)
        return forgiven

    # --- reading ---

    async def show(self) -> Overview:
        """**Transaction** opens one, and only reads; so do the others below."""
        now = self._clock.now()

        def work(c: Connection) -> Overview:
            row = queries.find_server(c, OPERATOR_ID)
            return Overview(
                servers=total_queries.count_servers(c),
                members=total_queries.find_totals(c),
                returned_credits=total_queries.sum_refunded(c),
                granted_left_credits=total_queries.sum_left_grants(c, now),
                excess=total_queries.find_excess(c),
                stop=_read_stop(row.policy) if row is not None else None,
            )

        return await self._database.read(work)

    async def show_server(self, guild_id: int) -> ServerOverview | None:
        """Shape: None for a server that the bot has never been in."""
        now = self._clock.now()

        def work(c: Connection) -> ServerOverview | None:
            row = queries.find_server(c, guild_id)
            if row is None:
                return None
            policy = parse_policy(row.policy)
            key = build_key(BalanceScope.SERVER, guild_id, guild_id, BalancePeriod.MONTH, day_of(now, policy))
            return ServerOverview(
                policy=policy,
                left_at=row.left_at,
                budget_credits=budget_of(policy, self._limits),
                month=balance_queries.find_balance(c, key) or Balance(key=key),
                members=total_queries.find_server_totals(c, guild_id),
                returned_credits=total_queries.sum_refunded(c, guild_id=guild_id),
                granted_left_credits=total_queries.sum_left_grants(c, now, guild_id),
                excess=total_queries.find_excess(c, guild_id),
            )

        return await self._database.read(work)

    async def show_member(self, guild_id: int | None, user_id: int) -> MemberOverview | None:
        """Shape: None for a server that the bot has never been in."""
        now = self._clock.now()

        def work(c: Connection) -> MemberOverview | None:
            if guild_id is None:
                scope, day = BalanceScope.MEMBER, local_day(now, UTC)
                return MemberOverview(
                    periods=_read_periods(c, scope, 0, user_id, day),
                    returned_credits=total_queries.sum_refunded(c, user_id=user_id),
                )
            row = queries.find_server(c, guild_id)
            if row is None:
                return None
            policy = parse_policy(row.policy)
            membership = queries.find_membership(c, guild_id, user_id)
            grants = grant_queries.list_grants(c, guild_id, user_id, GRANTS_SHOWN_MAX, spendable_at=now)
            return MemberOverview(
                periods=_read_periods(c, BalanceScope.MEMBERSHIP, guild_id, user_id, day_of(now, policy)),
                returned_credits=total_queries.sum_refunded(c, guild_id=guild_id, user_id=user_id),
                cap=effective_cap(policy, membership, ()).cap,
                grants=tuple(grants),
                membership=membership,
            )

        return await self._database.read(work)


def _read_stop(document: Mapping[str, object]) -> Stop | None:
    if not document.get("stopped"):
        return None
    since = datetime.fromisoformat(str(document.get("since") or datetime.min.replace(tzinfo=UTC).isoformat()))
    return Stop(reason=str(document.get("reason") or ""), since=since)


def _read_periods(
    c: Connection, scope: BalanceScope, guild_id: int, owner_id: int, day: date
) -> dict[BalancePeriod, Balance]:
    periods = [*ALL_PERIODS, BalancePeriod.EVER]
    if scope is BalanceScope.MEMBER:
        # Over all servers nothing counts weeks.
        periods.remove(BalancePeriod.WEEK)
    keys = [build_key(scope, guild_id, owner_id, period, day) for period in periods]
    found = balance_queries.find_balances(c, keys)
    return {key.period: found.get(key) or Balance(key=key) for key in keys}

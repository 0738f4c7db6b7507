"""What moderators decide about one member: blocks, a cap of their own, one pass, a fresh start.

Owns these acts. Must not know Discord.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from bot.caps.acts import Acts, check_amount, check_reason, iso
from bot.caps.limits import day_of, effective_cap
from bot.caps.values import Cap
from bot.credits import ledger
from bot.errors import AppError
from bot.ids import new_transfer_id
from db.enums import AuditAction
from db.queries import servers as queries
from db.values import FOREVER, AuditEntry

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sqlalchemy import Connection

    from db.values import Membership

PASS_VALID = timedelta(days=1)


class Members(Acts):
    async def block(
        self, guild_id: int, actor_id: int, user_id: int, *, for_s: int | None, reason: str | None = None
    ) -> datetime:
        """Block a member for so many seconds, None for good. Shape: until when (`FOREVER`).

        **Raises** AppError when a longer block runs, which this one would cut short.
        """
        now = self._clock.now()
        until = FOREVER if for_s is None else now + timedelta(seconds=for_s)

        def work(c: Connection) -> AuditEntry:
            before = queries.change_membership(
                c, guild_id, user_id, blocked_until=until, block_reason=check_reason(reason)
            )
            if before.blocked_until is not None and before.blocked_until > until:
                raise _longer_block(before.blocked_until)
            return self.entry(
                guild_id,
                actor_id,
                AuditAction.BLOCK,
                "blocked_until",
                target_id=user_id,
                before={"blocked_until": iso(before.blocked_until)},
                after={"blocked_until": iso(until)},
                reason=reason,
            )

        await self.act(work)
        return until

    async def unblock(self, guild_id: int, actor_id: int, user_id: int, reason: str | None = None) -> bool:
        """Let a member in again; False when they were not blocked."""
        now = self._clock.now()

        def work(c: Connection) -> AuditEntry | None:
            before = queries.change_membership(c, guild_id, user_id, blocked_until=None, block_reason=None)
            if before.blocked_until is None or before.blocked_until <= now:
                return None
            return self.entry(
                guild_id,
                actor_id,
                AuditAction.UNBLOCK,
                "blocked_until",
                target_id=user_id,
                before={"blocked_until": iso(before.blocked_until)},
                after={"blocked_until": None},
                reason=reason,
            )

        return await self.act(work)

    async def set_member_cap(
        self, guild_id: int, actor_id: int, user_id: int, cap: Cap | None, reason: str | None = None
    ) -> None:
        """Give a member a cap of their own; None takes it away, so that roles and the default count again."""
        if cap is not None and cap.credits is not None:
            check_amount(cap.credits, least=0)

        def work(c: Connection) -> AuditEntry | None:
            before = queries.change_membership(
                c,
                guild_id,
                user_id,
                cap_credits=cap.credits if cap else None,
                cap_period=cap.period if cap else None,
            )
            after = describe_cap(cap)
            earlier = describe_cap(_own_cap(before))
            if earlier == after:
                return None
            return self.entry(
                guild_id,
                actor_id,
                AuditAction.MEMBER_CAP,
                "member_cap",
                target_id=user_id,
                before=earlier,
                after=after,
                reason=reason,
            )

        await self.act(work)

    async def let_pass(
        self, guild_id: int, actor_id: int, user_id: int, reason: str | None = None
    ) -> datetime:
        """Let one picture of a member pass the server's word lists within a day. Shape: until when."""
        until = self._clock.now() + PASS_VALID

        def work(c: Connection) -> AuditEntry:
            before = queries.change_membership(c, guild_id, user_id, pass_until=until)
            return self.entry(
                guild_id,
                actor_id,
                AuditAction.PASS,
                "pass_until",
                target_id=user_id,
                before={"pass_until": iso(before.pass_until)},
                after={"pass_until": iso(until)},
                reason=reason,
            )

        await self.act(work)
        return until

    async def reset(
        self, guild_id: int, actor_id: int, user_id: int, role_ids: Iterable[int], reason: str | None = None
    ) -> int:
        """Start a member's allowance of the running period over. Shape: how many credits were forgiven.

        **Raises** AppError when no cap governs this member, so that there is nothing to start over.
        """
        now = self._clock.now()
        roles = tuple(role_ids)
        forgiven = 0

        def work(c: Connection) -> AuditEntry | None:
            nonlocal forgiven
            loaded = self._policies.load(c, guild_id, None)
            cap = effective_cap(loaded.policy, queries.find_membership(c, guild_id, user_id), roles).cap
            if cap is None or cap.credits is None:
                raise AppError("moderate.no_cap")
            forgiven = ledger.reset(
                c,
                transfer_id=new_transfer_id(),
                guild_id=guild_id,
                user_id=user_id,
                period=cap.period,
                local_date=day_of(now, loaded.policy),
                actor_id=actor_id,
                reason=check_reason(reason),
                now=now,
            )
            if not forgiven:
                return None
            return self.entry(
                guild_id,
                actor_id,
                AuditAction.RESET,
                f"allowance_{cap.period}",
                target_id=user_id,
                before={"used_credits": forgiven},
                after={"used_credits": 0},
                reason=reason,
            )

        await self.act(work)
        return forgiven


def describe_cap(cap: Cap | None) -> dict[str, object]:
    """A cap as the audit log shows it."""
    if cap is None:
        return {"cap": None}
    return {"cap": "unlimited" if cap.credits is None else cap.credits, "period": cap.period.value}


def _longer_block(until: datetime) -> AppError:
    if until == FOREVER:
        return AppError("moderate.blocked_for_good")
    return AppError("moderate.blocked_longer", until=int(until.timestamp()))


def _own_cap(membership: Membership) -> Cap | None:
    if membership.cap_period is None:
        return None
    return Cap(credits=membership.cap_credits, period=membership.cap_period)

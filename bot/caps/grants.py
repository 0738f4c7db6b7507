"""Credits beyond the cap, as moderators grant them and take them back.

Owns these acts. Must not know Discord.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from bot.caps.acts import Acts, check_amount, check_reason, iso
from bot.credits import grants
from bot.errors import AppError
from bot.ids import new_transfer_id
from db.enums import AuditAction
from db.queries import grants as grant_queries
from db.queries import servers as server_queries
from db.queries.decisions import OFFERS_MAX
from db.values import FOREVER, AuditEntry, CreditGrant, RoleGrant

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

# Members' roles are known only when they ask for something, so an offer to a role waits for them this long.
OFFER_OPEN = timedelta(days=30)


class Grants(Acts):
    async def grant(
        self,
        guild_id: int,
        actor_id: int,
        user_id: int,
        amount_credits: int,
        *,
        reason: str,
        expires_at: datetime | None = None,
    ) -> CreditGrant:
        """Give a member credits beyond their cap. **Raises** AppError for an amount or expiry out of range.

        Also when the member has too many separate grants.
        """
        now = self._clock.now()
        check_amount(amount_credits)
        _check_expiry(expires_at, now)
        made = CreditGrant(
            id=new_transfer_id(),
            guild_id=guild_id,
            user_id=user_id,
            amount_credits=amount_credits,
            granted_by=actor_id,
            reason=check_reason(reason) or "",
            expires_at=expires_at,
            created_at=now,
        )

        def work(c: Connection) -> AuditEntry:
            grants.check_room(c, guild_id, user_id, 1, now)
            before = grant_queries.sum_spendable(c, guild_id, user_id, now)
            grants.grant(c, made, transfer_id=new_transfer_id())
            return self.entry(
                guild_id,
                actor_id,
                AuditAction.GRANT,
                made.id,
                target_id=user_id,
                before={"granted_credits": before},
                after={
                    "granted_credits": before + amount_credits,
                    "amount_credits": amount_credits,
                    "expires_at": iso(expires_at),
                },
                reason=reason,
            )

        await self.act(work)
        return made

    async def grant_role(
        self,
        guild_id: int,
        actor_id: int,
        role_id: int,
        amount_credits: int,
        *,
        reason: str,
        expires_at: datetime | None = None,
    ) -> RoleGrant:
        """Offer credits to every holder of a role; each gets them once, when they next ask for something.

        **Raises** AppError as `grant`, and while too many offers are open in this server.
        """
        now = self._clock.now()
        check_amount(amount_credits)
        _check_expiry(expires_at, now)
        offer = RoleGrant(
            id=new_transfer_id(),
            guild_id=guild_id,
            role_id=role_id,
            amount_credits=amount_credits,
            granted_by=actor_id,
            reason=check_reason(reason) or "",
            created_at=now,
            open_until=min(now + OFFER_OPEN, expires_at or FOREVER),
            expires_at=expires_at,
        )

        def work(c: Connection) -> AuditEntry:
            self._policies.ensure(c, guild_id)
            server_queries.lock_server(c, guild_id)
            _check_open_offers(c, guild_id, now)
            grant_queries.insert_role_grant(c, offer)
            return self.entry(
                guild_id,
                actor_id,
                AuditAction.ROLE_GRANT,
                offer.id,
                target_id=role_id,
                before={"open_until": None},
                after={
                    "amount_credits": amount_credits,
                    "expires_at": iso(expires_at),
                    "open_until": iso(offer.open_until),
                },
                reason=reason,
            )

        await self.act(work)
        return offer

    async def take_back(self, guild_id: int, actor_id: int, grant_id: str, reason: str | None = None) -> int:
        """Undo a grant: take what is left of it. Shape: how many credits; 0 when nothing is left.

        **Raises** AppError when this server has no such grant.
        """
        now = self._clock.now()
        taken = 0

        def work(c: Connection) -> AuditEntry | None:
            nonlocal taken
            found = grant_queries.find_grant(c, grant_id)
            if found is None or found.guild_id != guild_id:
                raise AppError("moderate.no_grant")
            taken = grants.take_back(
                c,
                grant_id,
                actor_id=actor_id,
                reason=check_reason(reason) or "",
                new_id=new_transfer_id,
                now=now,
            )
            if not taken:
                return None
            return self.entry(
                guild_id,
                actor_id,
                AuditAction.CORRECT,
                grant_id,
                target_id=found.user_id,
                before={"left_credits": taken},
                after={"left_credits": 0},
                reason=reason,
            )

        await self.act(work)
        return taken

    async def close_offer(self, guild_id: int, actor_id: int, offer_id: str) -> bool:
        """End an offer to a role; what members took of it stays theirs. False when it had ended already."""
        now = self._clock.now()

        def work(c: Connection) -> AuditEntry | None:
            found = grant_queries.find_role_grant(c, offer_id)
            if found is None or found.guild_id != guild_id:
                raise AppError("moderate.no_grant")
            if not grant_queries.close_role_grant(c, offer_id, now):
                return None
            return self.entry(
                guild_id,
                actor_id,
                AuditAction.ROLE_GRANT,
                offer_id,
                target_id=found.role_id,
                before={"open_until": iso(found.open_until)},
                after={"open_until": iso(now)},
            )

        return await self.act(work)

    async def correct(
        self, guild_id: int, actor_id: int, user_id: int, amount_credits: int, *, reason: str
    ) -> int:
        """Take granted credits back. Shape: how many the member has left.

        **Raises** AppError when the member has less.
        """
        now = self._clock.now()
        check_amount(amount_credits)
        left = 0

        def work(c: Connection) -> AuditEntry:
            nonlocal left
            before = grant_queries.sum_spendable(c, guild_id, user_id, now)
            left = before - amount_credits
            grants.correct(
                c,
                guild_id=guild_id,
                user_id=user_id,
                amount_credits=amount_credits,
                actor_id=actor_id,
                reason=check_reason(reason) or "",
                new_id=new_transfer_id,
                now=now,
            )
            return self.entry(
                guild_id,
                actor_id,
                AuditAction.CORRECT,
                "granted_credits",
                target_id=user_id,
                before={"granted_credits": before},
                after={"granted_credits": left, "amount_credits": amount_credits},
                reason=reason,
            )

        await self.act(work)
        return left


def _check_open_offers(c: Connection, guild_id: int, now: datetime) -> None:
    """A request takes all that its member may have at once, so that there cannot be too many of them."""
    found = grant_queries.list_role_grants(c, guild_id, now, OFFERS_MAX)
    if len(found) >= OFFERS_MAX:
        next_end = min(one.open_until for one in found)
        raise AppError("moderate.offers_full", most=OFFERS_MAX, ends=int(next_end.timestamp()))


def _check_expiry(expires_at: datetime | None, now: datetime) -> None:
    if expires_at is not None and expires_at <= now:
        raise AppError("moderate.expiry_past")

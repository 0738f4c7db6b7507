"""Granted credits that one member gives to another, where the server allows it.

Owns the conditions of a gift. Must not know Discord.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from bot.caps.acts import Acts, check_amount, run
from bot.credits import grants
from bot.errors import AppError
from db.enums import AuditAction
from db.queries import credits as credit_queries
from db.queries import grants as grant_queries

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from bot.caps.admission import Admission
    from bot.caps.policies import Policies
    from bot.caps.values import Asker
    from bot.clock import Clock
    from db.engine import Database
    from db.values import AuditEntry


class Gifts(Acts):
    def __init__(self, database: Database, clock: Clock, policies: Policies, admission: Admission) -> None:
        super().__init__(database, clock, policies)
        self._admission = admission

    async def check(self, asker: Asker, to_user_id: int, amount_credits: int) -> int:
        """Whether a member may give so much. Shape: how many granted credits they would have left.

        **Transaction** opens one: shares of role grants are taken by asking. **Raises** AppError as `give`.
        """
        now = self._clock.now()
        check_amount(amount_credits)
        left = await run(self._database, lambda c: self._check(c, asker, to_user_id, amount_credits, now))
        return left - amount_credits

    async def give(self, asker: Asker, to_user_id: int, amount_credits: int, *, request_id: int) -> int:
        """Give granted credits to another member, where the server allows it; each keeps its expiry.

        Shape: how many the giver has left. **Repeatable** by `request_id`, which refuses a second time.
        **Raises** AppError when the server does not allow it, the giver is blocked or has less, for a gift to
        oneself, for one that was made before, and when the receiver has too many separate grants.
        """
        now = self._clock.now()
        check_amount(amount_credits)
        left = 0

        def work(c: Connection) -> AuditEntry:
            nonlocal left
            numbers = count()
            if credit_queries.find_transfer(c, f"gift-{request_id}-0") is not None:
                raise AppError("gift.already")
            before = self._check(c, asker, to_user_id, amount_credits, now)
            left = before - amount_credits
            grants.give(
                c,
                guild_id=asker.guild_id or 0,
                from_user_id=asker.user_id,
                to_user_id=to_user_id,
                amount_credits=amount_credits,
                reason="",
                new_id=lambda: f"gift-{request_id}-{next(numbers)}",
                now=now,
            )
            return self.entry(
                asker.guild_id or 0,
                asker.user_id,
                AuditAction.GIVE,
                "granted_credits",
                target_id=to_user_id,
                before={"granted_credits": before},
                after={"granted_credits": left, "amount_credits": amount_credits},
            )

        await self.act(work)
        return left

    def _check(self, c: Connection, asker: Asker, to_user_id: int, amount_credits: int, now: datetime) -> int:
        """How many granted credits the giver has. **Raises** AppError when they may not give so many."""
        if asker.user_id == to_user_id:
            raise AppError("gift.self")
        question = self._admission.ask(c, asker, prompt="", amount_credits=0, now=now)
        if asker.guild_id is None or not question.policy.gifts_allowed:
            raise AppError("gift.not_allowed")
        member = question.snapshot.membership
        paused = member is not None and (member.blocked_until or now) > now
        if paused or asker.role_ids.intersection(question.policy.blocked_roles):
            raise AppError("gift.blocked")
        left = grant_queries.sum_spendable(c, asker.guild_id, asker.user_id, now)
        if left < amount_credits:
            raise AppError("gift.too_little", left=left)
        return left

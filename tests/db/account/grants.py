"""Moderators grant and offer credits, members give them on, and they end; the model says which grants bear it.

Owns what happens to granted credits beside what jobs use of them. Must not know settings, nor what passing time ends;
`machine.py` calls it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from bot.credits import grants
from bot.credits.values import NothingToTake
from db.queries import grants as grant_queries
from db.values import CreditGrant, RoleGrant
from tests.db.account.draws import amounts, asks, guilds, indexes, members, roles
from tests.db.account.jobs import JobsOfAccount
from tests.db.account.values import Granted, Offer

if TYPE_CHECKING:
    from tests.db.account.checks import Work
    from tests.db.account.draws import Ask
    from tests.db.account.values import Parts


class GrantsOfAccount(JobsOfAccount):
    def __init__(self) -> None:
        super().__init__()
        self.grant_ids: list[str] = []

    @rule(
        asks=asks,
        guild_id=guilds,
        user_id=members,
        amount=st.integers(1, 40),
        lasts_h=st.sampled_from([30, 24 * 40, None]),
    )
    def grant(self, asks: list[Ask], guild_id: int, user_id: int, amount: int, lasts_h: int | None) -> None:
        expires_at = None if lasts_h is None else self.now + timedelta(hours=lasts_h)
        made = CreditGrant(
            id=self.next_id("grant"),
            guild_id=guild_id,
            user_id=user_id,
            amount_credits=amount,
            granted_by=9,
            reason="",
            expires_at=expires_at,
            created_at=self.now,
        )
        assert self.act(lambda c, new_id: grants.grant(c, made, transfer_id=new_id()))
        self.model.grant(made.id, Granted(guild_id, user_id, amount, self.now, expires_at))
        self.grant_ids.append(made.id)
        self.request(asks)

    @rule(
        asks=asks,
        guild_id=guilds,
        role_id=roles,
        amount=amounts,
        open_h=st.sampled_from([2, 24 * 30]),
        lasts_h=st.sampled_from([None, 1, 24 * 40]),
    )
    def offer(
        self, asks: list[Ask], guild_id: int, role_id: int, amount: int, open_h: int, lasts_h: int | None
    ) -> None:
        made = RoleGrant(
            id=self.next_id("offer"),
            guild_id=guild_id,
            role_id=role_id,
            amount_credits=amount,
            granted_by=9,
            reason="",
            created_at=self.now,
            open_until=self.now + timedelta(hours=open_h),
            expires_at=None if lasts_h is None else self.now + timedelta(hours=lasts_h),
        )
        with self.engine.begin() as c:
            grant_queries.insert_role_grant(c, made)
        self.model.offers[made.id] = Offer(guild_id, role_id, amount, made.open_until, made.expires_at)
        self.request(asks)

    @rule(asks=asks, guild_id=guilds, giver=members, amount=amounts)
    def give(self, asks: list[Ask], guild_id: int, giver: int, amount: int) -> None:
        self.request(asks)
        receiver, now = 3 - giver, self.now
        parts = self.take(
            guild_id,
            giver,
            amount,
            lambda c, new_id: grants.give(
                c,
                guild_id=guild_id,
                from_user_id=giver,
                to_user_id=receiver,
                amount_credits=amount,
                reason="",
                new_id=new_id,
                now=now,
            ),
        )
        if not parts:
            return
        with self.engine.connect() as c:
            gifts = grant_queries.list_grants(c, guild_id, receiver, 1000)
        for grant_id, part in parts:
            wanted = (part, self.model.grants[grant_id].expires_at)
            gift_id = next(
                one.id
                for one in gifts
                if one.id not in self.model.grants and (one.amount_credits, one.expires_at) == wanted
            )
            self.model.give(grant_id, gift_id, receiver, part, now)

    def take(self, guild_id: int, user_id: int, amount: int, work: Work) -> Parts:
        """Draw on a member's grants: what the model draws, or where they have too little, nothing."""
        parts = self.model.draw(amount, guild_id, user_id, self.now)
        if parts is not None:
            self.act(work)
            return parts
        left = sum(one.left for _, one in self.model.spendable(guild_id, user_id, self.now))
        with pytest.raises(NothingToTake) as caught, self.engine.begin() as c:
            work(c, self.next_id)
        assert caught.value.left_credits == left
        return []

    @rule(asks=asks, index=indexes, how=st.sampled_from(["correct", "take_back", "expire"]), amount=amounts)
    def granted_credits_end(self, asks: list[Ask], index: int, how: str, amount: int) -> None:
        self.request(asks)
        if how == "expire" or not self.grant_ids:
            self.expire()
            return
        grant_id = self.grant_ids[-1 - index % len(self.grant_ids)]
        one = self.model.grants[grant_id]
        if how == "correct":
            self.correct(one.guild_id, one.user_id, amount)
        else:
            self.take_back(grant_id)

    def correct(self, guild_id: int, user_id: int, amount: int) -> None:
        now = self.now
        parts = self.take(
            guild_id,
            user_id,
            amount,
            lambda c, new_id: grants.correct(
                c,
                guild_id=guild_id,
                user_id=user_id,
                amount_credits=amount,
                actor_id=9,
                reason="",
                new_id=new_id,
                now=now,
            ),
        )
        self.model.end(parts)

    def take_back(self, grant_id: str) -> None:
        now = self.now
        taken = self.act(
            lambda c, new_id: grants.take_back(c, grant_id, actor_id=9, reason="", new_id=new_id, now=now)
        )
        assert taken == self.model.grants[grant_id].left
        self.model.end([(grant_id, taken)])

    def expire(self) -> None:
        now, over = self.now, self.model.expired(self.now)
        assert self.act(lambda c, new_id: grants.expire(c, new_id=new_id, limit=100, now=now)) == len(over)
        self.model.end(over)

"""Members ask for jobs, which end in every way; each answer is what the model says.

Owns what happens to reservations, from the one decision of admission to a reset. Must not know where granted credits
come from; `grants.py` builds upon it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from bot.caps.admission import Admission
from bot.caps.policies import Policies
from bot.caps.values import Approval, Asker
from bot.clock import SystemClock
from bot.credits import ledger
from bot.credits.values import ReservationMissing
from db.enums import BalancePeriod
from db.queries import grants as grant_queries
from tests.db.account.checks import OPERATOR, CheckedAccount
from tests.db.account.draws import asks, guilds, indexes, members, periods
from tests.db.account.values import Granted, Held, total
from tests.db.builders import store_job

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from db.engine import Database
    from tests.db.account.draws import Ask


class JobsOfAccount(CheckedAccount):
    def __init__(self) -> None:
        super().__init__()
        self.admission = Admission(Policies(cast("Database", None), SystemClock()), OPERATOR)
        self.job_ids: list[str] = []

    def request(self, wanted: list[Ask]) -> None:
        for user_id, guild_id, channel_id, roles, amount in wanted:
            channel = channel_id if guild_id is not None else None
            asker = Asker(user_id=user_id, guild_id=guild_id, channel_id=channel, role_ids=frozenset(roles))
            self.job_ids.append(self.request_one(asker, amount))

    def request_one(self, asker: Asker, amount: int) -> str:
        """Ask for one job: the decision, and which grants bear what of it, is what the model says."""
        now = self.now
        wanted = Held(
            user_id=asker.user_id,
            guild_id=asker.guild_id,
            channel_id=asker.channel_id,
            amount=amount,
            at=now,
            day=self.model.day_in(asker.guild_id, now),
            parts=[],
            limits={},
        )
        with self.engine.begin() as c:
            job = store_job(
                c, user_id=asker.user_id, guild_id=asker.guild_id, reserved_credits=amount, created_at=now
            )
            ruling = self.admission.look(c, asker, prompt="x", amount_credits=amount, now=now)
            self.take_shares(c, asker)
            expected = self.model.decide(wanted, set(asker.role_ids), now)
            if not isinstance(ruling.answer, Approval):
                assert ruling.answer.rule == expected
                return job.id
            parts = list(ruling.answer.parts)
            assert parts == expected
            self.admission.hold(c, ruling, job)
        self.model.hold(job.id, wanted, parts)
        self.acts.append(lambda c: self.admission.hold(c, ruling, job))
        # What grants bear whole needs no room under the member's cap.
        self.check_limits(wanted, but_membership=total(parts) == amount)
        return job.id

    def take_shares(self, c: Connection, asker: Asker) -> None:
        """By asking, a member takes every open offer to a role they hold, once."""
        found = {
            one.role_grant_id: one.id
            for one in grant_queries.list_grants(c, asker.guild_id or 0, asker.user_id, 200)
            if one.role_grant_id is not None
        }
        taken = self.model.open_offers(asker.guild_id, asker.role_ids, self.now)
        known = {offer_id for offer_id, grant_id in found.items() if grant_id in self.model.grants}
        assert set(found) == taken | known
        for offer_id in taken - known:
            offer = self.model.offers[offer_id]
            self.model.grant(
                found[offer_id],
                Granted(offer.guild_id, asker.user_id, offer.amount, self.now, offer.expires_at),
            )

    @rule(
        asks=asks,
        chosen=st.lists(indexes, min_size=1, max_size=3),
        used=st.integers(0, 16),
        tolerance=st.integers(0, 3),
        ends=st.lists(st.sampled_from(["settle", "void", "refund"]), min_size=1, max_size=3),
    )
    def jobs_end(
        self, asks: list[Ask], chosen: list[int], used: int, tolerance: int, ends: list[str]
    ) -> None:
        self.request(asks)
        holds = self.model.holds
        # Two of those that grants bear a part of: they are rare, and without them no refund gives a grant back.
        granted = [job_id for job_id in self.job_ids if job_id in holds and holds[job_id].granted]
        pools = (granted or self.job_ids, granted or self.job_ids, self.job_ids)
        asked = [pool[-1 - index % len(pool)] for pool, index in zip(pools, chosen, strict=False) if pool]
        # Not a set: its order would differ when an example is run again.
        for job_id in dict.fromkeys(asked):
            for end in ends:
                if job_id not in self.model.holds:
                    self.expect_no_reservation(job_id)
                elif end == "settle":
                    self.settle(job_id, used, tolerance)
                elif end == "void":
                    self.void(job_id)
                else:
                    if self.model.holds[job_id].is_open:
                        self.settle(job_id, used, tolerance)
                    if not self.model.holds[job_id].voided:
                        self.refund(job_id)

    def settle(self, job_id: str, used: int, tolerance: int) -> None:
        held, now = self.model.holds[job_id], self.now
        was_open = held.is_open
        outcome = self.act(
            lambda c, new_id: ledger.settle(
                c,
                transfer_id=new_id(),
                job_id=job_id,
                used_credits=used,
                tolerance_credits=tolerance,
                now=now,
            )
        )
        assert (outcome.already, outcome.voided) == (not was_open, held.voided)
        if was_open:
            self.model.settle(job_id, used, tolerance)
            assert outcome.charged + outcome.excess == used
            if outcome.charged > held.amount:
                self.check_limits(held)
        assert outcome.charged == (held.charged or 0)

    def expect_no_reservation(self, job_id: str) -> None:
        with self.engine.connect() as c, pytest.raises(ReservationMissing):
            ledger.void(c, transfer_id="x", job_id=job_id, now=self.now)
        self.expect_nothing_charged(job_id)

    def expect_nothing_charged(self, job_id: str) -> None:
        with self.engine.connect() as c, pytest.raises(ReservationMissing):
            ledger.refund(c, transfer_id="x", job_id=job_id, actor_id=9, reason=None, now=self.now)

    def void(self, job_id: str) -> None:
        held = self.model.holds[job_id]
        now, was_open = self.now, held.is_open
        outcome = self.act(lambda c, new_id: ledger.void(c, transfer_id=new_id(), job_id=job_id, now=now))
        assert (outcome.already, outcome.settled) == (not was_open, held.charged is not None)
        if was_open:
            self.model.void(job_id)

    def refund(self, job_id: str) -> None:
        held, now = self.model.holds[job_id], self.now
        if not held.charged:
            self.expect_nothing_charged(job_id)
            return
        outcome = self.act(
            lambda c, new_id: ledger.refund(
                c, transfer_id=new_id(), job_id=job_id, actor_id=9, reason="so", now=now
            )
        )
        assert (outcome.amount, outcome.already) == (held.charged, held.refunded)
        if not held.refunded:
            self.model.refund(job_id)

    @rule(asks=asks, guild_id=guilds, user_id=members, period=periods, back=st.booleans())
    def reset(self, asks: list[Ask], guild_id: int, user_id: int, period: str, *, back: bool) -> None:
        """And perhaps what was forgiven is given back on top."""
        self.request(asks)
        for job_id, held in self.model.holds.items():
            # Without anything used there is nothing to forgive.
            if held.is_open and (held.guild_id, held.user_id) == (guild_id, user_id):
                self.settle(job_id, held.amount, 0)
                break
        now = self.now
        forgiven = self.act(
            lambda c, new_id: ledger.reset(
                c,
                transfer_id=new_id(),
                guild_id=guild_id,
                user_id=user_id,
                period=BalancePeriod(period),
                local_date=self.model.day_in(guild_id, now),
                actor_id=9,
                reason=None,
                now=now,
            )
        )
        assert forgiven == self.model.reset(guild_id, user_id, period, now)
        mine = [
            job_id
            for job_id, held in self.model.holds.items()
            if held.used and (held.guild_id, held.user_id) == (guild_id, user_id)
        ]
        if back and mine:
            self.refund(mine[-1])

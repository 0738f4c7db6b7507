"""The account as a state machine: whatever happens in whatever order, it stays honest, on both databases.

Requests go through the one decision; a model of its own says what each must be answered and what is then left.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import func, select

from bot.caps.admission import Admission
from bot.caps.policies import Policies, dump_policy
from bot.caps.values import Approval, Asker, Cap, CapOf, OperatorLimits, Policy
from bot.clock import SystemClock
from bot.credits import audit, grants, ledger
from bot.credits.values import NothingToTake, Outrun, ReservationMissing, TransferConflict
from db.connections import build_postgresql, build_sqlite_writer
from db.enums import BalancePeriod
from db.models import BALANCE, CREDIT_GRANT, TRANSFER, TRANSFER_PART
from db.queries import balances as balance_queries
from db.queries import grants as grant_queries
from db.queries import servers as server_queries
from db.urls import parse_url
from db.values import BalanceKey, CreditGrant, RoleGrant
from tests.db.account_model import Account, Granted, Held, Offer, total
from tests.db.builders import store_job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection, Engine

    from db.engine import Database
    from tests.db.account_model import Key
    from tests.support.databases import MigratedDatabases

MEMBERS = (1, 2)
NEW_YORK, SEOUL = 7, 8
ZONES = {NEW_YORK: "America/New_York", SEOUL: "Asia/Seoul"}
GUILDS = tuple(ZONES)
CHANNELS = (31, 32)
ROLES = (41, 42)
OPERATOR = OperatorLimits(member_daily_credits=90, server_monthly_credits=200)
# Just before: a month's end, New York's 23 and 25 hours, new days in Seoul, a leap day and its end.
MOMENTS = [
    datetime.fromisoformat(text).replace(tzinfo=UTC)
    for text in (
        "2026-01-31T14:59:50",
        "2026-02-01T04:59:50",
        "2026-03-08T04:59:50",
        "2026-03-09T03:59:50",
        "2026-11-01T05:59:50",
        "2026-11-02T04:59:50",
        "2028-02-28T14:59:50",
        "2028-02-29T23:59:50",
        "2028-03-01T04:59:50",
    )
]
COLUMNS = ("scope", "guild_id", "owner_id", "period", "period_start")
TABLES = (TRANSFER, TRANSFER_PART, BALANCE, CREDIT_GRANT)

members, guilds, amounts = st.sampled_from(MEMBERS), st.sampled_from(GUILDS), st.integers(1, 12)
periods = st.sampled_from(["day", "week", "month"])
caps = st.builds(
    Cap,
    credits=st.sampled_from([6, 15, 0, 30, None]),
    period=periods.map(BalancePeriod),
)
policies = st.builds(
    Policy,
    member_cap=caps,
    role_caps=st.lists(st.builds(CapOf, id=st.sampled_from(ROLES), cap=caps), max_size=2).map(tuple),
    channel_caps=st.lists(st.builds(CapOf, id=st.just(32), cap=caps), max_size=1).map(tuple),
    server_budget_credits=st.sampled_from([None, 80, 40]),
    running_max=st.integers(1, 3),
    waiting_max=st.sampled_from([20, 10, 2]),
    cooldown_s=st.sampled_from([0] * 7 + [60]),
)


# user, server or direct message, channel, roles, price; members ask for something whatever else happens.
asks = st.lists(
    st.tuples(
        members,
        st.sampled_from((*GUILDS, *GUILDS, None)),
        st.sampled_from(CHANNELS),
        st.sets(st.sampled_from(ROLES)),
        amounts,
    ),
    max_size=4,
)
Ask = tuple[int, int | None, int, set[int], int]
indexes = st.integers(0, 40)


class LedgerMachine(RuleBasedStateMachine):
    open_database: ClassVar[Any]

    def __init__(self) -> None:
        super().__init__()
        self.opened = self.open_database()
        self.engine: Engine = self.opened.__enter__()
        self.now = datetime(2026, 1, 30, 22, 0, tzinfo=UTC)
        self.model = Account(OPERATOR, ZONES)
        self.admission = Admission(Policies(cast("Database", None), SystemClock()), OPERATOR)
        self.versions = dict.fromkeys(GUILDS, 0)
        self.numbers = count(1)
        self.lines_audited = 0
        self.job_ids: list[str] = []
        self.grant_ids: list[str] = []
        # The last acts, each with the ids that it was done with.
        self.acts: list[Callable[[Connection], object]] = []

    def teardown(self) -> None:
        self.opened.__exit__(None, None, None)

    def next_id(self, what: str = "id") -> str:
        return f"{what}-{next(self.numbers):06}"

    def act(self, work: Callable[[Connection, Callable[[], str]], Any]) -> Any:
        """Do something in one transaction, and remember it with its ids so that it can be done again."""
        given: list[str] = []

        def remember() -> str:
            given.append(self.next_id())
            return given[-1]

        with self.engine.begin() as c:
            outcome = work(c, remember)

        def repeat(c: Connection) -> object:
            ids = iter(given)
            # An act that needs more ids than at first would be another act.
            return work(c, lambda: next(ids, "spent"))

        self.acts = [*self.acts[-7:], repeat]
        return outcome

    # --- settings and time ---

    @initialize(first=policies, second=policies)
    def begin(self, first: Policy, second: Policy) -> None:
        self.change_policy(NEW_YORK, first)
        self.change_policy(SEOUL, second)

    @rule(
        asks=asks,
        passed=st.sampled_from([1, 60, 3600, 5 * 3600, 86_400, 7 * 86_400, 20 * 86_400]) | st.none(),
        index=st.integers(0, 2),
        used=st.lists(st.integers(0, 16), max_size=4),
    )
    def time_passes(self, asks: list[Ask], passed: int | None, index: int, used: list[int]) -> None:
        """Some seconds, or up to the eve of a turn of the calendar; then some jobs end, and so do old grants."""
        coming = [moment for moment in MOMENTS if moment > self.now]
        if passed is not None or not coming:
            self.now += timedelta(seconds=passed or 60)
        else:
            self.now = coming[min(index, len(coming) - 1)]
        waiting = [job_id for job_id, held in self.model.holds.items() if held.is_open]
        # Those that grants bear a part of are rare, and go first.
        waiting.sort(key=lambda job_id: not self.model.holds[job_id].parts)
        for job_id, amount in zip(waiting, used, strict=False):
            self.settle(job_id, amount, 2)
        self.expire()
        self.request(asks)

    @rule(
        asks=asks, guild_id=guilds, policy=policies, user_id=members, cap=st.none() | caps, own=st.booleans()
    )
    def moderators_decide(
        self, asks: list[Ask], guild_id: int, policy: Policy, user_id: int, cap: Cap | None, *, own: bool
    ) -> None:
        if own:
            self.change_member_cap(guild_id, user_id, cap)
        else:
            self.change_policy(guild_id, policy)
        self.request(asks)

    def change_policy(self, guild_id: int, policy: Policy) -> None:
        policy = replace(policy, time_zone=ZONES[guild_id])
        with self.engine.begin() as c:
            version = self.versions[guild_id]
            assert server_queries.write_policy(c, guild_id, dump_policy(policy), version=version)
        self.versions[guild_id] += 1
        self.model.policies[guild_id] = policy

    def change_member_cap(self, guild_id: int, user_id: int, cap: Cap | None) -> None:
        with self.engine.begin() as c:
            server_queries.change_membership(
                c,
                guild_id,
                user_id,
                cap_credits=cap.credits if cap else None,
                cap_period=cap.period if cap else None,
            )
        self.model.member_caps.pop((guild_id, user_id), None)
        if cap is not None:
            self.model.member_caps[guild_id, user_id] = cap

    # --- jobs ---

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
        self.acts = [*self.acts[-7:], lambda c: self.admission.hold(c, ruling, job)]
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
        taken = {
            offer_id
            for offer_id, offer in self.model.offers.items()
            if offer.guild_id == asker.guild_id
            and offer.role_id in asker.role_ids
            and offer.open_until > self.now
            and (offer.expires_at is None or offer.expires_at > self.now)
        }
        known = {offer_id for offer_id, grant_id in found.items() if grant_id in self.model.grants}
        assert set(found) == taken | known
        for offer_id in taken - known:
            offer = self.model.offers[offer_id]
            self.model.grants[found[offer_id]] = Granted(
                offer.guild_id, asker.user_id, offer.amount, self.now, offer.expires_at
            )
            self.model.granted_credits += offer.amount

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
        for job_id in {self.job_ids[-1 - index % len(self.job_ids)] for index in chosen if self.job_ids}:
            for end in ends:
                if job_id not in self.model.holds:
                    self.expect_no_reservation(job_id)
                elif end == "settle":
                    self.settle(job_id, used, tolerance)
                elif end == "void":
                    self.void(job_id)
                elif self.model.holds[job_id].charged is not None:
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
        with self.engine.connect() as c:
            with pytest.raises(ReservationMissing):
                ledger.void(c, transfer_id="x", job_id=job_id, now=self.now)
            with pytest.raises(ReservationMissing):
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
        outcome = self.act(
            lambda c, new_id: ledger.refund(
                c, transfer_id=new_id(), job_id=job_id, actor_id=9, reason="so", now=now
            )
        )
        assert (outcome.amount, outcome.already) == (held.charged, held.refunded)
        if not held.refunded:
            self.model.refund(job_id)

    @rule(asks=asks, guild_id=guilds, user_id=members, period=periods)
    def reset(self, asks: list[Ask], guild_id: int, user_id: int, period: str) -> None:
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

    # --- granted credits ---

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
        self.model.grants[made.id] = Granted(guild_id, user_id, amount, self.now, expires_at)
        self.model.granted_credits += amount
        self.grant_ids.append(made.id)
        self.request(asks)

    @rule(
        asks=asks,
        guild_id=guilds,
        role_id=st.sampled_from(ROLES),
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
        parts = self.model.draw(amount, guild_id, giver, now)
        known = set(self.model.grants)

        def work(c: Connection, new_id: Callable[[], str]) -> None:
            grants.give(
                c,
                guild_id=guild_id,
                from_user_id=giver,
                to_user_id=receiver,
                amount_credits=amount,
                reason="",
                new_id=new_id,
                now=now,
            )

        if parts is None:
            self.expect_too_little(work, guild_id, giver)
            return
        self.act(work)
        with self.engine.connect() as c:
            mine = grant_queries.list_grants(c, guild_id, receiver, 1000)
        gifts = {(one.expires_at, one.amount_credits): one.id for one in mine if one.id not in known}
        for grant_id, part in parts:
            source = self.model.grants[grant_id]
            source.removed += part
            gift = Granted(guild_id, receiver, part, now, source.expires_at)
            found = [one for one in mine if one.id not in known and one.amount_credits == part]
            one = next(one for one in found if one.expires_at == source.expires_at)
            known.add(one.id)
            self.model.grants[one.id] = gift
        assert gifts

    def expect_too_little(
        self, work: Callable[[Connection, Callable[[], str]], None], guild_id: int, user_id: int
    ) -> None:
        left = sum(one.left for _, one in self.model.spendable(guild_id, user_id, self.now))
        with pytest.raises(NothingToTake) as caught, self.engine.begin() as c:
            work(c, self.next_id)
        assert caught.value.left_credits == left

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
        parts, now = self.model.draw(amount, guild_id, user_id, self.now), self.now

        def work(c: Connection, new_id: Callable[[], str]) -> None:
            grants.correct(
                c,
                guild_id=guild_id,
                user_id=user_id,
                amount_credits=amount,
                actor_id=9,
                reason="",
                new_id=new_id,
                now=now,
            )

        if parts is None:
            self.expect_too_little(work, guild_id, user_id)
            return
        self.act(work)
        for grant_id, part in parts:
            self.model.grants[grant_id].removed += part
        self.model.ended_credits += amount

    def take_back(self, grant_id: str) -> None:
        now, one = self.now, self.model.grants[grant_id]
        taken = self.act(
            lambda c, new_id: grants.take_back(c, grant_id, actor_id=9, reason="", new_id=new_id, now=now)
        )
        assert taken == one.left
        one.removed += taken
        self.model.ended_credits += taken

    def expire(self) -> None:
        now = self.now
        over = [
            one for one in self.model.grants.values() if one.left and one.expires_at and one.expires_at <= now
        ]
        assert self.act(lambda c, new_id: grants.expire(c, new_id=new_id, limit=100, now=now)) == len(over)
        for one in over:
            self.model.ended_credits += one.left
            one.removed += one.left

    # --- what must hold ---

    @rule(index=st.integers(0, 7))
    def do_something_again(self, index: int) -> None:
        """With the same ids: nothing changes, whether it is accepted as known or refused."""
        if not self.acts:
            return
        before = self.read_everything()
        try:
            with self.engine.begin() as c:
                self.acts[index % len(self.acts)](c)
        except (NothingToTake, Outrun, TransferConflict):
            pass
        assert self.read_everything() == before

    def read_everything(self) -> list[list[Any]]:
        with self.engine.connect() as c:
            return [
                sorted(map(repr, c.execute(select(*(one for one in table.c if one.name != "created_at")))))
                for table in TABLES
            ]

    def check_limits(self, held: Held, *, but_membership: bool = False) -> None:
        """No limit that governs is exceeded by what was just written."""
        keys = {key: build_key(key) for key in held.limits}
        with self.engine.connect() as c:
            found = balance_queries.find_balances(c, sorted(keys.values())) if keys else {}
        for key, limit in held.limits.items():
            if not (but_membership and key[0] == "membership"):
                assert found[keys[key]].counted_credits <= limit

    @invariant()
    def the_audit_finds_nothing(self) -> None:
        with self.engine.connect() as c:
            lines = c.execute(select(func.count()).select_from(TRANSFER)).scalar_one()
            # The slowest part by far; nothing it reads has changed where no line was written.
            if lines != self.lines_audited:
                assert audit.find_differences(c) == []
        self.lines_audited = lines

    @invariant()
    def every_balance_and_grant_is_what_the_model_sums(self) -> None:
        with self.engine.connect() as c:
            rows = c.execute(select(BALANCE)).mappings().all()
            stored = {row["id"]: row for row in c.execute(select(CREDIT_GRANT)).mappings()}
        expected = self.model.balances()
        assert {tuple(row[name] for name in COLUMNS) for row in rows} == set(expected)
        for row in rows:
            sums = expected[
                cast("Key", tuple(str(row[n]) if n in {"scope", "period"} else row[n] for n in COLUMNS))
            ]
            assert (row["held_credits"], row["used_credits"]) == (sums.held, sums.used)
            assert (row["exempt_credits"], row["held_jobs"]) == (sums.exempt, sums.jobs)
            assert row["last_reserved_at"] == sums.last
            assert min(sums.held, sums.used, sums.exempt, sums.jobs) >= 0
        assert set(stored) == set(self.model.grants)
        for grant_id, one in self.model.grants.items():
            row = stored[grant_id]
            kept = (row["held_credits"], row["used_credits"], row["removed_credits"], row["expires_at"])
            assert kept == (one.held, one.used, one.removed, one.expires_at)
            assert one.left >= 0

    @invariant()
    def no_granted_credit_appears_or_vanishes(self) -> None:
        kept = sum(one.left + one.held + one.used for one in self.model.grants.values())
        assert kept + self.model.ended_credits == self.model.granted_credits


def build_key(key: Key) -> BalanceKey:
    scope, guild_id, owner_id, period, start = key
    return BalanceKey(
        scope=cast("Any", scope),
        guild_id=guild_id,
        owner_id=owner_id,
        period=BalancePeriod(period),
        period_start=start,
    )


def run(open_database: Callable[[], Any], *, examples: int, steps: int) -> None:
    machine = type("Machine", (LedgerMachine,), {"open_database": staticmethod(open_database)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )


def test_the_account_stays_honest_in_every_order_of_events_on_sqlite(migrated_file: Path) -> None:
    @contextmanager
    def open_copy() -> Iterator[Engine]:
        with tempfile.TemporaryDirectory(prefix="kvid-bot-ledger-") as folder:
            path = Path(folder) / "ledger.db"
            shutil.copy(migrated_file, path)
            engine = build_sqlite_writer(parse_url(f"sqlite:///{path}"))
            try:
                yield engine
            finally:
                engine.dispose()

    run(open_copy, examples=20, steps=25)


def test_the_account_stays_honest_in_every_order_of_events_on_postgresql(
    migrated_postgres: MigratedDatabases,
) -> None:
    @contextmanager
    def open_empty() -> Iterator[Engine]:
        name = migrated_postgres.take()
        engine = build_postgresql(parse_url(migrated_postgres.server.url(name)), pool_size=1)
        try:
            yield engine
        finally:
            engine.dispose()
            migrated_postgres.give_back(name)

    run(open_empty, examples=4, steps=20)

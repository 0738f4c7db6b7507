"""The ledger as a state machine: whatever happens in whatever order, the account stays honest."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import Engine, select

from bot.credits import ledger
from bot.credits.rules import balance_keys
from bot.credits.values import LimitReached, Limits
from db.connections import build_sqlite_writer
from db.enums import BalancePeriod, BalanceScope
from db.models import BALANCE
from db.urls import parse_url
from db.values import BalanceKey
from tests.db.builders import store_job

MEMBERS = (1, 2)
GUILDS = (7, None)
KEY = ("scope", "owner_id", "period", "period_start")
ALL = select(*(BALANCE.c[name] for name in (*KEY, "held_credits", "used_credits")))


@dataclass
class Expected:
    """What the model believes of one reservation."""

    user_id: int
    guild_id: int | None
    amount: int
    reserved_at: datetime
    charged: int | None = None
    voided: bool = False

    @property
    def held(self) -> int:
        return self.amount if self.charged is None and not self.voided else 0


class LedgerMachine(RuleBasedStateMachine):
    job_ids = Bundle("job_ids")
    template: Path
    limits = Limits(member_daily_credits=20, server_monthly_credits=30)

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="kvid-bot-ledger-")
        shutil.copy(self.template, Path(self.folder.name) / "ledger.db")
        url = f"sqlite:///{Path(self.folder.name) / 'ledger.db'}"
        self.engine: Engine = build_sqlite_writer(parse_url(url))
        self.now = datetime(2026, 1, 30, 22, 0, tzinfo=UTC)
        self.expected: dict[str, Expected] = {}
        self.transfers = 0

    def teardown(self) -> None:
        self.engine.dispose()
        self.folder.cleanup()

    def next_id(self) -> str:
        self.transfers += 1
        return f"transfer-{self.transfers}"

    @rule(hours=st.sampled_from([1, 5, 24, 24 * 20]))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule(
        target=job_ids,
        user_id=st.sampled_from(MEMBERS),
        guild_id=st.sampled_from(GUILDS),
        amount=st.integers(0, 12),
    )
    def reserve(self, user_id: int, guild_id: int | None, amount: int) -> str:
        with self.engine.begin() as c:
            job = store_job(
                c, user_id=user_id, guild_id=guild_id, reserved_credits=amount, created_at=self.now
            )
        wanted = Expected(user_id, guild_id, amount, self.now)
        fits = all(
            self.sum_of(scope, owner, period) + amount <= limit
            for scope, owner, period, limit in self.governing(wanted)
        )
        if fits:
            self.reserve_for(job.id, wanted)
            self.expected[job.id] = wanted
            return job.id
        with pytest.raises(LimitReached) as caught:
            self.reserve_for(job.id, wanted)
        assert caught.value.left_credits < caught.value.needed_credits == amount
        return job.id

    @rule(job_id=job_ids)
    def replay_reserve(self, job_id: str) -> None:
        known = self.expected.get(job_id)
        if known is not None:
            self.reserve_for(job_id, known)

    @rule(job_id=job_ids, used=st.integers(0, 16), tolerance=st.integers(0, 1))
    def settle(self, job_id: str, used: int, tolerance: int) -> None:
        known = self.expected.get(job_id)
        if known is None:
            return
        with self.engine.begin() as c:
            outcome = ledger.settle(
                c,
                transfer_id=self.next_id(),
                job_id=job_id,
                used_credits=used,
                tolerance_credits=tolerance,
                now=self.now,
            )
        assert outcome.already == (known.charged is not None or known.voided)
        assert outcome.voided == known.voided
        if not outcome.already:
            assert outcome.charged + outcome.excess == used
            assert outcome.charged <= known.amount + tolerance
            known.charged = outcome.charged
        assert outcome.charged == (known.charged or 0)

    @rule(job_id=job_ids)
    def void(self, job_id: str) -> None:
        known = self.expected.get(job_id)
        if known is None:
            return
        with self.engine.begin() as c:
            outcome = ledger.void(c, transfer_id=self.next_id(), job_id=job_id, now=self.now)
        assert outcome.already == (known.charged is not None or known.voided)
        assert outcome.settled == (known.charged is not None)
        known.voided = known.voided or not outcome.already

    @invariant()
    def every_balance_is_what_the_model_sums(self) -> None:
        modelled: dict[BalanceKey, list[int]] = {}
        for known in self.expected.values():
            for key in balance_keys(known.user_id, known.guild_id, known.reserved_at):
                sums = modelled.setdefault(key, [0, 0])
                sums[0] += known.held
                sums[1] += known.charged or 0
        with self.engine.connect() as c:
            assert ledger.audit(c) == []
            stored = {
                BalanceKey(**dict(zip(KEY, row, strict=False))): list(row[4:]) for row in c.execute(ALL)
            }
        assert stored == modelled
        assert all(amount >= 0 for amounts in stored.values() for amount in amounts)

    def reserve_for(self, job_id: str, wanted: Expected) -> None:
        with self.engine.begin() as c:
            ledger.reserve(
                c,
                transfer_id=self.next_id(),
                job_id=job_id,
                user_id=wanted.user_id,
                guild_id=wanted.guild_id,
                amount_credits=wanted.amount,
                limits=self.limits,
                now=self.now,
            )

    def governing(self, wanted: Expected) -> list[tuple[BalanceScope, int, BalancePeriod, int]]:
        found = [(BalanceScope.MEMBER, wanted.user_id, BalancePeriod.DAY, 20)]
        if wanted.guild_id is not None:
            found.append((BalanceScope.SERVER, wanted.guild_id, BalancePeriod.MONTH, 30))
        return found

    def sum_of(self, scope: BalanceScope, owner_id: int, period: BalancePeriod) -> int:
        """Held and used together of one owner in the current period, by the model alone."""
        pattern = "%Y-%m-%d" if period is BalancePeriod.DAY else "%Y-%m"
        return sum(
            known.held + (known.charged or 0)
            for known in self.expected.values()
            if (known.user_id if scope is BalanceScope.MEMBER else known.guild_id) == owner_id
            and known.reserved_at.strftime(pattern) == self.now.strftime(pattern)
        )


def test_the_account_stays_honest_in_every_order_of_events(migrated_file: Path) -> None:
    LedgerMachine.template = migrated_file
    run_state_machine_as_test(
        LedgerMachine,
        settings=settings(
            max_examples=20,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )

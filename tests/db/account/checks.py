"""The account beside its model: how anything is done, and what must hold after whatever was done.

Owns the database, the time, the last acts and every comparison with the model. Must not know what may happen; the
modules that follow (`jobs`, `grants`, `machine`) add that.
"""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar, cast

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from sqlalchemy import func, select

from bot.caps.values import OperatorLimits
from bot.credits import audit
from bot.credits.values import NothingToTake, Outrun, TransferConflict
from db.enums import BalancePeriod
from db.models import BALANCE, CREDIT_GRANT, TRANSFER, TRANSFER_PART
from db.queries import balances as balance_queries
from db.values import BalanceKey
from tests.db.account.draws import ZONES
from tests.db.account.model import Account
from tests.db.account.values import Sums

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Engine

    from tests.db.account.values import Held, Key

    # Something done in a transaction, with new ids from the second argument.
    Work = Callable[[Connection, Callable[[], str]], Any]

OPERATOR = OperatorLimits(member_daily_credits=90, server_monthly_credits=200)
COLUMNS = ("scope", "guild_id", "owner_id", "period", "period_start")
TABLES = (TRANSFER, TRANSFER_PART, BALANCE, CREDIT_GRANT)


def count_lines(c: Connection) -> int:
    return c.execute(select(func.count()).select_from(TRANSFER)).scalar_one()


class AnotherAct(Exception):
    """A repeated act needs more ids than at first, as where a job gave back to a grant that is over meanwhile."""


class CheckedAccount(RuleBasedStateMachine):
    open_database: ClassVar[Any]

    def __init__(self) -> None:
        super().__init__()
        self.opened = self.open_database()
        self.engine: Engine = self.opened.__enter__()
        self.now = datetime(2026, 1, 30, 22, 0, tzinfo=UTC)
        self.model = Account(OPERATOR, ZONES)
        self.numbers = count(1)
        self.lines_audited = 0
        # The last acts, each with the ids that it was done with.
        self.acts: deque[Callable[[Connection], object]] = deque(maxlen=8)

    def teardown(self) -> None:
        self.opened.__exit__(None, None, None)

    def next_id(self, what: str = "id") -> str:
        return f"{what}-{next(self.numbers):06}"

    def act(self, work: Work) -> Any:
        """Do something in one transaction, and remember it with its ids so that it can be done again."""
        given: list[str] = []

        def new_id() -> str:
            given.append(self.next_id())
            return given[-1]

        with self.engine.begin() as c:
            before = count_lines(c)
            outcome = work(c, new_id)
            wrote = count_lines(c) > before

        def repeat(c: Connection) -> object:
            ids = deque(given)

            def next_given() -> str:
                if not ids:
                    raise AnotherAct
                return ids.popleft()

            return work(c, next_given)

        # What wrote nothing, such as a fresh start where nothing was used, may find something later.
        if wrote:
            self.acts.append(repeat)
        return outcome

    @rule(index=st.integers(0, 7))
    def do_something_again(self, index: int) -> None:
        """With the same ids: nothing changes, whether it is accepted as known or refused."""
        if not self.acts:
            return
        before = self.read_everything()
        try:
            with self.engine.begin() as c:
                self.acts[index % len(self.acts)](c)
        except (AnotherAct, NothingToTake, Outrun, TransferConflict):
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
            lines = count_lines(c)
            # The slowest part by far; nothing it reads has changed where no line was written.
            if lines != self.lines_audited:
                assert audit.find_differences(c) == []
        self.lines_audited = lines

    @invariant()
    def every_balance_and_grant_is_what_the_model_sums(self) -> None:
        with self.engine.connect() as c:
            balances = c.execute(select(BALANCE)).mappings().all()
            grants = c.execute(select(CREDIT_GRANT)).mappings().all()
        expected = self.model.balances()
        assert len(balances) == len(expected)
        assert {tuple(row[name] for name in COLUMNS): read_sums(row) for row in balances} == expected
        for sums in expected.values():
            # Counted too: else more would fit under a cap than it allows, and than is shown as left.
            assert min(sums.held, sums.used, sums.exempt, sums.jobs, sums.counted) >= 0
        assert {
            row["id"]: (row["held_credits"], row["used_credits"], row["removed_credits"], row["expires_at"])
            for row in grants
        } == {
            grant_id: (one.held, one.used, one.removed, one.expires_at)
            for grant_id, one in self.model.grants.items()
        }
        for one in self.model.grants.values():
            assert one.left >= 0

    @invariant()
    def no_granted_credit_appears_or_vanishes(self) -> None:
        kept = sum(one.left + one.held + one.used for one in self.model.grants.values())
        assert kept + self.model.ended_credits == self.model.granted_credits


def read_sums(balance: Any) -> Sums:
    return Sums(
        held=balance["held_credits"],
        used=balance["used_credits"],
        exempt=balance["exempt_credits"],
        jobs=balance["held_jobs"],
        last=balance["last_reserved_at"],
    )


def build_key(key: Key) -> BalanceKey:
    scope, guild_id, owner_id, period, start = key
    return BalanceKey(
        scope=cast("Any", scope),
        guild_id=guild_id,
        owner_id=owner_id,
        period=BalancePeriod(period),
        period_start=start,
    )

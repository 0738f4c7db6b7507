"""Two who act on the same balance at once, each caught between its reading and its writing."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bot.caps.policies import dump_policy
from bot.caps.values import Approval, Cap, Policy
from bot.credits import audit, grants, ledger, rules
from bot.credits.values import NothingToTake, Outrun, TransferConflict
from db.enums import BalancePeriod, BalanceScope
from db.queries import balances as balance_queries
from db.queries import credits as queries
from db.queries.servers import write_policy
from tests.db.builders import (
    CHANNEL,
    GUILD,
    HOUR,
    MEMBER_DAY,
    NOW,
    USER,
    admit,
    build_admission,
    build_grant,
    settle,
    store_reserved,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from db.engine import Database
    from db.values import Balance, BalanceKey

MEMBERSHIP_DAY = (BalanceScope.MEMBERSHIP, BalancePeriod.DAY)
# So long one of them waits for the other, who may be waiting for a lock of the first.
MEETING_S = 0.3
only_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def meet(monkeypatch: pytest.MonkeyPatch, target: str, before: Callable[..., Any]) -> None:
    """Both reach `target` before either goes on; where a lock keeps one from it, the other goes on alone."""
    barrier = threading.Barrier(2)

    def wait(*args: Any, **kwargs: Any) -> Any:
        with contextlib.suppress(threading.BrokenBarrierError):
            barrier.wait(MEETING_S)
        return before(*args, **kwargs)

    monkeypatch.setattr(target, wait)


async def balance_of(database: Database, where: tuple[BalanceScope, BalancePeriod]) -> Balance:
    scope, period = where
    keys = {(key.scope, key.period): key for key in ledger_keys()}
    found = await database.read(lambda c: balance_queries.find_balance(c, keys[scope, period]))
    assert found is not None
    return found


def ledger_keys() -> tuple[BalanceKey, ...]:
    day = NOW.date()
    return rules.balance_keys(user_id=USER, guild_id=GUILD, channel_id=CHANNEL, local_date=day, utc_date=day)


def reset(c: Connection, transfer_id: str) -> int:
    return ledger.reset(
        c,
        transfer_id=transfer_id,
        guild_id=GUILD,
        user_id=USER,
        period=BalancePeriod.DAY,
        local_date=NOW.date(),
        actor_id=9,
        reason=None,
        now=NOW,
    )


@only_postgresql
async def test_two_moderators_who_reset_at_once_forgive_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await database.transaction(store_reserved)
    await database.transaction(lambda c: settle(c, job, 8))
    meet(monkeypatch, "db.queries.credits.list_open_reservations", queries.list_open_reservations)
    forgiven = await asyncio.gather(
        *(database.transaction(lambda c, n=n: reset(c, f"reset-{n}")) for n in range(2))  # type: ignore[misc]
    )
    assert sorted(forgiven) == [0, 8]
    assert (await balance_of(database, MEMBERSHIP_DAY)).counted_credits == 0
    assert await database.read(audit.find_differences) == []


@only_postgresql
async def test_two_jobs_that_cost_more_than_held_share_the_room_that_is_left(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """20 are the limit and 16 are held; both report 12: together they are charged 20."""
    jobs = await database.transaction(
        lambda c: [store_reserved(c, limits={MEMBER_DAY: 20}) for _ in range(2)]
    )
    meet(monkeypatch, "bot.credits.rules.split_charge", rules.split_charge)
    charged = await asyncio.gather(
        *(database.transaction(lambda c, job=job: settle(c, job, 12, tolerance=4)) for job in jobs)  # type: ignore[misc]
    )
    assert sorted(one.charged for one in charged) == [8, 12]
    assert (await balance_of(database, MEMBER_DAY)).used_credits == 20
    assert await database.read(audit.find_differences) == []


async def test_a_lowered_cap_keeps_nobody_from_what_was_granted(database: Database) -> None:
    """16 are used where moderators now allow 10: the next picture is paid by the grant whole, or not at all."""
    admission = build_admission(database)

    def prepare(c: Connection) -> None:
        for _ in range(2):
            settle(c, admit(c, admission)[0], 8)
        assert write_policy(c, GUILD, dump_policy(Policy(member_cap=Cap(credits=10))), version=0)
        grants.grant(c, build_grant("g", 12), transfer_id="granted")

    await database.transaction(prepare)
    _, answer = await database.transaction(lambda c: admit(c, admission))
    assert isinstance(answer, Approval)
    assert answer.parts == (("g", 8),)
    _, refused = await database.transaction(lambda c: admit(c, admission))
    assert not isinstance(refused, Approval)
    assert (refused.key, refused.params["granted"]) == ("granted_day_held", 4)
    assert await database.read(audit.find_differences) == []


async def test_a_request_that_is_written_late_does_not_set_the_cooldown_back(database: Database) -> None:
    admission = build_admission(database)
    await database.transaction(lambda c: admit(c, admission, now=NOW + HOUR))
    await database.transaction(lambda c: admit(c, admission, now=NOW))
    ever = (BalanceScope.MEMBERSHIP, BalancePeriod.EVER)
    assert (await balance_of(database, ever)).last_reserved_at == NOW + HOUR
    assert await database.read(audit.find_differences) == []


async def test_an_id_that_was_used_before_forgives_nothing_more(database: Database) -> None:
    first, second = await database.transaction(lambda c: [store_reserved(c), store_reserved(c)])
    await database.transaction(lambda c: settle(c, first, 8))
    assert await database.transaction(lambda c: reset(c, "reset")) == 8
    assert await database.transaction(lambda c: reset(c, "reset")) == 0
    await database.transaction(lambda c: settle(c, second, 8))
    with pytest.raises(TransferConflict):
        await database.transaction(lambda c: reset(c, "reset"))
    assert (await balance_of(database, MEMBERSHIP_DAY)).counted_credits == 8
    assert await database.read(audit.find_differences) == []


async def test_credits_that_are_given_and_asked_for_at_once_are_used_once(database: Database) -> None:
    """One grant of 8: either the picture is paid by it, or the gift takes it."""
    admission = build_admission(database)
    numbers = iter(range(100))

    def prepare(c: Connection) -> None:
        assert write_policy(c, GUILD, dump_policy(Policy(member_cap=Cap(credits=0))), version=0)
        grants.grant(c, build_grant("g", 8, expires_at=NOW + timedelta(days=1)), transfer_id="granted")

    def give(c: Connection) -> None:
        grants.give(
            c,
            guild_id=GUILD,
            from_user_id=USER,
            to_user_id=USER + 1,
            amount_credits=8,
            reason="",
            new_id=lambda: f"gift-{next(numbers)}",
            now=NOW,
        )

    async def attempt(work: Callable[[Connection], object]) -> bool:
        try:
            answer = await database.transaction(work)
        except (Outrun, NothingToTake):
            return False
        return answer is None or (isinstance(answer, tuple) and isinstance(answer[1], Approval))

    await database.transaction(prepare)
    calls = [attempt(give), attempt(lambda c: admit(c, admission)), attempt(give), attempt(give)]
    assert (await asyncio.gather(*calls)).count(True) == 1
    assert await database.read(audit.find_differences) == []

"""The ledger on both databases: caps under concurrency, idempotence, periods, refusals."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from bot.caps.values import Approval, OperatorLimits, Refusal, Rule
from bot.credits import audit, ledger, spending
from bot.credits.values import Outrun, ReservationMissing, Settled, TransferConflict, Usage, Voided
from db.models import BALANCE, TRANSFER
from db.queries.balances import BalanceMissing, find_balance
from tests.db.builders import (
    GUILD,
    HOUR,
    MEMBER_DAY,
    NOW,
    SERVER_MONTH,
    USER,
    admit,
    build_admission,
    build_reservation,
    reserve_for,
    settle,
    store_job,
    store_reserved,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from db.engine import Database
    from db.values import Job
    from tests.db.builders import Limits

DAY = timedelta(days=1)


def void(c: Connection, job: Job, *, now: datetime = NOW, transfer_id: str = "") -> Voided:
    return ledger.void(c, transfer_id=transfer_id or f"void-{job.id}", job_id=job.id, now=now)


async def read_usage(database: Database, now: datetime = NOW, user_id: int = USER) -> Usage:
    return await database.read(lambda c: spending.find_usage(c, user_id=user_id, now=now))


async def count_rows(database: Database) -> tuple[int, int]:
    def count(c: Connection) -> tuple[int, int]:
        transfers = c.execute(select(func.count()).select_from(TRANSFER)).scalar_one()
        return transfers, c.execute(select(func.count()).select_from(BALANCE)).scalar_one()

    return await database.read(count)


async def assert_clean(database: Database) -> None:
    assert await database.read(audit.find_differences) == []


def admitted(answer: tuple[Job, Approval | Refusal]) -> bool:
    return isinstance(answer[1], Approval)


def refused(answer: tuple[Job, Approval | Refusal]) -> Refusal:
    assert isinstance(answer[1], Refusal)
    return answer[1]


@pytest.mark.parametrize("limits", [{MEMBER_DAY: 800}, {SERVER_MONTH: 800}], ids=["member", "server"])
async def test_of_400_reserves_at_once_exactly_the_100_that_fit_are_accepted(
    database: Database, limits: Limits
) -> None:
    stored = await database.transaction(lambda c: [store_job(c) for _ in range(400)])

    async def attempt(job: Job) -> bool:
        try:
            await database.transaction(lambda c: reserve_for(c, job, limits=limits))
        except Outrun:
            return False
        return True

    assert sum(await asyncio.gather(*map(attempt, stored))) == 100
    assert (await read_usage(database)).held_credits == 800
    assert (await count_rows(database))[0] == 100
    await assert_clean(database)


async def test_a_settle_charges_the_report_and_gives_the_rest_back(database: Database) -> None:
    job = await database.transaction(store_reserved)
    assert await read_usage(database) == Usage(today_credits=0, month_credits=0, held_credits=8)
    outcome = await database.transaction(lambda c: settle(c, job, 5))
    assert outcome == Settled(charged=5, excess=0, already=False)
    assert await read_usage(database) == Usage(today_credits=5, month_credits=5, held_credits=0)
    await assert_clean(database)


async def test_a_report_beyond_reservation_and_tolerance_is_borne_by_the_operator(database: Database) -> None:
    job = await database.transaction(store_reserved)
    outcome = await database.transaction(lambda c: settle(c, job, 12, tolerance=1))
    assert outcome == Settled(charged=9, excess=3, already=False)
    assert (await read_usage(database)).today_credits == 9
    again = await database.transaction(lambda c: settle(c, job, 1, transfer_id="other"))
    assert again == Settled(charged=9, excess=3, already=True)
    await assert_clean(database)


async def test_a_void_gives_everything_back(database: Database) -> None:
    job = await database.transaction(store_reserved)
    assert await database.transaction(lambda c: void(c, job)) == Voided(already=False)
    assert await read_usage(database) == Usage(today_credits=0, month_credits=0, held_credits=0)
    await assert_clean(database)


async def test_whoever_resolves_second_changes_nothing_and_is_told_so(database: Database) -> None:
    settled, voided = await database.transaction(lambda c: [store_reserved(c), store_reserved(c)])
    await database.transaction(lambda c: (settle(c, settled, 8), void(c, voided)))
    before = await count_rows(database), await read_usage(database)

    def resolve_again(c: Connection) -> tuple[object, ...]:
        return (
            void(c, settled),
            settle(c, settled, 8, transfer_id="a"),
            void(c, voided, transfer_id="b"),
            settle(c, voided, 8),
        )

    assert await database.transaction(resolve_again) == (
        Voided(already=True, settled=True),
        Settled(charged=8, excess=0, already=True),
        Voided(already=True),
        Settled(charged=0, excess=0, already=True, voided=True),
    )
    assert (await count_rows(database), await read_usage(database)) == before
    await assert_clean(database)


async def test_of_many_that_resolve_at_once_one_decides(database: Database) -> None:
    job = await database.transaction(store_reserved)
    settles = [lambda c, n=n: settle(c, job, 5, transfer_id=f"s{n}").already for n in range(5)]
    voids = [lambda c, n=n: void(c, job, transfer_id=f"v{n}").already for n in range(5)]
    calls = [database.transaction(work) for pair in zip(settles, voids, strict=True) for work in pair]
    assert (await asyncio.gather(*calls)).count(False) == 1
    usage = await read_usage(database)
    assert usage.held_credits == 0
    assert usage.today_credits in {0, 5}
    await assert_clean(database)


async def test_a_reserve_may_be_repeated_by_its_job(database: Database) -> None:
    job = await database.transaction(store_reserved)
    await database.transaction(lambda c: reserve_for(c, job))
    await database.transaction(lambda c: reserve_for(c, job, transfer_id="another"))
    assert await count_rows(database) == (1, 13)
    assert (await read_usage(database)).held_credits == 8


async def test_a_transfer_id_of_something_else_is_a_conflict_and_writes_nothing(database: Database) -> None:
    first, second = await database.transaction(lambda c: [store_reserved(c), store_job(c)])
    taken = f"reserve-{first.id}"
    for attempt in (
        lambda c: reserve_for(c, second, transfer_id=taken),
        lambda c: settle(c, first, 8, transfer_id=taken),
        lambda c: void(c, first, transfer_id=taken),
    ):
        with pytest.raises(TransferConflict) as caught:
            await database.transaction(attempt)
        assert caught.value.transfer_id == taken
    assert await count_rows(database) == (1, 13)
    await assert_clean(database)


async def test_a_second_reserve_of_a_job_for_another_amount_is_a_conflict(database: Database) -> None:
    job = await database.transaction(store_reserved)

    def reserve_more(c: Connection) -> None:
        ledger.reserve(c, replace(build_reservation(job, transfer_id="more"), amount_credits=9))

    with pytest.raises(TransferConflict):
        await database.transaction(reserve_more)


async def test_a_refusal_tells_all_and_leaves_nothing_in_the_same_transaction(database: Database) -> None:
    used = await database.transaction(store_reserved)
    await database.transaction(lambda c: (settle(c, used, 6), store_reserved(c)))
    before = await count_rows(database)
    admission = build_admission(database, OperatorLimits(member_daily_credits=21))
    refusal = refused(
        await database.transaction(lambda c: admit(c, admission, guild_id=GUILD + 1, now=NOW + HOUR))
    )
    assert (refusal.rule, refusal.key) == (Rule.MEMBER_DAILY, "member_daily_held")
    assert refusal.params == {
        "limit": 21,
        "left": 7,
        "needed": 8,
        "held": 8,
        "resets": int(datetime(2026, 3, 15, tzinfo=UTC).timestamp()),
    }
    assert await count_rows(database) == before
    await assert_clean(database)


async def test_a_limit_that_no_longer_holds_takes_everything_back(database: Database) -> None:
    job = await database.transaction(store_job)
    with pytest.raises(Outrun):
        await database.transaction(lambda c: reserve_for(c, job, limits={SERVER_MONTH: 7}))
    assert await count_rows(database) == (0, 0)


async def test_the_servers_limit_counts_all_members_and_resets_with_the_month(database: Database) -> None:
    admission = build_admission(database, OperatorLimits(server_monthly_credits=8))
    assert admitted(await database.transaction(lambda c: admit(c, admission, user_id=USER + 1)))
    refusal = refused(await database.transaction(lambda c: admit(c, admission)))
    assert refusal.rule is Rule.SERVER_MONTHLY
    assert (refusal.params["held"], refusal.params["left"]) == (8, 0)
    assert refusal.params["resets"] == int(datetime(2026, 4, 1, tzinfo=UTC).timestamp())
    assert admitted(await database.transaction(lambda c: admit(c, admission, guild_id=GUILD + 1)))
    assert admitted(await database.transaction(lambda c: admit(c, admission, guild_id=None)))
    assert admitted(await database.transaction(lambda c: admit(c, admission, now=NOW + 31 * DAY)))
    await assert_clean(database)


async def test_the_members_limit_counts_all_servers_and_direct_messages_and_resets_daily(
    database: Database,
) -> None:
    admission = build_admission(database, OperatorLimits(member_daily_credits=16))
    assert admitted(await database.transaction(lambda c: admit(c, admission)))
    assert admitted(await database.transaction(lambda c: admit(c, admission, guild_id=None)))
    refusal = refused(await database.transaction(lambda c: admit(c, admission, guild_id=GUILD + 1)))
    assert refusal.rule is Rule.MEMBER_DAILY
    assert admitted(await database.transaction(lambda c: admit(c, admission, now=NOW + DAY)))
    await assert_clean(database)


@pytest.mark.parametrize(
    ("limits", "operator"),
    [
        ({MEMBER_DAY: 0}, OperatorLimits(member_daily_credits=0)),
        ({SERVER_MONTH: 0}, OperatorLimits(server_monthly_credits=0)),
    ],
)
async def test_a_limit_of_zero_admits_nobody_and_leaves_no_rows(
    database: Database, limits: Limits, operator: OperatorLimits
) -> None:
    with pytest.raises(Outrun):
        await database.transaction(lambda c: store_reserved(c, limits=limits))
    admission = build_admission(database, operator)
    refusal = refused(await database.transaction(lambda c: admit(c, admission)))
    assert (refusal.params["limit"], refusal.params["held"], refusal.params["left"]) == (0, 0, 0)
    assert await count_rows(database) == (0, 0)


async def test_without_a_server_three_balances_are_kept(database: Database) -> None:
    first = await database.transaction(lambda c: store_reserved(c, guild_id=None))
    await database.transaction(lambda c: store_reserved(c, guild_id=None))
    await database.transaction(lambda c: settle(c, first, 8))
    assert await count_rows(database) == (3, 3)
    assert await read_usage(database) == Usage(today_credits=8, month_credits=8, held_credits=8)
    await assert_clean(database)


async def test_a_settle_counts_on_the_day_of_the_reservation(database: Database) -> None:
    late = datetime(2026, 3, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    job = await database.transaction(lambda c: store_reserved(c, now=late))
    await database.transaction(lambda c: settle(c, job, 8, now=late + HOUR))
    assert await read_usage(database, late) == Usage(today_credits=8, month_credits=8, held_credits=0)
    assert await read_usage(database, late + HOUR) == Usage(today_credits=0, month_credits=0, held_credits=0)
    await assert_clean(database)


async def test_what_runs_over_midnight_is_still_shown_as_held(database: Database) -> None:
    await database.transaction(store_reserved)
    assert (await read_usage(database, NOW + DAY)).held_credits == 8


async def test_a_job_without_a_reservation_cannot_be_resolved(database: Database) -> None:
    job = await database.transaction(store_job)
    for resolve in (lambda c: settle(c, job, 1), lambda c: void(c, job)):
        with pytest.raises(ReservationMissing) as caught:
            await database.transaction(resolve)
        assert caught.value.job_id == job.id


async def test_a_reservation_needs_a_stored_job_and_an_amount_that_is_not_negative(
    database: Database,
) -> None:
    job = await database.transaction(store_job)
    sound = build_reservation(job)
    for broken in (replace(sound, job_id="f" * 20), replace(sound, amount_credits=-1)):
        with pytest.raises(IntegrityError):
            await database.transaction(lambda c, broken=broken: ledger.reserve(c, broken))  # type: ignore[misc]
    assert await count_rows(database) == (0, 0)


async def test_a_balance_that_vanished_stops_the_resolution_instead_of_hiding_it(database: Database) -> None:
    job = await database.transaction(store_reserved)
    keys = tuple(one.key for one in build_reservation(job).counted)
    key = next(one for one in keys if (one.scope, one.period) == MEMBER_DAY)
    await database.transaction(lambda c: c.execute(BALANCE.delete().where(BALANCE.c.period == key.period)))
    with pytest.raises(BalanceMissing) as caught:
        await database.transaction(lambda c: settle(c, job, 8))
    assert caught.value.keys == keys
    assert await database.read(lambda c: find_balance(c, key)) is None
    assert (await read_usage(database)).held_credits == 8


async def test_a_balance_that_cannot_be_created_stops_the_reservation(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await database.transaction(store_job)
    monkeypatch.setattr("db.queries.balances.ensure_balances", lambda c, keys: None)
    with pytest.raises(Outrun):
        await database.transaction(lambda c: reserve_for(c, job))
    assert await count_rows(database) == (0, 0)

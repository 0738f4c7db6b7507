"""The gate of the whole fleet: never too many at kvid, fair turns, shut and open again by itself, told once."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from bot.jobs.gate import LINE_PATIENCE_S, REFRESH_INTERVAL_S, Gate
from bot.jobs.gate_rules import HANGING_MIN_S
from bot.kvid.errors import (
    KvidAccountEmpty,
    KvidInvalidPrompt,
    KvidRateLimited,
    KvidServerError,
    KvidUnauthorized,
)
from db.engine import Database
from db.enums import AccountRefusal, Breaker, JobState
from db.queries import gate as gate_queries
from db.queries import jobs as queries
from db.queries import line as line_queries
from db.queries.timers import read_clock
from tests.db.builders import GUILD, USER, store_job
from tests.service.doubles import MovedClock, wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from sqlalchemy import Connection

OUTAGE = KvidServerError(http_status=503)


@dataclass
class Offers:
    """`bot.jobs.ports.Engine`, of which the gate uses `offer` alone."""

    ids: list[str] = field(default_factory=list)

    def offer(self, c: Connection, job_ids: Sequence[str]) -> None:
        assert c.in_transaction()
        self.ids += job_ids

    def wake(self) -> None: ...

    async def start(self, run: Callable[[str], Awaitable[None]]) -> None: ...

    async def stop(self, *, grace_s: float) -> int:
        return 0


class Fleet:
    """Processes on one database, each with a gate of its own; `gates[0]` is asked where one is enough."""

    def __init__(self, databases: Sequence[Database], clock: MovedClock, concurrency: int) -> None:
        self.databases = databases
        self.clock = clock
        self.offers = [Offers() for _ in databases]
        self.gates = [
            Gate(database=database, clock=clock, engine=engine, concurrency=concurrency)
            for database, engine in zip(databases, self.offers, strict=True)
        ]

    async def fill(self, count: int, **changes: object) -> list[str]:
        now = self.clock.now()

        def work(c: Connection) -> list[str]:
            return [store_job(c, created_at=now, **changes).id for _ in range(count)]

        return await self.databases[0].transaction(work)

    async def move(self, job_id: str, to: JobState, **changes: object) -> None:
        """The job goes on, as its runner would have it."""
        now = self.clock.now()
        if to is JobState.RESERVED:
            changes["admitted_at"] = None
        await self.databases[0].transaction(
            lambda c: queries.advance_job(
                c,
                job_id,
                from_states=frozenset(JobState),
                to=to,
                now=now,
                event="test",
                **changes,  # type: ignore[arg-type]
            )
        )

    async def held(self) -> int:
        return len(await self.databases[0].read(line_queries.list_place_holders))

    async def refresh(self) -> None:
        for gate in self.gates:
            await gate._refresh()


@asynccontextmanager
async def open_fleet(database_url: str, *, processes: int = 2, concurrency: int = 8) -> AsyncIterator[Fleet]:
    databases = [Database(database_url) for _ in range(processes)]
    try:
        yield Fleet(databases, MovedClock(), concurrency)
    finally:
        for database in databases:
            await database.close()


@pytest.fixture
async def fleet(database_url: str) -> AsyncIterator[Fleet]:
    async with open_fleet(database_url) as opened:
        yield opened


async def test_the_first_in_line_get_the_places_and_are_offered_with_them(fleet: Fleet) -> None:
    ids = await fleet.fill(10, running_max=99)
    assert await fleet.gates[0].admit() == ids[:8]
    assert fleet.offers[0].ids == ids[:8]
    job = await fleet.databases[0].read(lambda c: queries.get_job(c, ids[0]))
    assert (job.state, job.admitted_at) == (JobState.RESERVED, fleet.clock.now())
    assert await fleet.gates[1].admit() == []
    await fleet.move(ids[0], JobState.CANCELLED)
    assert await fleet.gates[1].admit() == [ids[8]]


async def test_a_job_that_never_finishes_stops_nobody_although_kvid_made_the_window_narrow(
    fleet: Fleet,
) -> None:
    hanging, waiting = await fleet.fill(2, running_max=99)
    gate = fleet.gates[0]
    assert await gate.admit() == [hanging, waiting]
    await fleet.move(waiting, JobState.RESERVED)
    for _ in range(4):
        await gate.failed(KvidRateLimited(http_status=429), is_submit=True)
        fleet.clock.elapsed_s += 120.0
    assert gate.state.window_jobs == 1.0
    await fleet.move(hanging, JobState.SUBMITTED, submitted_at=fleet.clock.now())
    fleet.clock.elapsed_s += HANGING_MIN_S
    assert await gate.admit() == []
    fleet.clock.elapsed_s += 1.0
    assert await gate.admit() == [waiting]


async def test_processes_that_admit_at_once_never_give_more_places_than_there_are(fleet: Fleet) -> None:
    ids = await fleet.fill(60, running_max=99)
    rounds = 0
    seen: list[str] = []
    while len(seen) < len(ids):
        batches = await asyncio.gather(*(gate.admit() for gate in fleet.gates * 3))
        admitted = [job_id for batch in batches for job_id in batch]
        seen += admitted
        assert await fleet.held() == 8 if len(seen) < len(ids) else True
        for job_id in admitted:
            await fleet.move(job_id, JobState.CANCELLED)
        rounds += 1
    assert sorted(seen) == sorted(ids)
    assert rounds == 8
    assert sorted(fleet.offers[0].ids + fleet.offers[1].ids) == sorted(ids)


async def test_what_is_rolled_back_is_neither_admitted_nor_remembered(fleet: Fleet) -> None:
    ids = await fleet.fill(2)
    full = fleet.gates[0]

    def refuse(_c: Connection, _job_ids: Sequence[str]) -> None:
        raise LookupError("the queue's table is gone")

    fleet.offers[0].offer = refuse  # type: ignore[assignment]  # a queue that fails
    with pytest.raises(LookupError):
        await full.admit()
    assert await fleet.held() == 0
    assert await fleet.gates[1].admit() == ids


async def test_members_who_have_enough_at_kvid_do_not_hold_up_those_behind_them(fleet: Fleet) -> None:
    crowd = await fleet.fill(40, running_max=2)
    behind = await fleet.fill(1, user_id=USER + 1)
    assert await fleet.gates[0].admit() == [*crowd[:2], *behind]
    assert await fleet.gates[1].admit() == []


async def test_a_flood_of_one_server_delays_itself_and_not_the_others(database_url: str) -> None:
    """Issue of fairness: 500 jobs of one, one each of ten others; each may run two at once."""
    async with open_fleet(database_url, concurrency=2) as fleet:
        flood = set(await fleet.fill(500, running_max=99))
        others = {(await fleet.fill(1, guild_id=GUILD + 1 + n))[0] for n in range(5)}
        others |= {(await fleet.fill(1, guild_id=None, user_id=USER + 1 + n))[0] for n in range(5)}
        waited: list[str] = []
        while others - set(waited):
            admitted = await fleet.gates[len(waited) % 2].admit()
            waited += admitted
            for job_id in admitted:
                await fleet.move(job_id, JobState.CANCELLED)
        # Alone, the ten would be through after ten; the flood may take its turn once a round.
        assert len(waited) <= 12
        assert len(flood & set(waited)) <= 2


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_line_that_is_emptied_leaves_no_turns_behind_and_writes_none(fleet: Fleet) -> None:
    statements: list[str] = []
    event.listen(
        fleet.databases[0]._writer,
        "before_cursor_execute",
        lambda _c, _cursor, statement, *_: statements.append(statement),
    )
    await fleet.gates[0].admit()
    statements.clear()
    await fleet.fill(1)
    statements.clear()
    await fleet.gates[0].admit()
    verbs = [words.split()[0] for words in statements]
    assert verbs == ["BEGIN", "SELECT", "SELECT", "SELECT", "WITH", "UPDATE"]
    assert await fleet.databases[0].read(line_queries.list_turns) == []


async def test_a_put_back_job_is_the_first_of_its_server_again(fleet: Fleet) -> None:
    ids = await fleet.fill(9, running_max=99)
    await fleet.gates[0].admit()
    await fleet.move(ids[3], JobState.SUBMITTING)
    await fleet.move(ids[3], JobState.RESERVED)
    assert [job.id for job in await fleet.gates[0].list_next(5)] == [ids[3], ids[8]]
    assert await fleet.gates[1].admit() == [ids[3]]


async def test_the_order_that_is_shown_is_the_order_that_is_kept(fleet: Fleet) -> None:
    flood = await fleet.fill(20, running_max=99)
    other = await fleet.fill(2, guild_id=GUILD + 1)
    expected = [job.id for job in await fleet.gates[0].list_next(22)]
    assert expected[:4] == [flood[0], other[0], flood[1], other[1]]
    admitted = await fleet.gates[0].admit()
    for job_id in admitted:
        await fleet.move(job_id, JobState.CANCELLED)
    admitted += await fleet.gates[1].admit()
    assert admitted == expected[: len(admitted)]


# --- rate limits ---


async def test_a_rate_limit_of_one_process_holds_all_of_them_back_and_narrows_the_window(
    fleet: Fleet,
) -> None:
    await fleet.fill(20, running_max=99)
    await fleet.gates[0].failed(KvidRateLimited(http_status=429, retry_after_s=20), is_submit=True)
    assert [await gate.admit() for gate in fleet.gates] == [[], []]
    fleet.clock.elapsed_s += 19.9
    assert await fleet.gates[1].admit() == []
    fleet.clock.elapsed_s += 0.2
    assert len(await fleet.gates[1].admit()) == 4
    for _ in range(40):
        await fleet.gates[0].submitted()
    assert len(await fleet.gates[0].admit()) == 4
    assert await fleet.held() == 8


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_what_changes_nothing_is_not_written(fleet: Fleet) -> None:
    gate = fleet.gates[0]
    begun: list[str] = []
    event.listen(fleet.databases[0]._writer, "begin", lambda _c: begun.append("begin"))
    await gate.submitted()
    await gate.failed(KvidInvalidPrompt(http_status=400), is_submit=True)
    await gate.failed(KvidInvalidPrompt(http_status=400), is_submit=False)
    assert begun == []
    await gate.failed(OUTAGE, is_submit=True)
    assert begun == ["begin"]


# --- the breaker ---


async def break_open(fleet: Fleet) -> None:
    for index in range(5):
        await fleet.gates[index % 2].failed(OUTAGE, is_submit=True)


async def test_behind_an_open_breaker_one_job_of_all_processes_tries(fleet: Fleet) -> None:
    ids = await fleet.fill(5, running_max=99)
    with capture_logs() as lines:
        await break_open(fleet)
        assert [await gate.admit() for gate in fleet.gates] == [[], []]
        fleet.clock.elapsed_s += 10
        batches = await asyncio.gather(*(gate.admit() for gate in fleet.gates * 3))
        assert sorted(batches, key=len) == [[], [], [], [], [], [ids[0]]]
        await fleet.refresh()
        assert [gate.is_held_up() for gate in fleet.gates] == [True, True]
        assert fleet.gates[1].state.breaker is Breaker.HALF_OPEN
        await fleet.move(ids[0], JobState.SUBMITTING)
        assert await fleet.gates[1].admit() == []
        # It fails too: twice the wait.
        await fleet.gates[0].failed(OUTAGE, is_submit=True)
        await fleet.move(ids[0], JobState.RESERVED)
        fleet.clock.elapsed_s += 19
        assert await fleet.gates[0].admit() == []
        fleet.clock.elapsed_s += 1
        assert await fleet.gates[1].admit() == [ids[0]]
        await fleet.gates[1].submitted()
        await fleet.move(ids[0], JobState.SUBMITTED)
        assert await fleet.gates[1].admit() == ids[1:]
    events = [line["event"] for line in lines]
    assert events == ["kvid.breaker_opened", "kvid.breaker_closed"]
    assert "go on by themselves" in lines[0]["mend"]


async def test_a_job_that_ends_before_it_tried_leaves_the_try_to_the_next(fleet: Fleet) -> None:
    ids = await fleet.fill(2, running_max=99)
    await break_open(fleet)
    fleet.clock.elapsed_s += 10
    assert await fleet.gates[0].admit() == [ids[0]]
    await fleet.move(ids[0], JobState.CANCELLED)
    assert await fleet.gates[0].admit() == [ids[1]]


async def test_jobs_are_overdue_only_in_a_line_that_stands_still(fleet: Fleet) -> None:
    ids = await fleet.fill(2)
    fleet.clock.elapsed_s += LINE_PATIENCE_S + 1
    young = await fleet.fill(1)
    assert await fleet.gates[0].list_overdue() == []
    await break_open(fleet)
    await fleet.refresh()
    assert await fleet.gates[0].list_overdue() == ids
    fleet.clock.elapsed_s += LINE_PATIENCE_S + 1
    assert await fleet.gates[0].list_overdue() == ids + young


# --- refused as a whole ---


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (KvidAccountEmpty(http_status=402), AccountRefusal.EMPTY),
        (KvidUnauthorized(http_status=401), AccountRefusal.KEY),
    ],
)
async def test_a_refusal_closes_intake_everywhere_until_a_try_succeeds_and_is_told_once(
    fleet: Fleet, error: KvidAccountEmpty | KvidUnauthorized, kind: AccountRefusal
) -> None:
    ids = await fleet.fill(9, running_max=99)
    first, second = fleet.gates
    assert await first.admit() == ids[:8]
    with capture_logs() as lines:
        for gate in (first, second, first, second):
            await gate.failed(error, is_submit=True)
        for job_id in ids[:8]:
            await fleet.move(job_id, JobState.REFUSED)
        assert [gate.intake_closed_key() for gate in fleet.gates] == ["failure.closed"] * 2
        assert [await gate.admit() for gate in fleet.gates] == [[], []]
        assert first.state.refused is kind
        fleet.clock.elapsed_s += 60
        assert [gate.intake_closed_key() for gate in fleet.gates] == [None, None]
        assert await second.admit() == [ids[8]]
        await second.failed(error, is_submit=True)
        await fleet.move(ids[8], JobState.REFUSED)
        fleet.clock.elapsed_s += 119
        assert second.intake_closed_key() == "failure.closed"
        fleet.clock.elapsed_s += 1
        (last,) = await fleet.fill(1)
        await fleet.refresh()
        assert await first.admit() == [last]
        await first.submitted()
        await fleet.refresh()
    assert [gate.intake_closed_key() for gate in fleet.gates] == [None, None]
    told = [line for line in lines if line["event"] == "kvid.account_refused"]
    assert [line["log_level"] for line in told] == ["error"]
    assert "KVID_API_KEY" in told[0]["mend"]
    assert [line["event"] for line in lines][-1] == "kvid.account_accepted"


async def test_the_next_episode_is_told_again(fleet: Fleet) -> None:
    with capture_logs() as lines:
        for _ in range(2):
            await fleet.gates[0].failed(KvidAccountEmpty(http_status=402), is_submit=False)
            await fleet.gates[0].submitted()
    assert [line["event"] for line in lines].count("kvid.account_refused") == 2


async def test_a_restart_tries_at_once_whether_the_operator_has_mended_it(fleet: Fleet) -> None:
    """They put another key in and start again: ten more minutes of "closed" would look as if it did not help."""
    first, second = fleet.gates
    for _ in range(6):
        await first.failed(KvidUnauthorized(http_status=401), is_submit=True)
        fleet.clock.elapsed_s += first.pause_s()
    await first.failed(KvidUnauthorized(http_status=401), is_submit=True)
    assert first.pause_s() == 600
    assert first.intake_closed_key() is not None
    await second.start()
    assert second.intake_closed_key() is None
    ids = await fleet.fill(2)
    assert await second.admit() == ids[:1], "one job tries"
    await second.submitted()
    assert second.state.refused is None


# --- what a process knows ---


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_process_learns_within_a_second_what_another_was_told(fleet: Fleet) -> None:
    telling, watching = (
        Gate(database=database, clock=fleet.clock, engine=engine, concurrency=8, shared=True)
        for database, engine in zip(fleet.databases, fleet.offers, strict=True)
    )
    await watching.start()
    await telling.failed(KvidUnauthorized(http_status=401), is_submit=True)
    assert telling.intake_closed_key() == "failure.closed"
    assert watching.intake_closed_key() is None
    await wait_until(lambda: fleet.clock.sleeping() == 1)
    fleet.clock.move_on()
    assert fleet.clock.elapsed_s == REFRESH_INTERVAL_S
    await wait_until(lambda: watching.intake_closed_key() == "failure.closed")
    await watching.stop(grace_s=1)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_times_of_a_fleet_are_the_databases_whatever_its_machines_say(fleet: Fleet) -> None:
    gate = Gate(
        database=fleet.databases[0], clock=fleet.clock, engine=fleet.offers[0], concurrency=8, shared=True
    )
    await gate.start()
    (job_id,) = await fleet.fill(1)
    await gate.admit()
    await gate.failed(KvidRateLimited(http_status=429, retry_after_s=30), is_submit=True)
    admitted = (await fleet.databases[0].read(lambda c: queries.get_job(c, job_id))).admitted_at
    now = await fleet.databases[0].read(read_clock)
    assert admitted is not None
    assert timedelta() <= now - admitted < timedelta(seconds=60)
    # This machine's own clock stands still in another year.
    assert 25 < gate.pause_s() <= 31
    await gate.stop(grace_s=1)


async def test_a_database_that_is_away_costs_the_report_and_nothing_else(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_given: object) -> None:
        raise OperationalError("SELECT", {}, OSError("away"))

    monkeypatch.setattr(gate_queries, "lock_gate", away)
    with capture_logs() as lines:
        await fleet.gates[0].failed(OUTAGE, is_submit=True)
    assert [line["event"] for line in lines] == ["gate.report_lost"]

    def bug(*_given: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(gate_queries, "lock_gate", bug)
    with pytest.raises(KeyError):
        await fleet.gates[0].failed(OUTAGE, is_submit=True)

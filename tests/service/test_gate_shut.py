"""The gate of the whole fleet is shut and open again by itself, known to every process, and told once."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from bot.jobs.gate import LINE_PATIENCE_S, REFRESH_INTERVAL_S, Gate
from bot.kvid.errors import (
    KvidAccountEmpty,
    KvidInvalidPrompt,
    KvidRateLimited,
    KvidServerError,
    KvidUnauthorized,
)
from db.enums import AccountRefusal, Breaker, JobState
from db.queries import gate as gate_queries
from db.queries import jobs as queries
from db.queries.timers import read_clock
from tests.service.doubles import wait_until
from tests.service.gate_parts import Fleet, fleet

__all__ = ["fleet"]

OUTAGE = KvidServerError(http_status=503)


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

"""The gate towards kvid: narrower after rate limits, shut in an outage, closed while we are refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.jobs import gate_rules as rules
from bot.jobs.gate_rules import Signal
from db.enums import AccountRefusal, Breaker

if TYPE_CHECKING:
    from db.gate_values import KvidGate

NOW = datetime(2026, 3, 14, 15, 9, 26, tzinfo=UTC)
CONCURRENCY = 8
NEW = rules.new_gate(CONCURRENCY)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def limit(gate: KvidGate, at_s: float = 0.0, retry_after_s: float | None = None) -> KvidGate:
    return rules.on_rate_limited(gate, retry_after_s, concurrency=CONCURRENCY, now=later(at_s))


def fail(gate: KvidGate, signal: Signal, at_s: float = 0.0, *, is_submit: bool = True) -> KvidGate:
    return rules.on_failed(
        gate, signal, is_submit=is_submit, retry_after_s=None, concurrency=CONCURRENCY, now=later(at_s)
    )


def count(gate: KvidGate, at_s: float = 0.0, *, held: int = 0, sending: int = 0, hanging: int = 0) -> int:
    return rules.count_places(
        gate, concurrency=CONCURRENCY, held=held, sending=sending, hanging=hanging, now=later(at_s)
    )


def break_open(at_s: float = 0.0) -> KvidGate:
    gate = NEW
    for _ in range(rules.FAILURES_MAX):
        gate = fail(gate, Signal.OUTAGE, at_s)
    return gate


# --- the window ---


def test_a_new_gate_has_room_for_all_places() -> None:
    assert [count(NEW, held=held) for held in (0, 7, 8, 9)] == [8, 1, 0, 0]


def test_a_lower_setting_holds_at_once() -> None:
    assert rules.count_places(NEW, concurrency=2, held=1, sending=0, hanging=0, now=NOW) == 1


def test_a_job_that_hangs_there_holds_up_nobody_in_a_narrow_window() -> None:
    narrow = replace(NEW, window_jobs=1.0)
    assert count(narrow, held=1) == 0
    assert count(narrow, held=1, hanging=1) == 1
    assert count(narrow, held=2, hanging=1) == 0
    # The operator's own bound counts it all the same.
    assert count(NEW, held=CONCURRENCY, hanging=CONCURRENCY) == 0
    long_ago = later(-rules.HANGING_MIN_S - 1)
    assert [rules.is_hanging(at, None, NOW) for at in (None, NOW, long_ago)] == [False, False, True]
    # Not while kvid itself said that it takes so long.
    assert not rules.is_hanging(long_ago, 60.0, NOW)


def test_a_rate_limit_halves_the_window_and_pauses() -> None:
    gate = limit(NEW)
    assert (gate.window_jobs, gate.limits_in_a_row) == (4.0, 1)
    assert rules.pause_s(gate, NOW) == rules.LIMIT_PAUSE_S
    assert count(gate) == 0
    assert count(gate, rules.LIMIT_PAUSE_S) == 4


def test_answers_that_come_together_halve_it_once() -> None:
    gate = NEW
    for at_s in (0.0, 0.2, 0.9):
        gate = limit(gate, at_s)
    assert gate.window_jobs == 4.0
    assert gate.paused_until == later(rules.LIMIT_PAUSE_S)
    assert limit(gate, 1.0).window_jobs == 2.0


def test_a_wish_to_wait_longer_counts_also_from_the_second_of_them() -> None:
    gate = limit(limit(NEW, retry_after_s=5), 0.5, retry_after_s=30)
    assert gate.paused_until == later(30.5)
    assert limit(gate, 0.6, retry_after_s=1).paused_until == later(30.5)


@pytest.mark.parametrize(("asked_s", "paused_s"), [(20, 20), (86_400, 60), (0, 1), (-5, 1)])
def test_kvids_own_wish_counts_within_bounds(asked_s: float, paused_s: float) -> None:
    assert rules.pause_s(limit(NEW, retry_after_s=asked_s), NOW) == paused_s


def test_without_a_wish_the_pause_grows_to_a_minute_and_the_window_keeps_one_job() -> None:
    gate, at_s, pauses = NEW, 0.0, []
    for _ in range(8):
        gate = limit(gate, at_s)
        pauses.append(rules.pause_s(gate, later(at_s)))
        at_s += pauses[-1]
    assert pauses == [2, 4, 8, 16, 32, 60, 60, 60]
    assert gate.window_jobs == 1.0


def test_each_accepted_submit_widens_by_a_share_of_one_job_up_to_the_setting() -> None:
    gate = limit(limit(NEW), 2)
    assert gate.window_jobs == 2.0
    gate = rules.on_submitted(gate, CONCURRENCY)
    assert (gate.window_jobs, gate.limits_in_a_row) == (2.5, 0)
    for _ in range(100):
        gate = rules.on_submitted(gate, CONCURRENCY)
    assert gate.window_jobs == CONCURRENCY


def test_an_accepted_submit_changes_nothing_of_a_wide_open_gate() -> None:
    """So that nothing has to be written for it."""
    assert rules.on_submitted(NEW, CONCURRENCY) == NEW
    assert fail(NEW, Signal.ANSWERED) == NEW


# --- the breaker ---


def test_five_outages_in_a_row_open_the_breaker_and_ten_seconds_later_one_job_tries() -> None:
    gate = NEW
    for _ in range(4):
        gate = fail(gate, Signal.OUTAGE)
    assert (gate.breaker, count(gate)) == (Breaker.CLOSED, 8)
    gate = fail(gate, Signal.OUTAGE)
    assert (gate.breaker, gate.opened_at) == (Breaker.OPEN, NOW)
    assert [count(gate, at_s) for at_s in (0, 9.9, 10)] == [0, 0, 1]
    assert rules.is_held_up(gate)
    assert not rules.closes_intake(gate, NOW)


def test_an_answer_in_between_starts_the_count_again() -> None:
    gate = NEW
    for _ in range(3):
        for _ in range(4):
            gate = fail(gate, Signal.OUTAGE)
        gate = fail(gate, Signal.ANSWERED)
    assert gate == NEW


def test_only_one_job_tries_until_kvid_has_answered_it() -> None:
    gate = rules.on_admitted(break_open())
    assert gate.breaker is Breaker.HALF_OPEN
    assert count(gate, 10, held=1, sending=1) == 0
    # It ended without having been sent: another one tries.
    assert count(gate, 10, held=0, sending=0) == 1
    assert count(gate, 10, held=8, sending=0) == 0
    assert rules.on_admitted(NEW) is NEW


def test_each_try_that_fails_doubles_the_wait_to_two_minutes() -> None:
    gate, at_s, waits = break_open(), 0.0, []
    for _ in range(6):
        waits.append(rules.pause_s(gate, later(at_s)))
        at_s += waits[-1]
        gate = fail(rules.on_admitted(gate), Signal.OUTAGE, at_s)
    assert waits == [10, 20, 40, 80, 120, 120]
    assert gate.opened_at == NOW


def test_outages_told_by_requests_that_left_before_do_not_prolong_it() -> None:
    gate = break_open()
    assert fail(gate, Signal.OUTAGE, 5) == gate


@pytest.mark.parametrize("signal", [Signal.ANSWERED, Signal.LIMITED, Signal.EMPTY, Signal.KEY])
def test_any_answer_to_a_submit_closes_it_and_none_to_a_question(signal: Signal) -> None:
    gate = rules.on_admitted(break_open())
    assert fail(gate, signal, 10).breaker is Breaker.CLOSED
    assert fail(gate, signal, 10, is_submit=False).breaker is Breaker.HALF_OPEN
    assert rules.on_submitted(gate, CONCURRENCY) == NEW


# --- refused ---


@pytest.mark.parametrize(
    ("signal", "kind"), [(Signal.EMPTY, AccountRefusal.EMPTY), (Signal.KEY, AccountRefusal.KEY)]
)
def test_a_refusal_closes_intake_until_one_job_may_try(signal: Signal, kind: AccountRefusal) -> None:
    gate = fail(NEW, signal)
    assert (gate.refused, gate.refused_since) == (kind, NOW)
    assert [rules.closes_intake(gate, later(at_s)) for at_s in (0, 59.9, 60)] == [True, True, False]
    assert [count(gate, at_s) for at_s in (0, 59.9, 60)] == [0, 0, 1]
    assert count(gate, 60, held=1, sending=1) == 0
    assert rules.on_submitted(gate, CONCURRENCY) == NEW
    assert not rules.closes_intake(NEW, NOW)


def test_refusals_of_jobs_that_were_on_their_way_count_as_one() -> None:
    gate = fail(NEW, Signal.EMPTY)
    for at_s in range(8):
        assert fail(gate, Signal.KEY, at_s) == gate


def test_each_try_that_is_refused_doubles_the_wait_to_ten_minutes() -> None:
    gate, at_s, waits = fail(NEW, Signal.EMPTY), 0.0, []
    for _ in range(6):
        waits.append(rules.pause_s(gate, later(at_s)))
        at_s += waits[-1]
        gate = fail(gate, Signal.KEY, at_s)
    assert waits == [60, 120, 240, 480, 600, 600]
    assert (gate.refused, gate.refused_since) == (AccountRefusal.KEY, NOW)


# --- whatever comes in whatever order ---

SIGNALS = st.sampled_from([None, *Signal])
STEPS = st.lists(st.tuples(SIGNALS, st.booleans(), st.floats(0, 700)), max_size=60)


@given(STEPS)
def test_the_window_stays_in_bounds_and_the_gate_always_opens_again(
    steps: list[tuple[Signal | None, bool, float]],
) -> None:
    gate, at_s = NEW, 0.0
    for signal, is_submit, wait_s in steps:
        at_s += wait_s
        if count(gate, at_s):
            gate = rules.on_admitted(gate)
        if signal is None:
            gate = rules.on_submitted(gate, CONCURRENCY)
        else:
            gate = fail(gate, signal, at_s, is_submit=is_submit)
        assert 1.0 <= gate.window_jobs <= CONCURRENCY
        pause_s = rules.pause_s(gate, later(at_s))
        assert 0 <= pause_s <= rules.REFUSED_PROBE_MAX_S
        assert count(gate, at_s + pause_s + 0.001) >= 1
        assert (gate.breaker is Breaker.CLOSED) == (gate.opened_at is None)
        assert (gate.refused is None) == (gate.refused_probe_at is None)
    assert rules.on_submitted(replace(gate, window_jobs=8.0), CONCURRENCY) == replace(
        NEW, decreased_at=gate.decreased_at, paused_until=gate.paused_until
    )

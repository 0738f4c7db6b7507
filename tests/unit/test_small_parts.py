"""Ids, states, polling, task groups, errors: the small parts others lean on."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from bot import ids
from bot.clock import SystemClock
from bot.errors import AppError, NotEnoughCredits
from bot.jobs.polling import (
    DEADLINE_MAX_S,
    DEADLINE_MIN_S,
    FIRST_CHECK_MAX_S,
    GAP_MAX_S,
    GAP_MIN_S,
    deadline_s,
    next_poll_delay_s,
)
from bot.jobs.states import ENDED, TRANSITIONS, sources_of
from bot.tasks import TaskGroup, wait_for
from db.enums import TERMINAL, JobState
from tests.service.doubles import MovedClock

if TYPE_CHECKING:
    from collections.abc import Callable

ages = st.floats(0, 1e6)
estimates = st.none() | st.floats(0, 1e5)


# --- ids ---


@pytest.mark.parametrize(
    ("make", "pattern"),
    [
        (ids.new_job_id, ids.JOB_ID_PATTERN),
        (ids.new_transfer_id, r"[0-9a-f]{32}"),
        (ids.new_incident_id, r"[0-9a-f]{8}"),
    ],
)
def test_ids_have_their_form_and_never_repeat(make: Callable[[], str], pattern: str) -> None:
    made = {make() for _ in range(200)}
    assert len(made) == 200
    assert all(re.fullmatch(pattern, one) for one in made)


def test_a_nonce_made_of_a_job_id_fits_into_discords_25_characters() -> None:
    assert len(ids.new_job_id() + "f") <= 25


def test_seeds_are_within_what_the_command_takes() -> None:
    assert all(1 <= ids.new_seed() <= ids.SEED_MAX for _ in range(1000))


# --- states ---


def test_the_states_that_end_are_the_databases_terminal_states() -> None:
    assert ENDED == TERMINAL
    assert set(TRANSITIONS) == set(JobState)


def test_every_state_is_reached_and_every_open_state_can_end() -> None:
    for state in JobState:
        reached = {state}
        while more := {after for one in reached for after in TRANSITIONS[one]} - reached:
            reached |= more
        assert reached & ENDED
    assert all(sources_of(state) for state in JobState)


def test_nothing_is_cancelled_once_kvid_may_have_it() -> None:
    assert sources_of(JobState.CANCELLED) == {JobState.RESERVED}
    assert sources_of(JobState.SUBMITTING) == {JobState.RESERVED}
    assert sources_of(JobState.DELIVERED) == {JobState.DELIVERING}


# --- polling ---


@given(ages, estimates)
def test_the_gap_between_checks_is_bounded(age_s: float, estimated_s: float | None) -> None:
    delay_s = next_poll_delay_s(age_s=age_s, estimated_s=estimated_s)
    assert delay_s >= GAP_MIN_S
    assert delay_s <= max(GAP_MAX_S, FIRST_CHECK_MAX_S)


@given(st.floats(1, 1e6))
def test_the_first_check_comes_before_the_estimate_and_not_long_before(estimated_s: float) -> None:
    delay_s = next_poll_delay_s(age_s=0, estimated_s=estimated_s)
    assert min(0.5 * estimated_s, FIRST_CHECK_MAX_S) <= delay_s < estimated_s
    assert delay_s <= FIRST_CHECK_MAX_S


@given(st.floats(1, 600))
def test_a_job_that_is_ready_in_time_is_seen_soon_after(estimated_s: float) -> None:
    age_s = 0.0
    while age_s < estimated_s:
        age_s += next_poll_delay_s(age_s=age_s, estimated_s=estimated_s)
    assert age_s - estimated_s <= max(GAP_MIN_S, 0.12 * estimated_s) + 1e-6


@given(st.floats(0, 1000), estimates)
def test_a_job_that_never_ends_costs_a_bounded_number_of_checks(
    started_s: float, estimated_s: float | None
) -> None:
    age_s, checks = started_s, 0
    while age_s <= min(deadline_s(estimated_s), 3600.0):
        age_s += next_poll_delay_s(age_s=age_s, estimated_s=estimated_s)
        checks += 1
    assert checks <= 420


@given(ages, estimates)
def test_the_gap_never_shrinks_while_a_job_is_late(age_s: float, estimated_s: float | None) -> None:
    late_s = max(age_s, 0.7 * (estimated_s or 10.0))
    assert next_poll_delay_s(age_s=late_s + 1, estimated_s=estimated_s) >= next_poll_delay_s(
        age_s=late_s, estimated_s=estimated_s
    )


@given(estimates)
def test_the_deadline_leaves_a_late_job_time(estimated_s: float | None) -> None:
    assert max(DEADLINE_MIN_S, min(2 * (estimated_s or 0), DEADLINE_MAX_S)) <= deadline_s(estimated_s)
    assert deadline_s(estimated_s) <= DEADLINE_MAX_S


@pytest.mark.parametrize(
    ("history_s", "deadline"), [(None, 300), (0.0, 300), (149, 300), (200, 400), (600, 1200), (9_000, 1800)]
)
def test_what_took_long_lately_puts_the_deadline_off_but_not_for_ever(
    history_s: float | None, deadline: float
) -> None:
    assert deadline_s(10.0, history_s) == deadline


# --- tasks ---


async def test_a_group_runs_one_task_a_key_and_no_more_than_its_limit() -> None:
    group = TaskGroup("x", limit=2)
    go = asyncio.Event()

    async def work() -> None:
        await go.wait()

    assert group.start("a", work())
    assert not group.start("a", work())
    assert group.start("b", work())
    assert not group.start("c", work())
    assert (len(group), "a" in group, "c" in group) == (2, True, False)
    assert group.keys() == {"a", "b"}
    go.set()
    assert await group.stop(grace_s=1) == 0
    assert len(group) == 0
    assert group.start("a", work())
    await group.stop(grace_s=1)


async def test_a_task_that_fails_is_logged_and_makes_room() -> None:
    group = TaskGroup("x", limit=1)

    async def fail() -> None:
        raise RuntimeError("bug")

    with capture_logs() as lines:
        group.start("a", fail())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert [(line["event"], line["task"]) for line in lines] == [("task.failed", "x:a")]
    assert len(group) == 0


async def test_stop_cancels_what_does_not_end_in_time() -> None:
    group = TaskGroup("x", limit=3)
    cancelled = []

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(1)
            raise

    group.start("a", hang())
    group.start("b", hang())
    with capture_logs() as lines:
        assert await group.stop(grace_s=0.01) == 2
    assert (cancelled, lines) == ([1, 1], [])
    assert await group.stop(grace_s=0.01) == 0


async def test_waiting_ends_with_the_event_or_with_the_time() -> None:
    clock, event = MovedClock(), asyncio.Event()
    by_time = asyncio.ensure_future(wait_for(clock, event, 5))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not by_time.done()
    clock.move_on()
    await by_time
    assert clock.elapsed_s == 5
    by_event = asyncio.ensure_future(wait_for(clock, event, 5))
    await asyncio.sleep(0)
    event.set()
    await by_event
    assert clock.elapsed_s == 5


async def test_the_systems_clock_is_utc_and_moves_on() -> None:
    clock = SystemClock()
    before, started = clock.now(), clock.monotonic()
    assert before.utcoffset() is not None
    await clock.sleep(0.001)
    assert clock.now() >= before
    assert clock.monotonic() > started


# --- errors ---


def test_an_app_error_carries_data() -> None:
    error = NotEnoughCredits("failure.member_daily", left=3)
    assert isinstance(error, AppError)
    assert (error.key, error.params, str(error)) == (
        "failure.member_daily",
        {"left": 3},
        "failure.member_daily {'left': 3}",
    )
    assert str(AppError("job.unknown")) == "job.unknown"

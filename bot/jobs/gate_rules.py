"""How the gate towards kvid answers to what kvid says (pure): how many jobs may be there, and when.

Three things close it. A rate limit halves the window and pauses it; each accepted submit widens it by a
share of one job. Outages in a row open the breaker, behind which one job at a time tries whether kvid is back.
An empty account or a refused key closes intake too, since only the operator can mend it; one job tries later.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

from db.enums import AccountRefusal, Breaker
from db.gate_values import KvidGate

if TYPE_CHECKING:
    from datetime import datetime

WINDOW_MIN = 1.0
# Answers to requests that were on their way together are one event, not many.
DECREASE_INTERVAL_S = 1.0
LIMIT_PAUSE_MIN_S = 1.0
LIMIT_PAUSE_S = 2.0
LIMIT_PAUSE_MAX_S = 60.0
FAILURES_MAX = 5
PROBE_S = 10.0
PROBE_MAX_S = 120.0
REFUSED_PROBE_S = 60.0
REFUSED_PROBE_MAX_S = 600.0
# Long after it was to be done, a job says nothing any more of how many kvid can make at once.
HANGING_MIN_S = 120.0
HANGING_FACTOR = 3.0


def new_gate(concurrency: int) -> KvidGate:
    return KvidGate(window_jobs=float(concurrency))


class Signal(StrEnum):
    """What an error of kvid says of kvid as a whole, or of us."""

    ANSWERED = "answered"
    LIMITED = "limited"
    OUTAGE = "outage"
    EMPTY = "empty"
    KEY = "key"


def on_failed(
    gate: KvidGate,
    signal: Signal,
    *,
    is_submit: bool,
    retry_after_s: float | None,
    concurrency: int,
    now: datetime,
) -> KvidGate:
    """A call failed with this signal.

    Only a submit closes the breaker: where questions are answered and submits are not, each job that is let
    through may be lost.
    """
    if is_submit and signal is not Signal.OUTAGE:
        gate = on_answer(gate)
    match signal:
        case Signal.ANSWERED:
            return gate
        case Signal.LIMITED:
            return on_rate_limited(gate, retry_after_s, concurrency=concurrency, now=now)
        case Signal.OUTAGE:
            return on_outage(gate, now)
        case Signal.EMPTY:
            return on_refused(gate, AccountRefusal.EMPTY, now)
        case Signal.KEY:
            return on_refused(gate, AccountRefusal.KEY, now)
        case _:
            assert_never(signal)


def on_submitted(gate: KvidGate, concurrency: int) -> KvidGate:
    """A job was taken: nothing is wrong with our account, and there may be room for more."""
    wider = min(float(concurrency), gate.window_jobs + 1.0 / gate.window_jobs)
    return replace(
        on_answer(gate),
        window_jobs=max(WINDOW_MIN, wider),
        limits_in_a_row=0,
        refused=None,
        refusals_in_a_row=0,
        refused_since=None,
        refused_probe_at=None,
    )


def on_answer(gate: KvidGate) -> KvidGate:
    """A submit was answered, whatever it said: there is no outage."""
    return replace(gate, breaker=Breaker.CLOSED, failures_in_a_row=0, opened_at=None, probe_at=None)


def on_rate_limited(
    gate: KvidGate, retry_after_s: float | None, *, concurrency: int, now: datetime
) -> KvidGate:
    """We were asked to slow down."""
    if gate.decreased_at is None or now - gate.decreased_at >= timedelta(seconds=DECREASE_INTERVAL_S):
        gate = replace(
            gate,
            window_jobs=max(WINDOW_MIN, min(gate.window_jobs, float(concurrency)) / 2),
            limits_in_a_row=gate.limits_in_a_row + 1,
            decreased_at=now,
        )
    elif retry_after_s is None:
        return gate
    if retry_after_s is None:
        limit_s = _grow(LIMIT_PAUSE_S, gate.limits_in_a_row - 1, LIMIT_PAUSE_MAX_S)
    else:
        # Never at once: in a storm some servers say 0.
        limit_s = min(max(retry_after_s, LIMIT_PAUSE_MIN_S), LIMIT_PAUSE_MAX_S)
    paused_until = now + timedelta(seconds=limit_s)
    return replace(gate, paused_until=max(gate.paused_until or paused_until, paused_until))


def on_outage(gate: KvidGate, now: datetime) -> KvidGate:
    """There was no answer, or none that makes sense."""
    if gate.breaker is Breaker.OPEN:
        # Said by a request that left before.
        return gate
    failures = gate.failures_in_a_row + 1
    if gate.breaker is Breaker.CLOSED and failures < FAILURES_MAX:
        return replace(gate, failures_in_a_row=failures)
    return replace(
        gate,
        breaker=Breaker.OPEN,
        failures_in_a_row=failures,
        opened_at=gate.opened_at or now,
        probe_at=now + timedelta(seconds=_grow(PROBE_S, failures - FAILURES_MAX, PROBE_MAX_S)),
    )


def on_refused(gate: KvidGate, kind: AccountRefusal, now: datetime) -> KvidGate:
    """We are refused as a whole, whatever we ask for."""
    if gate.refused is not None and (gate.refused_probe_at is None or now < gate.refused_probe_at):
        # Said to a request that left before, or to a question about a job that is there.
        return gate
    in_a_row = gate.refusals_in_a_row + 1
    return replace(
        gate,
        refused=kind,
        refusals_in_a_row=in_a_row,
        refused_since=gate.refused_since or now,
        refused_probe_at=now + timedelta(seconds=_grow(REFUSED_PROBE_S, in_a_row - 1, REFUSED_PROBE_MAX_S)),
    )


def on_started(gate: KvidGate, now: datetime) -> KvidGate:
    """A process was started, maybe with another key or after the account was topped up: one job tries at once."""
    if gate.refused is None or gate.refused_probe_at is None:
        return gate
    return replace(gate, refused_probe_at=min(gate.refused_probe_at, now))


def on_admitted(gate: KvidGate) -> KvidGate:
    """A job was given a place: behind an open breaker it is the one that tries."""
    return replace(gate, breaker=Breaker.HALF_OPEN) if gate.breaker is Breaker.OPEN else gate


def is_hanging(submitted_at: datetime | None, estimated_s: float | None, now: datetime) -> bool:
    """Whether a job has been at kvid for so long, by kvid's own estimate, that it may never finish."""
    usual_s = max(HANGING_MIN_S, HANGING_FACTOR * (estimated_s or 0.0))
    return submitted_at is not None and now - submitted_at > timedelta(seconds=usual_s)


def count_places(
    gate: KvidGate, *, concurrency: int, held: int, sending: int, hanging: int, now: datetime
) -> int:
    """How many more jobs may go to kvid now.

    Shape: `held` have a place; `sending` of them kvid has not answered yet. Those `hanging` there count against
    the operator's bound alone: in a narrow window they would stop everybody until they are given up.
    """
    if pause_s(gate, now) > 0:
        return 0
    free = max(0, min(math.floor(gate.window_jobs) - (held - hanging), concurrency - held))
    if is_held_up(gate):
        return min(free, 1 if sending == 0 else 0)
    return free


def pause_s(gate: KvidGate, now: datetime) -> float:
    """For how long certainly nobody gets a place."""
    until = [gate.paused_until, gate.refused_probe_at if gate.refused is not None else None]
    if gate.breaker is Breaker.OPEN:
        until.append(gate.probe_at)
    return max(0.0, *((at - now).total_seconds() for at in until if at is not None), 0.0)


def is_held_up(gate: KvidGate) -> bool:
    """Whether nobody can tell when the line moves again."""
    return gate.breaker is not Breaker.CLOSED or gate.refused is not None


def closes_intake(gate: KvidGate, now: datetime) -> bool:
    """Whether new jobs are refused; when it is time to try, the next one that comes is the one that tries."""
    return gate.refused is not None and gate.refused_probe_at is not None and now < gate.refused_probe_at


def _grow(first_s: float, doublings: int, max_s: float) -> float:
    # The exponent is bounded too: a count may run for days.
    return min(max_s, first_s * 2.0 ** max(0, min(doublings, 30)))

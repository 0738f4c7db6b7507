"""The one mapping from kvid's errors to the end of a job: every class has its row."""

from __future__ import annotations

import pytest

from bot.i18n import Catalogue
from bot.jobs.gate_rules import Signal
from bot.jobs.outcomes import (
    Failure,
    Outcome,
    decide_signal,
    decide_submit_outcome,
    decide_wait_outcome,
    is_retry_later,
)
from bot.kvid import errors as kvid
from bot.kvid.errors import DownloadProblem, KvidError
from db.enums import JobState

R, F, U = JobState.REFUSED, JobState.FAILED, JobState.UNKNOWN

ROWS: dict[type[KvidError], tuple[JobState, Failure, Failure | None]] = {
    # class: state and failure of a submit that was certainly not taken, and the end while waiting
    kvid.KvidInvalidPrompt: (R, Failure.PROMPT, None),
    kvid.KvidInvalidParameters: (R, Failure.PARAMETERS, None),
    kvid.KvidAccountEmpty: (R, Failure.CLOSED, None),
    kvid.KvidSafetyRefused: (R, Failure.SAFETY, Failure.SAFETY),
    kvid.KvidRateLimited: (F, Failure.BUSY, None),
    kvid.KvidServerError: (F, Failure.BUSY, None),
    kvid.KvidUnauthorized: (R, Failure.CLOSED, None),
    kvid.KvidJobNotFound: (F, Failure.BUSY, Failure.LOST),
    kvid.KvidJobNotCompleted: (F, Failure.BUSY, None),
    kvid.KvidJobFailed: (F, Failure.BUSY, Failure.RENDER),
    kvid.KvidUnreachable: (F, Failure.BUSY, None),
    kvid.KvidProtocolError: (F, Failure.PROTOCOL, None),
    kvid.KvidDownloadError: (F, Failure.BUSY, None),
}


def build(kind: type[KvidError], *, outcome_unknown: bool = False) -> KvidError:
    if kind is kvid.KvidUnreachable:
        error: KvidError = kvid.KvidUnreachable(request_sent=False)
    elif kind is kvid.KvidDownloadError:
        error = kvid.KvidDownloadError(problem=DownloadProblem.TOO_LARGE)
    else:
        error = kind(http_status=400)
    error.outcome_unknown = outcome_unknown
    return error


def test_every_class_has_its_row() -> None:
    assert set(ROWS) == set(KvidError.__subclasses__())


@pytest.mark.parametrize("kind", ROWS, ids=lambda kind: kind.__name__)
def test_a_submit_that_was_not_taken(kind: type[KvidError]) -> None:
    state, failure, _ = ROWS[kind]
    assert decide_submit_outcome(build(kind)) == Outcome(state=state, failure=failure)


@pytest.mark.parametrize(
    "kind",
    [kvid.KvidServerError, kvid.KvidUnreachable, kvid.KvidProtocolError, kvid.KvidRateLimited],
    ids=lambda kind: kind.__name__,
)
def test_a_submit_that_may_have_been_taken_is_unknown_and_never_repeated(kind: type[KvidError]) -> None:
    error = build(kind, outcome_unknown=True)
    assert decide_submit_outcome(error) == Outcome(state=U, failure=Failure.UNKNOWN)
    assert not is_retry_later(error)


@pytest.mark.parametrize("kind", ROWS, ids=lambda kind: kind.__name__)
def test_only_what_kvid_never_had_waits_for_its_turn_again(kind: type[KvidError]) -> None:
    assert is_retry_later(build(kind)) == (kind in {kvid.KvidRateLimited, kvid.KvidUnreachable})


def test_a_request_that_left_is_not_sent_again() -> None:
    assert not is_retry_later(kvid.KvidUnreachable(request_sent=True))


SIGNALS = {
    kvid.KvidRateLimited: Signal.LIMITED,
    kvid.KvidAccountEmpty: Signal.EMPTY,
    kvid.KvidUnauthorized: Signal.KEY,
    kvid.KvidServerError: Signal.OUTAGE,
    kvid.KvidUnreachable: Signal.OUTAGE,
}


@pytest.mark.parametrize("is_submit", [True, False])
@pytest.mark.parametrize("kind", ROWS, ids=lambda kind: kind.__name__)
def test_what_an_error_says_of_kvid_as_a_whole(kind: type[KvidError], *, is_submit: bool) -> None:
    assert decide_signal(build(kind), is_submit=is_submit) is SIGNALS.get(kind, Signal.ANSWERED)


def test_nonsense_is_an_outage_where_it_may_have_cost_a_job() -> None:
    nonsense = build(kvid.KvidProtocolError, outcome_unknown=True)
    assert decide_signal(nonsense, is_submit=True) is Signal.OUTAGE
    assert decide_signal(nonsense, is_submit=False) is Signal.ANSWERED


@pytest.mark.parametrize("kind", ROWS, ids=lambda kind: kind.__name__)
def test_what_ends_a_job_that_kvid_has(kind: type[KvidError]) -> None:
    failure = ROWS[kind][2]
    expected = None if failure is None else Outcome(state=F, failure=failure)
    assert decide_wait_outcome(build(kind)) == expected


def test_every_failure_has_a_message_that_says_nothing_was_charged() -> None:
    catalogue = Catalogue.load()
    for failure in Failure:
        assert "Nothing was charged" in catalogue.text("en-US", f"failure.{failure}")

"""What an error of kvid means for the job, its member and the operator (pure). The one mapping."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bot.jobs.gate_rules import Signal
from bot.kvid.errors import (
    KvidAccountEmpty,
    KvidError,
    KvidInvalidParameters,
    KvidInvalidPrompt,
    KvidJobFailed,
    KvidJobNotFound,
    KvidProtocolError,
    KvidRateLimited,
    KvidSafetyRefused,
    KvidServerError,
    KvidUnauthorized,
    KvidUnreachable,
)
from db.enums import JobState


class Failure(StrEnum):
    """Why a job ended without a picture; each has a message `failure.<value>` in the catalogue."""

    PROMPT = "prompt"
    PARAMETERS = "parameters"
    SAFETY = "safety"
    CLOSED = "closed"
    BUSY = "busy"
    UNKNOWN = "unknown"
    RENDER = "render"
    LOST = "lost"
    TIMEOUT = "timeout"
    PROTOCOL = "protocol"
    DOWNLOAD = "download"
    SOURCE = "source"
    PLACE = "place"
    UNDELIVERABLE = "undeliverable"
    UNSEEN = "unseen"
    DISCORD = "discord"
    OPERATOR = "operator"
    BUG = "bug"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    state: JobState
    failure: Failure


def decide_submit_outcome(error: KvidError) -> Outcome:
    """How a job ends whose submit raised `error`; a rate limit is no end (see `is_retry_later`)."""
    match error:
        # Whatever the code says: kvid may have taken the job, and then asking again could charge twice.
        case _ if error.outcome_unknown:
            return Outcome(state=JobState.UNKNOWN, failure=Failure.UNKNOWN)
        case KvidAccountEmpty() | KvidUnauthorized():
            return Outcome(state=JobState.REFUSED, failure=Failure.CLOSED)
        case KvidInvalidPrompt():
            return Outcome(state=JobState.REFUSED, failure=Failure.PROMPT)
        case KvidSafetyRefused():
            return Outcome(state=JobState.REFUSED, failure=Failure.SAFETY)
        case KvidInvalidParameters():
            return Outcome(state=JobState.REFUSED, failure=Failure.PARAMETERS)
        case KvidRateLimited():
            return Outcome(state=JobState.FAILED, failure=Failure.BUSY)
        case KvidProtocolError():
            return Outcome(state=JobState.FAILED, failure=Failure.PROTOCOL)
        case _:
            return Outcome(state=JobState.FAILED, failure=Failure.BUSY)


def is_retry_later(error: KvidError) -> bool:
    """True when the job was certainly not taken and may simply wait for its turn again."""
    if error.outcome_unknown:
        return False
    return isinstance(error, KvidRateLimited) or (
        isinstance(error, KvidUnreachable) and not error.request_sent
    )


def decide_wait_outcome(error: KvidError) -> Outcome | None:
    """How a submitted job ends when asking about it raised `error`; None: ask again later."""
    match error:
        case KvidJobNotFound():
            return Outcome(state=JobState.FAILED, failure=Failure.LOST)
        case KvidJobFailed():
            return Outcome(state=JobState.FAILED, failure=Failure.RENDER)
        case KvidSafetyRefused():
            return Outcome(state=JobState.FAILED, failure=Failure.SAFETY)
        case _:
            return None


def decide_signal(error: KvidError, *, is_submit: bool) -> Signal:
    """What `error` means for all jobs, through the gate.

    An answer without sense to a question is that job's own trouble; to a submit, the next job may be lost too.
    """
    match error:
        case KvidRateLimited():
            return Signal.LIMITED
        case KvidAccountEmpty():
            return Signal.EMPTY
        case KvidUnauthorized():
            return Signal.KEY
        case KvidUnreachable() | KvidServerError():
            return Signal.OUTAGE
        case KvidProtocolError() if is_submit and error.outcome_unknown:
            return Signal.OUTAGE
        case _:
            return Signal.ANSWERED


def failed(failure: Failure) -> Outcome:
    return Outcome(state=JobState.FAILED, failure=failure)


def describe(error: KvidError) -> str:
    """One line for the operator: kind, code, HTTP status, excerpt."""
    parts = [type(error).__name__]
    if error.code:
        parts.append(error.code)
    if error.http_status:
        parts.append(f"HTTP {error.http_status}")
    if error.excerpt:
        parts.append(repr(error.excerpt[:200]))
    return " ".join(parts)

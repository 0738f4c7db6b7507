"""What the owner of a job does next, in whatever state it was found (pure).

The one table for a job that was left by a process that died, by one that stopped, or by the owner's own last
step: the row says what may have happened outside, so nothing else needs to be remembered.
"""

from __future__ import annotations

from enum import Enum
from typing import assert_never

from db.enums import JobState


class NextStep(Enum):
    # Nothing has happened outside yet.
    SUBMIT = "submit"
    # Whether kvid has the job is unknown, and asking twice could charge twice: it ends, and its member is told.
    CALL_OFF = "call_off"
    ASK = "ask"
    TAKE_RESULT = "take_result"
    END = "end"
    # kvid has not finished within the deadline.
    GIVE_UP = "give_up"
    DELIVER = "deliver"
    # A post may have arrived, so it is looked for before another one.
    LOOK_AND_DELIVER = "look_and_deliver"
    NOTHING = "nothing"


class Said(Enum):
    """What kvid last said of a submitted job."""

    UNASKED = "unasked"
    UNFINISHED = "unfinished"
    # An outage, or an answer that says nothing of the job.
    UNHEARD = "unheard"
    FINISHED = "finished"
    # Failed, refused, called off, or kvid does not know the job.
    OVER = "over"


def decide(
    state: JobState, *, said: Said = Said.UNASKED, waited_s: float = 0.0, deadline_s: float = 0.0
) -> NextStep:
    """Shape: `waited_s` against `deadline_s` counts for a submitted job that was asked about."""
    match state:
        case JobState.RESERVED:
            return NextStep.SUBMIT
        case JobState.SUBMITTING:
            return NextStep.CALL_OFF
        case JobState.SUBMITTED:
            return _decide_submitted(said, late=waited_s > deadline_s)
        case JobState.SUCCEEDED:
            return NextStep.DELIVER
        case JobState.DELIVERING:
            return NextStep.LOOK_AND_DELIVER
        case (
            JobState.DELIVERED
            | JobState.REFUSED
            | JobState.FAILED
            | JobState.UNKNOWN
            | JobState.UNDELIVERABLE
            | JobState.CANCELLED
        ):
            return NextStep.NOTHING
        case _:
            assert_never(state)


def _decide_submitted(said: Said, *, late: bool) -> NextStep:
    match said:
        case Said.UNASKED:
            # Also long after its deadline: it may well be done, and only nobody asked.
            return NextStep.ASK
        case Said.UNFINISHED | Said.UNHEARD:
            return NextStep.GIVE_UP if late else NextStep.ASK
        case Said.FINISHED:
            return NextStep.TAKE_RESULT
        case Said.OVER:
            return NextStep.END
        case _:
            assert_never(said)

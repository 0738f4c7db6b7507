"""What the owner of a job does next, for every state it can be found in."""

from __future__ import annotations

import pytest

from bot.jobs.recovery import NextStep, Said, decide
from bot.jobs.states import ENDED
from db.enums import OPEN, JobState


@pytest.mark.parametrize(
    ("state", "step"),
    [
        (JobState.RESERVED, NextStep.SUBMIT),
        (JobState.SUBMITTING, NextStep.CALL_OFF),
        (JobState.SUBMITTED, NextStep.ASK),
        (JobState.SUCCEEDED, NextStep.DELIVER),
        (JobState.DELIVERING, NextStep.LOOK_AND_DELIVER),
        *((state, NextStep.NOTHING) for state in sorted(ENDED)),
    ],
)
def test_a_job_is_gone_on_with_from_whatever_state_it_was_found_in(state: JobState, step: NextStep) -> None:
    assert decide(state) is step


def test_only_a_job_that_never_left_for_kvid_is_submitted() -> None:
    assert [state for state in JobState if decide(state) is NextStep.SUBMIT] == [JobState.RESERVED]
    assert NextStep.NOTHING not in {decide(state) for state in OPEN}


@pytest.mark.parametrize(
    ("said", "in_time", "late"),
    [
        (Said.UNASKED, NextStep.ASK, NextStep.ASK),
        (Said.UNFINISHED, NextStep.ASK, NextStep.GIVE_UP),
        (Said.UNHEARD, NextStep.ASK, NextStep.GIVE_UP),
        (Said.FINISHED, NextStep.TAKE_RESULT, NextStep.TAKE_RESULT),
        (Said.OVER, NextStep.END, NextStep.END),
    ],
)
def test_the_deadline_ends_only_what_kvid_has_not_finished(
    said: Said, in_time: NextStep, late: NextStep
) -> None:
    submitted = JobState.SUBMITTED
    assert decide(submitted, said=said, waited_s=300.0, deadline_s=300.0) is in_time
    assert decide(submitted, said=said, waited_s=300.1, deadline_s=300.0) is late

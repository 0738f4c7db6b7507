"""Which states a job may move between (pure).

The picture is in CONTRIBUTING.md. Every write goes through `advance`, whose condition is the set of
states named here, so a second owner of the same job changes nothing.
"""

from __future__ import annotations

from db.enums import JobState

# What each state may become. `submitting -> reserved` only when kvid certainly did not take the job.
TRANSITIONS: dict[JobState, frozenset[JobState]] = {
    JobState.RESERVED: frozenset(
        {JobState.SUBMITTING, JobState.CANCELLED, JobState.REFUSED, JobState.FAILED}
    ),
    JobState.SUBMITTING: frozenset(
        {JobState.SUBMITTED, JobState.RESERVED, JobState.REFUSED, JobState.FAILED, JobState.UNKNOWN}
    ),
    JobState.SUBMITTED: frozenset({JobState.SUCCEEDED, JobState.FAILED}),
    JobState.SUCCEEDED: frozenset({JobState.DELIVERING, JobState.FAILED}),
    JobState.DELIVERING: frozenset({JobState.DELIVERED, JobState.UNDELIVERABLE}),
    JobState.DELIVERED: frozenset(),
    JobState.REFUSED: frozenset(),
    JobState.FAILED: frozenset(),
    JobState.UNKNOWN: frozenset(),
    JobState.UNDELIVERABLE: frozenset(),
    JobState.CANCELLED: frozenset(),
}

ENDED: frozenset[JobState] = frozenset(state for state, after in TRANSITIONS.items() if not after)

# How an open job ends that cannot go on for a reason of our own.
GIVEN_UP: dict[JobState, JobState] = {
    JobState.RESERVED: JobState.FAILED,
    JobState.SUBMITTING: JobState.UNKNOWN,
    JobState.SUBMITTED: JobState.FAILED,
    JobState.SUCCEEDED: JobState.FAILED,
    JobState.DELIVERING: JobState.UNDELIVERABLE,
}


def sources_of(target: JobState) -> frozenset[JobState]:
    """The states from which a job may move to `target`."""
    return frozenset(state for state, after in TRANSITIONS.items() if target in after)

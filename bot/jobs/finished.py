"""What there is to say of a job that has ended: how long it stood in each stage, in one line (pure)."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from db.enums import JobState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from db.values import Job, JobEvent

# In which stage of its life a job is while it stands in a state.
_STAGES = {
    JobState.RESERVED: "waiting",
    JobState.SUBMITTING: "submitting",
    JobState.SUBMITTED: "rendering",
    JobState.SUCCEEDED: "fetching",
    JobState.DELIVERING: "delivering",
}


def measure_stages_s(job: Job, events: Sequence[JobEvent]) -> dict[str, float]:
    """The seconds an ended job spent in each stage it went through, and in total; a stage entered twice adds up."""
    spent: dict[str, float] = {}
    for event, following in itertools.pairwise(events):
        stage = _STAGES.get(event.state)
        # Clocks of several machines may differ by a little.
        after_s = max(0.0, (following.at - event.at).total_seconds())
        if stage is not None:
            spent[stage] = spent.get(stage, 0.0) + after_s
    ended_at = job.finished_at or job.updated_at
    return {**spent, "total": max(0.0, (ended_at - job.created_at).total_seconds())}


def build_line(job: Job, events: Sequence[JobEvent]) -> dict[str, object]:
    """The fields of the one log line about a finished job: ids and numbers, no words of its member's."""
    stages_s = measure_stages_s(job, events)
    return {
        "job": job.id,
        "state": job.state.value,
        "failure": job.failure,
        "detail": job.failure_detail,
        "kind": job.kind.value,
        "user": job.user_id,
        "guild": job.guild_id,
        "channel": job.channel_id,
        "images": job.image_count,
        "reserved": job.reserved_credits,
        "credits": job.used_credits if job.state is JobState.DELIVERED else 0,
        "kvid_job": job.kvid_job_id,
        "estimated_s": job.estimated_s,
        "takes": job.epoch,
        "message": job.message_id,
        **{f"{stage}_s": round(spent_s, 3) for stage, spent_s in stages_s.items()},
    }

"""How long a job stood in each stage, from its events."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bot.jobs.finished import build_line, measure_stages_s
from db.enums import JobState
from db.values import JobEvent
from tests.db.builders import NOW, build_job


def history(*steps: tuple[float, JobState]) -> list[JobEvent]:
    return [
        JobEvent(
            id=number,
            job_id="1",
            at=NOW + timedelta(seconds=at_s),
            name=f"job.{state}",
            state=state,
            detail={},
        )
        for number, (at_s, state) in enumerate(steps)
    ]


WHOLE = history(
    (0, JobState.RESERVED),
    (2, JobState.SUBMITTING),
    (2.5, JobState.SUBMITTED),
    (10, JobState.SUCCEEDED),
    (11, JobState.DELIVERING),
    (12, JobState.DELIVERED),
)


def test_each_stage_has_its_seconds_and_the_total_is_from_the_request_to_the_end() -> None:
    job = replace(build_job(), state=JobState.DELIVERED, finished_at=NOW + timedelta(seconds=12))
    assert measure_stages_s(job, WHOLE) == {
        "waiting": 2,
        "submitting": 0.5,
        "rendering": 7.5,
        "fetching": 1,
        "delivering": 1,
        "total": 12,
    }


def test_a_stage_entered_twice_adds_up_and_clocks_that_differ_count_as_no_time() -> None:
    events = history(
        (0, JobState.RESERVED),
        (3, JobState.SUBMITTING),
        (2, JobState.RESERVED),
        (6, JobState.SUBMITTING),
        (7, JobState.FAILED),
    )
    job = replace(build_job(), state=JobState.FAILED, finished_at=NOW + timedelta(seconds=7))
    assert measure_stages_s(job, events) == {"waiting": 7, "submitting": 1, "total": 7}


def test_the_line_has_what_was_charged_and_no_words_of_the_member() -> None:
    job = replace(
        build_job(prompt="a secret wish", interaction_token="hunter2"),
        state=JobState.DELIVERED,
        used_credits=5,
        finished_at=NOW + timedelta(seconds=12),
    )
    line = build_line(job, WHOLE)
    assert (line["credits"], line["reserved"], line["rendering_s"], line["total_s"]) == (5, 8, 7.5, 12)
    assert not {"a secret wish", "hunter2"} & set(map(str, line.values()))
    assert build_line(replace(job, state=JobState.UNDELIVERABLE), WHOLE)["credits"] == 0

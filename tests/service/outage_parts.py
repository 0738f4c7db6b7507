"""What the tests of outages share: an hour, a job's age, and the mark of those for one database alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from db.values import Job

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
HOUR_S = 3600.0


def age_s(job: Job) -> float:
    assert job.submitted_at is not None
    assert job.finished_at is not None
    return (job.finished_at - job.submitted_at).total_seconds()

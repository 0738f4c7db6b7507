"""A gateway and a worker on one PostgreSQL: either is killed at each of its own boundaries, the other lives on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.crash.matrix import run_matrix
from tests.crash.plans import STEPS
from tests.crash.victim import GATEWAY, WORKER

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


async def test_each_job_ends_once_whichever_process_is_killed_wherever(
    make_postgresql: Callable[[], str], tmp_path: Path
) -> None:
    """A dead worker's job is taken over by a later look; meanwhile nobody computes anything, so more chains run."""
    problems = await run_matrix(STEPS, make_postgresql, tmp_path, roles=(GATEWAY, WORKER), chains=5)
    assert not problems, problems

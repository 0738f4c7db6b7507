"""The single process on PostgreSQL, killed everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.crash.matrix import run_matrix
from tests.crash.plans import STEPS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


async def test_each_job_ends_once_wherever_the_process_is_killed(
    make_postgresql: Callable[[], str], tmp_path: Path
) -> None:
    problems = await run_matrix(STEPS, make_postgresql, tmp_path)
    assert not problems, problems

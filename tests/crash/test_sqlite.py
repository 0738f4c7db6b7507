"""The single process on SQLite, killed everywhere, and before everything that may go wrong meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.crash.matrix import run_matrix
from tests.crash.plans import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


async def test_each_job_ends_once_wherever_the_process_is_killed(
    make_sqlite: Callable[[], str], tmp_path: Path
) -> None:
    problems = await run_matrix(EVERYTHING, make_sqlite, tmp_path)
    assert not problems, problems

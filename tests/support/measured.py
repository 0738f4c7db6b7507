"""Which tests count for coverage: those that tell ways through the code apart, in the process that goes them.

Measuring costs half as much again. Long runs go the same ways again and again; and where the bot is a process of
its own, that of the tests holds the local services alone, which tests/sandbox measures.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import coverage
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = Path(__file__).parents[1]
# Folders and files; in the first, processes that the tests start are measured all the same.
IN_ITS_OWN_PROCESS = ("flow",)
NOT_AT_ALL = (
    "browser",
    "crash",
    "flow/test_chaos.py",
    "flow/test_crowd.py",
    "service/test_fairness.py",
    "service/test_one_day.py",
)
# coverage.py starts in a process that has this in its environment.
CONFIG = "COVERAGE_PROCESS_CONFIG"
# For what outlives the module that happens to start it.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name == CONFIG}


def _is_in(path: Path, names: tuple[str, ...]) -> bool:
    return any(path.is_relative_to(TESTS / name) for name in names)


@pytest.fixture(scope="module", autouse=True)
def only_what_tells_ways_apart(request: pytest.FixtureRequest) -> Iterator[None]:
    """Pause coverage in this process, where it runs, for what does not count."""
    running = coverage.Coverage.current()
    nothing = _is_in(request.path, NOT_AT_ALL)
    if running is None or not (nothing or _is_in(request.path, IN_ITS_OWN_PROCESS)):
        yield
        return
    config = os.environ.pop(CONFIG, None) if nothing else None
    running.stop()
    try:
        yield
    finally:
        running.start()
        if config is not None:
            os.environ[CONFIG] = config

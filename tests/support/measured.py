"""Which tests count for coverage: those that tell ways through the code apart, in the process that goes them.

Measuring costs half as much again. Long runs go the same ways again and again, a test that runs on SQLite and on
PostgreSQL goes them twice, and where the bot is a process of its own, that of the tests holds the local services
alone, which tests/sandbox measures.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import coverage
import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

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
# Their statements are not the same on both.
TELL_DATABASES_APART = ("db",)
# coverage.py starts in a process that has this in its environment.
CONFIG = "COVERAGE_PROCESS_CONFIG"
# For what outlives the module that happens to start it.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name == CONFIG}


def _is_in(path: Path, names: tuple[str, ...]) -> bool:
    return any(path.is_relative_to(TESTS / name) for name in names)


class Pauses:
    """Pauses coverage in this process, where it runs, from one test to the next as each counts."""

    def __init__(self, running: coverage.Coverage, twins: frozenset[str]) -> None:
        self._running = running
        self._twins = twins
        self._config = os.environ.get(CONFIG)
        self._is_on = True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        nothing = _is_in(item.path, NOT_AT_ALL) or self._is_repetition(item)
        if self._config is not None:
            if nothing:
                os.environ.pop(CONFIG, None)
            else:
                os.environ[CONFIG] = self._config
        wanted = not (nothing or _is_in(item.path, IN_ITS_OWN_PROCESS))
        # Only at a change: most follow one of their kind.
        if wanted != self._is_on:
            (self._running.start if wanted else self._running.stop)()
            self._is_on = wanted
        return (yield)

    def _is_repetition(self, item: pytest.Item) -> bool:
        """Whether the same test runs on SQLite, too, and its folder is not the one that tells databases apart."""
        if not isinstance(item, pytest.Function) or _is_in(item.path, TELL_DATABASES_APART):
            return False
        chosen = item.callspec.params.get("database_url") if hasattr(item, "callspec") else None
        return chosen == "postgresql" and item.nodeid.replace("postgresql", "sqlite") in self._twins


def pytest_collection_finish(session: pytest.Session) -> None:
    running = coverage.Coverage.current()
    if running is not None:
        twins = frozenset(item.nodeid for item in session.items)
        session.config.pluginmanager.register(Pauses(running, twins))

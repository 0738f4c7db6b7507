"""Databases for chains: as many as a matrix asks for."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.databases import MigratedDatabases


@pytest.fixture
def make_sqlite(migrated_file: Path, tmp_path: Path) -> Callable[[], str]:
    made: list[Path] = []

    def make() -> str:
        made.append(tmp_path / f"{len(made)}.db")
        shutil.copy(migrated_file, made[-1])
        return f"sqlite:///{made[-1]}"

    return make


@pytest.fixture
def make_postgresql(migrated_postgres: MigratedDatabases) -> Iterator[Callable[[], str]]:
    taken: list[str] = []

    def make() -> str:
        taken.append(migrated_postgres.take())
        return migrated_postgres.server.url(taken[-1])

    yield make
    for name in taken:
        migrated_postgres.give_back(name)

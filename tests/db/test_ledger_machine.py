"""Whatever happens in whatever order, the account stays honest, on both databases.

Owns the databases it runs on and how often. Requests go through the one decision; a model of its own says what each
must be answered and what is then left: `tests/db/account/`.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from db.connections import build_postgresql, build_sqlite_writer
from db.urls import parse_url
from tests.db.account.machine import AccountMachine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Engine

    from tests.support.databases import MigratedDatabases


def run(open_database: Callable[[], Any], *, examples: int, steps: int) -> None:
    machine = type("Machine", (AccountMachine,), {"open_database": staticmethod(open_database)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )


def test_the_account_stays_honest_in_every_order_of_events_on_sqlite(migrated_file: Path) -> None:
    @contextmanager
    def open_copy() -> Iterator[Engine]:
        with tempfile.TemporaryDirectory(prefix="kvid-bot-ledger-") as folder:
            path = Path(folder) / "ledger.db"
            shutil.copy(migrated_file, path)
            engine = build_sqlite_writer(parse_url(f"sqlite:///{path}"))
            try:
                yield engine
            finally:
                engine.dispose()

    run(open_copy, examples=20, steps=25)


def test_the_account_stays_honest_in_every_order_of_events_on_postgresql(
    migrated_postgres: MigratedDatabases,
) -> None:
    @contextmanager
    def open_empty() -> Iterator[Engine]:
        name = migrated_postgres.take()
        engine = build_postgresql(parse_url(migrated_postgres.server.url(name)), pool_size=1)
        try:
            yield engine
        finally:
            engine.dispose()
            migrated_postgres.give_back(name)

    run(open_empty, examples=4, steps=20)

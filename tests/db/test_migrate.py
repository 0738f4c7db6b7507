"""The schema's version: up, down, up again, and in step with the models."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from bot.jobs.engines import queue_rows
from db import migrate
from db.engine import run_once
from db.models import metadata

if TYPE_CHECKING:
    from pathlib import Path


def test_an_empty_database_is_pending_and_a_migrated_one_is_not(empty_database_url: str) -> None:
    assert migrate.current(empty_database_url) is None
    assert migrate.pending(empty_database_url)
    migrate.upgrade(empty_database_url)
    assert migrate.current(empty_database_url) == migrate.head()
    assert not migrate.pending(empty_database_url)


def test_asking_for_the_revision_does_not_create_a_sqlite_file(tmp_path: Path) -> None:
    migrate.pending(f"sqlite:///{tmp_path / 'absent.db'}")
    assert list(tmp_path.iterdir()) == []


def test_a_current_database_is_left_alone(database_url: str) -> None:
    run_once(database_url, lambda c: c.execute(text("INSERT INTO command_sync VALUES ('global', 'abc')")))
    migrate.upgrade(database_url)
    assert (
        run_once(database_url, lambda c: c.execute(text("SELECT hash FROM command_sync")).scalar()) == "abc"
    )


def test_down_to_nothing_and_up_again(database_url: str) -> None:
    migrate.downgrade(database_url, "base")
    assert run_once(database_url, lambda c: inspect(c).get_table_names()) == ["alembic_version"]
    migrate.upgrade(database_url)
    assert run_once(database_url, migrate.find_drift) == []


def test_models_and_migrations_describe_the_same_tables(database_url: str) -> None:
    assert run_once(database_url, migrate.find_drift) == []


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_the_tables_of_the_queue_are_made_once_and_are_not_ours(database_url: str) -> None:
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda _: migrate.upgrade(database_url, also=queue_rows.ensure_schema), range(3)))
    count = text("SELECT count(*) FROM procrastinate_jobs")
    assert run_once(database_url, lambda c: c.execute(count).scalar_one()) == 0
    assert run_once(database_url, migrate.find_drift) == []
    assert migrate.current(database_url) == migrate.head()


def test_models_and_migrations_hold_the_same_checks(database_url: str) -> None:
    """Alembic's comparison does not see CHECK constraints, so they are compared here."""
    migrated = run_once(database_url, read_checks)
    migrate.downgrade(database_url, "base")
    run_once(database_url, metadata.create_all)
    assert run_once(database_url, read_checks) == migrated
    assert len(migrated) > 10


def test_a_failing_migration_leaves_nothing_behind(empty_database_url: str) -> None:
    run_once(empty_database_url, lambda c: c.execute(text("CREATE TABLE balance (x int)")))
    with pytest.raises(DBAPIError, match="balance"):
        migrate.upgrade(empty_database_url)
    assert run_once(empty_database_url, lambda c: inspect(c).get_table_names()) == ["balance"]


def test_processes_that_start_at_once_migrate_once(empty_database_url: str) -> None:
    script = "import sys; from db import migrate; migrate.upgrade(sys.argv[1])"
    command = [sys.executable, "-c", script, empty_database_url]
    started = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(2)]
    assert [process.communicate(timeout=60)[1] for process in started] == [b""] * 2
    assert [process.returncode for process in started] == [0] * 2
    assert not migrate.pending(empty_database_url)


def test_threads_that_migrate_two_databases_do_not_meet(tmp_path: Path) -> None:
    urls = [f"sqlite:///{tmp_path / name}" for name in ("a.db", "b.db")]
    with ThreadPoolExecutor() as threads:
        list(threads.map(migrate.upgrade, urls))
    assert not any(migrate.pending(url) for url in urls)


def test_a_new_migration_is_numbered_and_can_be_applied(
    tmp_path: Path, migrated_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, file = tmp_path / "100% mine", tmp_path / "test.db"
    shutil.copytree(migrate._FOLDER, folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(migrated_file, file)
    monkeypatch.setattr(migrate, "_FOLDER", folder)
    following = f"{int(migrate.head()) + 1:04}"
    migrate.write_revision(f"sqlite:///{file}", "Add nothing")
    assert (folder / "versions" / f"r{following}_add_nothing.py").exists()
    assert migrate.head() == following
    assert migrate.pending(f"sqlite:///{file}")
    migrate.upgrade(f"sqlite:///{file}")
    assert migrate.current(f"sqlite:///{file}") == following


def stand_at(url: str, revision: str) -> None:
    migrate.upgrade(url)
    statement = text("UPDATE alembic_version SET version_num = :revision")
    run_once(url, lambda c: c.execute(statement, {"revision": revision}))


def test_a_database_one_version_ahead_is_worked_with_and_left_alone(empty_database_url: str) -> None:
    following = f"{int(migrate.head()) + 1:04}"
    stand_at(empty_database_url, following)
    assert not migrate.pending(empty_database_url)
    migrate.upgrade(empty_database_url)
    assert migrate.current(empty_database_url) == following


def test_a_database_further_ahead_is_refused_with_both_numbers(empty_database_url: str) -> None:
    far = f"{int(migrate.head()) + 2:04}"
    stand_at(empty_database_url, far)
    for call in (migrate.upgrade, migrate.pending):
        with pytest.raises(migrate.SchemaTooNew, match=f"{far}.*{migrate.head()}"):
            call(empty_database_url)
    assert migrate.current(empty_database_url) == far


def test_the_newest_migration_keeps_the_version_before_it_working(database_url: str) -> None:
    """Its processes go on during an upgrade: nothing they use goes away, nothing they leave out is asked for."""
    after = run_once(database_url, read_columns)
    migrate.downgrade(database_url, f"{int(migrate.head()) - 1:04}")
    before = run_once(database_url, read_columns)
    for name, (kind, nullable, _) in before.items():
        assert after[name][:2] == (kind, nullable), name
    tables = {table for table, _ in before}
    added = {name: column for name, column in after.items() if name not in before and name[0] in tables}
    assert added, "it added no column to a table that was there; then this test looks at nothing"
    for name, (_, nullable, has_default) in added.items():
        assert nullable or has_default, name


def test_migrating_leaves_logging_as_it_was(empty_database_url: str) -> None:
    before = (logging.root.level, list(logging.root.handlers), logging.getLogger("sqlalchemy").level)
    migrate.upgrade(empty_database_url)
    after = (logging.root.level, list(logging.root.handlers), logging.getLogger("sqlalchemy").level)
    assert before == after


def read_columns(c: Connection) -> dict[tuple[str, str], tuple[str, bool, bool]]:
    """Each column by table and name: its type, whether it may be NULL, whether it has a default."""
    inspector = inspect(c)
    return {
        (table, column["name"]): (str(column["type"]), column["nullable"], column["default"] is not None)
        for table in inspector.get_table_names()
        for column in inspector.get_columns(table)
    }


def read_checks(c: Connection) -> set[tuple[str, str]]:
    inspector = inspect(c)
    return {
        (str(check["name"]), "".join(check["sqltext"].split()))
        for table in metadata.tables
        for check in inspector.get_check_constraints(table)
    }

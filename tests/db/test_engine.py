"""Transactions, reads, cancellation, retries, lost connections."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, OperationalError, StatementError

import db.engine
from db.connections import POSTGRESQL_CONNECTIONS
from db.engine import RETRIES_MAX, Database, DatabaseBusy, is_outage, may_be_committed, run_once
from db.models import JobRow
from db.queries.commands import find_sync_hash, set_sync_hash
from tests.db.builders import NOW, build_job, store_job

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
only_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


async def read_hash(database: Database, scope: str = "global") -> str | None:
    return await database.read(lambda c: find_sync_hash(c, scope))


async def test_a_transaction_commits_and_gives_back_what_the_work_returns(database: Database) -> None:
    def work(c: Connection) -> int:
        set_sync_hash(c, "global", "abc")
        return 7

    assert await database.transaction(work) == 7
    assert await read_hash(database) == "abc"


async def test_an_exception_undoes_the_whole_transaction(database: Database) -> None:
    def work(c: Connection) -> None:
        set_sync_hash(c, "global", "abc")
        raise KeyError(1)

    with pytest.raises(KeyError):
        await database.transaction(work)
    assert await read_hash(database) is None


async def test_a_read_cannot_write(database: Database) -> None:
    with pytest.raises(DBAPIError, match=r"read-?\s?only"):
        await database.read(lambda c: set_sync_hash(c, "global", "abc"))
    await database.transaction(lambda c: set_sync_hash(c, "global", "def"))
    assert await read_hash(database) == "def"


async def test_a_read_sees_one_snapshot_and_does_not_block_the_writer(database: Database) -> None:
    begun, written = threading.Event(), threading.Event()

    def look_twice(c: Connection) -> tuple[str | None, str | None]:
        first = find_sync_hash(c, "global")
        begun.set()
        assert written.wait(5)
        return first, find_sync_hash(c, "global")

    looking = asyncio.create_task(database.read(look_twice))
    await asyncio.to_thread(begun.wait, 5)
    await database.transaction(lambda c: set_sync_hash(c, "global", "abc"))
    written.set()
    assert await looking == (None, None)
    assert await read_hash(database) == "abc"


async def test_a_cancelled_caller_leaves_a_whole_transaction(database: Database) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def work(c: Connection) -> None:
        set_sync_hash(c, "first", "abc")
        begun.set()
        assert go_on.wait(5)
        set_sync_hash(c, "second", "def")

    task = asyncio.create_task(database.transaction(work))
    await asyncio.to_thread(begun.wait, 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go_on.set()
    # On both databases a write to the same row waits until the first transaction has ended.
    await database.transaction(lambda c: set_sync_hash(c, "first", "xyz"))
    assert await read_hash(database, "first") == "xyz"
    assert await read_hash(database, "second") == "def"


async def test_work_that_was_cancelled_before_its_turn_never_runs(database_url: str) -> None:
    database = Database(database_url)
    hold = threading.Event()
    ran: list[int] = []
    blockers = [asyncio.create_task(database.transaction(lambda c: hold.wait(5))) for _ in range(5)]
    await asyncio.sleep(0)
    task = asyncio.create_task(database.transaction(lambda c: ran.append(1)))
    await asyncio.sleep(0)
    task.cancel()
    hold.set()
    assert await asyncio.gather(*blockers) == [True] * 5
    with pytest.raises(asyncio.CancelledError):
        await task
    await database.close()
    assert ran == []


async def test_close_ends_begun_work_is_repeatable_and_final(database_url: str) -> None:
    database = Database(database_url)
    task = asyncio.create_task(database.transaction(lambda c: set_sync_hash(c, "global", "abc")))
    await asyncio.sleep(0)
    await database.close()
    await database.close()
    await task
    with pytest.raises(RuntimeError):
        await database.transaction(lambda c: None)


async def test_the_number_of_waiting_calls_is_bounded(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db.engine, "WAITING_MAX", 2)
    calls = [database.read(lambda c: None) for _ in range(3)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes].count(DatabaseBusy) == 1
    await database.read(lambda c: None)


async def test_a_statement_error_does_not_repeat_its_parameters(database: Database) -> None:
    def work(c: Connection) -> None:
        store_job(c, interaction_token="hunter2", image_count=0)

    with pytest.raises(StatementError) as caught:
        await database.transaction(work)
    assert "hunter2" not in str(caught.value)


async def test_a_naive_time_is_refused(database: Database) -> None:
    with pytest.raises(StatementError, match="aware"):
        await database.transaction(lambda c: store_job(c, created_at=NOW.replace(tzinfo=None)))


def test_the_printed_form_of_a_database_hides_its_password() -> None:
    database = Database("postgresql://u:hunter2@127.0.0.1:1/n")
    assert repr(database) == "Database('postgresql+psycopg://u:***@127.0.0.1:1/n')"
    assert "hunter2" not in repr(vars(database))


async def test_an_unreachable_server_is_an_operational_error() -> None:
    database = Database("postgresql://u:hunter2@127.0.0.1:1/n")
    with pytest.raises(OperationalError) as caught:
        await database.read(lambda c: None)
    assert "hunter2" not in str(caught.value)
    await database.close()


async def test_sqlite_creates_the_folder_of_its_file(tmp_path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'a' / 'b' / 'c.db'}")
    await database.transaction(lambda c: c.execute(text("CREATE TABLE t (x)")))
    await database.close()
    assert (tmp_path / "a" / "b" / "c.db").exists()


@only_sqlite
async def test_sqlite_keeps_its_promises_on_every_writing_connection(database: Database) -> None:
    def ask(c: Connection) -> list[object]:
        names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        return [c.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]

    assert await database.transaction(ask) == ["wal", 2, 1, 5000]
    assert database.dialect == "sqlite"


@only_postgresql
@pytest.mark.parametrize(("told", "kept"), [("off", "on"), ("on", "on"), ("remote_write", "remote_write")])
async def test_postgresql_answers_no_commit_before_it_is_written_whatever_its_server_is_told(
    database_url: str, told: str, kept: str
) -> None:
    """What is stricter stays. A commit that a crash forgets would be a second submit, and a second charge."""
    database = Database(f"{database_url}&options=-c%20synchronous_commit%3D{told}")
    try:
        show = "SHOW synchronous_commit"
        assert await database.transaction(lambda c: c.exec_driver_sql(show).scalar()) == kept
        assert await database.read(lambda c: c.exec_driver_sql(show).scalar()) == kept
    finally:
        await database.close()


@only_sqlite
async def test_two_processes_on_one_sqlite_file_lose_no_update(database: Database, database_url: str) -> None:
    """Two `Database`s share nothing but the file, as two processes would."""

    def count_up(c: Connection) -> None:
        set_sync_hash(c, "global", str(int(find_sync_hash(c, "global") or 0) + 1))

    other = Database(database_url)
    await asyncio.gather(*(one.transaction(count_up) for _ in range(20) for one in (database, other)))
    await other.close()
    assert await read_hash(database) == "40"


@only_postgresql
async def test_deadlocked_work_runs_again(database: Database) -> None:
    assert database.dialect == "postgresql"
    for scope in ("a", "b"):
        await database.transaction(lambda c, scope=scope: set_sync_hash(c, scope, "-"))  # type: ignore[misc]
    both_hold = threading.Barrier(2)
    runs: list[str] = []

    def build_work(first: str, second: str) -> Callable[[Connection], None]:
        def work(c: Connection) -> None:
            again = first in runs
            runs.append(first)
            c.execute(text("SET LOCAL deadlock_timeout = '10ms'"))
            # The second time in the order of the other, so that the two cannot cross again.
            for scope in (second, first) if again else (first, second):
                set_sync_hash(c, scope, first + second)
                if not again and scope == first:
                    both_hold.wait(5)

        return work

    await asyncio.gather(
        database.transaction(build_work("a", "b")), database.transaction(build_work("b", "a"))
    )
    # One of the two is undone and runs again, so its words are the last.
    assert len(runs) == 3
    last = "ab" if runs[-1] == "a" else "ba"
    assert [await read_hash(database, scope) for scope in ("a", "b")] == [last, last]


@only_postgresql
async def test_work_that_never_serialises_is_given_up(database: Database) -> None:
    runs: list[int] = []

    def work(c: Connection) -> None:
        runs.append(1)
        c.execute(text("DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '40001'; END $$"))

    with pytest.raises(OperationalError):
        await database.transaction(work)
    assert len(runs) == 1 + RETRIES_MAX


@only_postgresql
async def test_a_lost_connection_is_an_operational_error_and_the_next_call_works(database: Database) -> None:
    def lose(c: Connection) -> None:
        set_sync_hash(c, "global", "abc")
        c.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        c.execute(text("SELECT 1"))

    with pytest.raises(OperationalError) as caught:
        await database.transaction(lose)
    assert is_outage(caught.value)
    assert await read_hash(database) is None


@only_postgresql
async def test_a_commit_without_an_answer_is_told_from_work_that_was_cut_off(
    database: Database, database_url: str
) -> None:
    def cut_off(c: Connection) -> None:
        process_id = c.execute(text("SELECT pg_backend_pid()")).scalar_one()
        run_once(
            database_url, lambda other: other.execute(text(f"SELECT pg_terminate_backend({process_id})"))
        )

    def cut_off_before_the_end(c: Connection) -> None:
        cut_off(c)
        c.execute(text("SELECT 1"))

    with pytest.raises(OperationalError) as at_the_end:
        await database.transaction(cut_off)
    with pytest.raises(OperationalError) as before:
        await database.transaction(cut_off_before_the_end)
    assert [may_be_committed(error.value) for error in (at_the_end, before)] == [True, False]
    assert is_outage(at_the_end.value)
    away = Database("postgresql://u@127.0.0.1:1/n")
    with pytest.raises(OperationalError) as not_there:
        await away.read(lambda c: c.execute(text("SELECT 1")))
    await away.close()
    assert not may_be_committed(not_there.value)


async def test_calls_that_queued_behind_an_unreachable_server_fail_with_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Five threads wait for a connection; who stands behind them must not wait for a time-out each."""
    database = Database("postgresql://u@127.0.0.1:1/n")
    assert database._writer.dialect.driver == "psycopg"
    tried: list[int] = []
    go_on = threading.Event()

    def connect(*_args: object, **_kwargs: object) -> None:
        tried.append(1)
        assert go_on.wait(5)
        raise database._writer.dialect.dbapi.OperationalError("timeout expired")  # type: ignore[union-attr]

    monkeypatch.setattr(database._writer.dialect, "connect", connect)
    calls = [asyncio.create_task(database.read(lambda c: None)) for _ in range(30)]
    await asyncio.sleep(0.05)
    go_on.set()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert len(tried) == POSTGRESQL_CONNECTIONS
    assert all(isinstance(outcome, BaseException) and is_outage(outcome) for outcome in outcomes)
    # The next one tries again.
    with pytest.raises(OperationalError):
        await database.read(lambda c: None)
    await database.close()


@only_sqlite
async def test_a_full_disk_is_an_outage_and_passes(database: Database) -> None:
    def fill(c: Connection) -> None:
        pages = c.exec_driver_sql("PRAGMA page_count").scalar_one()
        c.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        for number in range(500):
            set_sync_hash(c, f"scope-{number}", "abc" * 20)

    with pytest.raises(OperationalError) as caught:
        await database.transaction(fill)
    assert is_outage(caught.value)
    await database.transaction(lambda c: c.exec_driver_sql("PRAGMA max_page_count = 1000000"))
    await database.transaction(lambda c: set_sync_hash(c, "global", "abc"))
    assert await read_hash(database, "scope-1") is None
    assert await read_hash(database) == "abc"


async def test_a_statement_that_is_wrong_is_no_outage(database: Database) -> None:
    with pytest.raises(DBAPIError) as caught:
        await database.transaction(lambda c: c.execute(text("SELECT * FROM nowhere")))
    assert not is_outage(caught.value)
    assert not is_outage(KeyError())


def test_a_job_hides_its_interaction_token() -> None:
    job = build_job(interaction_token="hunter2")
    assert "hunter2" not in repr(job)
    assert "hunter2" not in repr(JobRow(**asdict(job)))

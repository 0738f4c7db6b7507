"""The door to the database: `transaction()` and `read()`, the same on SQLite and PostgreSQL.

Owns threads, commits and retries; nothing else in the project commits. Must not know tables or services.
A whole transaction is one synchronous function on one thread: statement by statement through an async
driver costs twenty times the CPU, and a lock would be held across every hop of the event loop.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Literal, TypeVar

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from db.connections import (
    POSTGRESQL_CONNECTIONS,
    SQLITE_READERS,
    build_postgresql,
    build_sqlite_reader,
    build_sqlite_writer,
)
from db.urls import normalise_url, parse_url, render_safe_url

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Engine

__all__ = [
    "Database",
    "DatabaseBusy",
    "is_outage",
    "may_be_committed",
    "normalise_url",
    "render_safe_url",
    "run_once",
]

Value = TypeVar("Value")

RETRIES_MAX = 3
RETRY_PAUSE_S = 0.02
WAITING_MAX = 5_000
# Serialisation failure and deadlock: PostgreSQL undid the whole transaction, so the same work may run again.
_REPEATABLE_SQLSTATES = frozenset({"40001", "40P01"})
# Busy, locked, out of memory, read-only, an I/O error, full, cannot open; "no such table" is a bug instead.
# Source: SQLite, "Result and Error Codes"; the low byte of an extended code.
_SQLITE_OUTAGES = frozenset({5, 6, 7, 8, 10, 13, 14})


class DatabaseBusy(Exception):
    """The call was not begun: too many wait already, or the database could not be reached while this one waited."""

    def __init__(self, waiting: int) -> None:
        super().__init__(waiting)
        self.waiting = waiting


def is_outage(error: BaseException) -> bool:
    """Tell whether the database itself is amiss for now (away, restarting, full, locked), not what it was asked."""
    if isinstance(error, DatabaseBusy):
        return True
    if not isinstance(error, DBAPIError):
        return False
    sqlite_code = getattr(error.orig, "sqlite_errorcode", None)
    if sqlite_code is not None:
        return sqlite_code & 0xFF in _SQLITE_OUTAGES
    return error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)


def may_be_committed(error: BaseException) -> bool:
    """Tell whether the connection broke at the end of a transaction, so that nobody knows whether it was committed."""
    # No statement, and a connection that had been there: it was the COMMIT.
    return isinstance(error, DBAPIError) and error.connection_invalidated and error.statement is None


class Database:
    """One database, its connections and their threads.

    Raises: ValueError for an address that cannot be used.
    """

    dialect: Literal["sqlite", "postgresql"]

    def __init__(self, url: str) -> None:
        parsed = parse_url(url)
        self.safe_url = render_safe_url(url)
        self._waiting = 0
        # How often no connection could be had so far.
        self._unreachable = 0
        if parsed.drivername == "sqlite":
            self.dialect = "sqlite"
            self._writer = build_sqlite_writer(parsed)
            self._reader = build_sqlite_reader(parsed)
            self._writer_threads = ThreadPoolExecutor(1, thread_name_prefix="db-writer")
            self._reader_threads = ThreadPoolExecutor(SQLITE_READERS, thread_name_prefix="db-reader")
        else:
            self.dialect = "postgresql"
            self._writer = build_postgresql(parsed)
            self._reader = self._writer.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
            self._writer_threads = ThreadPoolExecutor(POSTGRESQL_CONNECTIONS, thread_name_prefix="db")
            self._reader_threads = self._writer_threads

    def __repr__(self) -> str:
        return f"Database({self.safe_url!r})"

    async def transaction(self, work: Callable[[Connection], Value]) -> Value:
        """Run `work` in one writing transaction on a database thread, and commit it.

        Transaction: opens and ends it; an exception out of `work` rolls all of it back.
        Repeatable: `work` may run up to four times (PostgreSQL: deadlock, serialisation failure), so it
        touches nothing but its connection. A cancelled caller does not stop work that has begun: it still
        commits or rolls back as a whole, and the caller does not learn which.
        Raises: what `work` raises; sqlalchemy's OperationalError when the connection is lost, and DatabaseBusy
        (`is_outage` tells both).
        """
        return await self._run(self._writer_threads, _transact, self._writer, work)

    async def read(self, work: Callable[[Connection], Value]) -> Value:
        """Run `work` on one snapshot that it cannot change.

        Transaction: opens one and rolls it back. A write in it raises a database error.
        Raises: as `transaction`.
        """
        return await self._run(self._reader_threads, _read, self._reader, work)

    async def close(self) -> None:
        """End the threads after the work they have begun, then the connections.

        Repeatable: yes. A call after it raises RuntimeError.
        """
        await asyncio.get_running_loop().run_in_executor(None, self._close)

    def _close(self) -> None:
        for threads in (self._writer_threads, self._reader_threads):
            threads.shutdown(wait=True, cancel_futures=False)
        for engine in (self._writer, self._reader):
            engine.dispose()

    async def _run(
        self,
        threads: ThreadPoolExecutor,
        runner: Callable[[Engine, Callable[[Connection], Value]], Value],
        engine: Engine,
        work: Callable[[Connection], Value],
    ) -> Value:
        if self._waiting >= WAITING_MAX:
            raise DatabaseBusy(self._waiting)
        self._waiting += 1
        try:
            unreachable = self._unreachable
            return await asyncio.get_running_loop().run_in_executor(
                threads, self._run_reachable, unreachable, runner, engine, work
            )
        finally:
            self._waiting -= 1

    def _run_reachable(
        self,
        unreachable: int,
        runner: Callable[[Engine, Callable[[Connection], Value]], Value],
        engine: Engine,
        work: Callable[[Connection], Value],
    ) -> Value:
        """On a thread: what queued behind a call that found no connection fails with it, not one time-out later."""
        if self._unreachable != unreachable:
            raise DatabaseBusy(self._waiting)
        try:
            return runner(engine, work)
        except OperationalError as error:
            if error.statement is None and is_outage(error):
                # No statement: the connection itself could not be had.
                self._unreachable += 1
            raise


def run_once(url: str, work: Callable[[Connection], Value]) -> Value:
    """Run `work` in one writing transaction without an event loop: migrations and fixtures.

    Transaction: opens and ends it.
    """
    parsed = parse_url(url)
    engine = (
        build_sqlite_writer(parsed)
        if parsed.drivername == "sqlite"
        else build_postgresql(parsed, pool_size=1)
    )
    try:
        return _transact(engine, work)
    finally:
        engine.dispose()


def _transact(engine: Engine, work: Callable[[Connection], Value]) -> Value:
    attempt = 0
    while True:
        try:
            with engine.begin() as connection:
                if attempt > 0:
                    _let_the_other_finish(connection, attempt)
                return work(connection)
        except DBAPIError as error:
            attempt += 1
            if attempt > RETRIES_MAX or getattr(error.orig, "sqlstate", None) not in _REPEATABLE_SQLSTATES:
                raise


def _let_the_other_finish(connection: Connection, attempt: int) -> None:
    # The survivor of a deadlock is woken later than we are: at once, the same locks would cross again.
    connection.execute(text("SELECT pg_sleep(:pause_s)"), {"pause_s": RETRY_PAUSE_S * attempt})


def _read(engine: Engine, work: Callable[[Connection], Value]) -> Value:
    with engine.connect() as connection:
        return work(connection)

"""SQLAlchemy engines for both databases, told what each database needs to hear.

Owns pragmas, session settings and pool sizes. Must not know tables. Used by `db.engine` alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, event
from sqlalchemy.pool import QueuePool

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine import URL
    from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
    from sqlalchemy.pool import ConnectionPoolEntry

SQLITE_READERS = 3
POSTGRESQL_CONNECTIONS = 5
BUSY_TIMEOUT_MS = 5_000
CONNECT_TIMEOUT_S = 5
# A server that vanished without a word: its connections fail after so long, not after the kernel's two hours.
_PATIENCE = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 15_000,
}
STATEMENT_TIMEOUT_MS = 30_000

_WRITER_PRAGMAS = (
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
    "PRAGMA journal_mode = WAL",
    # An account of money: a commit that was answered survives a power cut, which NORMAL does not promise.
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    # Else what REPLACE deletes passes by the triggers that keep lines append-only.
    "PRAGMA recursive_triggers = ON",
)
_READER_PRAGMAS = (
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
    "PRAGMA query_only = ON",
)
_POSTGRESQL_SETTINGS = (
    "SET TIME ZONE 'UTC'",
    f"SET statement_timeout = {STATEMENT_TIMEOUT_MS}",
    f"SET idle_in_transaction_session_timeout = {STATEMENT_TIMEOUT_MS}",
    # A server may be told to answer before a commit is written. What was answered here is acted upon: a crash
    # of that server would have a job forget that it was submitted, and be submitted twice. Stricter is kept.
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
)


def build_sqlite_writer(url: URL) -> Engine:
    """Build the engine of the one connection that writes.

    Source: SQLAlchemy 2.1, "SQLite: transactional behaviour"; pysqlite's own BEGIN comes too late (a SELECT
    opens no transaction), so it is turned off and every transaction begins by our own statement.
    """
    Path(url.database or "").parent.mkdir(parents=True, exist_ok=True)
    return _build_sqlite(url, pool_size=1, pragmas=_WRITER_PRAGMAS, begin="BEGIN IMMEDIATE")


def build_sqlite_reader(url: URL) -> Engine:
    """Build the engine whose connections see a snapshot each and cannot write."""
    return _build_sqlite(url, pool_size=SQLITE_READERS, pragmas=_READER_PRAGMAS, begin="BEGIN")


def build_postgresql(url: URL, *, pool_size: int = POSTGRESQL_CONNECTIONS) -> Engine:
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={"connect_timeout": CONNECT_TIMEOUT_S, **_PATIENCE},
    )
    _run_on_connect(engine, _POSTGRESQL_SETTINGS)
    event.listen(engine, "handle_error", _drop_detail)
    return engine


def _build_sqlite(url: URL, *, pool_size: int, pragmas: tuple[str, ...], begin: str) -> Engine:
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=pool_size,
        max_overflow=0,
        # Statement errors repeat their parameters, and one of the columns is an interaction's token.
        hide_parameters=True,
        # One connection serves one thread at a time, but not always the same one.
        connect_args={"isolation_level": None, "check_same_thread": False},
    )
    _run_on_connect(engine, pragmas)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _run_on_connect(engine: Engine, statements: tuple[str, ...]) -> None:
    @event.listens_for(engine, "connect")
    def _connect(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        cursor.close()
        connection.commit()


def _drop_detail(context: ExceptionContext) -> None:
    """Take PostgreSQL's DETAIL out of an error's text: it repeats the whole refused row, secrets included."""
    error = context.original_exception
    primary: str | None = getattr(getattr(error, "diag", None), "message_primary", None)
    if primary is None:
        return
    told = str(error)
    error.args = (primary,)
    wrapper = context.sqlalchemy_exception or error
    wrapper.args = tuple(str(part).replace(told, primary) for part in wrapper.args)

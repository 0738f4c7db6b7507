"""One process per database, or one fleet: a lock that ends with its holder, however that ended.

Owns what the lock is on each database. Must not know who works under it, nor wait: `bot.only_one` does both.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from db.connections import build_postgresql
from db.urls import parse_url

# Any number, as long as every version of this project uses the same one; another than the migrations'.
_LOCK_KEY = 7_531_902_446_109
_PATIENCE = {"keepalives_idle": "15", "keepalives_interval": "5", "tcp_user_timeout": "20000"}
# The server's side of it: a machine that vanished without a word lets go after half a minute, not two hours.
_SESSION = (
    "SET tcp_keepalives_idle = 15",
    "SET tcp_keepalives_interval = 5",
    "SET tcp_keepalives_count = 3",
)


class ProcessLock(Protocol):
    """Each call may block for as long as the database takes to answer."""

    def take(self) -> bool:
        """Try once; False while another process holds it.

        Raises: OSError, sqlalchemy's DBAPIError. Repeatable: yes, it lets go of what it held before.
        """
        ...

    def is_held(self) -> bool:
        """Whether it is still ours: a connection may be lost, a file removed."""
        ...

    def release(self) -> None:
        """Repeatable: yes."""
        ...


def build_lock(url: str, *, shared: bool = False) -> ProcessLock:
    """Build the lock of the database at `url`, not yet taken; `shared`, many hold it, and nobody has it alone.

    Raises: ValueError, as `parse_url`; a SQLite database is not shared.
    """
    parsed = parse_url(url)
    if parsed.drivername != "sqlite":
        return SessionLock(url, shared=shared)
    if shared:
        raise ValueError("a SQLite database belongs to one process")
    return FileLock(Path(parsed.database or ""))


class FileLock:
    """SQLite: `<file>.lock` beside the database; the file stays, only the kernel's lock on it counts."""

    def __init__(self, database: Path) -> None:
        # Resolved: two links to one database share its lock.
        database = database.resolve()
        self._path = database.with_name(f"{database.name}.lock")
        self._file: int | None = None

    def take(self) -> bool:
        self.release()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
        except OSError:
            self.release()
            raise
        return self.is_held()

    def is_held(self) -> bool:
        if self._file is None:
            return False
        try:
            there = self._path.stat()
        except OSError:
            return False
        return os.path.samestat(there, os.fstat(self._file))

    def release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


class SessionLock:
    """PostgreSQL: an advisory lock of a session that does nothing else.

    A pooler in front that shares sessions between transactions would lose it; such a pooler cannot be used.
    """

    def __init__(self, url: str, *, shared: bool = False) -> None:
        kind = "_shared" if shared else ""
        self._take = text(f"SELECT pg_try_advisory_lock{kind}(:key)")
        self._unlock = text(f"SELECT pg_advisory_unlock{kind}(:key)")
        with_patience = parse_url(url).update_query_dict(_PATIENCE)
        # Without autocommit the idle session would stand in a transaction, which PostgreSQL ends after a while.
        self._engine = build_postgresql(with_patience, pool_size=1).execution_options(
            isolation_level="AUTOCOMMIT"
        )
        self._connection: Connection | None = None

    def take(self) -> bool:
        self._let_go()
        connection = self._engine.connect()
        try:
            for statement in _SESSION:
                connection.exec_driver_sql(statement)
            if connection.scalar(self._take, {"key": _LOCK_KEY}):
                self._connection = connection
                return True
        finally:
            if self._connection is None:
                connection.close()
        return False

    def is_held(self) -> bool:
        if self._connection is None:
            return False
        try:
            self._connection.exec_driver_sql("SELECT 1")
        except DBAPIError:
            return False
        return True

    def release(self) -> None:
        self._let_go()
        self._engine.dispose()

    def _let_go(self) -> None:
        if self._connection is not None:
            # The server notices the end of a session a moment later; said in words, the lock is free at once.
            with contextlib.suppress(SQLAlchemyError):
                self._connection.execute(self._unlock, {"key": _LOCK_KEY})
            # Ends the session, whatever state it is in, and with it the lock.
            self._connection.invalidate()
            self._connection.close()
            self._connection = None

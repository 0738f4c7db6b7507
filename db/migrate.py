"""The schema's version: bring a database to the newest, or to any, without a configuration file.

Owns the way to Alembic and the lock between machines that start at once. Must not know what a migration
does. Stands before the service: `kvid-bot db` and the start of `run` call it.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from db.engine import run_once
from db.models import metadata
from db.urls import parse_url

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

LOCK_TIMEOUT_S = 60
FOREIGN_TABLES = "procrastinate_"
# Any number, as long as every version of this project uses the same one.
_LOCK_KEY = 7_531_902_446_108
_FOLDER = Path(__file__).parent / "migrations"
# Alembic keeps the running migration in module globals: a second thread would use the first one's connection.
_one_thread = threading.Lock()


class SchemaTooNew(Exception):
    """The database was brought further than this version's code can work with."""

    def __init__(self, found: str, known: str) -> None:
        super().__init__(found, known)
        self.found = found
        self.known = known

    def __str__(self) -> str:
        return (
            f"the database is at migration {self.found}, and this kvid-bot knows them up to {self.known}. "
            "Start the newer version, or bring the database back with it"
        )


def upgrade(
    url: str, revision: str = "head", *, also: Callable[[Connection], None] = lambda _connection: None
) -> None:
    """Bring the database to `revision`, then do `also`: tables that belong to somebody else.

    A database one migration ahead is left as it is: during an upgrade processes of two versions work side by
    side, so each migration keeps the code of the version before it working.

    Raises: SchemaTooNew when it is further ahead.
    Transaction: opens one that holds every step; a failing step leaves the database as it was.
    Repeatable: yes, a current database is left alone; machines that call at once take turns.
    """

    def work(config: Config) -> None:
        if not _is_one_ahead(find_revision(config.attributes["connection"])):
            command.upgrade(config, revision)
        also(config.attributes["connection"])

    _run_locked(url, work)


def downgrade(url: str, revision: str) -> None:
    """Take the database back to `revision`; "base" removes everything.

    Transaction: as `upgrade`.
    """
    _run_locked(url, lambda config: command.downgrade(config, revision))


def current(url: str) -> str | None:
    """Tell the database's revision; None for an empty or absent database."""
    parsed = parse_url(url)
    if parsed.drivername == "sqlite" and not Path(parsed.database or "").exists():
        return None
    return run_once(url, find_revision)


def find_revision(c: Connection) -> str | None:
    """Tell the database's revision; None for an empty one.

    Transaction: joins.
    """
    return MigrationContext.configure(c).get_current_revision()


def head() -> str:
    """Tell the newest revision this code brings along."""
    revision = ScriptDirectory.from_config(_build_config(None)).get_current_head()
    assert revision is not None  # noqa: S101 - the folder is never empty
    return revision


def pending(url: str) -> bool:
    """Tell whether `upgrade` would change the database.

    Raises: SchemaTooNew.
    """
    return not is_worked_with(current(url))


def is_worked_with(revision: str | None) -> bool:
    """Tell whether this version's code works on a database at `revision`: its own, or that of the next version.

    Raises: SchemaTooNew.
    """
    return revision == head() or _is_one_ahead(revision)


def find_drift(c: Connection) -> list[object]:
    """List where the migrated tables and the models differ.

    Transaction: joins.
    """
    options = {"include_name": is_ours}
    return list(compare_metadata(MigrationContext.configure(c, opts=options), metadata))


def is_ours(name: str | None, kind: str, _parents: object = None) -> bool:
    """Tell whether Alembic shall look at it: the tables of the queue of jobs come and go with their own library."""
    return kind != "table" or not (name or "").startswith(FOREIGN_TABLES)


def write_revision(url: str, message: str) -> None:
    """Write the next migration into the versions folder: what the models have and this database lacks.

    Raises: alembic's CommandError when the database is not current.
    """
    number = f"{int(head()) + 1:04}"
    _run_locked(url, lambda config: command.revision(config, message, autogenerate=True, rev_id=number))


def _is_one_ahead(found: str | None) -> bool:
    """Whether a database of the next version is still ours to work with."""
    known = head()
    if found is None or int(found) <= int(known):
        return False
    if int(found) > int(known) + 1:
        raise SchemaTooNew(found, known)
    return True


def _run_locked(url: str, work: Callable[[Config], object]) -> None:
    def run(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_S}s'"))
            # A migration of a large table may take its time; the wait for its turn may not.
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
        work(_build_config(connection))

    with _one_thread:
        run_once(url, run)


def _build_config(connection: Connection | None) -> Config:
    config = Config()
    # The option goes through ConfigParser, which would read a percent sign in the path as its own.
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    # A module's name cannot start with a digit.
    config.set_main_option("file_template", "r%%(rev)s_%%(slug)s")
    config.attributes["connection"] = connection
    config.attributes["include_name"] = is_ours
    return config

"""The command line: `kvid-bot <verb>`. Parses, calls, prints, and turns failures into exit codes.

0 done, 1 something is wrong (said in a line), 2 the settings or the arguments cannot be used.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy.exc import DatabaseError, OperationalError, ProgrammingError

from bot import cli_credits, cli_jobs
from bot import log as logs
from bot.errors import AppError
from bot.roles import Role, Shards, parse_shards
from bot.settings import Settings, SettingsError, StoreSettings
from db.urls import parse_url

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bot.credits.values import Difference

AnySettings = TypeVar("AnySettings", bound=StoreSettings)


def main(arguments: Sequence[str] | None = None) -> int:
    options, rest = _parser().parse_known_args(arguments)
    if rest and options.verb != "sandbox":
        _parser().error(f"unrecognized arguments: {' '.join(rest)}")
    verb: Callable[[argparse.Namespace, list[str]], int] = options.run
    try:
        return verb(options, rest)
    except SettingsError as error:
        for problem in error.problems:
            _complain(problem)
        return 2
    except AppError as error:
        _complain(_explain(error))
        return 1
    except (DatabaseError, PermissionError, FileExistsError, NotADirectoryError) as error:
        if isinstance(error, DatabaseError) and not _is_unusable(error):
            raise
        _complain(
            f"the database cannot be used ({str(error).splitlines()[0]}). Check DATABASE_URL and that it runs"
        )
        return 1
    except KeyboardInterrupt:
        return 0


def _is_unusable(error: DatabaseError) -> bool:
    """Whether the database itself is amiss, and not what was asked of it, which would be a bug."""
    # SQLite has no word of its own for a file of another kind; a driver refuses options without an SQLSTATE.
    return (
        isinstance(error, OperationalError)
        or type(error) is DatabaseError
        or (isinstance(error, ProgrammingError) and getattr(error.orig, "sqlstate", "") is None)
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kvid-bot", description="A Discord bot that makes and edits pictures."
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="verb")
    run = verbs.add_parser("run", help="start the bot")
    run.add_argument(
        "--role",
        choices=[role.value for role in Role],
        default=Role.ALL.value,
        help="all: one process for everything (default); gateway, worker: a part of a fleet on PostgreSQL",
    )
    run.add_argument(
        "--shards",
        type=_shards,
        metavar="a-b/n",
        help="the gateway's shards here, such as 0-3/8 (default: all)",
    )
    run.set_defaults(run=_run)
    verbs.add_parser("check", help="test settings, database, Discord token and kvid key").set_defaults(
        run=_check
    )
    demo = verbs.add_parser("demo", help="start a local kvid, a local Discord and the bot; needs no keys")
    demo.add_argument("--discord-port", type=_port, default=8788, help="port of the page (default 8788)")
    demo.add_argument("--kvid-port", type=_port, default=8787, help="port of the local kvid (default 8787)")
    demo.set_defaults(run=_demo)
    database = verbs.add_parser("db", help="the database's schema").add_subparsers(dest="what", required=True)
    database.add_parser("upgrade", help="apply the migrations").set_defaults(run=_db_upgrade)
    database.add_parser("current", help="say which migration is applied").set_defaults(run=_db_current)
    ledger = verbs.add_parser("ledger", help="the account of credits").add_subparsers(
        dest="what", required=True
    )
    ledger.add_parser("audit", help="recompute every balance from the transfers").set_defaults(
        run=_ledger_audit
    )
    cli_credits.add_verb(verbs)
    verbs.choices["credits"].set_defaults(run=partial(_act, cli_credits.run))
    cli_jobs.add_verb(verbs)
    verbs.choices["jobs"].set_defaults(run=partial(_act, cli_jobs.run))
    verbs.add_parser("sync", help="register the commands with Discord now").set_defaults(run=_sync)
    sandbox = verbs.add_parser("sandbox", help="a local kvid or Discord alone", add_help=False)
    sandbox.set_defaults(run=_sandbox)
    return parser


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= 65535):
        raise argparse.ArgumentTypeError("a port is a number from 1 to 65535")
    return int(text)


def _shards(text: str) -> Shards:
    try:
        return parse_shards(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _settings(log_level: str | None = None) -> Settings:
    return _configured(Settings.load(), log_level)


def _store_settings(log_level: str | None = None) -> StoreSettings:
    """For verbs that work on the database alone."""
    return _configured(StoreSettings.load(), log_level)


def _configured(settings: AnySettings, log_level: str | None) -> AnySettings:
    logs.configure(
        level=log_level or settings.log_level, log_format=settings.log_format, secrets=settings.secrets()
    )
    return settings


def _run(options: argparse.Namespace, _rest: list[str]) -> int:
    from bot.app import App, StartFailed  # noqa: PLC0415 - the other verbs start without discord.py

    settings = _settings()
    try:
        asyncio.run(App(settings, Role(options.role), options.shards).run())
    except StartFailed as error:
        _complain(str(error))
        return 1
    return 0


def _check(_options: argparse.Namespace, _rest: list[str]) -> int:
    from bot.check import run_checks  # noqa: PLC0415 - see _run

    async def check() -> int:
        failed = 0
        async for finding in run_checks(settings):
            print(finding.line(), flush=True)  # noqa: T201 - the command's output
            failed += finding.mend is not None
        return 1 if failed else 0

    # Its lines are the output; what libraries have to say would only stand between them.
    settings = _settings(log_level="CRITICAL")
    return asyncio.run(check())


def _demo(options: argparse.Namespace, _rest: list[str]) -> int:
    from bot.demo import run_demo  # noqa: PLC0415 - see _run

    return run_demo(discord_port=options.discord_port, kvid_port=options.kvid_port)


def _db_upgrade(_options: argparse.Namespace, _rest: list[str]) -> int:
    from db import migrate  # noqa: PLC0415 - see _run

    settings = _store_settings()
    try:
        if parse_url(settings.database_url).drivername == "sqlite":
            migrate.upgrade(settings.database_url)
        else:
            # Gateways and workers make these at their start, too; here they can be made by another account.
            from bot.jobs.engines import queue_rows  # noqa: PLC0415 - see _run

            migrate.upgrade(settings.database_url, also=queue_rows.ensure_schema)
    except migrate.SchemaTooNew as error:
        _complain(str(error))
        return 1
    print(f"The database is at {migrate.current(settings.database_url)}.")  # noqa: T201 - the command's output
    return 0


def _db_current(_options: argparse.Namespace, _rest: list[str]) -> int:
    from db import migrate  # noqa: PLC0415 - see _run

    revision = migrate.current(_store_settings().database_url)
    if revision is None:
        return _complain_of_no_tables()
    print(revision)  # noqa: T201 - the command's output
    return 0


def _ledger_audit(_options: argparse.Namespace, _rest: list[str]) -> int:
    from bot.credits import audit as ledger_audit  # noqa: PLC0415 - see _run
    from db.engine import Database  # noqa: PLC0415 - see _run

    settings = _store_settings()
    if not _is_current(settings):
        return 1

    async def audit() -> int:
        database = Database(settings.database_url)
        try:
            differences = await database.read(ledger_audit.find_differences)
        finally:
            await database.close()
        for difference in differences:
            print(_render(difference))  # noqa: T201 - the command's output
        print("The ledger agrees." if not differences else f"{len(differences)} difference(s).")  # noqa: T201
        return 1 if differences else 0

    return asyncio.run(audit())


def _render(difference: Difference) -> str:
    """One line, with the numbers alone that do not agree."""
    expected, found = difference.expected, difference.found
    numbers = [
        f"{name} is {found.get(name, 'missing')}, the transfers say {expected.get(name, 'nothing')}"
        for name in {**expected, **found}
        if expected.get(name) != found.get(name)
    ]
    return f"{difference.kind}  {difference.subject}: {'; '.join(numbers)}"


def _act(
    act: Callable[[argparse.Namespace, StoreSettings], list[str]],
    options: argparse.Namespace,
    _rest: list[str],
) -> int:
    # What is done is said in the lines below; the log would only repeat it.
    settings = _store_settings(log_level="WARNING")
    if not _is_current(settings):
        return 1
    for line in act(options, settings):
        print(line)  # noqa: T201 - the command's output
    return 0


def _is_current(settings: StoreSettings) -> bool:
    """Whether the tables are those of this version; says what to do where they are not yet.

    Asked first: opening an absent SQLite database would create it.
    """
    from db import migrate  # noqa: PLC0415 - see _run

    found = migrate.current(settings.database_url)
    if found is None:
        _complain_of_no_tables()
        return False
    try:
        pending = migrate.pending(settings.database_url)
    except migrate.SchemaTooNew as error:
        _complain(str(error))
        return False
    if pending:
        _complain(
            f"the database of DATABASE_URL is at {found}, and this version needs {migrate.head()}. "
            "Back it up, then run: kvid-bot db upgrade"
        )
        return False
    return True


def _sync(_options: argparse.Namespace, _rest: list[str]) -> int:
    from bot.app import StartFailed, sync_commands  # noqa: PLC0415 - see _run
    from db import migrate  # noqa: PLC0415 - see _run

    settings = _settings()
    try:
        print(asyncio.run(sync_commands(settings)))  # noqa: T201 - the command's output
    except (StartFailed, migrate.SchemaTooNew) as error:
        _complain(str(error))
        return 1
    return 0


def _sandbox(_options: argparse.Namespace, rest: list[str]) -> int:
    # The sandbox is another program on purpose: nothing of ours may be imported into it.
    os.execv(sys.executable, [sys.executable, "-m", "sandbox", *rest])  # noqa: S606 - our own interpreter


def _explain(error: AppError) -> str:
    from bot.i18n import Catalogue  # noqa: PLC0415 - see _run

    return Catalogue.load().text("en", error.key, **error.params)


def _complain_of_no_tables() -> int:
    _complain("the database of DATABASE_URL has no tables yet. Run: kvid-bot db upgrade")
    return 1


def _complain(line: str) -> None:
    print(f"kvid-bot: {line}", file=sys.stderr)  # noqa: T201 - the command's output

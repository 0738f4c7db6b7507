"""What giving one place at kvid costs with a long line: ms on both databases, beside the plain statements.

Run with `python bench/admission.py` after `make install-dev`; it starts a PostgreSQL of its own. Eight places are
held; each round one job ends and the gate gives its place to the next whose turn it is, among 200 servers. The
very same statements with the very same values then run through the driver alone on a copy of the database, so
that the ratio says what our own code and SQLAlchemy add. Nothing is promised in ms: the bounds are that an
admission costs at most 15 statements, and that ten times the line costs at most twice the time.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from sqlalchemy import Engine, event, insert, text

sys.path.insert(0, str(Path(__file__).parent.parent))

from bot.jobs.gate import Gate
from db import migrate
from db.engine import Database, run_once
from db.enums import TERMINAL, JobState
from db.models import JOB
from db.queries import jobs as queries
from db.queries import line as line_queries
from tests.db.builders import build_job
from tests.service.doubles import MovedClock
from tests.service.gate_parts import Offers
from tests.support.databases import run_postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Connection

QUEUED, SERVERS, MEMBERS_PER_SERVER = (2_000, 20_000), 200, 20
PLACES, WARM_UP, ROUNDS = 8, 20, 200
STATEMENTS_BOUND, GROWTH_BOUND = 15, 2.0
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
Statements = list[tuple[str, Any]]


def fill(c: Connection, queued: int) -> None:
    """A line of many servers, each with many members, whose pictures cost differently."""
    rows = []
    for number in range(queued):
        guild_id = 1_000 + number % SERVERS
        job = build_job(
            guild_id=guild_id,
            user_id=guild_id * 1_000 + number // SERVERS % MEMBERS_PER_SERVER,
            reserved_credits=(2, 4, 8, 16, 32)[number % 5],
            created_at=NOW + timedelta(seconds=number),
        )
        row = {column.name: getattr(job, column.name) for column in JOB.columns if column.name != "number"}
        rows.append(row | {"results": []})
    c.execute(insert(JOB), rows)


class Recorder:
    """The statements of each admission as the driver got them."""

    def __init__(self) -> None:
        self.admissions: list[Statements] = []
        self.on = False
        event.listen(Engine, "before_cursor_execute", self._record)

    def stop(self) -> None:
        event.remove(Engine, "before_cursor_execute", self._record)

    def _record(self, _c: Any, _cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
        if self.on and not statement.startswith("BEGIN"):
            is_many = rest[-1]
            self.admissions[-1] += [
                (statement, values) for values in (parameters if is_many else [parameters])
            ]


async def admit(url: str, rounds: int) -> tuple[list[float], list[Statements]]:
    """Seconds of each admission of one job, the transaction and the hop to its thread included."""
    database, clock = Database(url), MovedClock()
    gate = Gate(database=database, clock=clock, engine=Offers(), concurrency=PLACES)
    recorder, took = Recorder(), []
    await gate.admit()
    held = [holder.id for holder in await database.read(line_queries.list_place_holders)]
    try:
        for _ in range(rounds):
            done = held.pop(0)
            await database.transaction(
                lambda c, done=done: queries.advance_job(  # type: ignore[misc]
                    c, done, from_states=set(JobState) - TERMINAL, to=JobState.CANCELLED, now=NOW, event="end"
                )
            )
            recorder.admissions.append([])
            recorder.on = True
            begun = time.perf_counter()
            held += await gate.admit()
            took.append(time.perf_counter() - begun)
            recorder.on = False
            assert len(held) == PLACES, "each free place is given away"
    finally:
        recorder.stop()
        await database.close()
    return took, recorder.admissions


def replay(connect: Callable[[], Any], admissions: list[Statements], begin: str) -> list[float]:
    """Seconds of the same statements through the driver alone; what freed the places is left out."""
    took = []
    with contextlib.closing(connect()) as connection:
        for statements in admissions:
            begun = time.perf_counter()
            connection.execute(begin)
            for statement, values in statements:
                cursor = connection.execute(statement, values)
                if cursor.description is not None:
                    cursor.fetchall()
            connection.execute("COMMIT")
            took.append(time.perf_counter() - begun)
    return took


def measure_sqlite(folder: Path, queued: int) -> tuple[list[float], list[float], int]:
    path, copy = folder / f"{queued}.db", folder / f"{queued}-copy.db"
    migrate.upgrade(f"sqlite:///{path}")
    run_once(f"sqlite:///{path}", lambda c: fill(c, queued))
    asyncio.run(admit(f"sqlite:///{path}", 0))
    with (
        contextlib.closing(sqlite3.connect(path)) as source,
        contextlib.closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)
    ours, admissions = asyncio.run(admit(f"sqlite:///{path}", WARM_UP + ROUNDS))
    return ours, replay(lambda: _open_sqlite(copy), admissions, "BEGIN IMMEDIATE"), _count(admissions)


def _open_sqlite(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def measure_postgresql(server: Any, queued: int) -> tuple[list[float], list[float], int]:
    name, copy = f"bench_{queued}", f"copy_{queued}"
    url = server.create(name)
    migrate.upgrade(url)
    run_once(url, lambda c: fill(c, queued))
    run_once(url, lambda c: c.execute(text("ANALYZE")))
    asyncio.run(admit(url, 0))
    server.create(copy, template=name)
    ours, admissions = asyncio.run(admit(url, WARM_UP + ROUNDS))
    address = f"host={server.folder} user=postgres dbname={copy}"
    plain = replay(lambda: psycopg.connect(address, autocommit=True), admissions, "BEGIN")
    return ours, plain, _count(admissions)


def _count(admissions: Sequence[Statements]) -> int:
    return max(len(one) for one in admissions[WARM_UP:])


def list_rows(folder: Path) -> Iterator[tuple[str, int, list[float], list[float], int]]:
    for queued in QUEUED:
        yield "SQLite", queued, *measure_sqlite(folder, queued)
    with tempfile.TemporaryDirectory() as name, run_postgres(Path(name)) as server:
        for queued in QUEUED:
            yield "PostgreSQL", queued, *measure_postgresql(server, queued)


def main() -> None:
    print(f"{ROUNDS} admissions of one job, {SERVERS} servers in line, {PLACES} places")
    print(
        "| database | in line | ms an admission, median | 99th of 100 | plain statements | ratio | statements |"
    )
    print("|---|---|---|---|---|---|---|")
    medians: dict[tuple[str, int], float] = {}
    with tempfile.TemporaryDirectory() as name:
        for database, queued, ours, plain, statements in list_rows(Path(name)):
            our_ms, plain_ms = (1_000 * statistics.median(times[WARM_UP:]) for times in (ours, plain))
            worst_ms = 1_000 * sorted(ours[WARM_UP:])[int(ROUNDS * 0.99)]
            medians[database, queued] = our_ms
            print(
                f"| {database} | {queued} | {our_ms:.1f} | {worst_ms:.1f} | {plain_ms:.1f} "
                f"| {our_ms / plain_ms:.1f}x | {statements} (at most {STATEMENTS_BOUND}) |"
            )
    for database in ("SQLite", "PostgreSQL"):
        growth = medians[database, QUEUED[1]] / medians[database, QUEUED[0]]
        print(f"{database}: ten times the line costs {growth:.1f}x (at most {GROWTH_BOUND}x)")


if __name__ == "__main__":
    main()

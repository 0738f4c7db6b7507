"""What a decision costs on SQLite with 100,000 transfers of history: statements, CPU, beside plain sqlite3.

Run with `python bench/decision.py` after `make install-dev`. A decision is everything between "may this member
have this picture?" and "its credits are held": one SELECT, one UPDATE, one INSERT. The very same statements with
the very same values are then run through Python's sqlite3 on a copy of the database, side by side, so that the
ratio says what our own code and SQLAlchemy add. Bounds: 3 statements on the warm path, 2 ms CPU.
"""

from __future__ import annotations

import contextlib
import sqlite3
import statistics
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import event, insert

sys.path.insert(0, str(Path(__file__).parent.parent))

from bot.caps.admission import Admission
from bot.caps.policies import Policies, dump_policy
from bot.caps.values import Approval, Asker, Cap, CapOf, OperatorLimits, Policy
from bot.credits.audit import find_differences
from bot.credits.rules import balance_keys
from bot.ids import new_job_id
from bot.safety.words import WordAction, WordList
from db import migrate
from db.connections import build_sqlite_writer
from db.engine import Database
from db.models import BALANCE, JOB, TRANSFER
from db.queries import jobs as job_queries
from db.queries import servers as server_queries
from db.urls import parse_url
from tests.db.builders import build_job

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

TRANSFERS, MEMBERS, GUILD, CHANNEL = 100_000, 500, 7, 70
DECISIONS, WARM_UP = 400, 50
PRICE = 8
STATEMENTS_BOUND, CPU_BOUND_MS = 3, 2.0
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ROLES = tuple(range(900, 910))
POLICY = Policy(
    time_zone="Asia/Seoul",
    member_cap=Cap(credits=1_000),
    role_caps=tuple(CapOf(id=role, cap=Cap(credits=2_000 + role)) for role in ROLES),
    channel_caps=(CapOf(id=CHANNEL, cap=Cap(credits=1_000_000)),),
    server_budget_credits=1_000_000,
    cooldown_s=1,
    tenure_s=3_600,
    word_lists=(
        WordList(name="bench", action=WordAction.REFUSE, words=tuple(f"word{n}x" for n in range(100))),
    ),
)


def fill(engine: Engine) -> None:
    """A year of history: each job reserved and settled, every counter as the ledger would have kept it."""
    held: Counter[Any] = Counter()
    last: dict[Any, datetime] = {}
    jobs, reserves, settles = [], [], []
    count = TRANSFERS // 2
    for number in range(count):
        at = NOW - timedelta(days=365) + number * timedelta(days=364) / count
        user_id = 1_000 + number % MEMBERS
        job = build_job(user_id=user_id, guild_id=GUILD, channel_id=CHANNEL, created_at=at, updated_at=at)
        row = {column.name: getattr(job, column.name) for column in JOB.columns if column.name != "number"}
        jobs.append(row | {"state": "delivered", "results": []})
        local_date = (at + timedelta(hours=9)).date()
        transfer = {
            **{column.name: None for column in TRANSFER.columns},
            "id": f"r{number}", "kind": "reserve", "job_id": job.id, "user_id": user_id, "guild_id": GUILD,
            "channel_id": CHANNEL, "amount_credits": PRICE, "granted_credits": 0, "limits": [],
            "local_date": local_date, "reserved_at": at, "created_at": at,
        }  # fmt: skip
        reserves.append(transfer)
        settles.append(
            transfer
            | {
                "id": f"s{number}",
                "kind": "settle",
                "reservation_id": f"r{number}",
                "reported_credits": PRICE,
            }
        )
        for key in balance_keys(
            user_id=user_id, guild_id=GUILD, channel_id=CHANNEL, local_date=local_date, utc_date=at.date()
        ):
            held[key] += PRICE
            last[key] = at
    names = ("scope", "guild_id", "owner_id", "period", "period_start")
    balances = [
        {name: getattr(key, name) for name in names}
        | {
            "held_credits": 0,
            "used_credits": used,
            "exempt_credits": 0,
            "held_jobs": 0,
            "last_reserved_at": last[key],
        }
        for key, used in held.items()
    ]
    with engine.begin() as c:
        for table, rows in ((JOB, jobs), (TRANSFER, reserves), (TRANSFER, settles), (BALANCE, balances)):
            c.execute(insert(table), rows)
        server_queries.write_policy(c, GUILD, dump_policy(POLICY), version=0)
        assert find_differences(c) == [], "the history must be one that the ledger could have written"


class Recorder:
    """The statements of each decision as the driver got them."""

    def __init__(self, engine: Engine) -> None:
        self.decisions: list[list[tuple[str, Any]]] = []
        self.on = False
        event.listen(engine, "before_cursor_execute", self._record)

    def _record(self, _c: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if self.on:
            self.decisions[-1].append((statement, parameters))


def decide(c: Connection, admission: Admission, recorder: Recorder, number: int) -> float:
    """One accepted request; seconds of CPU of its decision."""
    user_id = 1_000 + number % MEMBERS
    now = NOW + timedelta(seconds=number)
    asker = Asker(
        user_id=user_id,
        guild_id=GUILD,
        channel_id=CHANNEL,
        role_ids=frozenset(ROLES),
        joined_at=NOW - timedelta(days=400),
        locale="ko",
    )
    job = build_job(id=new_job_id(), user_id=user_id, guild_id=GUILD, created_at=now, updated_at=now)
    recorder.decisions.append([])
    recorder.on = True
    begun = time.thread_time()
    ruling = admission.look(
        c, asker, prompt="silver stage lights, 은하수, a city at night", amount_credits=PRICE, now=now
    )
    looked = time.thread_time() - begun
    recorder.on = False
    assert isinstance(ruling.answer, Approval), ruling.answer
    assert job_queries.insert_job(c, job) is not None
    recorder.on = True
    begun = time.thread_time()
    admission.hold(c, ruling, job)
    took = looked + time.thread_time() - begun
    recorder.on = False
    return took


def replay(path: Path, decisions: list[list[tuple[str, Any]]]) -> list[float]:
    """Seconds of CPU of the same statements through plain sqlite3."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA foreign_keys = OFF")
    took = []
    for statements in decisions:
        connection.execute("BEGIN IMMEDIATE")
        begun = time.thread_time()
        for statement, parameters in statements:
            connection.execute(statement, parameters).fetchall()
        took.append(time.thread_time() - begun)
        connection.execute("COMMIT")
    connection.close()
    return took


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        path, copy = Path(name) / "bench.db", Path(name) / "copy.db"
        url = f"sqlite:///{path}"
        migrate.upgrade(url)
        engine = build_sqlite_writer(parse_url(url))
        fill(engine)
        admission = Admission(Policies(Database(url), None), OperatorLimits(member_daily_credits=100_000))  # type: ignore[arg-type] - decides by the times it is given
        recorder = Recorder(engine)
        # The day's counters and the settings are read once before: that is the cold path.
        for number in range(MEMBERS):
            with engine.begin() as c:
                decide(c, admission, recorder, number)
        with (
            contextlib.closing(sqlite3.connect(path)) as source,
            contextlib.closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
        recorder.decisions.clear()
        ours = []
        for number in range(MEMBERS, MEMBERS + WARM_UP + DECISIONS):
            with engine.begin() as c:
                ours.append(decide(c, admission, recorder, number))
        plain = replay(copy, recorder.decisions)
        engine.dispose()
    statements = max(len(one) for one in recorder.decisions)
    our_ms, plain_ms = (1_000 * statistics.median(times[WARM_UP:]) for times in (ours, plain))
    worst_ms = 1_000 * sorted(ours[WARM_UP:])[int(DECISIONS * 0.99)]
    print(
        f"{DECISIONS} decisions, {TRANSFERS} transfers of history, {MEMBERS} members, SQLite {sqlite3.sqlite_version}"
    )
    print("| what | measured | bound | share of the bound |")
    print("|---|---|---|---|")
    print(
        f"| statements of a decision | {statements} | {STATEMENTS_BOUND} | {statements / STATEMENTS_BOUND:.2f} |"
    )
    print(
        f"| CPU of a decision, median | {our_ms:.2f} ms | {CPU_BOUND_MS} ms | {our_ms / CPU_BOUND_MS:.2f} |"
    )
    print(f"| CPU of a decision, 99th of 100 | {worst_ms:.2f} ms | | |")
    print(f"| the same statements in plain sqlite3, median | {plain_ms:.2f} ms | | |")
    print(f"| ratio | {our_ms / plain_ms:.1f}x | | |")


if __name__ == "__main__":
    main()

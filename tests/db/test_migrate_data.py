"""The ledger's rows survive the way up, down and up again, and every counter is right at each stop."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from db import migrate
from db.engine import run_once
from db.queries import audit, audit_lines
from tests.db.raw_rows import (
    CHANNEL,
    GUILD,
    OTHER_CHANNEL,
    OTHER_GUILD,
    OTHER_USER,
    USER,
    insert_entry,
    insert_grant,
    insert_job,
    insert_role_grant,
    insert_row,
    insert_server,
    insert_transfer,
    list_rows,
    render_time,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sqlalchemy import Connection

Key: TypeAlias = tuple[str, int, int, str, str]
Counter: TypeAlias = tuple[int, int, int, str]
Past: TypeAlias = tuple[int, int | None, int, datetime, int, int | str | None]

# Who, where, when, held, and then what was charged, "void", or None for still open. Around the ends of days,
# weeks (2026-03-15 is a Sunday) and months, in two servers and in direct messages.
RESERVATIONS: list[Past] = [
    (USER, GUILD, CHANNEL, datetime.fromisoformat("2026-02-28T23:59:59.999999+00:00"), 8, 8),
    (USER, GUILD, CHANNEL, datetime.fromisoformat("2026-03-01T00:00:00+00:00"), 8, 6),
    (USER, GUILD, OTHER_CHANNEL, datetime.fromisoformat("2026-03-14T15:09:26.535897+00:00"), 4, None),
    (USER, GUILD, CHANNEL, datetime.fromisoformat("2026-03-15T12:00:00.000001+00:00"), 8, "void"),
    (USER, GUILD, CHANNEL, datetime.fromisoformat("2026-03-16T00:00:00.5+00:00"), 8, 10),
    (OTHER_USER, GUILD, CHANNEL, datetime.fromisoformat("2026-03-16T01:00:00.25+00:00"), 2, None),
    (OTHER_USER, GUILD, CHANNEL, datetime.fromisoformat("2026-03-16T02:00:00.75+00:00"), 3, None),
    (OTHER_USER, OTHER_GUILD, CHANNEL, datetime.fromisoformat("2026-03-16T03:00:00.125+00:00"), 6, 0),
    (USER, None, OTHER_CHANNEL, datetime.fromisoformat("2026-03-16T04:00:00.875+00:00"), 8, None),
    (USER, None, OTHER_CHANNEL, datetime.fromisoformat("2026-03-17T04:00:00.625+00:00"), 8, 8),
]
# Reserved with credits of a grant.
LATER: Past = (USER, GUILD, CHANNEL, datetime.fromisoformat("2026-03-01T00:00:00+00:00"), 8, 7)
OLD_PERIODS = {"member": ("day", "month", "ever"), "server": ("month", "ever")}
NEW_PERIODS = {
    "member": ("day", "month", "ever"),
    "server": ("day", "month", "ever"),
    "membership": ("day", "week", "month", "ever"),
    "channel": ("day", "week", "month"),
}
TABLES = ("job", "job_event", "transfer", "balance", "command_sync")


@pytest.fixture
def old_url(empty_database_url: str) -> str:
    """A database of revision 0001 with a past."""
    migrate.upgrade(empty_database_url, "0001")
    run_once(empty_database_url, _fill_old)
    return empty_database_url


def test_nothing_that_was_written_is_changed_on_the_way_up(old_url: str) -> None:
    before = run_once(old_url, _read_all)
    migrate.upgrade(old_url)
    after = run_once(old_url, _read_all)
    for table in ("job", "job_event", "transfer", "command_sync"):
        names = before[table][0].keys()
        kept = sorted(({name: row[name] for name in names} for row in after[table]), key=str)
        assert kept == before[table]
    assert {row["running_max"] for row in after["job"]} == {3}


def test_old_transfers_get_their_jobs_channel_and_their_utc_day(old_url: str) -> None:
    migrate.upgrade(old_url)
    channels = {f"{index:020x}": row[2] for index, row in enumerate(RESERVATIONS)}
    for row in run_once(old_url, lambda c: list_rows(c, "transfer")):
        assert row["channel_id"] == channels[row["job_id"]]
        assert str(row["local_date"]) == str(row["reserved_at"])[:10]
        assert row["limits"] in ("[]", [])
        assert row["granted_credits"] == 0
        assert [row[name] for name in ("grant_id", "source_id", "period", "actor_id", "reason")] == [None] * 5


def test_every_counter_is_filled_from_the_transfers(old_url: str) -> None:
    migrate.upgrade(old_url)
    counters = run_once(old_url, _read_counters)
    assert counters == _count(NEW_PERIODS)
    assert len(counters) > 40
    assert run_once(old_url, _list_findings) == []


def test_down_again_leaves_exactly_what_was_there(old_url: str) -> None:
    before = run_once(old_url, _read_all)
    migrate.upgrade(old_url)
    migrate.downgrade(old_url, "0001")
    assert run_once(old_url, _read_all) == before


def test_up_down_and_up_is_as_up(old_url: str) -> None:
    migrate.upgrade(old_url)
    before = run_once(old_url, _read_all)
    migrate.downgrade(old_url, "0001")
    migrate.upgrade(old_url)
    assert run_once(old_url, _read_all) == before
    assert run_once(old_url, migrate.find_drift) == []


def test_a_balance_that_was_wrong_stays_as_it_was_and_the_audit_tells(old_url: str) -> None:
    statement = f"UPDATE balance SET used_credits = 99 WHERE owner_id = {GUILD} AND period = 'ever'"  # noqa: S608 - a constant
    run_once(old_url, lambda c: c.execute(text(statement)))
    migrate.upgrade(old_url)
    (finding,) = run_once(old_url, audit.list_unequal_balances)
    assert finding.found is not None
    assert finding.expected is not None
    assert (finding.found.used_credits, finding.expected.used_credits) == (99, 24)
    assert finding.found.held_jobs == finding.expected.held_jobs == 3


def test_down_takes_what_the_old_ledger_does_not_know_and_undoes_refunds(old_url: str) -> None:
    before = run_once(old_url, _read_all)
    migrate.upgrade(old_url)
    run_once(old_url, _spend_grants)
    assert run_once(old_url, _list_findings) == []
    migrate.downgrade(old_url, "0001")
    after = run_once(old_url, _read_all)
    late = ("later", "settled")
    assert [row for row in after["transfer"] if row["id"] not in late] == before["transfer"]
    assert {row["id"] for row in after["transfer"]} > set(late)
    found = {
        (row["scope"], row["owner_id"], row["period"], str(row["period_start"])): (
            row["held_credits"],
            row["used_credits"],
        )
        for row in after["balance"]
    }
    expected = _count(OLD_PERIODS, [*RESERVATIONS, LATER])
    assert found == {(key[0], *key[2:]): counter[:2] for key, counter in expected.items()}
    migrate.upgrade(old_url)
    assert run_once(old_url, _read_counters) == _count(NEW_PERIODS, [*RESERVATIONS, LATER])
    assert run_once(old_url, _list_findings) == []
    for table in ("credit_grant", "transfer_part", "role_grant", "server", "membership", "audit_entry"):
        assert run_once(old_url, lambda c, name=table: list_rows(c, name)) == []  # type: ignore[misc]


def test_down_counts_servers_by_utc_months_again(empty_database_url: str) -> None:
    """In Seoul the new month began while UTC was still in the old one."""
    migrate.upgrade(empty_database_url)
    at = datetime.fromisoformat("2026-03-31T20:00:00.5+00:00")

    def reserve(c: Connection) -> None:
        insert_job(c, "seoul", at=at, running_max=3)
        insert_transfer(c, "seoul", "reserve", at=at, job_id="seoul", local_date="2026-04-01")

    run_once(empty_database_url, reserve)
    migrate.downgrade(empty_database_url, "0001")
    months = "SELECT scope, CAST(period_start AS VARCHAR(10)) FROM balance WHERE period = 'month' ORDER BY 1"
    rows = run_once(empty_database_url, lambda c: c.execute(text(months)).all())
    assert [tuple(row) for row in rows] == [("member", "2026-03-01"), ("server", "2026-03-01")]


@pytest.mark.parametrize("revision", ["0001", "head"])
def test_moved_transfers_are_still_guarded(old_url: str, revision: str) -> None:
    migrate.upgrade(old_url)
    migrate.downgrade(old_url, "0001")
    migrate.upgrade(old_url, revision)
    for statement in ("UPDATE transfer SET amount_credits = 0", "DELETE FROM transfer"):
        with pytest.raises(DBAPIError, match="append-only"):
            run_once(old_url, lambda c, words=statement: c.execute(text(words)))  # type: ignore[misc]
    lost = "UPDATE job SET id = 'renamed' WHERE id = '00000000000000000000'"
    with pytest.raises(DBAPIError, match=r"(?i)foreign key"):
        run_once(old_url, lambda c: c.execute(text(lost)))


@pytest.mark.parametrize("empty_database_url", ["sqlite"], indirect=True)
def test_sqlite_finds_no_broken_reference_after_the_moves(old_url: str) -> None:
    for move in (migrate.upgrade, lambda url: migrate.downgrade(url, "0001"), migrate.upgrade):
        move(old_url)
        assert run_once(old_url, lambda c: c.execute(text("PRAGMA foreign_key_check")).all()) == []


def _fill_old(c: Connection) -> None:
    for index, (user, guild, channel, at, held, end) in enumerate(RESERVATIONS):
        job_id = f"{index:020x}"
        states: dict[object, str] = {None: "submitted", "void": "failed"}
        insert_job(
            c,
            job_id,
            at=at,
            guild=guild,
            user_id=user,
            channel_id=channel,
            reserved_credits=held,
            state=states.get(end, "delivered"),
        )
        insert_row(
            c,
            "job_event",
            job_id=job_id,
            at=render_time(at),
            name="job.reserved",
            state="reserved",
            detail="{}",
        )
        line: dict[str, object] = {
            "job_id": job_id,
            "user_id": user,
            "guild_id": guild,
            "reserved_at": render_time(at),
        }
        insert_row(
            c,
            "transfer",
            id=f"r{index}",
            kind="reserve",
            amount_credits=held,
            created_at=render_time(at),
            **line,
        )
        if end is not None:
            line |= {"reservation_id": f"r{index}", "created_at": render_time(at + timedelta(days=2))}
            settle: dict[str, object] = {"kind": "settle", "amount_credits": end, "reported_credits": end}
            void: dict[str, object] = {"kind": "void", "amount_credits": held}
            insert_row(c, "transfer", id=f"e{index}", **line, **(void if end == "void" else settle))
    for (scope, _, owner, period, start), (held, used, _, _) in _count(OLD_PERIODS).items():
        key = {"scope": scope, "owner_id": owner, "period": period, "period_start": start}
        insert_row(c, "balance", **key, held_credits=held, used_credits=used)
    insert_row(c, "command_sync", scope="global", hash="abc")


def _spend_grants(c: Connection) -> None:
    """One line of every new kind, and the counters as the ledger would keep them."""
    job_id, (_, _, _, at, held, charged) = "f" * 20, LATER
    insert_role_grant(c, "everyone")
    insert_grant(c, "g1", 20, used_credits=1, removed_credits=8)
    insert_grant(c, "g2", 5, user_id=OTHER_USER, role_grant_id="everyone")
    insert_transfer(c, "grant-1", "grant", grant_id="g1", amount_credits=20)
    insert_transfer(c, "give", "give", grant_id="g1", amount_credits=5, other_user_id=OTHER_USER)
    gift: dict[str, Any] = {"grant_id": "g2", "amount_credits": 5, "source_id": "give", "user_id": OTHER_USER}
    insert_transfer(c, "grant-2", "grant", **gift)
    insert_transfer(c, "expire", "expire", grant_id="g1", amount_credits=2)
    insert_transfer(c, "correct", "correct", grant_id="g1", amount_credits=1)
    insert_transfer(c, "reset", "reset", amount_credits=6, period="month", local_date="2026-03-17")
    refunded: dict[str, Any] = {"job_id": f"{1:020x}", "reservation_id": "r1"}
    insert_transfer(c, "refund", "refund", at=RESERVATIONS[1][3], amount_credits=6, **refunded)
    insert_job(c, job_id, at=at, running_max=3, state="delivered")
    line: dict[str, Any] = {"at": at, "job_id": job_id}
    insert_transfer(c, "later", "reserve", amount_credits=held, granted_credits=3, **line)
    end: dict[str, Any] = {"reservation_id": "later", "amount_credits": charged, "reported_credits": charged}
    insert_transfer(c, "settled", "settle", granted_credits=1, **end, **line)
    for transfer_id, amount in (("later", 3), ("settled", 1)):
        part = {"transfer_id": transfer_id, "grant_id": "g1", "position": 0, "amount_credits": amount}
        insert_row(c, "transfer_part", **part)
    insert_server(c, GUILD)
    insert_entry(c, GUILD)
    insert_row(c, "membership", guild_id=GUILD, user_id=USER, cap_credits=5, cap_period="week")
    exempt: dict[Key, int] = defaultdict(int)
    for period in NEW_PERIODS["membership"]:
        exempt["membership", GUILD, USER, period, _find_start(period, at)] += 1
    exempt["membership", GUILD, USER, "month", "2026-03-01"] += 6
    c.execute(text("DELETE FROM balance"))
    past = [*RESERVATIONS[:1], (*RESERVATIONS[1][:5], 0), *RESERVATIONS[2:], LATER]
    _store_counters(c, _count(NEW_PERIODS, past), exempt)


def _store_counters(c: Connection, counters: Mapping[Key, Counter], exempt: Mapping[Key, int]) -> None:
    for key, (held, used, jobs, last) in counters.items():
        scope, guild, owner, period, start = key
        insert_row(
            c,
            "balance",
            scope=scope,
            guild_id=guild,
            owner_id=owner,
            period=period,
            period_start=start,
            held_credits=held,
            used_credits=used,
            exempt_credits=exempt.get(key, 0),
            held_jobs=jobs,
            last_reserved_at=last,
        )


def _count(periods: Mapping[str, tuple[str, ...]], past: Sequence[Past] = RESERVATIONS) -> dict[Key, Counter]:
    """Count the past by hand: held, used, open jobs, and the last reservation's time."""
    counters: dict[Key, Counter] = {}
    for user, guild, channel, at, held, end in past:
        owners: dict[str, tuple[int | None, int | None]] = {
            "member": (0, user),
            "server": (guild, guild),
            "membership": (guild, user),
            "channel": (guild, channel),
        }
        for scope in periods:
            where, owner = owners[scope]
            if where is None or owner is None:
                continue
            for period in periods[scope]:
                key = (scope, where, owner, period, _find_start(period, at))
                found = counters.get(key, (0, 0, 0, ""))
                counters[key] = (
                    found[0] + (held if end is None else 0),
                    found[1] + (end if isinstance(end, int) else 0),
                    found[2] + (end is None),
                    max(found[3], render_time(at)),
                )
    return counters


def _find_start(period: str, at: datetime) -> str:
    day = at.date()
    starts = {
        "day": day,
        "week": day - timedelta(days=day.weekday()),
        "month": day.replace(day=1),
        "ever": date(1970, 1, 1),
    }
    return starts[period].isoformat()


def _read_counters(c: Connection) -> dict[Key, Counter]:
    rows = list_rows(c, "balance")
    assert {row["exempt_credits"] for row in rows} == {0}
    return {
        (row["scope"], row["guild_id"], row["owner_id"], row["period"], str(row["period_start"])): (
            row["held_credits"],
            row["used_credits"],
            row["held_jobs"],
            _read_time(row["last_reserved_at"]),
        )
        for row in rows
    }


def _read_time(value: datetime | str) -> str:
    return value if isinstance(value, str) else render_time(value)


def _read_all(c: Connection) -> dict[str, list[Mapping[str, Any]]]:
    return {table: list_rows(c, table) for table in TABLES}


def _list_findings(c: Connection) -> list[object]:
    checks: list[Callable[[Connection], Iterable[object]]] = [
        audit.list_unequal_balances,
        audit.list_negative_balances,
        audit_lines.list_unequal_grants,
        audit_lines.list_gifts_without_grant,
        audit_lines.list_unequal_parts,
        audit_lines.list_resolved_twice,
        audit_lines.list_unequal_refunds,
        audit_lines.list_ended_jobs_that_hold,
    ]
    return [finding for check in checks for finding in check(c)]

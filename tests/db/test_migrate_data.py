"""The ledger's rows survive the way up, down and up again, and every counter is right at each stop."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from db import migrate
from db.engine import run_once
from db.queries import audit, audit_lines, line
from tests.db.past import (
    LATER,
    NEW_PERIODS,
    OLD_PERIODS,
    RESERVATIONS,
    Counter,
    Key,
    count_past,
    fill_old,
    spend_grants,
)
from tests.db.raw_rows import GUILD, insert_job, insert_transfer, list_rows, render_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sqlalchemy import Connection

TABLES = ("job", "job_event", "transfer", "balance", "command_sync")


@pytest.fixture
def old_url(empty_database_url: str) -> str:
    """A database of revision 0001 with a past."""
    migrate.upgrade(empty_database_url, "0001")
    run_once(empty_database_url, fill_old)
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
    assert counters == count_past(NEW_PERIODS)
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


def test_the_gate_comes_and_goes_without_a_trace(old_url: str) -> None:
    """One step back is what an operator takes who returns to the version before."""
    migrate.upgrade(old_url, "0002")
    run_once(old_url, spend_grants)
    before = run_once(old_url, _read_all)
    migrate.upgrade(old_url, "0003")
    after = run_once(old_url, _read_all)
    assert [{k: v for k, v in row.items() if k != "admitted_at"} for row in after["job"]] == before["job"]
    assert {row["admitted_at"] for row in after["job"]} == {None}
    assert {name: rows for name, rows in after.items() if name != "job"} == {
        name: rows for name, rows in before.items() if name != "job"
    }
    admit = f"UPDATE job SET admitted_at = '{render_time(LATER[3])}'"  # noqa: S608 - a constant
    run_once(old_url, lambda c: c.execute(text(admit)))
    migrate.downgrade(old_url, "0002")
    assert run_once(old_url, _read_all) == before


def test_a_process_of_the_version_before_may_go_on_writing(empty_database_url: str) -> None:
    """It knows no `admitted_at`: what it takes in stands in line, what it sent to kvid holds a place."""
    migrate.upgrade(empty_database_url)

    def write(c: Connection) -> tuple[list[str], list[str]]:
        insert_job(c, "waits", running_max=3)
        insert_job(c, "asks", running_max=3, state="submitting")
        heads = line.list_heads(c, per_flow=5)
        return [job.id for job in heads], [holder.id for holder in line.list_place_holders(c)]

    assert run_once(empty_database_url, write) == (["waits"], ["asks"])


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
    run_once(old_url, spend_grants)
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
    expected = count_past(OLD_PERIODS, [*RESERVATIONS, LATER])
    assert found == {(key[0], *key[2:]): counter[:2] for key, counter in expected.items()}
    migrate.upgrade(old_url)
    assert run_once(old_url, _read_counters) == count_past(NEW_PERIODS, [*RESERVATIONS, LATER])
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

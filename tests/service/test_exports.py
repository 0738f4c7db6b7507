"""Exports of a server's books, on a real database: they add up to the report, and are written down themselves."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bot.caps import reports as reports_module
from bot.caps.report_values import ExportKind, ReportPeriod
from db.enums import AuditAction, JobState
from db.queries import servers as server_queries
from tests.service.doubles import PRICE, START
from tests.service.report_parts import MODERATOR, end, move_to, report, set_policy, world
from tests.service.world import GUILD, MEMBER, World, deliver

if TYPE_CHECKING:
    from db.values import AuditEntry

__all__ = ["world"]


def read_csv(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))


async def list_entries(world: World) -> list[AuditEntry]:
    return await world.database.read(lambda c: server_queries.list_entries(c, GUILD, limit=100))


async def test_the_exported_ledger_adds_up_to_the_report_and_has_no_prompts(world: World) -> None:
    await world.caps.grants.grant(GUILD, MODERATOR, MEMBER, 50, reason="=HYPERLINK(1)")
    first = await deliver(world)
    await deliver(world, used=3)
    await end(world, JobState.FAILED, "busy")
    await world.caps.pictures.refund(GUILD, MODERATOR, first.id, "broken")
    exported = await world.caps.reports.export(GUILD, MODERATOR, ExportKind.LEDGER, ReportPeriod.TODAY)
    rows = read_csv(exported.data)
    assert len(rows) == exported.rows
    assert exported.left_out == 0
    sums = dict.fromkeys({row["kind"] for row in rows}, 0)
    for row in rows:
        sums[row["kind"]] += int(row["amount_credits"])
    assert sums == {
        "grant": 50,
        "reserve": 3 * PRICE,
        "settle": PRICE + 3,
        "void": PRICE,
        "refund": PRICE,
    }
    found = await report(world)
    assert sums["settle"] == found.total.used_credits
    assert sums["refund"] == found.returned_credits
    assert {row["user_id"] for row in rows} == {f"'{MEMBER}"}
    assert [row["created_at"] for row in rows] == sorted((row["created_at"] for row in rows), reverse=True)
    assert next(row for row in rows if row["kind"] == "grant")["reason"] == "'=HYPERLINK(1)"
    assert b"stage at night" not in exported.data
    assert "reported_credits" not in rows[0]


async def test_the_exported_audit_log_shows_before_and_after(world: World) -> None:
    await set_policy(world, lambda policy: replace(policy, cooldown_s=30))
    await world.caps.members.block(GUILD, MODERATOR, MEMBER, for_s=None, reason="spam")
    exported = await world.caps.reports.export(GUILD, MODERATOR, ExportKind.AUDIT_LOG, ReportPeriod.TODAY)
    newest, oldest = read_csv(exported.data)
    assert (newest["action"], newest["reason"], newest["target_id"]) == ("block", "spam", f"'{MEMBER}")
    assert oldest["actor_id"] == f"'{MODERATOR}"
    assert json.loads(oldest["before"])["cooldown_s"] == 0
    assert json.loads(oldest["after"])["cooldown_s"] == 30


@pytest.mark.parametrize("kind", list(ExportKind))
async def test_each_export_is_in_the_audit_log(world: World, kind: ExportKind) -> None:
    await deliver(world)
    exported = await world.caps.reports.export(GUILD, MODERATOR, kind, ReportPeriod.DAYS_7)
    entry = (await list_entries(world))[-1]
    assert (entry.action, entry.actor_id, entry.subject) == (AuditAction.EXPORT, MODERATOR, kind)
    assert entry.after == {
        "first_day": "2026-11-16",
        "last_day": "2026-11-22",
        "rows": exported.rows,
        "left_out": 0,
    }


@pytest.mark.parametrize("kind", list(ExportKind))
async def test_an_export_keeps_the_newest_rows_and_counts_what_it_left_out(
    world: World, kind: ExportKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports_module, "EXPORT_ROWS_MAX", 3)
    for number in range(5):
        move_to(world, START + timedelta(minutes=number))
        await world.caps.grants.grant(GUILD, MODERATOR, MEMBER, number + 1, reason=f"round {number}")
    exported = await world.caps.reports.export(GUILD, MODERATOR, kind, ReportPeriod.TODAY)
    assert (exported.rows, exported.left_out) == (3, 2)
    assert [row["reason"] for row in read_csv(exported.data)] == ["round 4", "round 3", "round 2"]


async def test_an_export_has_its_days_alone(world: World) -> None:
    await set_policy(world, lambda policy: replace(policy, time_zone="Asia/Seoul"))
    await deliver(world)
    move_to(world, START + timedelta(hours=3))
    job = await deliver(world)
    exported = await world.caps.reports.export(GUILD, MODERATOR, ExportKind.LEDGER, ReportPeriod.TODAY)
    assert {row["job_id"] for row in read_csv(exported.data)} == {job.id}


async def test_every_line_of_the_exported_ledger_has_the_servers_day(world: World) -> None:
    """Also one about a grant, whose stored day is that of UTC."""
    await set_policy(world, lambda policy: replace(policy, time_zone="Asia/Seoul"))
    move_to(world, START + timedelta(hours=3, minutes=30))
    await deliver(world)
    await world.caps.grants.grant(GUILD, MODERATOR, MEMBER, 5, reason="late")
    await world.caps.grants.correct(GUILD, MODERATOR, MEMBER, 2, reason="too much")
    exported = await world.caps.reports.export(GUILD, MODERATOR, ExportKind.LEDGER, ReportPeriod.TODAY)
    rows = read_csv(exported.data)
    assert {row["kind"] for row in rows} == {"reserve", "settle", "grant", "correct"}
    assert {row["local_date"] for row in rows} == {"2026-11-23"}

"""The numbers of /usage, of reports and of exports, on a real database, over days, time zones and corrections."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event

from bot.caps import reports as reports_module
from bot.caps.report_values import Budget, ExportKind, ReportPeriod
from bot.caps.values import Asker, Cap, CapOf, OperatorLimits, Policy, Refusal, Rule
from bot.credits import audit, ledger
from bot.errors import AppError
from bot.ids import new_transfer_id
from db.enums import AuditAction, BalancePeriod, JobState
from db.queries import reports as report_queries
from db.queries import servers as server_queries
from db.queries import totals as total_queries
from tests.service.doubles import PRICE, START
from tests.service.world import CHANNEL, GUILD, MEMBER, World

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Connection

    from bot.caps.report_values import ReportedDay, ServerReport
    from db.engine import Database
    from db.values import AuditEntry, Job

MODERATOR = 10**18 + 90
OTHER_MEMBER, OTHER_GUILD, OTHER_CHANNEL = MEMBER + 1, GUILD + 500, CHANNEL + 700
FAR = datetime(2027, 6, 1, tzinfo=UTC)
DELIVERY = (
    JobState.SUBMITTING,
    JobState.SUBMITTED,
    JobState.SUCCEEDED,
    JobState.DELIVERING,
    JobState.DELIVERED,
)


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


async def set_policy(world: World, change: Callable[[Policy], Policy]) -> None:
    await world.caps.policies.change(GUILD, MODERATOR, change, subject="test")


def move_to(world: World, moment: datetime) -> None:
    """Time passes while nothing happens."""
    assert moment >= world.clock.now()
    world.clock.elapsed_s = (moment - START).total_seconds()


def asker(user_id: int = MEMBER, guild_id: int | None = GUILD, channel_id: int = CHANNEL) -> Asker:
    return Asker(user_id=user_id, guild_id=guild_id, channel_id=channel_id if guild_id is not None else None)


async def deliver(world: World, who: Asker | None = None, *, used: int = PRICE) -> Job:
    """A picture that was asked for, made and charged at this moment."""
    job = await world.accept(asker=who or asker())
    job = await world.put(job, *DELIVERY, used_credits=used, message_id=job.number)
    now = world.clock.now()
    await world.database.transaction(
        lambda c: ledger.settle(
            c,
            transfer_id=new_transfer_id(),
            job_id=job.id,
            used_credits=used,
            tolerance_credits=0,
            now=now,
        )
    )
    return job


async def end(world: World, state: JobState, failure: str | None = None, who: Asker | None = None) -> Job:
    """A request that ended without a picture at this moment."""
    job = await world.put(await world.accept(asker=who or asker()), state, failure=failure)
    now = world.clock.now()
    await world.database.transaction(
        lambda c: ledger.void(c, transfer_id=new_transfer_id(), job_id=job.id, now=now)
    )
    return job


async def report(world: World, period: ReportPeriod = ReportPeriod.DAYS_7) -> ServerReport:
    return await world.caps.reports.report_server(GUILD, period)


def busy_days(found: ServerReport) -> Mapping[date, ReportedDay]:
    return {day.day: day for day in found.days if day.asked or day.used_credits}


def read_csv(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))


async def list_entries(world: World) -> list[AuditEntry]:
    return await world.database.read(lambda c: server_queries.list_entries(c, GUILD, limit=100))


# --- the server's report ---


async def test_every_end_of_a_request_is_counted_once(world: World) -> None:
    await deliver(world)
    await deliver(world, used=5)
    await end(world, JobState.FAILED, "busy")
    await end(world, JobState.UNKNOWN, "unknown")
    await end(world, JobState.UNDELIVERABLE, "place")
    await end(world, JobState.CANCELLED)
    await end(world, JobState.REFUSED, "safety")
    await world.accept(asker=asker())
    found = await report(world, ReportPeriod.TODAY)
    total = found.total
    counts = (total.delivered, total.failed, total.cancelled, total.refused, total.open, total.asked)
    assert counts == (2, 3, 1, 1, 1, 8)
    assert total.used_credits == PRICE + 5
    assert found.refusals == {"safety": 1}
    assert not total.is_cut


async def test_refusals_by_a_rule_of_the_server_are_counted_by_that_rule(world: World) -> None:
    await set_policy(world, lambda policy: replace(policy, member_cap=Cap(credits=PRICE)))
    await deliver(world)
    for _ in range(3):
        with pytest.raises(AppError):
            await world.accept(asker=asker())
    await set_policy(world, lambda policy: replace(policy, denied_places=(CHANNEL,)))
    with pytest.raises(AppError):
        await world.accept(asker=asker())
    found = await report(world)
    assert list(found.refusals.items()) == [("cap", 3), ("channel", 1)]
    assert (found.total.refused, found.total.delivered, found.total.asked) == (4, 1, 5)


async def test_days_are_those_of_the_server_not_of_utc(world: World) -> None:
    """START is nine in the evening in Seoul; three hours later it is another day there, but not in UTC."""
    await set_policy(world, lambda policy: replace(policy, time_zone="Asia/Seoul"))
    await deliver(world)
    move_to(world, START + timedelta(hours=2, minutes=59, seconds=59))
    await deliver(world)
    move_to(world, START + timedelta(hours=3))
    await end(world, JobState.FAILED, "busy")
    await deliver(world)
    found = await report(world)
    days = busy_days(found)
    assert (found.span.first, found.span.last) == (date(2026, 11, 17), date(2026, 11, 23))
    assert {day: (one.delivered, one.failed, one.used_credits) for day, one in days.items()} == {
        date(2026, 11, 22): (2, 0, 2 * PRICE),
        date(2026, 11, 23): (1, 1, PRICE),
    }
    today = await report(world, ReportPeriod.TODAY)
    assert (today.total.delivered, today.total.used_credits) == (1, PRICE)
    assert today.top_members == [(MEMBER, PRICE)]


async def test_a_day_of_25_hours_is_one_day(world: World) -> None:
    """New York sets its clocks back on the first Sunday of November; both hours from one to two are that day's."""
    await set_policy(world, lambda policy: replace(policy, time_zone="America/New_York"))
    first_sunday = datetime(2027, 11, 7, tzinfo=UTC)
    move_to(world, first_sunday + timedelta(hours=4))
    await deliver(world)
    move_to(world, first_sunday + timedelta(hours=28, minutes=59))
    await deliver(world)
    move_to(world, first_sunday + timedelta(hours=29))
    await deliver(world)
    days = busy_days(await report(world))
    assert {day.day: one.delivered for day, one in days.items()} == {7: 2, 8: 1}
    assert {day.day: one.used_credits for day, one in days.items()} == {7: 2 * PRICE, 8: PRICE}


async def test_months_are_told_apart(world: World) -> None:
    await deliver(world)
    move_to(world, datetime(2026, 12, 1, 0, 30, tzinfo=UTC))
    await deliver(world, asker(OTHER_MEMBER))
    this, last = await report(world, ReportPeriod.THIS_MONTH), await report(world, ReportPeriod.LAST_MONTH)
    assert (this.total.delivered, this.top_members) == (1, [(OTHER_MEMBER, PRICE)])
    assert (last.total.delivered, last.top_members) == (1, [(MEMBER, PRICE)])
    assert len(last.days) == 30
    thirty = await report(world, ReportPeriod.DAYS_30)
    assert thirty.total.delivered == 2
    assert sorted(thirty.top_members) == [(MEMBER, PRICE), (OTHER_MEMBER, PRICE)]


async def test_who_and_where_most_was_used_comes_first_and_only_so_many(world: World) -> None:
    for place in range(7):
        for _ in range(place + 1):
            await deliver(world, asker(MEMBER + place, GUILD, CHANNEL + place))
    await end(world, JobState.CANCELLED, who=asker(MEMBER + 50))
    found = await report(world)
    most = [PRICE * count for count in (7, 6, 5, 4, 3)]
    assert found.top_members == [(MEMBER + 6 - rank, credits_used) for rank, credits_used in enumerate(most)]
    assert found.top_channels == [
        (CHANNEL + 6 - rank, credits_used) for rank, credits_used in enumerate(most)
    ]


async def test_other_servers_and_direct_messages_are_nobodys_business(world: World) -> None:
    await deliver(world, asker(MEMBER, OTHER_GUILD, OTHER_CHANNEL))
    await deliver(world, asker(MEMBER, None))
    await world.caps.grants.grant(OTHER_GUILD, MODERATOR, MEMBER, 50, reason="theirs")
    found = await report(world)
    assert found.total.asked == found.total.used_credits == found.granted_credits == 0
    assert (found.top_members, found.top_channels, found.refusals) == ([], [], {})
    exported = await world.caps.reports.export(GUILD, MODERATOR, ExportKind.LEDGER, ReportPeriod.DAYS_30)
    assert (exported.rows, exported.left_out) == (0, 0)


async def test_grants_and_refunds_are_told_and_gifts_counted_as_no_grant(world: World) -> None:
    await set_policy(world, lambda policy: replace(policy, gifts_allowed=True))
    await world.caps.grants.grant(GUILD, MODERATOR, MEMBER, 50, reason="contest")
    await world.caps.gifts.give(asker(), OTHER_MEMBER, 20, request_id=1)
    job = await deliver(world)
    await deliver(world)
    await world.caps.pictures.refund(GUILD, MODERATOR, job.id, "broken")
    found = await report(world)
    assert (found.granted_credits, found.returned_credits) == (50, PRICE)
    # What was given back was paid to kvid all the same.
    assert found.total.used_credits == 2 * PRICE
    assert found.paid_credits == PRICE
    assert found.top_members == [(MEMBER, PRICE)]
    assert found.top_channels == [(CHANNEL, PRICE)]


async def test_what_was_given_back_is_told_with_the_days_it_was_used_on_and_the_lists_add_up(
    world: World,
) -> None:
    job = await deliver(world)
    move_to(world, START + timedelta(days=2))
    await deliver(world)
    await world.caps.pictures.refund(GUILD, MODERATOR, job.id)
    days = busy_days(await report(world))
    assert [one.used_credits for one in days.values()] == [PRICE, PRICE]
    for period in ReportPeriod:
        found = await report(world, period)
        assert sum(amount for _, amount in found.top_members) == found.paid_credits
    today, week = await report(world, ReportPeriod.TODAY), await report(world)
    assert (today.total.used_credits, today.returned_credits) == (PRICE, 0)
    assert (week.total.used_credits, week.returned_credits, week.paid_credits) == (2 * PRICE, PRICE, PRICE)


async def test_a_reset_forgives_the_cap_and_leaves_the_report_as_it_was(world: World) -> None:
    await set_policy(world, lambda policy: replace(policy, member_cap=Cap(credits=2 * PRICE)))
    await deliver(world)
    await world.caps.members.reset(GUILD, MODERATOR, MEMBER, ())
    usage = await world.caps.reports.report_usage(asker())
    assert (usage.allowance.left_credits, usage.usage.today_credits) == (2 * PRICE, PRICE)
    found = await report(world)
    assert (found.total.used_credits, found.top_members) == (PRICE, [(MEMBER, PRICE)])


@pytest.mark.parametrize(
    ("operators", "servers", "limit"), [(100, None, 100), (None, 60, 60), (100, 60, 60), (40, 60, 40)]
)
async def test_the_budget_is_the_lower_one_and_starts_over_with_the_servers_month(
    database: Database, operators: int | None, servers: int | None, limit: int
) -> None:
    world = World(database, limits=OperatorLimits(server_monthly_credits=operators))
    await set_policy(
        world, lambda policy: replace(policy, time_zone="Asia/Seoul", server_budget_credits=servers)
    )
    await deliver(world)
    await world.accept(asker=asker())
    assert (await report(world)).budget == Budget(
        limit_credits=limit,
        left_credits=limit - 2 * PRICE,
        resets_at=datetime(2026, 11, 30, 15, tzinfo=UTC),
    )


async def test_a_member_is_told_the_budget_of_their_server_alone(world: World) -> None:
    await set_policy(world, lambda policy: replace(policy, server_budget_credits=60))
    await deliver(world, asker(OTHER_MEMBER))
    here = await world.caps.reports.report_usage(asker())
    assert here.budget == (await report(world)).budget
    assert here.budget is not None
    assert here.budget.left_credits == 60 - PRICE
    assert (await world.caps.reports.report_usage(asker(MEMBER, None))).budget is None


async def test_a_ceiling_of_the_operators_own_for_this_server_takes_the_place_of_the_default(
    database: Database,
) -> None:
    world = World(database, limits=OperatorLimits(server_monthly_credits=100))
    await world.caps.policies.change(
        GUILD,
        0,
        lambda policy: replace(policy, operator_budget_credits=400, server_budget_credits=300),
        subject="operator_budget_credits",
    )
    budget = (await report(world)).budget
    assert budget is not None
    assert budget.limit_credits == 300


async def test_without_any_budget_none_is_told(world: World) -> None:
    assert (await report(world)).budget is None


async def test_a_day_too_busy_to_count_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_queries, "JOBS_A_DAY_MAX", 2)
    for _ in range(3):
        await deliver(world)
    total = (await report(world)).total
    assert (total.is_cut, total.delivered) == (True, 2)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("named", [{}, {"guild_id": GUILD}, {"user_id": MEMBER}])
async def test_refunds_are_found_without_reading_the_whole_ledger(
    database: Database, named: dict[str, int]
) -> None:
    def explain(c: Connection) -> str:
        ran: list[tuple[str, Any]] = []
        event.listen(c, "before_cursor_execute", lambda *call: ran.append((call[2], call[3])))
        total_queries.sum_refunded(c, **named)
        statement, parameters = ran[-1]
        return str(c.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all())

    assert "uq_transfer_one_refund" in await database.read(explain)


# --- a member's usage ---


async def test_usage_in_a_server_is_of_that_server_alone(world: World) -> None:
    await deliver(world)
    await deliver(world, asker(MEMBER, OTHER_GUILD, OTHER_CHANNEL))
    direct = await deliver(world, asker(MEMBER, None))
    here = await world.caps.reports.report_usage(asker())
    assert (here.usage.today_credits, here.usage.week_credits, here.usage.month_credits) == (PRICE,) * 3
    assert here.days == [(START.date(), PRICE)]
    assert [job.guild_id for job in here.recent] == [GUILD]
    everywhere = await world.caps.reports.report_usage(asker(MEMBER, None))
    assert everywhere.usage.today_credits == 3 * PRICE
    assert everywhere.usage.week_credits is None
    assert everywhere.days == [(START.date(), 3 * PRICE)]
    assert everywhere.recent[0].id == direct.id
    assert len(everywhere.recent) == 3


async def test_thirty_days_come_from_counters_by_the_servers_days(world: World) -> None:
    await set_policy(world, lambda policy: replace(policy, time_zone="Asia/Seoul"))
    await deliver(world)
    move_to(world, START + timedelta(hours=3))
    job = await deliver(world)
    move_to(world, START + timedelta(days=29))
    await deliver(world)
    await world.caps.pictures.refund(GUILD, MODERATOR, job.id)
    usage = await world.caps.reports.report_usage(asker())
    assert usage.today == date(2026, 12, 21)
    assert usage.days == [
        (date(2026, 11, 22), PRICE),
        (date(2026, 11, 23), 0),
        (date(2026, 12, 21), PRICE),
    ]
    move_to(world, START + timedelta(days=30))
    usage = await world.caps.reports.report_usage(asker())
    assert [day for day, _ in usage.days] == [date(2026, 11, 23), date(2026, 12, 21)]


async def test_usage_tells_the_cap_its_origin_and_what_is_held(world: World) -> None:
    role_id = GUILD + 9
    cap = Cap(credits=40, period=BalancePeriod.WEEK)
    await set_policy(
        world,
        lambda policy: replace(policy, member_cap=Cap(credits=10), role_caps=(CapOf(id=role_id, cap=cap),)),
    )
    who = replace(asker(), role_ids=frozenset({role_id}))
    await deliver(world, who)
    await world.accept(asker=who)
    usage = await world.caps.reports.report_usage(who)
    allowance = usage.allowance
    assert (allowance.role_id, allowance.own, allowance.left_credits) == (role_id, False, 40 - 2 * PRICE)
    assert allowance.resets_at == datetime(2026, 11, 23, tzinfo=UTC)
    assert (usage.usage.held_credits, usage.usage.today_credits) == (PRICE, PRICE)
    await world.caps.members.set_member_cap(GUILD, MODERATOR, MEMBER, Cap(credits=99))
    assert (await world.caps.reports.report_usage(who)).allowance.own


async def test_usage_tells_granted_credits_soonest_to_end_first(world: World) -> None:
    await world.caps.grants.grant(GUILD, MODERATOR, MEMBER, 5, reason="for ever")
    await world.caps.grants.grant(GUILD, MODERATOR, MEMBER, 7, reason="soon", expires_at=FAR)
    usage = await world.caps.reports.report_usage(asker())
    assert [(one.left_credits, one.expires_at) for one in usage.grants] == [(7, FAR), (5, None)]
    assert (await world.caps.reports.report_usage(asker(MEMBER, None))).grants == ()


async def test_the_operators_limit_counts_over_all_servers(database: Database) -> None:
    world = World(database, limits=OperatorLimits(member_daily_credits=30))
    await deliver(world, asker(MEMBER, OTHER_GUILD, OTHER_CHANNEL))
    await world.accept(asker=asker())
    here = await world.caps.reports.report_usage(asker())
    assert (here.allowance.cap, here.daily.left_credits) == (None, 30 - 2 * PRICE)
    direct = await world.caps.reports.report_usage(asker(MEMBER, None))
    assert direct.allowance == direct.daily == here.daily
    assert direct.daily.resets_at == datetime(2026, 11, 23, tzinfo=UTC)


async def test_a_member_is_told_which_of_their_pictures_were_given_back(world: World) -> None:
    job, _ = await deliver(world), await deliver(world)
    await world.caps.pictures.refund(GUILD, MODERATOR, job.id)
    for who in (asker(), asker(MEMBER, None)):
        assert (await world.caps.reports.report_usage(who)).refunded == {job.id}


async def test_a_member_is_told_that_they_are_blocked_here_and_until_when(world: World) -> None:
    async def seen(guild_id: int | None = GUILD) -> Refusal | None:
        return (await world.caps.reports.report_usage(asker(MEMBER, guild_id))).blocked

    assert await seen() is None
    until = await world.caps.members.block(GUILD, MODERATOR, MEMBER, for_s=3_600)
    assert await seen() == Refusal(rule=Rule.BLOCKED, key="blocked", params={"until": int(until.timestamp())})
    assert (await seen(OTHER_GUILD), await seen(None)) == (None, None)
    move_to(world, until)
    assert await seen() is None


async def test_only_the_last_ten_pictures_are_listed(world: World) -> None:
    jobs = [await deliver(world) for _ in range(12)]
    usage = await world.caps.reports.report_usage(asker())
    assert [job.id for job in usage.recent] == [job.id for job in reversed(jobs[2:])]


# --- exports ---


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


async def test_reading_changes_no_books(world: World) -> None:
    await deliver(world)
    await report(world)
    await world.caps.reports.report_usage(asker())
    assert await world.database.read(audit.find_differences) == []

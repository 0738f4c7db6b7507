"""The numbers of a server's report, on a real database, over days, time zones and corrections."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event

from bot.caps.report_values import Budget, ExportKind, ReportPeriod
from bot.caps.values import Cap, OperatorLimits
from bot.credits import audit
from bot.errors import AppError
from db.enums import JobState
from db.queries import reports as report_queries
from db.queries import totals as total_queries
from tests.service.doubles import PRICE, START
from tests.service.report_parts import (
    MODERATOR,
    OTHER_CHANNEL,
    OTHER_GUILD,
    OTHER_MEMBER,
    asker,
    end,
    move_to,
    report,
    set_policy,
    world,
)
from tests.service.world import CHANNEL, GUILD, MEMBER, World, deliver

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from bot.caps.report_values import ReportedDay, ServerReport
    from db.engine import Database

__all__ = ["world"]


def busy_days(found: ServerReport) -> Mapping[date, ReportedDay]:
    return {day.day: day for day in found.days if day.asked or day.used_credits}


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


async def test_reading_changes_no_books(world: World) -> None:
    await deliver(world)
    await report(world)
    await world.caps.reports.report_usage(asker())
    assert await world.database.read(audit.find_differences) == []

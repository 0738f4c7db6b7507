"""The numbers of /usage, on a real database: a member's own, here and everywhere, over days and time zones."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from bot.caps.values import Cap, CapOf, OperatorLimits, Refusal, Rule
from db.enums import BalancePeriod
from tests.service.doubles import PRICE, START
from tests.service.report_parts import (
    MODERATOR,
    OTHER_CHANNEL,
    OTHER_GUILD,
    asker,
    move_to,
    set_policy,
    world,
)
from tests.service.world import GUILD, MEMBER, World, deliver

if TYPE_CHECKING:
    from db.engine import Database

__all__ = ["world"]

FAR = datetime(2027, 6, 1, tzinfo=UTC)


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

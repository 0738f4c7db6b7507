"""The first time zone of a server: its language's, whatever was stored about it before the bot met it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bot.caps.operator import Operator
from bot.caps.values import Asker, OperatorLimits
from db.queries import servers as queries
from tests.service.world import CHANNEL, GUILD, MEMBER, World

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from db.engine import Database

MODERATOR = 10**18 + 90
SEOUL, LONDON = "Asia/Seoul", "Europe/London"


def operator(world: World) -> Operator:
    return Operator(world.database, world.clock, world.caps.policies, OperatorLimits())


async def meet(world: World, locale: str = "ko") -> str:
    await world.caps.policies.meet({GUILD: locale}, all_of=lambda _guild_id: True)
    return (await world.caps.policies.find(GUILD)).time_zone


ACTS: dict[str, Callable[[World], Awaitable[object]]] = {
    "a budget": lambda world: operator(world).set_budget(GUILD, 50),
    "a grant": lambda world: world.caps.grants.grant(GUILD, 0, MEMBER, 5, reason="x"),
    "an offer": lambda world: world.caps.grants.grant_role(GUILD, 0, 7, 5, reason="x"),
    "a block": lambda world: world.caps.members.block(GUILD, 0, MEMBER, for_s=60),
}


@pytest.mark.parametrize("name", ACTS)
async def test_an_act_before_the_bot_met_a_server_leaves_its_zone_open(database: Database, name: str) -> None:
    world = World(database)
    await ACTS[name](world)
    assert (await world.caps.policies.find(GUILD)).time_zone == "UTC"
    assert await meet(world) == SEOUL
    await ACTS[name](world)
    assert await meet(world, "en-GB") == SEOUL, "it is met once"
    # Another process reads the same.
    assert (await World(database).caps.policies.find(GUILD)).time_zone == SEOUL


async def test_until_then_requests_count_by_the_days_of_the_servers_language(database: Database) -> None:
    """Of a Sunday evening in UTC that is Monday in Seoul."""
    world = World(database)
    asker = Asker(user_id=MEMBER, guild_id=GUILD, channel_id=CHANNEL, locale="ko")
    world.clock.elapsed_s += 6 * 3_600
    days = []
    for act in (None, "a budget", "a grant"):
        if act is not None:
            await ACTS[act](world)
        days.append((await world.caps.reports.report_usage(asker)).today)
    await meet(world)
    days.append((await world.caps.reports.report_usage(asker)).today)
    assert {day.isoformat() for day in days} == {"2026-11-23"}


async def test_moderators_choose_the_zone_before_the_language_does(database: Database) -> None:
    world = World(database)
    await operator(world).set_budget(GUILD, 50)
    policies = world.caps.policies
    await policies.change(
        GUILD, MODERATOR, lambda one: replace(one, cooldown_s=5), subject="cooldown_s", locale="en-GB"
    )
    assert await meet(world) == LONDON
    entries = await database.read(lambda c: queries.list_entries(c, GUILD, limit=9))
    assert [one.subject for one in entries] == ["operator_budget_credits", "cooldown_s"]
    assert entries[1].after == {"cooldown_s": 5}


async def test_a_zone_that_was_chosen_without_the_language_stays(database: Database) -> None:
    world = World(database)
    policies = world.caps.policies
    await operator(world).set_budget(GUILD, 50)
    await policies.change(GUILD, 0, lambda one: replace(one, time_zone="Asia/Tokyo"), subject="time_zone")
    assert await meet(world) == "Asia/Tokyo"


async def test_many_servers_are_met_at_once(database: Database) -> None:
    """Those with a zone, those without one, and new ones; a page holds fewer than there are."""
    world = World(database)
    await operator(world).set_budget(GUILD + 600, 50)
    everywhere = {GUILD + number: "ko" for number in range(601)}
    await world.caps.policies.meet({**everywhere, GUILD + 600: "ja"})
    assert (await world.caps.policies.find(GUILD + 600)).time_zone == "Asia/Tokyo"
    await operator(world).set_budget(GUILD + 700, 50)
    await world.caps.policies.meet({**everywhere, GUILD + 700: "ja"})
    assert (await world.caps.policies.find(GUILD + 700)).time_zone == "Asia/Tokyo"
    assert (await world.caps.policies.find(GUILD + 600)).time_zone == "Asia/Tokyo"

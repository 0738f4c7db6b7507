"""At most so many of one member's jobs are at kvid together; the others wait, and nobody else waits for them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bot.errors import Refused
from bot.jobs.service import BEHIND_OWN
from db.enums import JobState
from tests.service.doubles import PRICE
from tests.service.world import GUILD, MEMBER, World

if TYPE_CHECKING:
    from db.engine import Database

OTHER = MEMBER + 1


async def set_queue(world: World, *, running: int, waiting: int) -> None:
    await world.caps.policies.change(
        GUILD, 1, lambda policy: replace(policy, running_max=running, waiting_max=waiting), subject="queue"
    )


async def test_a_members_fourth_job_waits_while_others_start(database: Database) -> None:
    world = World(database, concurrency=8)
    world.kvid.submit_gate.clear()
    async with world.running():
        own = [await world.accept(f"own {index}") for index in range(5)]
        other = await world.accept("other", user_id=OTHER)
        await world.idle()
        states = [(await world.jobs.get(job.id)).state for job in own]
        assert states == [JobState.SUBMITTING] * 3 + [JobState.RESERVED] * 2
        assert (await world.jobs.get(other.id)).state is JobState.SUBMITTING
        for job in own[3:]:
            assert (job.id, JobState.RESERVED, BEHIND_OWN) in world.surface.shown
            assert not any(place for shown, _, place in world.surface.shown if shown == job.id)
        world.kvid.submit_gate.set()
        await world.until_ended(*own, other)
    await world.assert_account(used=5 * PRICE)


async def test_a_long_line_of_one_member_leaves_free_places_to_those_behind(database: Database) -> None:
    """More of one member's jobs are in line than one look at the line sees."""
    world = World(database, concurrency=4)
    await set_queue(world, running=1, waiting=50)
    for number, count in ((100, 51), (101, 5)):
        for _ in range(count):
            await world.accept(user_id=number)
    last = await world.accept("last", user_id=OTHER)
    world.kvid.submit_gate.clear()
    async with world.running():
        await world.idle()
        assert (await world.jobs.get(last.id)).state is JobState.SUBMITTING
        world.kvid.submit_gate.set()
        await world.until_ended(last)


async def test_more_than_may_wait_is_refused_with_both_numbers(database: Database) -> None:
    world = World(database)
    await set_queue(world, running=2, waiting=1)
    for _ in range(3):
        await world.accept()
    with pytest.raises(Refused) as refused:
        await world.accept()
    assert refused.value.key == "failure.queue"
    assert {name: refused.value.params[name] for name in ("running", "waiting", "open")} == {
        "running": 2,
        "waiting": 1,
        "open": 3,
    }
    await world.assert_account(used=0, held=3 * PRICE)

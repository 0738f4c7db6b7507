"""What tests of reports share: a server without limits, time that only goes on, and requests that end at a moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bot.caps.report_values import ReportPeriod
from bot.caps.values import Asker, Policy
from bot.credits import ledger
from bot.ids import new_transfer_id
from tests.service.doubles import START
from tests.service.world import CHANNEL, GUILD, MEMBER, World

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bot.caps.report_values import ServerReport
    from db.engine import Database
    from db.enums import JobState
    from db.values import Job

MODERATOR = 10**18 + 90
OTHER_MEMBER, OTHER_GUILD, OTHER_CHANNEL = MEMBER + 1, GUILD + 500, CHANNEL + 700


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

"""How long ten servers with one job each wait, alone and behind a server that has queued hundreds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from db.enums import JobState
from tests.service.world import GUILD, MEMBER, World

if TYPE_CHECKING:
    from db.engine import Database

OTHERS, FLOOD_MEMBERS, FLOOD_PER_MEMBER = 10, 50, 10
CONCURRENCY, RENDER_S = 8, 8.0
# In the middle of the pictures that are being made, once the flood has settled in.
ARRIVE_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """Units: seconds from the request to the picture, of each of the ten; `flood_done` is how many went before."""

    to_picture_s: tuple[float, ...]
    flood_done: int = 0

    @property
    def mean_s(self) -> float:
        return sum(self.to_picture_s) / len(self.to_picture_s)

    @property
    def max_s(self) -> float:
        return max(self.to_picture_s)


async def measure_waits(database: Database, *, flooded: bool) -> Waits:
    """On an empty database; by the moved clock, so that no machine is too slow for it."""
    world = World(database, concurrency=CONCURRENCY)
    world.kvid.render_s = RENDER_S
    async with world.running():
        if flooded:
            for number in range(FLOOD_MEMBERS * FLOOD_PER_MEMBER):
                await world.accept(user_id=MEMBER + number % FLOOD_MEMBERS)
        await world.pass_s(ARRIVE_S)
        others = [
            await world.accept(guild_id=GUILD + 1 + number, user_id=MEMBER + 1_000 + number)
            for number in range(OTHERS)
        ]
        ended = await world.until_ended(*others)
        done = await world.count(JobState.DELIVERED)
    assert {job.state for job in ended} == {JobState.DELIVERED}
    return Waits(
        to_picture_s=tuple(
            (job.finished_at - job.created_at).total_seconds() for job in ended if job.finished_at is not None
        ),
        flood_done=done - OTHERS,
    )

"""The gate of the whole fleet: never too many at kvid, and fair turns."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event

from bot.jobs.gate_rules import HANGING_MIN_S
from bot.kvid.errors import KvidRateLimited
from db.enums import JobState
from db.queries import jobs as queries
from db.queries import line as line_queries
from tests.db.builders import GUILD, USER
from tests.service.gate_parts import Fleet, fleet, open_fleet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

__all__ = ["fleet"]


async def test_the_first_in_line_get_the_places_and_are_offered_with_them(fleet: Fleet) -> None:
    ids = await fleet.fill(10, running_max=99)
    assert await fleet.gates[0].admit() == ids[:8]
    assert fleet.offers[0].ids == ids[:8]
    job = await fleet.databases[0].read(lambda c: queries.get_job(c, ids[0]))
    assert (job.state, job.admitted_at) == (JobState.RESERVED, fleet.clock.now())
    assert await fleet.gates[1].admit() == []
    await fleet.move(ids[0], JobState.CANCELLED)
    assert await fleet.gates[1].admit() == [ids[8]]


async def test_a_job_that_never_finishes_stops_nobody_although_kvid_made_the_window_narrow(
    fleet: Fleet,
) -> None:
    hanging, waiting = await fleet.fill(2, running_max=99)
    gate = fleet.gates[0]
    assert await gate.admit() == [hanging, waiting]
    await fleet.move(waiting, JobState.RESERVED)
    for _ in range(4):
        await gate.failed(KvidRateLimited(http_status=429), is_submit=True)
        fleet.clock.elapsed_s += 120.0
    assert gate.state.window_jobs == 1.0
    await fleet.move(hanging, JobState.SUBMITTED, submitted_at=fleet.clock.now())
    fleet.clock.elapsed_s += HANGING_MIN_S
    assert await gate.admit() == []
    fleet.clock.elapsed_s += 1.0
    assert await gate.admit() == [waiting]


async def test_processes_that_admit_at_once_never_give_more_places_than_there_are(fleet: Fleet) -> None:
    ids = await fleet.fill(60, running_max=99)
    rounds = 0
    seen: list[str] = []
    while len(seen) < len(ids):
        batches = await asyncio.gather(*(gate.admit() for gate in fleet.gates * 3))
        admitted = [job_id for batch in batches for job_id in batch]
        seen += admitted
        assert await fleet.held() == 8 if len(seen) < len(ids) else True
        for job_id in admitted:
            await fleet.move(job_id, JobState.CANCELLED)
        rounds += 1
    assert sorted(seen) == sorted(ids)
    assert rounds == 8
    assert sorted(fleet.offers[0].ids + fleet.offers[1].ids) == sorted(ids)


async def test_what_is_rolled_back_is_neither_admitted_nor_remembered(fleet: Fleet) -> None:
    ids = await fleet.fill(2)
    full = fleet.gates[0]

    def refuse(_c: Connection, _job_ids: Sequence[str]) -> None:
        raise LookupError("the queue's table is gone")

    fleet.offers[0].offer = refuse  # type: ignore[assignment]  # a queue that fails
    with pytest.raises(LookupError):
        await full.admit()
    assert await fleet.held() == 0
    assert await fleet.gates[1].admit() == ids


async def test_members_who_have_enough_at_kvid_do_not_hold_up_those_behind_them(fleet: Fleet) -> None:
    crowd = await fleet.fill(40, running_max=2)
    behind = await fleet.fill(1, user_id=USER + 1)
    assert await fleet.gates[0].admit() == [*crowd[:2], *behind]
    assert await fleet.gates[1].admit() == []


async def test_a_flood_of_one_server_delays_itself_and_not_the_others(database_url: str) -> None:
    """Issue of fairness: 500 jobs of one, one each of ten others; each may run two at once."""
    async with open_fleet(database_url, concurrency=2) as fleet:
        flood = set(await fleet.fill(500, running_max=99))
        others = {(await fleet.fill(1, guild_id=GUILD + 1 + n))[0] for n in range(5)}
        others |= {(await fleet.fill(1, guild_id=None, user_id=USER + 1 + n))[0] for n in range(5)}
        waited: list[str] = []
        while others - set(waited):
            admitted = await fleet.gates[len(waited) % 2].admit()
            waited += admitted
            for job_id in admitted:
                await fleet.move(job_id, JobState.CANCELLED)
        # Alone, the ten would be through after ten; the flood may take its turn once a round.
        assert len(waited) <= 12
        assert len(flood & set(waited)) <= 2


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_line_that_is_emptied_leaves_no_turns_behind_and_writes_none(fleet: Fleet) -> None:
    statements: list[str] = []
    event.listen(
        fleet.databases[0]._writer,
        "before_cursor_execute",
        lambda _c, _cursor, statement, *_: statements.append(statement),
    )
    await fleet.gates[0].admit()
    statements.clear()
    await fleet.fill(1)
    statements.clear()
    await fleet.gates[0].admit()
    verbs = [words.split()[0] for words in statements]
    assert verbs == ["BEGIN", "SELECT", "SELECT", "SELECT", "WITH", "UPDATE"]
    assert await fleet.databases[0].read(line_queries.list_turns) == []


async def test_a_put_back_job_is_the_first_of_its_server_again(fleet: Fleet) -> None:
    ids = await fleet.fill(9, running_max=99)
    await fleet.gates[0].admit()
    await fleet.move(ids[3], JobState.SUBMITTING)
    await fleet.move(ids[3], JobState.RESERVED)
    assert [job.id for job in await fleet.gates[0].list_next(5)] == [ids[3], ids[8]]
    assert await fleet.gates[1].admit() == [ids[3]]


async def test_the_order_that_is_shown_is_the_order_that_is_kept(fleet: Fleet) -> None:
    flood = await fleet.fill(20, running_max=99)
    other = await fleet.fill(2, guild_id=GUILD + 1)
    expected = [job.id for job in await fleet.gates[0].list_next(22)]
    assert expected[:4] == [flood[0], other[0], flood[1], other[1]]
    admitted = await fleet.gates[0].admit()
    for job_id in admitted:
        await fleet.move(job_id, JobState.CANCELLED)
    admitted += await fleet.gates[1].admit()
    assert admitted == expected[: len(admitted)]

"""The line: who holds a place at kvid, who comes next in each server, and whose turn it is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from db.enums import WAITING, JobState
from db.gate_values import ServerTurn
from db.queries import jobs, line
from tests.db.builders import GUILD, HOUR, NOW, USER, store_job

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from db.engine import Database
    from db.values import Job


def submit(c: Connection, job: Job) -> None:
    taken = jobs.advance_job(c, job.id, from_states=WAITING, to=JobState.SUBMITTING, now=NOW, event="test")
    assert taken is not None


async def test_the_heads_are_the_first_of_each_server_and_of_each_member_in_direct_messages(
    database: Database,
) -> None:
    def fill(c: Connection) -> list[str]:
        flood = [store_job(c, guild_id=GUILD) for _ in range(5)]
        other = [store_job(c, guild_id=GUILD + 1, reserved_credits=3, running_max=1)]
        direct = [store_job(c, guild_id=None, user_id=USER + 7) for _ in range(3)]
        mine = [store_job(c, guild_id=None)]
        return [job.id for job in (*flood[:2], *other, *direct[:2], *mine)]

    expected = await database.transaction(fill)
    heads = await database.read(lambda c: line.list_heads(c, per_flow=2))
    assert [job.id for job in heads] == expected
    assert [job.flow_id for job in heads] == [GUILD, GUILD, GUILD + 1, USER + 7, USER + 7, USER]
    assert (heads[2].cost_credits, heads[2].running_max, heads[2].owner) == (3, 1, (USER, GUILD + 1))
    assert heads[-1].owner == (USER, 0)


async def test_members_who_are_passed_over_do_not_hide_those_behind_them(database: Database) -> None:
    def fill(c: Connection) -> list[str]:
        for _ in range(4):
            store_job(c)
        behind = store_job(c, user_id=USER + 1)
        # The same member elsewhere is another owner.
        elsewhere = [store_job(c, guild_id=GUILD + 1), store_job(c, guild_id=None)]
        store_job(c, guild_id=None, user_id=USER + 1)
        return [job.id for job in (behind, *elsewhere)]

    expected = await database.transaction(fill)
    crowd = {(USER, GUILD), (USER + 1, 0)}
    heads = await database.read(lambda c: line.list_heads(c, per_flow=1, without=crowd))
    assert [job.id for job in heads] == expected


async def test_only_jobs_in_line_are_heads_and_an_empty_line_has_none(database: Database) -> None:
    assert await database.read(lambda c: line.list_heads(c, per_flow=3)) == []

    def fill(c: Connection) -> str:
        submit(c, store_job(c))
        admitted, cancelled, last = (store_job(c) for _ in range(3))
        assert line.admit_jobs(c, [admitted.id], NOW) == [admitted.id]
        jobs.advance_job(
            c, cancelled.id, from_states=WAITING, to=JobState.CANCELLED, now=NOW, event="job.cancelled"
        )
        return last.id

    last = await database.transaction(fill)
    assert [job.id for job in await database.read(lambda c: line.list_heads(c, per_flow=9))] == [last]


async def test_a_place_is_held_from_the_admission_to_the_answer_of_kvid(database: Database) -> None:
    def look(c: Connection) -> set[str]:
        return {holder.id for holder in line.list_place_holders(c)}

    def count_sending(c: Connection) -> int:
        return sum(holder.sending for holder in line.list_place_holders(c))

    job = await database.transaction(lambda c: store_job(c, running_max=2))
    assert await database.read(look) == set()
    await database.transaction(lambda c: line.admit_jobs(c, [job.id], NOW + HOUR))
    (holder,) = await database.read(line.list_place_holders)
    assert (holder.id, holder.owner, holder.running_max, holder.sending) == (job.id, (USER, GUILD), 2, True)
    assert (await database.read(lambda c: jobs.get_job(c, job.id))).admitted_at == NOW + HOUR
    for before, after, held in (
        (JobState.RESERVED, JobState.SUBMITTING, True),
        (JobState.SUBMITTING, JobState.SUBMITTED, True),
        (JobState.SUBMITTED, JobState.SUCCEEDED, False),
    ):
        await database.transaction(
            lambda c, before=before, after=after: jobs.advance_job(  # type: ignore[misc]
                c, job.id, from_states={before}, to=after, now=NOW, event="test"
            )
        )
        assert await database.read(look) == ({job.id} if held else set()), after
        assert await database.read(count_sending) == (after is JobState.SUBMITTING), after


async def test_a_job_that_is_put_back_stands_in_line_again(database: Database) -> None:
    def put_back(c: Connection) -> tuple[list[str], list[str]]:
        job, later = store_job(c), store_job(c)
        line.admit_jobs(c, [job.id], NOW)
        submit(c, job)
        jobs.advance_job(
            c,
            job.id,
            from_states={JobState.SUBMITTING},
            to=JobState.RESERVED,
            now=NOW,
            event="job.put_back",
            admitted_at=None,
        )
        return [job.id, later.id], [head.id for head in line.list_heads(c, per_flow=2)]

    expected, found = await database.transaction(put_back)
    assert found == expected


async def test_of_many_admissions_at_once_each_job_is_in_one(database: Database) -> None:
    ids = [(await database.transaction(store_job)).id for _ in range(6)]
    admitted = await asyncio.gather(
        *(database.transaction(lambda c: line.admit_jobs(c, ids, NOW)) for _ in range(5))
    )
    assert sorted(admitted, key=len) == [[], [], [], [], ids]
    assert await database.transaction(lambda c: line.admit_jobs(c, [], NOW)) == []


async def test_the_overdue_are_the_oldest_in_line(database: Database) -> None:
    def fill(c: Connection) -> str:
        old = store_job(c, created_at=NOW - HOUR)
        store_job(c, created_at=NOW)
        line.admit_jobs(c, [store_job(c, created_at=NOW - 2 * HOUR).id], NOW)
        return old.id

    old = await database.transaction(fill)
    assert await database.read(lambda c: line.list_overdue(c, NOW, 5)) == [old]


async def test_those_to_run_are_the_oldest_that_left_the_line(database: Database) -> None:
    def fill(c: Connection) -> list[str]:
        store_job(c)
        left = [store_job(c) for _ in range(3)]
        submit(c, left[2])
        line.admit_jobs(c, [left[0].id, left[1].id], NOW)
        return [job.id for job in left]

    left = await database.transaction(fill)
    assert await database.read(lambda c: line.list_to_run(c, limit=9)) == left
    assert await database.read(lambda c: line.list_to_run(c, limit=2)) == left[:2]


async def test_turns_are_kept_in_order_and_written_over(database: Database) -> None:
    first = [
        ServerTurn(flow_id=GUILD, deficit_credits=0, turn=2),
        ServerTurn(flow_id=USER, deficit_credits=5, turn=1),
    ]
    await database.transaction(lambda c: line.store_turns(c, first))
    assert await database.read(line.list_turns) == first[::-1]
    last = ServerTurn(flow_id=USER, deficit_credits=1, turn=2**40)

    def change(c: Connection) -> None:
        line.store_turns(c, [last])
        line.delete_turns(c, [GUILD])
        line.store_turns(c, [])
        line.delete_turns(c, [])

    await database.transaction(change)
    assert await database.read(line.list_turns) == [last]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("words", "index", "count"),
    [
        # The first leap, the next ones, and the heads themselves.
        (line._build_heads("sqlite").text, "ix_job_waiting_in_server", 3),
        (line._build_heads("sqlite").text, "ix_job_waiting_direct", 3),
        (str(line._HOLDERS["sqlite"].element), "ix_job_admitted", 1),
        (line._TO_RUN["sqlite"].text, "ix_job_admitted", 1),
        (line._TO_RUN["sqlite"].text, "ix_job_state_number", 1),
    ],
)
async def test_what_is_read_does_not_grow_with_the_line(
    database: Database, words: str, index: str, count: int
) -> None:
    """A parameter in the place of a word would hide the index; `bench/admission.py` shows the same in time."""
    parameters = {"crowd": "[]", "count": 1, "flows_max": 9}
    rows = await database.read(lambda c: c.execute(text(f"EXPLAIN QUERY PLAN {words}"), parameters).all())
    plan = "\n".join(row[-1] for row in rows)
    assert plan.count(f"USING INDEX {index}") + plan.count(f"COVERING INDEX {index}") == count, plan

"""The one door: accepting, refusing, cancelling, and what is known of a member's jobs."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from bot.caps.values import Asker, OperatorLimits
from bot.errors import AppError, IntakeClosed, NotEnoughCredits
from bot.i18n import Catalogue
from bot.ids import SEED_MAX
from bot.jobs.service import Picture, Source
from db.enums import JobState
from db.queries import jobs as queries
from tests.service.doubles import PRICE
from tests.service.world import GUILD, MEMBER, World

if TYPE_CHECKING:
    from db.engine import Database


async def test_one_request_is_one_job_however_often_it_arrives(database: Database) -> None:
    world = World(database)
    jobs = await asyncio.gather(*(world.accept(request_id=77) for _ in range(5)))
    assert len({job.id for job in jobs}) == 1
    assert await world.count(*JobState) == 1
    await world.assert_account(used=0, held=PRICE)


async def test_a_second_arrival_wakes_nobody(database: Database) -> None:
    world = World(database)
    await world.accept(request_id=77)
    woken = []
    world.jobs.wake = lambda: woken.append(1)
    await world.accept(request_id=77)
    assert woken == []


async def test_a_job_keeps_what_was_asked_for_and_gets_a_seed_it_can_repeat(database: Database) -> None:
    world = World(database)
    picture = Picture(
        prompt="x", negative_prompt="y", width=768, height=512, image_count=3, output_format="png"
    )
    job = await world.accept(picture=picture)
    assert (job.width, job.height, job.aspect_ratio, job.image_count) == (768, 512, None, 3)
    assert job.reserved_credits == 9
    assert 1 <= job.seed <= SEED_MAX
    assert job.nonce == job.id
    square = await world.accept()
    assert (square.aspect_ratio, square.width) == ("1:1", None)
    assert (await world.accept(picture=Picture(prompt="x", seed=0))).seed == 0


async def test_an_edit_remembers_where_its_picture_came_from(database: Database) -> None:
    world = World(database)
    parent = await world.accept()
    source = Source(
        url="https://cdn.example/a.png",
        channel_id=1,
        message_id=2,
        attachment_id=3,
        job_id=parent.id,
        image_index=1,
    )
    job = await world.accept(source=source)
    assert (job.source_url, job.source_channel_id, job.source_message_id) == (
        "https://cdn.example/a.png",
        1,
        2,
    )
    assert (job.source_attachment_id, job.parent_job_id, job.parent_image_index) == (3, parent.id, 1)


async def test_fifty_members_at_once_get_exactly_what_the_server_has(database: Database) -> None:
    """50 press while SERVER_MONTHLY_CREDITS allows 20 jobs: 20 are accepted, 30 refused, the audit is clean."""
    world = World(database, limits=OperatorLimits(server_monthly_credits=20 * PRICE))

    async def press(user_id: int) -> bool:
        try:
            await world.accept(user_id=user_id)
        except NotEnoughCredits as refused:
            return not refused.key.startswith("failure.server_monthly")
        return True

    async with world.running():
        accepted = await asyncio.gather(*(press(user_id) for user_id in range(1, 51)))
        assert sum(accepted) == 20
        assert await world.count(JobState.REFUSED) == 30
        await world.until(lambda: len(world.surface.posts) == 20)
        await world.idle()
    assert await world.count(JobState.DELIVERED) == 20
    assert world.kvid.at_once_max == 8
    for user_id, was_accepted in enumerate(accepted, start=1):
        usage = await world.usage(user_id)
        assert (usage.today_credits, usage.held_credits) == (PRICE if was_accepted else 0, 0)
    await world.assert_account(used=0, user_id=10**15)
    assert not await press(51)


async def test_a_refusal_says_what_is_left_and_when_it_starts_over(database: Database) -> None:
    world = World(database, limits=OperatorLimits(member_daily_credits=20))
    await world.accept()
    await world.accept()
    with capture_logs() as lines, pytest.raises(NotEnoughCredits) as refused:
        await world.accept()
    params = refused.value.params
    midnight = int(datetime(2026, 11, 23, tzinfo=UTC).timestamp())
    assert (params["limit"], params["left"], params["needed"], params["held"]) == (20, 4, 8, 16)
    assert params["resets"] == midnight
    text = Catalogue.load().text("en-US", refused.value.key, **params)
    assert "8 credits" in text
    assert "4 of 20" in text
    assert f"<t:{midnight}:R>" in text
    row = await world.jobs.get(str(params["job_id"]))
    assert (row.state, row.failure) == (JobState.REFUSED, "member_daily")
    assert json.loads(row.failure_detail or "") == {
        "text": "member_daily_held",
        "limit": 20,
        "left": 4,
        "needed": 8,
        "held": 16,
        "resets": midnight,
    }
    assert [line["rule"] for line in lines if line["event"] == "job.refused"] == ["member_daily"]
    await world.assert_account(used=0, held=16)


async def test_a_refused_request_that_arrives_again_stays_refused(database: Database) -> None:
    """Also where it would fit by now: what its member was told once stands."""
    world = World(database, limits=OperatorLimits(member_daily_credits=PRICE))
    first = await world.accept()
    with pytest.raises(NotEnoughCredits):
        await world.accept(request_id=77)
    await world.jobs.cancel(first.id, MEMBER)
    again = await world.accept(request_id=77)
    assert (again.state, again.failure) == (JobState.REFUSED, "member_daily")
    assert await world.count(*JobState) == 2
    await world.assert_account(used=0, held=0)


async def test_a_limit_counts_other_members_and_direct_messages_rightly(database: Database) -> None:
    world = World(database, limits=OperatorLimits(member_daily_credits=8, server_monthly_credits=16))
    await world.accept(user_id=1)
    with pytest.raises(NotEnoughCredits, match="member_daily"):
        await world.accept(user_id=1, guild_id=None)
    await world.accept(user_id=2)
    with pytest.raises(NotEnoughCredits, match="server_monthly"):
        await world.accept(user_id=3)
    await world.accept(user_id=3, guild_id=None)
    await world.accept(user_id=4, guild_id=GUILD + 1)


async def test_a_closed_intake_refuses_with_its_message_and_holds_nothing(database: Database) -> None:
    world = World(database)
    world.jobs.close_intake("error.stopping")
    with pytest.raises(IntakeClosed) as refused:
        await world.accept()
    assert refused.value.key == "error.stopping"
    assert await world.count(*JobState) == 0


async def test_a_waiting_job_is_cancelled_and_its_credits_return(database: Database) -> None:
    world = World(database)
    job = await world.accept()
    cancelled = await world.jobs.cancel(job.id, MEMBER)
    assert cancelled.state is JobState.CANCELLED
    assert cancelled.finished_at == world.clock.now()
    await world.assert_account(used=0)
    assert (await world.jobs.cancel(job.id, MEMBER)).state is JobState.CANCELLED, "a double tap is no trouble"
    await world.assert_account(used=0)


async def test_what_is_over_cannot_be_cancelled(database: Database) -> None:
    world = World(database)
    async with world.running():
        job = await world.accept()
        await world.until_ended(job)
    with pytest.raises(AppError, match=r"cancel\.over"):
        await world.jobs.cancel(job.id, MEMBER)
    await world.assert_account(used=PRICE)


async def test_only_the_one_who_asked_may_cancel(database: Database) -> None:
    world = World(database)
    job = await world.accept()
    for user_id, job_id in ((MEMBER + 1, job.id), (MEMBER, "0" * 20)):
        with pytest.raises(AppError, match=r"cancel\.not_yours"):
            await world.jobs.cancel(job_id, user_id)
    assert (await world.jobs.get(job.id)).state is JobState.RESERVED


async def test_a_job_at_kvid_cannot_be_cancelled(database: Database) -> None:
    world = World(database)
    async with world.running():
        job = await world.accept()
        await world.until(lambda: world.kvid.calls_of("submit") == 1)
        with pytest.raises(AppError, match=r"cancel\.too_late"):
            await world.jobs.cancel(job.id, MEMBER)
        (ended,) = await world.until_ended(job)
    assert ended.state is JobState.DELIVERED


async def test_a_cancelled_job_makes_room_in_the_line(database: Database) -> None:
    world = World(database, concurrency=1)
    async with world.running():
        first, second, third = [await world.accept() for _ in range(3)]
        await world.until(lambda: world.kvid.calls_of("submit") == 1)
        await world.jobs.cancel(second.id, MEMBER)
        await world.idle()
        assert world.surface.shown[-1] == (third.id, JobState.RESERVED, 1)
        await world.until_ended(first, third)
    assert world.kvid.calls_of("submit") == 2
    await world.assert_account(used=2 * PRICE)


async def test_a_cancel_in_a_race_with_the_submit_has_one_winner(database: Database) -> None:
    world = World(database)
    jobs = [await world.accept() for _ in range(8)]

    async def cancel(job_id: str) -> bool:
        try:
            await world.jobs.cancel(job_id, MEMBER)
        except AppError:
            return False
        return True

    async with world.running():
        won = await asyncio.gather(*(cancel(job.id) for job in jobs))
        await world.until(lambda: len(world.surface.posts) == won.count(False))
        await world.idle()
    for job, cancelled in zip(jobs, won, strict=True):
        state = (await world.jobs.get(job.id)).state
        assert state is (JobState.CANCELLED if cancelled else JobState.DELIVERED)
    assert world.kvid.calls_of("submit") == won.count(False)
    await world.assert_account(used=won.count(False) * PRICE)


async def test_what_is_unknown_is_said_to_be(database: Database) -> None:
    world = World(database)
    assert await world.jobs.find("0" * 20) is None
    assert await world.jobs.find_by_message(1) is None
    with pytest.raises(AppError, match=r"job\.unknown"):
        await world.jobs.get("0" * 20)


async def test_a_result_is_found_by_its_message(database: Database) -> None:
    world = World(database)
    async with world.running():
        (ended,) = await world.until_ended(await world.accept())
    assert ended.message_id is not None
    assert await world.jobs.find_by_message(ended.message_id) == ended


async def test_usage_lists_the_last_ten_jobs_newest_first(database: Database) -> None:
    world = World(database, limits=OperatorLimits(member_daily_credits=500))
    async with world.running():
        jobs = [await world.accept(f"prompt {index}") for index in range(12)]
        await world.until_ended(*jobs)
        last = await world.accept("still running")
        report = await world.caps.reports.report_usage(Asker(user_id=MEMBER))
    assert [job.id for job in report.recent] == [last.id, *(job.id for job in reversed(jobs[3:]))]
    assert (report.usage.today_credits, report.usage.held_credits) == (12 * PRICE, PRICE)
    cap = report.allowance.cap
    assert cap is not None
    assert (cap.credits, report.allowance.left_credits) == (500, 500 - 13 * PRICE)
    stranger = await world.caps.reports.report_usage(Asker(user_id=1))
    assert stranger.recent == []
    assert stranger.usage.month_credits == 0


async def test_the_card_of_a_reply_is_remembered(database: Database) -> None:
    world = World(database)
    job = await world.accept()
    await world.jobs.remember_card(job.id, 42)
    stored = await database.read(lambda c: queries.get_job(c, job.id))
    assert (stored.card_message_id, stored.state, stored.epoch) == (42, JobState.RESERVED, 0)

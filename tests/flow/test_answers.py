"""Answers on a bad line: one press is one job and one answer, and whoever gets no picture is told once."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from bot.credits import audit
from db import migrate
from db.engine import Database
from db.enums import JobState
from db.queries import jobs as queries
from tests.flow.acts import open_card, press_and_see, see
from tests.flow.conftest import Stack
from tests.flow.panel_acts import open_panel
from tests.flow.test_outages import (
    SMALL,
    charged,
    find_job,
    forget_token,
    fresh_database,
    results_in,
    says,
    until,
    wait_until,
)
from tests.support.member import Member, UserOption, pictures_of, text_of
from tests.support.process import run_bot, start_bot
from tests.support.servers import run_servers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.servers import Servers

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    folder = tmp_path_factory.mktemp("answers")
    url = f"sqlite:///{folder / 'bot.db'}"
    migrate.upgrade(url)
    database = Database(url)
    async with run_servers() as servers, run_bot(servers, url, folder / "bot.log") as bot:
        yield Stack(servers=servers, bot=bot, database=database, database_url=url)
        assert await database.read(audit.find_differences) == []
        assert not bot.events("task.failed")
        assert not bot.events("incident.opened")
    await database.close()


async def count_jobs(database: Database, member: Member, prompt: str) -> int:
    jobs = await database.read(lambda c: queries.list_recent_jobs(c, int(member.user_id), 50))
    return sum(job.prompt == prompt for job in jobs)


async def delete_message(servers: Servers, channel_id: str, message_id: str, moderator: Member) -> None:
    path = f"/page/channels/{channel_id}/messages/{message_id}?as={moderator.user_id}"
    async with servers.session.delete(f"{servers.discord_url}{path}") as answer:
        assert answer.status < 300, await answer.text()


# --- one press, one job, one answer ---


async def test_a_press_that_discords_firewall_refuses_is_told_to_try_again_and_is_no_bug(
    house: Stack,
) -> None:
    """The wait it asks for is longer than Discord waits for an acknowledgement."""
    member = await house.member()
    studio, prompt = member.channel("studio"), "behind the firewall"
    before, newest = len(house.bot.events("incident.opened")), await member.newest_id(studio)
    await house.servers.discord_fault(path_regex="/callback", status=429, via=False, retry_after_s=3)
    await member.slash(studio, "imagine", prompt=prompt, **SMALL)
    await member.wait_for_text(studio, "That did not work just now", after=newest)
    assert await count_jobs(house.database, member, prompt) == 0
    assert len(house.bot.events("incident.opened")) == before
    assert house.bot.events("interaction.cut_short")


@pytest.mark.parametrize("after", [False, True])
async def test_an_acknowledgement_lost_on_the_way_costs_nobody_their_picture(
    house: Stack, *, after: bool
) -> None:
    member = await house.member()
    studio, prompt = member.channel("studio"), f"lost on the way {after}"
    await house.servers.discord_fault(path_regex="/callback", drop=True, after=after)
    await member.slash(studio, "imagine", prompt=prompt, **SMALL)
    job = await wait_until(house.database, member, prompt, JobState.DELIVERED)
    (result,) = await results_in(house.servers, studio, prompt)
    assert result["id"] == str(job.message_id)
    link = says("card.delivered", link="\0").split("\0")[0]
    card = await member.wait_for(studio, lambda m: m["id"] == str(job.card_message_id) and link in text_of(m))
    assert card["ephemeral_to"] == member.user_id


async def test_a_refusal_is_said_although_the_acknowledgement_got_lost(house: Stack) -> None:
    member = await house.member(skip=1)
    studio = member.channel("studio")
    newest = await member.newest_id(studio)
    await house.servers.discord_fault(path_regex="/callback", drop=True, after=True)
    await member.slash(studio, "imagine", prompt="half a size", width=256)
    told = await member.wait_for_text(studio, says("input.size_half"), after=newest)
    assert told["ephemeral_to"] == member.user_id


async def test_a_press_that_arrives_twice_is_one_job_with_one_answer(house: Stack) -> None:
    member = await house.member(skip=2)
    studio = member.channel("studio")
    newest = await member.newest_id(studio)
    paid, _ = await charged(house.database, member)
    await house.servers.disturb_gateway("double")
    await member.slash(studio, "imagine", prompt="pressed once", **SMALL)
    await wait_until(house.database, member, "pressed once", JobState.DELIVERED)
    await until(lambda: _events(house, "interaction.answered_elsewhere"))
    assert await count_jobs(house.database, member, "pressed once") == 1
    assert len(await results_in(house.servers, studio, "pressed once")) == 1
    cards = [m for m in await member.messages(studio) if m["ephemeral_to"] == member.user_id]
    assert len([card for card in cards if int(card["id"]) > int(newest)]) == 1
    assert await charged(house.database, member) == (paid + 1, 0)


async def _events(house: Stack, name: str) -> list[dict[str, Any]]:
    return house.bot.events(name)


@pytest.mark.parametrize("resumable", [True, False])
async def test_a_gateway_that_closes_loses_no_job_and_comes_back(house: Stack, *, resumable: bool) -> None:
    member = await house.member()
    studio, prompt = member.channel("studio"), f"closed {resumable}"
    await house.servers.set_kvid(render_s=1.0)
    await member.slash(studio, "imagine", prompt=prompt, **SMALL)
    await wait_until(house.database, member, prompt, JobState.SUBMITTED)
    await house.servers.disturb_gateway("close", code=4000, resumable=resumable)
    await house.servers.set_kvid(render_s=0.2)
    await wait_until(house.database, member, prompt, JobState.DELIVERED)
    (result,) = await results_in(house.servers, studio, prompt)

    async def is_online() -> bool:
        return bool((await Member._state(house.servers, ""))["bot_online"])

    await until(is_online)
    await member.press(result, "Again")
    await member.wait_for(studio, lambda m: pictures_of(m) and prompt in text_of(m), after=result["id"])


@pytest.mark.parametrize("after", [False, True])
async def test_a_reply_on_a_bad_line_is_hinted_at_once_and_edited_all_the_same(
    house: Stack, *, after: bool
) -> None:
    member = await house.member(skip=3 if after else 0)
    general, prompt = member.channel("general"), f"on a bad line {after}"
    await member.slash(general, "imagine", prompt=prompt, **SMALL)
    first = await member.wait_for(general, lambda m: pictures_of(m) and prompt in text_of(m))
    await wait_until(house.database, member, prompt, JobState.DELIVERED)
    path = f"/channels/{general}/"
    await house.servers.discord_fault(method="POST", path_regex=path, drop=True, after=after)
    await member.say(general, "no ping", reply_to=first["id"], ping=False)
    hint = await member.wait_for_text(general, says("hint.ping_off"), after=first["id"])
    await house.servers.discord_fault(method="POST", path_regex=f"{path}typing", drop=True)
    await member.say(general, f"edited {prompt}", reply_to=first["id"])
    await wait_until(house.database, member, f"edited {prompt}", JobState.DELIVERED)
    seen = [m for m in await house.servers.all_messages(general) if says("hint.ping_off") in text_of(m)]
    assert [m["id"] for m in seen if int(m["id"]) > int(first["id"])] == [hint["id"]]


# --- messages that go, members that go ---


async def test_a_request_that_is_deleted_meanwhile_is_answered_without_the_reference(house: Stack) -> None:
    member, moderator = await house.member(skip=1), await house.member(moderator=True)
    general = member.channel("general")
    await member.slash(general, "imagine", prompt="to be edited", **SMALL)
    first = await member.wait_for(general, lambda m: pictures_of(m) and "to be edited" in text_of(m))
    await house.servers.set_kvid(render_s=1.0)
    await member.say(general, "now in blue", reply_to=first["id"])
    job = await wait_until(house.database, member, "now in blue", JobState.SUBMITTED)
    await delete_message(house.servers, general, str(job.request_message_id), moderator)
    await house.servers.set_kvid(render_s=0.2)
    await wait_until(house.database, member, "now in blue", JobState.DELIVERED)
    (result,) = await results_in(house.servers, general, "now in blue")
    assert not result.get("message_reference")


async def test_a_reply_whose_card_was_deleted_hears_of_its_failure_once(house: Stack) -> None:
    member, moderator = await house.member(skip=2), await house.member(moderator=True)
    general = member.channel("general")
    await member.slash(general, "imagine", prompt="card to go", **SMALL)
    first = await member.wait_for(general, lambda m: pictures_of(m) and "card to go" in text_of(m))
    await house.servers.set_kvid(render_s=4.0)
    await house.servers.kvid_fault("submit", {"job": "fail"})
    await member.say(general, "without a card", reply_to=first["id"])

    async def has_card() -> bool:
        job = await find_job(house.database, member, "without a card")
        return job is not None and job.card_message_id is not None

    await until(has_card)
    job = await find_job(house.database, member, "without a card")
    assert job is not None
    await delete_message(house.servers, general, str(job.card_message_id), moderator)
    told = await member.wait_for_text(general, says("card.failed_reply"), after=first["id"])
    await house.servers.set_kvid(render_s=0.2)
    await member.press(told, says("card.why"))
    await member.wait_for_text(general, says("failure.render"), after=told["id"])
    seen = [m for m in await house.servers.all_messages(general) if says("card.failed_reply") in text_of(m)]
    assert len(seen) == 1


async def test_the_picture_of_a_member_who_left_is_posted_where_it_was_asked_for(house: Stack) -> None:
    leaver = Member(house.servers, await house.servers.add_member("leaver"), {})
    await leaver.refresh()
    studio = leaver.channel("studio")
    await house.servers.set_kvid(render_s=1.0)
    await leaver.slash(studio, "imagine", prompt="gone by then", **SMALL)
    await wait_until(house.database, leaver, "gone by then", JobState.SUBMITTED)
    await house.servers.remove_member(leaver.user_id)
    await house.servers.set_kvid(render_s=0.2)
    await wait_until(house.database, leaver, "gone by then", JobState.DELIVERED)
    assert len(await results_in(house.servers, studio, "gone by then")) == 1


# --- killed between the end of a job and the word about it ---


@pytest.mark.parametrize("token", ["alive", "dead"])
async def test_a_failure_is_told_once_although_the_bot_was_killed_before_it_could(
    tmp_path: Path, token: str
) -> None:
    async with fresh_database(tmp_path) as (database, url), run_servers() as servers:
        bot = await start_bot(servers, url, tmp_path / "bot.log")
        member = await Member.join(servers)
        studio = member.channel("studio")
        await servers.kvid_fault("submit", {"job": "fail"})
        await servers.discord_fault(path_regex="^/webhooks/", drop=True, times=500)
        await member.slash(studio, "imagine", prompt="cut off", **SMALL)
        job = await wait_until(database, member, "cut off", JobState.FAILED)
        assert await bot.stop(with_signal=signal.SIGKILL) == -signal.SIGKILL
        await servers.clear_discord_faults()
        if token == "dead":
            await forget_token(database, member, "cut off")
        in_channel = says("card.failed_late", who=f"<@{member.user_id}>")

        async def told() -> tuple[int, int]:
            seen = await servers.all_messages(studio)
            in_card = [m for m in seen if says("failure.render") in text_of(m)]
            return len(in_card), sum(in_channel in text_of(m) for m in seen)

        expected = (1, 0) if token == "alive" else (0, 1)
        for _ in range(2):
            async with run_bot(servers, url, tmp_path / "bot.log"):

                async def is_noted() -> bool:
                    events = await database.read(lambda c: queries.list_events(c, job.id))
                    return any(event.name == "notice.told" for event in events)

                await until(is_noted)
                # Longer than the first look and an edit take.
                await asyncio.sleep(1.0)
                assert await told() == expected
        assert await charged(database, member) == (0, 0)


# --- acknowledgements of what moderators and givers press ---

LOST = {"path_regex": "/callback", "drop": True, "after": True}


@pytest.mark.parametrize(
    ("command", "options", "said"),
    [
        ("studio settings", {}, "Studio settings"),
        ("studio timezone", {"zone": "Asia/Seoul"}, "Asia/Seoul"),
        ("studio report", {}, "### Report"),
        ("studio export", {"what": "ledger"}, "Ledger"),
        ("studio member", {"member": None}, "### Member"),
        ("studio grant", {"member": None, "amount": 5, "reason": "a bad line"}, "got 5 credits"),
        ("gift", {"member": None, "amount": 5}, "Members can't give credits"),
    ],
)
async def test_a_command_is_answered_although_its_acknowledgement_got_lost(
    house: Stack, command: str, options: dict[str, Any], said: str
) -> None:
    moderator, member = await house.member(moderator=True), await house.member(skip=1)
    studio = moderator.channel("studio")
    who = UserOption(member.user_id)
    filled: dict[str, Any] = {name: who if value is None else value for name, value in options.items()}
    newest = await moderator.newest_id(studio)
    await house.servers.discord_fault(**LOST)
    await moderator.slash(studio, command, **filled)
    told = await moderator.wait_for_text(studio, said, after=newest)
    assert told["ephemeral_to"] == moderator.user_id


async def test_a_press_on_a_card_is_done_although_its_acknowledgement_got_lost(house: Stack) -> None:
    moderator, member = await house.member(moderator=True), await house.member(skip=1)
    studio = moderator.channel("studio")
    panel = await open_panel(moderator)
    await house.servers.discord_fault(**LOST)
    await moderator.choose(panel, "studio1:show", "more")
    panel = await see(moderator, panel, "Keep the record")
    window = await moderator.open_modal(lambda: moderator.press(panel, custom_id="studio1:retention"))
    await house.servers.discord_fault(**LOST)
    await moderator.submit(studio, window, {"typed": "77"}, message=panel)
    await see(moderator, panel, "77 days")
    card = await open_card(moderator, studio, member.user_id)
    for label, said in (("Block 1 h", "is blocked until"), ("Unblock", "may make pictures again")):
        await house.servers.discord_fault(**LOST)
        card = await press_and_see(moderator, card, label, said)
    await member.slash(studio, "imagine", prompt="to be moderated", **SMALL)
    result = await member.wait_for(studio, lambda m: pictures_of(m) and "to be moderated" in text_of(m))
    await wait_until(house.database, member, "to be moderated", JobState.DELIVERED)
    newest = await moderator.newest_id(studio)
    await house.servers.discord_fault(**LOST)
    await moderator.menu(result, "Moderate picture")
    picture = await moderator.wait_for_text(studio, "### A picture", after=newest)
    await house.servers.discord_fault(**LOST)
    await press_and_see(moderator, picture, "Refund", "went back")


async def test_how_credits_work_is_told_although_the_acknowledgement_got_lost(house: Stack) -> None:
    member = await house.member(skip=3)
    studio = member.channel("studio")
    newest = await member.newest_id(studio)
    await member.slash(studio, "usage")
    usage = await member.wait_for_text(studio, "### Your credits", after=newest)
    await house.servers.discord_fault(**LOST)
    await member.press(usage, custom_id="help:credits")
    told = await member.wait_for_text(studio, "How credits work", after=usage["id"])
    assert told["ephemeral_to"] == member.user_id

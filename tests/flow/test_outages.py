"""Restarts, outages and long waits: a picture that was made arrives once, and a member has a last word."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from bot.credits import audit, spending
from bot.i18n import Catalogue
from bot.jobs.states import ENDED
from db import migrate
from db.engine import Database
from db.enums import JobState
from db.queries import jobs as queries
from db.values import JobImage
from tests.db.builders import store_reserved
from tests.flow.conftest import Stack
from tests.support.member import Member, buttons_of, pictures_of, text_of
from tests.support.process import run_bot, start_bot
from tests.support.servers import run_servers
from tests.support.sight import WAIT_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from db.values import Job
    from tests.support.servers import Servers

pytestmark = pytest.mark.asyncio(loop_scope="module")
CATALOGUE = Catalogue.load()
LOOK_S = 0.03
SMALL: dict[str, Any] = {"width": 256, "height": 256}


def says(key: str, **params: object) -> str:
    return CATALOGUE.text("en-US", key, **params)


def begins(key: str) -> str:
    """The words of a text before its first number."""
    return CATALOGUE.text("en-US", key, place="\0", link="\0", who="\0", ready="\0").split("\0")[0].strip()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def narrow(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """One running stack on SQLite that has two jobs at kvid at once."""
    folder = tmp_path_factory.mktemp("narrow")
    url = f"sqlite:///{folder / 'bot.db'}"
    migrate.upgrade(url)
    database = Database(url)
    async with (
        run_servers() as servers,
        run_bot(servers, url, folder / "bot.log", KVID_CONCURRENCY="2") as bot,
    ):
        yield Stack(servers=servers, bot=bot, database=database, database_url=url)
        assert await database.read(audit.find_differences) == []
        assert not bot.events("task.failed")
        assert not bot.events("job.step_failed")
    await database.close()


@asynccontextmanager
async def fresh_database(folder: Path) -> AsyncIterator[tuple[Database, str]]:
    url = f"sqlite:///{folder / 'bot.db'}"
    migrate.upgrade(url)
    database = Database(url)
    try:
        yield database, url
    finally:
        await database.close()


async def until(reached: Callable[[], Awaitable[object]], *, timeout_s: float = WAIT_S) -> None:
    async with asyncio.timeout(timeout_s):
        while True:
            if await reached():
                return
            await asyncio.sleep(LOOK_S)


async def find_job(database: Database, member: Member, prompt: str) -> Job | None:
    jobs = await database.read(lambda c: queries.list_recent_jobs(c, int(member.user_id), 20))
    return next((job for job in jobs if job.prompt == prompt), None)


async def wait_until(database: Database, member: Member, prompt: str, state: JobState) -> Job:
    """The member's job with this prompt as soon as it is in `state`."""
    found: list[Job] = []

    async def reached() -> bool:
        job = await find_job(database, member, prompt)
        found[:] = [] if job is None else [job]
        return job is not None and job.state is state

    await until(reached)
    return found[0]


async def charged(database: Database, member: Member) -> tuple[int, int]:
    """What the member paid today, and what is held."""
    now = datetime.now(UTC)
    usage = await database.read(lambda c: spending.find_usage(c, user_id=int(member.user_id), now=now))
    return usage.today_credits, usage.held_credits


async def results_in(servers: Servers, channel_id: str, words: str) -> list[dict[str, Any]]:
    """Every message with pictures and these words, whoever sees it."""
    return [m for m in await servers.all_messages(channel_id) if pictures_of(m) and words in text_of(m)]


def assert_usable(message: dict[str, Any]) -> None:
    assert pictures_of(message)
    assert len(buttons_of(message)) == 2


async def test_a_private_picture_and_one_brought_along_survive_a_restart(tmp_path: Path) -> None:
    """Parked while kvid hands the file over: afterwards the answer is the picture, with its buttons, and stays it."""
    async with fresh_database(tmp_path) as (database, url), run_servers() as servers:
        bot = await start_bot(servers, url, tmp_path / "bot.log")
        private, guest = await Member.join(servers), await Member.join(servers, skip=1)
        studio, showcase = private.channel("studio"), guest.channel("showcase")
        await servers.kvid_fault("download", {"delay_s": 200.0}, times=10)
        await private.slash(studio, "imagine", prompt="kept secret", private=True, **SMALL)
        await guest.slash(showcase, "imagine", prompt="brought along", **SMALL)
        asked = {private: "kept secret", guest: "brought along"}
        for member, prompt in asked.items():
            await wait_until(database, member, prompt, JobState.SUCCEEDED)
        assert await bot.stop() == 0
        for member, prompt in asked.items():
            await wait_until(database, member, prompt, JobState.SUCCEEDED)
        await servers.clear_kvid_faults()
        async with run_bot(servers, url, tmp_path / "bot.log"):
            for member, prompt in asked.items():
                await wait_until(database, member, prompt, JobState.DELIVERED)
            # Longer than a card takes to be edited.
            await asyncio.sleep(1.0)
            for member, channel in ((private, studio), (guest, showcase)):
                (result,) = await results_in(servers, channel, asked[member])
                (seen,) = [m for m in await member.messages(channel) if m["id"] == result["id"]]
                assert_usable(seen)
                assert result["ephemeral_to"] == (member.user_id if member is private else None)
                assert await charged(database, member) == (1, 0)
        assert (await servers.kvid_books())["submits"] == 2
        assert await database.read(audit.find_differences) == []


async def test_a_result_found_among_many_later_messages_is_not_posted_again(tmp_path: Path) -> None:
    """The process died between the post and the settle, ten minutes ago: Discord forgot the nonce."""
    async with fresh_database(tmp_path) as (database, url), run_servers() as servers:
        member = await Member.join(servers)
        studio = member.channel("studio")
        guild_id = next(c["guild_id"] for c in member.state["channels"] if c["id"] == studio)
        image = JobImage(url=f"{servers.kvid_url}/1.jpg", width=256, height=256, content_type="image/jpeg")
        job = await database.transaction(
            lambda c: store_reserved(
                c,
                now=datetime.now(UTC) - timedelta(minutes=10),
                state=JobState.DELIVERING,
                user_id=int(member.user_id),
                guild_id=int(guild_id),
                channel_id=int(studio),
                kvid_job_id="kvid-1",
                results=(image,),
                used_credits=8,
                prompt="posted before",
            )
        )
        posted = await post_as_bot(servers, studio, f"v1:again:{job.id}")
        await asyncio.gather(*(member.say(studio, f"talk {number}") for number in range(120)))
        async with run_bot(servers, url, tmp_path / "bot.log") as bot:
            ended = await wait_until(database, member, "posted before", JobState.DELIVERED)
            assert not bot.events("kvid.download_failed")
        assert str(ended.message_id) == posted
        assert await charged(database, member) == (8, 0)
        assert len([m for m in await servers.all_messages(studio) if buttons_of(m)]) == 1
        assert await database.read(audit.find_differences) == []


async def post_as_bot(servers: Servers, channel_id: str, custom_id: str) -> str:
    """A message of the bot's with a button, as an earlier process left it; its id."""
    button = {"type": 2, "style": 2, "label": "Again", "custom_id": custom_id}
    body = {"flags": 1 << 15, "components": [{"type": 1, "components": [button]}]}
    url = f"{servers.discord_url}/api/v10/channels/{channel_id}/messages"
    headers = {"Authorization": "Bot local-discord-token", "User-Agent": "DiscordBot (https://localhost, 1)"}
    async with servers.session.post(url, json=body, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        message_id: str = (await answer.json())["id"]
        return message_id


async def test_a_post_that_discord_spoils_arrives_once(narrow: Stack) -> None:
    """Errors and dropped connections, before and after Discord did the work."""
    servers = narrow.servers
    first, second, third = [await narrow.member(skip=skip) for skip in range(3)]
    places: dict[Member, tuple[str, list[dict[str, Any]]]] = {
        first: (first.channel("general"), [{"status": 503, "times": 2}, {"drop": True}]),
        second: (second.channel("stage outfits"), [{"drop": True, "after": True}]),
        third: (third.direct_channel(), [{"status": 503, "after": True}]),
    }
    for channel, faults in places.values():
        for fault in faults:
            path = rf"/channels/{channel}/messages$"
            await servers.discord_fault(method="POST", path_regex=path, **fault)
    before = {member: (await charged(narrow.database, member))[0] for member in places}
    for member, (channel, _) in places.items():
        await member.slash(channel, "imagine", prompt=f"spoiled {channel}", **SMALL)
    for member, (channel, _) in places.items():
        job = await wait_until(narrow.database, member, f"spoiled {channel}", JobState.DELIVERED)
        (result,) = await results_in(servers, channel, f"spoiled {channel}")
        assert str(job.message_id) == result["id"]
        assert_usable(result)
        assert await charged(narrow.database, member) == (before[member] + 1, 0)
    retried = [line for line in narrow.bot.events("discord.retried") if line["what"] == "result"]
    assert len(retried) == 5
    assert not narrow.bot.events("delivery.delayed")


async def test_without_read_message_history_edits_still_arrive(narrow: Stack) -> None:
    """Discord refuses the reference to the message that is answered; the picture comes without it."""
    member = await narrow.member(skip=3)
    general = member.channel("general")
    await narrow.servers.set_bot_permissions(general, deny=["READ_MESSAGE_HISTORY"])
    try:
        await member.slash(general, "imagine", prompt="no history", **SMALL)
        result = await member.wait_for(general, lambda m: pictures_of(m) and "no history" in text_of(m))
        modal = await member.open_modal(lambda: member.press(result, "Edit"))
        await member.submit(general, modal, message=result, prompt="by the button")
        await member.wait_for(general, lambda m: pictures_of(m) and "by the button" in text_of(m))
        await member.say(general, "by a reply", reply_to=result["id"])
        edited = await member.wait_for(general, lambda m: pictures_of(m) and "by a reply" in text_of(m))
    finally:
        await narrow.servers.set_bot_permissions(general, allow=["READ_MESSAGE_HISTORY"])
    assert not edited.get("message_reference")
    job = await wait_until(narrow.database, member, "by a reply", JobState.DELIVERED)
    if job.card_message_id is not None:
        await member.wait_until_gone(general, str(job.card_message_id))


async def test_a_private_picture_whose_answer_is_gone_comes_by_direct_message(narrow: Stack) -> None:
    """Some tokens die before their time."""
    member = await narrow.member(skip=1)
    studio, direct = member.channel("studio"), member.direct_channel()
    newest = await member.newest_id(direct)
    paid, _ = await charged(narrow.database, member)
    async with narrow.servers.kvid_held():
        await member.slash(studio, "imagine", prompt="lost answer", private=True, **SMALL)
        job = await wait_until(narrow.database, member, "lost answer", JobState.SUBMITTED)
        path = rf"/webhooks/.*/messages/{job.card_message_id}"
        await narrow.servers.discord_fault(path_regex=path, status=404, code=10015, times=50)
    result = await member.wait_for_result(direct, after=newest)
    assert_usable(result)
    assert "lost answer" in text_of(result)
    await wait_until(narrow.database, member, "lost answer", JobState.DELIVERED)
    assert await charged(narrow.database, member) == (paid + 1, 0)
    # Nobody else sees a direct message, so there it can be repeated and changed like any other.
    await narrow.servers.clear_discord_faults()
    await member.press(result, "Again")
    again = await member.wait_for_result(direct, after=result["id"])
    await member.say(direct, "make it blue", reply_to=result["id"], ping=False)
    edited = await member.wait_for_result(direct, after=again["id"])
    assert "make it blue" in text_of(edited)


async def test_a_failure_where_the_answer_is_public_keeps_its_reason_private(narrow: Stack) -> None:
    """The public answer says that there is no picture; why is for the member alone, behind its button."""
    member = await narrow.member(skip=1)
    showcase = member.channel("showcase")
    newest = await member.newest_id(showcase)
    await narrow.servers.kvid_fault("submit", {"job": "fail"})
    await member.slash(showcase, "imagine", prompt="not for all", **SMALL)
    told = says("card.failed_late", who=f"<@{member.user_id}>")
    note = await member.wait_for_text(showcase, told, after=newest)
    job = await wait_until(narrow.database, member, "not for all", JobState.FAILED)
    assert (note["id"], note["ephemeral_to"]) == (str(job.card_message_id), None)
    assert "not for all" not in text_of(note)
    await member.press(note, says("card.why"))
    why = await member.wait_for_text(showcase, says("failure.render"), after=note["id"])
    assert why["ephemeral_to"] == member.user_id
    seen = [m for m in await narrow.servers.all_messages(showcase) if says("failure.render") in text_of(m)]
    assert [m["id"] for m in seen] == [why["id"]]


async def test_after_a_quarter_of_an_hour_pictures_and_last_words_find_another_way(narrow: Stack) -> None:
    """The tokens of the presses are dead when the pictures are done."""
    servers, database = narrow.servers, narrow.database
    public, unlucky, private = [await narrow.member(skip=skip) for skip in range(3)]
    studio, direct = public.channel("studio"), private.direct_channel()
    newest = await private.newest_id(direct)
    async with servers.kvid_held():
        await public.slash(studio, "imagine", prompt="late and public", **SMALL)
        await private.slash(studio, "imagine", prompt="late and private", private=True, **SMALL)
        await wait_until(database, public, "late and public", JobState.SUBMITTED)
        await wait_until(database, private, "late and private", JobState.SUBMITTED)
        await servers.kvid_fault("submit", {"job": "fail"})
        await unlucky.slash(studio, "imagine", prompt="late and lost", **SMALL)
        await unlucky.wait_for_text(studio, begins("card.waiting"))
        await servers.advance_clock(16 * 60)
        await forget_token(database, public, "late and public")
        await forget_token(database, private, "late and private")
        await forget_token(database, unlucky, "late and lost")
    result = await public.wait_for(studio, lambda m: pictures_of(m) and "late and public" in text_of(m))
    assert_usable(result)
    secret = await private.wait_for_result(direct, after=newest)
    assert "late and private" in text_of(secret)
    told = says("card.failed_late", who=f"<@{unlucky.user_id}>")
    note = await unlucky.wait_for(studio, lambda m: told in text_of(m))
    assert "late and lost" not in text_of(note)
    await unlucky.press(note, says("card.why"))
    why = await unlucky.wait_for(studio, lambda m: says("failure.render") in text_of(m), after=note["id"])
    assert why["ephemeral_to"] == unlucky.user_id
    await asyncio.sleep(0.5)
    assert len([m for m in await servers.all_messages(studio) if told in text_of(m)]) == 1
    for member in (public, private, unlucky):
        assert (await charged(database, member))[1] == 0


async def forget_token(database: Database, member: Member, prompt: str) -> None:
    """As if the press were older than its token lives; the bot's clock cannot be moved."""
    job = await find_job(database, member, prompt)
    assert job is not None
    over = datetime.now(UTC) - timedelta(minutes=1)
    await database.transaction(lambda c: queries.update_job(c, job.id, interaction_expires_at=over))


async def test_many_cancelled_at_once_leave_no_card_in_line(narrow: Stack) -> None:
    member = await narrow.member(skip=2)
    studio = member.channel("studio")
    newest = await member.newest_id(studio)

    async def cards() -> list[dict[str, Any]]:
        seen = await member.messages(studio)
        return [m for m in seen if int(m["id"]) > int(newest) and m["ephemeral_to"] == member.user_id]

    async def waiting() -> list[dict[str, Any]]:
        return [card for card in await cards() if begins("card.waiting") in text_of(card)]

    async def cancelled() -> list[dict[str, Any]]:
        return [card for card in await cards() if says("card.cancelled") in text_of(card)]

    async def has_eight(look: Callable[[], Awaitable[list[dict[str, Any]]]]) -> bool:
        return len(await look()) == 8

    async with narrow.servers.kvid_held():
        for number in range(10):
            await member.slash(studio, "imagine", prompt=f"many {number}", **SMALL)
        await until(lambda: has_eight(waiting))
        await asyncio.gather(*(member.press(card, says("card.cancel")) for card in await waiting()))
        await until(lambda: has_eight(cancelled))
    await wait_until_idle(narrow.database)
    # Longer than the distance of two edits.
    await asyncio.sleep(3.0)
    assert await has_eight(cancelled)
    assert await waiting() == []


async def wait_until_idle(database: Database) -> None:
    running = frozenset(state for state in JobState if state not in ENDED)

    async def idle() -> bool:
        return not await database.read(lambda c: queries.count_jobs(c, running))

    await until(idle)


async def test_jobs_of_a_server_that_removed_the_bot_are_not_submitted(narrow: Stack) -> None:
    member = await narrow.member(skip=3)
    studio = member.channel("studio")
    newest = await member.newest_id(studio)
    paid, _ = await charged(narrow.database, member)
    submits = (await narrow.servers.kvid_books())["submits"]

    async def both_places_taken() -> bool:
        return bool((await narrow.servers.kvid_books())["submits"] == submits + 2)

    try:
        async with narrow.servers.kvid_held():
            for number in range(5):
                await member.slash(studio, "imagine", prompt=f"thrown out {number}", **SMALL)
            await member.wait_for_text(studio, begins("card.waiting"), after=newest)
            await until(both_places_taken)
            await narrow.servers.set_bot_permissions(studio, bot_member=False)
        await wait_until_idle(narrow.database)
    finally:
        await narrow.servers.set_bot_permissions(studio, bot_member=True)
    jobs = await narrow.database.read(lambda c: queries.list_recent_jobs(c, int(member.user_id), 5))
    assert {job.failure for job in jobs} == {"undeliverable", "place"}
    assert sorted(job.state for job in jobs) == [JobState.FAILED] * 3 + [JobState.UNDELIVERABLE] * 2
    assert (await narrow.servers.kvid_books())["submits"] == submits + 2
    assert await charged(narrow.database, member) == (paid, 0)

"""Results over real sockets by a client without a gateway: through faults once, made to fit, and only where allowed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from bot.discord_retry import Patience
from bot.i18n import Catalogue
from bot.jobs.ports import DeliveryDelayed, Undeliverable, Unseen
from db import migrate
from db.engine import Database
from db.enums import DeliveryMode, JobState
from db.values import JobImage
from tests.db.builders import build_job
from tests.support.member import Member, buttons_of, pictures_of, text_of
from tests.support.rest_bot import HastyClock, run_rest_bot
from tests.support.servers import run_servers
from tests.unit.test_fitting import noise

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bot.client import KvidBot
    from bot.kvid.model import DownloadedImage
    from db.values import Job
    from tests.support.servers import Servers

pytestmark = pytest.mark.asyncio(loop_scope="module")
SMALL, LARGE = noise(64), noise(900)
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    servers: Servers
    client: KvidBot
    clock: HastyClock
    member: Member

    def job(self, channel: str = "studio", **changes: Any) -> Job:
        place = next(c for c in self.member.state["channels"] if c["name"] == channel)
        image = JobImage(url="https://kvid.example/a(b).png", width=64, height=64, content_type="image/png")
        now = self.clock.now()
        given = {
            "user_id": int(self.member.user_id),
            "guild_id": int(place["guild_id"]),
            "channel_id": int(place["id"]),
            "state": JobState.DELIVERING,
            "results": (image,),
            "created_at": now,
            "updated_at": now,
        }
        job = build_job(**(given | changes))
        return build_job(**(given | {"id": job.id, "nonce": job.id} | changes))

    async def posted(self, job: Job) -> list[dict[str, Any]]:
        """Every message with a button of the job."""
        messages = await self.servers.all_messages(str(job.channel_id))
        return [m for m in messages if any(job.id in button["custom_id"] for button in buttons_of(m))]

    async def requests_of(self, job: Job) -> list[dict[str, Any]]:
        """Every post of the job, also those that were refused."""
        requests = await self.servers.bot_requests()
        bodies = [(one, one["body"]) for one in requests]
        return [one for one, body in bodies if isinstance(body, dict) and body.get("nonce") == job.nonce]

    async def fault(self, job: Job, **fault: Any) -> None:
        path = rf"/channels/{job.channel_id}/messages$"
        await self.servers.discord_fault(method="POST", path_regex=path, **fault)

    async def deliver(self, job: Job, *images: DownloadedImage) -> dict[str, Any]:
        """The one message that was posted."""
        delivered = await self.client.delivery.deliver(job, images or (SMALL,))
        (message,) = await self.posted(job)
        assert message["id"] == str(delivered.message_id)
        return message


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    url = f"sqlite:///{tmp_path_factory.mktemp('house') / 'bot.db'}"
    migrate.upgrade(url)
    database, clock = Database(url), HastyClock()
    async with run_servers() as servers, run_rest_bot(servers, database, clock) as client:
        assert not client.is_ready()
        yield House(servers=servers, client=client, clock=clock, member=await Member.join(servers))
    await database.close()


def says(key: str) -> str:
    return Catalogue.load().text("en-US", key, links="\0").split("\0")[0]


# --- through faults, once ---


@pytest.mark.parametrize(
    ("fault", "waited_s"),
    [
        ({"drop": True}, 0.2),
        ({"drop": True, "after": True}, 0.2),
        ({"status": 503}, 0.2),
        ({"status": 503, "after": True}, 0.2),
        ({"status": 429, "via": False, "retry_after_s": 9}, 9),
        ({"status": 429, "via": False, "silent": True}, 5),
        # discord.py itself sleeps through this one.
        ({"status": 429, "scope": "global", "retry_after_s": 0.1}, 0),
    ],
)
async def test_a_picture_arrives_once_through(house: House, fault: dict[str, Any], waited_s: float) -> None:
    house.clock.slept_s.clear()
    job = house.job()
    await house.fault(job, **fault)
    message = await house.deliver(job)
    assert pictures_of(message)
    assert sum(house.clock.slept_s) >= waited_s


@pytest.mark.parametrize("fault", [{"via": False}, {"scope": "global"}, {"scope": "shared"}])
async def test_a_limit_that_outlasts_the_patience_is_told_to_the_engine(
    house: House, fault: dict[str, Any]
) -> None:
    job = house.job()
    await house.fault(job, status=429, retry_after_s=300, **fault)
    with pytest.raises(DeliveryDelayed) as delayed:
        await house.deliver(job)
    assert delayed.value.retry_after_s == 300
    assert await house.posted(job) == []


async def test_a_request_cut_short_in_a_global_limit_does_not_stop_the_others(house: House) -> None:
    """discord.py opens its gate again only behind its own sleep."""
    job, channel = house.job(), house.client.get_partial_messageable(house.job().channel_id)
    await house.fault(job, status=429, scope="global", retry_after_s=25)
    with pytest.raises(TimeoutError):
        await house.client.retry.call(
            "x", lambda: channel.send("never"), Patience(tries_max=1, total_s=0, try_s=0.3)
        )
    async with asyncio.timeout(10):
        await house.deliver(house.job("general"))


async def test_the_whole_file_is_sent_with_every_try(house: House) -> None:
    """discord.py would send an empty file with the second."""
    job = house.job()
    await house.fault(job, drop=True, times=2)
    message = await house.deliver(job)
    (request,) = [one for one in await house.requests_of(job) if one["status"] == 200]
    assert [one["size"] for one in request["files"]] == [len(SMALL.data)]
    assert pictures_of(message)


# --- made to fit ---


async def test_a_refused_file_is_saved_again_and_the_message_says_so(house: House) -> None:
    assert len(LARGE.data) > 2 * MIB
    job = house.job()
    await house.fault(job, status=413, code=40005, over_bytes=2 * MIB, times=9)
    message = await house.deliver(job, LARGE)
    assert says("result.saved_again") in text_of(message)
    refused, taken = await house.requests_of(job)
    assert [refused["files"][0]["size"], refused["status"]] == [len(LARGE.data), 413]
    assert taken["files"][0]["size"] <= 2 * MIB
    assert taken["files"][0]["name"].endswith(".jpg")
    assert len(buttons_of(message)) == 2
    await house.servers.clear_discord_faults()


async def test_a_file_known_to_be_too_large_is_never_sent_as_it_is(house: House) -> None:
    """The local Discord takes no more than 20 MiB, as Discord does."""
    huge = noise(2700)
    assert len(huge.data) > 20 * MIB
    job = house.job()
    message = await house.deliver(job, huge)
    assert says("result.saved_again") in text_of(message)
    assert [one["status"] for one in await house.requests_of(job)] == [200]


async def test_what_must_be_smaller_is_and_the_message_says_so(house: House) -> None:
    job, huge = house.job(), noise(2700)
    await house.fault(job, status=413, code=40005, over_bytes=5 * MIB, times=9)
    message = await house.deliver(job, huge)
    await house.servers.clear_discord_faults()
    assert says("result.smaller") in text_of(message)


async def test_what_nothing_makes_small_enough_is_linked(house: House) -> None:
    job = house.job()
    await house.fault(job, status=413, over_bytes=0, times=9)
    message = await house.deliver(job)
    assert pictures_of(message) == []
    assert says("result.linked") in text_of(message)
    assert "[#1](<https://kvid.example/a%28b%29.png>)" in text_of(message)
    assert len(buttons_of(message)) == 2
    await house.servers.clear_discord_faults()


async def test_a_picture_of_the_usual_size_is_posted_as_it_is(house: House) -> None:
    job = house.job()
    message = await house.deliver(job)
    assert says("result.saved_again") not in text_of(message)
    (request,) = await house.requests_of(job)
    assert request["files"][0]["name"].endswith(".png")


# --- only where allowed, without a gateway ---


async def test_a_place_is_asked_about_by_rest_and_remembered_while_it_is_open(house: House) -> None:
    job = house.job("general")
    await house.client.delivery.check_place(job)
    before = len(await house.servers.bot_requests())
    await house.client.delivery.check_place(job)
    assert len(await house.servers.bot_requests()) == before


@pytest.mark.parametrize("missing", ["ATTACH_FILES", "SEND_MESSAGES", "VIEW_CHANNEL"])
async def test_a_place_where_the_bot_may_not_post_is_refused_until_it_may(house: House, missing: str) -> None:
    job = house.job("announcements", channel_id=int(await house.servers.add_channel(f"no-{missing.lower()}")))
    channel = str(job.channel_id)
    await house.servers.set_bot_permissions(channel, deny=[missing])
    with pytest.raises(Undeliverable):
        await house.client.delivery.check_place(job)
    await house.servers.set_bot_permissions(channel, allow=[missing])
    await house.client.delivery.check_place(job)


async def test_a_thread_is_judged_by_its_parent(house: House) -> None:
    job = house.job("stage outfits")
    parent = next(c for c in house.member.state["channels"] if c["id"] == str(job.channel_id))["parent_id"]
    await house.servers.set_bot_permissions(parent, deny=["SEND_MESSAGES_IN_THREADS"])
    with pytest.raises(Undeliverable):
        await house.client.delivery.check_place(job)
    await house.servers.set_bot_permissions(parent, allow=["SEND_MESSAGES_IN_THREADS"])
    await house.client.delivery.check_place(job)
    await house.deliver(job)


async def test_a_channel_that_is_gone_is_refused(house: House) -> None:
    job = house.job(channel_id=1)
    with pytest.raises(Undeliverable):
        await house.client.delivery.check_place(job)
    with pytest.raises(Undeliverable):
        await house.client.delivery.deliver(job, [SMALL])


async def test_a_discord_that_does_not_answer_closes_no_place(house: House) -> None:
    job = house.job(channel_id=int(await house.servers.add_channel("unanswered")))
    await house.servers.discord_fault(path_regex="/guilds/", status=503, times=50)
    await house.client.delivery.check_place(job)
    await house.servers.clear_discord_faults()


async def test_an_earlier_post_is_found_without_a_gateway(house: House) -> None:
    job = house.job()
    message = await house.deliver(job)
    late = house.job(id=job.id, updated_at=house.clock.now() - timedelta(minutes=10))
    found = await house.client.delivery.find_delivered(late)
    assert found is not None
    assert str(found.message_id) == message["id"]
    assert await house.client.delivery.find_delivered(house.job(updated_at=late.updated_at)) is None


async def test_where_the_history_cannot_be_read_nothing_is_posted_twice(house: House) -> None:
    job = house.job(channel_id=int(await house.servers.add_channel("no-history")))
    await house.servers.set_bot_permissions(str(job.channel_id), deny=["READ_MESSAGE_HISTORY"])
    late = house.job(channel_id=job.channel_id, updated_at=house.clock.now() - timedelta(minutes=10))
    with pytest.raises(Unseen):
        await house.client.delivery.find_delivered(late)


async def test_an_answer_that_can_no_longer_be_seen_is_not_followed_by_a_second(house: House) -> None:
    """Its token has died since the picture was about to be put into it; what came by direct message is found."""
    now = house.clock.now()
    token: dict[str, Any] = {
        "interaction_token": "dead",
        "card_message_id": 5,
        "delivery": DeliveryMode.INTERACTION,
    }
    expires_at = now - timedelta(minutes=1)
    begun = house.job(**token, interaction_expires_at=expires_at, updated_at=now - timedelta(minutes=10))
    with pytest.raises(Unseen):
        await house.client.delivery.find_delivered(begun)
    direct = house.job(**token, interaction_expires_at=expires_at)
    assert await house.client.delivery.find_delivered(direct) is None
    posted = await house.client.delivery.deliver(direct, (SMALL,))
    assert await house.client.delivery.find_delivered(direct) == posted


async def test_a_server_that_removed_the_bot_is_refused(house: House) -> None:
    """Last, because the others post there."""
    job = house.job()
    await house.servers.kick_bot()
    try:
        with pytest.raises(Undeliverable):
            await house.client.delivery.check_place(house.job(channel_id=2))
        with pytest.raises(Undeliverable):
            await house.client.delivery.deliver(job, [SMALL])
    finally:
        await house.servers.invite_bot()

"""The log channel with a real database and a scripted Discord: what is delayed, refused, or was posted already."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import discord
import pytest
from structlog.testing import capture_logs

from bot import log_channel
from bot.caps.service import Caps
from bot.caps.values import OperatorLimits
from bot.log_channel import CLOSED_RETRY_S, RETRY_S, LogChannel, build_mark
from db.enums import AuditAction
from db.queries import servers as queries
from db.queries import upkeep
from tests.service.doubles import MovedClock
from tests.service.world import GUILD

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bot.client import KvidBot
    from db.engine import Database
    from db.values import AuditEntry

BOT, MODERATOR, CHANNEL = 10**18 + 80, 10**18 + 90, 10**18 + 1


class ScriptedDiscord:
    """What `LogChannel` uses of the client; a channel keeps posts by nonce, as Discord does for a while."""

    user_id = BOT

    def __init__(self) -> None:
        self.ready = True
        self.delivery = SimpleNamespace(layouts=SimpleNamespace(text=lambda words: words))
        self.absent: set[int] = set()
        self.elsewhere: set[int] = set()
        self.script: list[BaseException] = []
        # The post arrives, but its answer does not.
        self.answers_lost = 0
        self.calls: list[tuple[int, int, str]] = []
        self.posts: dict[tuple[int, str], str] = {}
        self.history_closed = False

    def is_ready(self) -> bool:
        return self.ready

    def has_shard_of(self, guild_id: int) -> bool:
        return guild_id not in self.elsewhere

    def get_guild(self, guild_id: int) -> object | None:
        return None if guild_id in self.absent else SimpleNamespace(preferred_locale="en-US")

    def text(self, locale: str, key: str, **params: object) -> str:
        return f"{locale} {key} {params['n']}"

    def get_partial_messageable(self, channel_id: int, *, guild_id: int) -> ScriptedChannel:
        return ScriptedChannel(self, channel_id, guild_id)

    def lines(self, guild_id: int = GUILD) -> list[str]:
        return [words.split("\n")[0] for (_, words) in self._of(guild_id)]

    def _of(self, guild_id: int) -> list[tuple[str, str]]:
        return [(nonce, words) for (guild, nonce), words in self.posts.items() if guild == guild_id]


class ScriptedChannel:
    def __init__(self, owner: ScriptedDiscord, channel_id: int, guild_id: int) -> None:
        self.owner, self.id, self.guild_id = owner, channel_id, guild_id

    async def send(self, *, view: str, nonce: str, silent: bool) -> None:
        assert silent
        self.owner.calls.append((self.guild_id, self.id, nonce))
        if self.owner.script:
            raise self.owner.script.pop(0)
        self.owner.posts.setdefault((self.guild_id, nonce), view)
        if self.owner.answers_lost:
            self.owner.answers_lost -= 1
            raise ConnectionResetError

    async def history(self, *, limit: int) -> AsyncIterator[Any]:
        if self.owner.history_closed:
            raise refuse(403, 50001)
        for (guild_id, _), words in list(self.owner.posts.items())[-limit:]:
            if guild_id == self.guild_id:
                part = SimpleNamespace(content=words)
                yield SimpleNamespace(
                    author=SimpleNamespace(id=BOT), components=[SimpleNamespace(children=[part])]
                )


def refuse(status: int, code: int) -> discord.HTTPException:
    kinds = {403: discord.Forbidden, 404: discord.NotFound}
    answer = cast("Any", SimpleNamespace(status=status, reason="no"))
    return kinds.get(status, discord.HTTPException)(answer, {"code": code, "message": "no"})


class House:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = MovedClock()
        self.caps = Caps(database, self.clock, OperatorLimits())
        self.discord = ScriptedDiscord()
        self.log = self.start_anew()

    def start_anew(self) -> LogChannel:
        """As another process would begin, with nothing remembered."""
        self.log = LogChannel(cast("KvidBot", self.discord), self.database, self.clock)
        self.log.use_render(lambda entry, _: cast("Any", f"{entry.subject}\n{build_mark(entry)}"))
        return self.log

    async def choose(self, channel_id: int | None, guild_id: int = GUILD) -> None:
        await self.caps.policies.change(
            guild_id, MODERATOR, lambda policy: replace(policy, log_channel_id=channel_id), subject="chosen"
        )

    async def act(self, *subjects: str, guild_id: int = GUILD) -> None:
        for subject in subjects:
            await self.caps.pictures.note(guild_id, MODERATOR, AuditAction.EXPORT, subject)

    async def post(self, rounds: int = 1) -> None:
        self.clock.elapsed_s += log_channel.SETTLED_S
        for _ in range(rounds):
            await self.log._post_everywhere()

    async def waiting(self, guild_id: int = GUILD) -> list[AuditEntry]:
        server = await self.database.read(lambda c: queries.find_server(c, guild_id))
        assert server is not None
        return await self.database.read(
            lambda c: queries.list_entries(c, guild_id, limit=100, after_id=server.posted_entry_id)
        )


@pytest.fixture
def house(database: Database) -> House:
    return House(database)


async def test_old_lines_are_not_poured_into_a_new_channel(house: House) -> None:
    await house.act("long ago", "before")
    await house.choose(CHANNEL)
    await house.act("after")
    await house.post()
    assert house.discord.lines() == ["chosen", "after"]
    # Without a channel nothing waits, and another channel begins with its own choice.
    await house.choose(None)
    await house.act("unseen")
    await house.post()
    assert await house.waiting() == []
    await house.choose(CHANNEL + 1)
    await house.post()
    assert house.discord.lines() == ["chosen", "after", "chosen"]


async def test_an_act_from_just_before_the_choice_is_not_posted_either(house: House) -> None:
    await house.act("just before")
    house.clock.elapsed_s += log_channel.SETTLED_S
    await house.choose(CHANNEL)
    await house.log._post_everywhere()
    assert house.discord.lines() == []
    await house.post()
    assert house.discord.lines() == ["chosen"]


async def test_moving_the_log_to_another_channel_loses_nothing(house: House) -> None:
    await house.choose(CHANNEL)
    await house.act("before")
    await house.choose(CHANNEL + 1)
    await house.post()
    assert house.discord.lines() == ["chosen", "before", "chosen"]
    assert {channel for _, channel, _ in house.discord.calls} == {CHANNEL + 1}


@pytest.mark.parametrize(
    "error",
    [
        refuse(429, 0),
        discord.DiscordServerError(cast("Any", SimpleNamespace(status=503, reason="no")), "no"),
        ConnectionResetError(),
        TimeoutError(),
    ],
    ids=["429", "503", "reset", "timeout"],
)
async def test_what_passes_is_tried_again_later_in_order(house: House, error: BaseException) -> None:
    await house.choose(CHANNEL)
    await house.act("one", "two")
    house.discord.script = [error]
    await house.post(2)
    assert len(house.discord.calls) == 1, "a server that was put off is left alone for a while"
    assert house.discord.lines() == []
    assert not house.log.is_closed(GUILD, CHANNEL)
    house.clock.elapsed_s += RETRY_S
    await house.post()
    assert house.discord.lines() == ["chosen", "one", "two"]
    assert await house.waiting() == []


async def test_an_answer_that_got_lost_leaves_one_message(house: House) -> None:
    """Soon by the nonce, which Discord remembers; later by looking for it."""
    await house.choose(CHANNEL)
    house.discord.answers_lost = 1
    await house.post()
    assert len(await house.waiting()) == 1
    house.clock.elapsed_s += RETRY_S
    await house.post()
    assert (len(house.discord.calls), house.discord.lines()) == (2, ["chosen"])
    await house.act("late")
    house.discord.answers_lost = 1
    await house.post()
    house.clock.elapsed_s += 3600
    await house.start_anew()._post_everywhere()
    assert (len(house.discord.calls), house.discord.lines()) == (3, ["chosen", "late"])
    assert await house.waiting() == []


async def test_without_the_history_a_late_line_is_posted_rather_than_lost(house: House) -> None:
    await house.choose(CHANNEL)
    house.clock.elapsed_s += 3600
    house.discord.history_closed = True
    await house.post()
    assert house.discord.lines() == ["chosen"]


@pytest.mark.parametrize(("status", "code"), [(403, 50013), (404, 10003)])
async def test_a_closed_channel_keeps_its_place_and_goes_on_when_it_is_open(
    house: House, status: int, code: int
) -> None:
    await house.choose(CHANNEL)
    await house.act("one", "two")
    house.discord.script = [refuse(status, code)] * 2
    with capture_logs() as lines:
        await house.post(3)
        assert house.log.is_closed(GUILD, CHANNEL)
        assert not house.log.is_closed(GUILD, CHANNEL + 1)
        assert len(house.discord.calls) == 1, "refused tries count with Discord"
        house.clock.elapsed_s += CLOSED_RETRY_S
        await house.act("three")
        await house.post()
    assert [line["code"] for line in lines if line["event"] == "log_channel.closed"] == [code]
    assert len(await house.waiting()) == 4
    house.clock.elapsed_s += CLOSED_RETRY_S
    await house.post()
    assert house.discord.lines() == ["chosen", "one", "two", "three"]
    assert not house.log.is_closed(GUILD, CHANNEL)


async def test_a_closed_channel_is_tried_at_once_when_somebody_sees_to_it(house: House) -> None:
    await house.choose(CHANNEL)
    house.discord.script = [refuse(403, 50013)] * 2
    await house.post()
    house.log.try_again(GUILD)
    await house.post(2)
    assert len(house.discord.calls) == 2
    await house.choose(CHANNEL + 1)
    await house.post()
    assert [channel for _, channel, _ in house.discord.calls[2:]] == [CHANNEL + 1] * 2
    assert house.discord.lines() == ["chosen", "chosen"]
    assert not house.log.is_closed(GUILD, CHANNEL)


async def test_of_a_long_backlog_the_newest_lines_are_posted_and_the_others_counted(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_channel, "BACKLOG_MAX", 3)
    monkeypatch.setattr(log_channel, "ENTRIES_READ_MAX", 10)
    await house.choose(CHANNEL)
    house.discord.script = [refuse(403, 50013)] * 2
    await house.post()
    await house.act(*(f"act {number}" for number in range(14)))
    house.clock.elapsed_s += CLOSED_RETRY_S
    await house.post()
    assert house.log.is_closed(GUILD, CHANNEL)
    house.clock.elapsed_s += CLOSED_RETRY_S
    await house.post(3)
    missed = ["en-US log.missed 7", "en-US log.missed 5"]
    assert house.discord.lines() == [*missed, "act 11", "act 12", "act 13"]
    assert await house.waiting() == []
    assert not house.log.is_closed(GUILD, CHANNEL)


async def test_a_closed_channel_that_is_given_up_holds_nothing_back(house: House) -> None:
    await house.choose(CHANNEL)
    house.discord.script = [refuse(404, 10003)]
    await house.post()
    await house.choose(None)
    await house.post()
    assert await house.waiting() == []
    assert not house.log.is_closed(GUILD, CHANNEL)


async def test_one_line_that_discord_refuses_does_not_hold_up_the_others(house: House) -> None:
    await house.choose(CHANNEL)
    await house.act("after")
    house.discord.script = [refuse(400, 50035)]
    with capture_logs() as lines:
        await house.post()
    assert [line["event"] for line in lines] == ["log_channel.entry_refused"]
    assert house.discord.lines() == ["after"]


async def test_one_line_that_cannot_be_drawn_does_not_hold_up_the_others(house: House) -> None:
    await house.choose(CHANNEL)
    await house.act("broken", "after")

    def draw(entry: AuditEntry, _: int) -> Any:
        if entry.subject == "broken":
            raise KeyError(entry.subject)
        return f"{entry.subject}\n{build_mark(entry)}"

    house.log.use_render(draw)
    with capture_logs() as lines:
        await house.post()
    assert [line["event"] for line in lines] == ["log_channel.entry_not_drawn"]
    assert house.discord.lines() == ["chosen", "after"]


async def test_a_busy_server_leaves_the_others_their_turn(house: House) -> None:
    other = GUILD + 1
    for guild_id in (GUILD, other):
        await house.choose(CHANNEL, guild_id)
    await house.act(*(f"act {number}" for number in range(12)))
    await house.post()
    assert len(house.discord.lines()) == log_channel.SHARE_MAX
    assert house.discord.lines(other) == ["chosen"]
    await house.post(2)
    assert house.discord.lines() == ["chosen", *(f"act {number}" for number in range(12))]


async def test_a_server_that_is_not_known_yet_waits(house: House) -> None:
    await house.choose(CHANNEL)
    house.discord.absent = {GUILD}
    await house.post()
    assert (len(await house.waiting()), house.discord.calls) == (1, [])
    house.discord.absent = set()
    house.clock.elapsed_s += RETRY_S
    await house.post()
    assert house.discord.lines() == ["chosen"]


async def test_a_line_just_written_waits_for_those_that_were_numbered_before_it(house: House) -> None:
    await house.choose(CHANNEL)
    assert await house.log._post_everywhere() == log_channel.SETTLED_S
    assert house.discord.lines() == []
    await house.post()
    assert house.discord.lines() == ["chosen"]


async def test_the_loop_is_woken_outlives_a_failure_and_stops(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.choose(CHANNEL)
    house.clock.elapsed_s += 1
    failures, read = [True], upkeep.list_unposted

    def failing(*given: Any, **more: Any) -> Any:
        if failures:
            failures.pop()
            raise OSError("the database is away")
        return read(*given, **more)

    monkeypatch.setattr(upkeep, "list_unposted", failing)
    with capture_logs() as lines:
        house.log.start()
        async with asyncio.timeout(30):
            while not house.discord.lines():
                house.log.wake()
                await asyncio.sleep(0.005)
        await house.log.stop(grace_s=1)
    assert [line["event"] for line in lines] == ["log_channel.failed"]
    assert house.discord.lines() == ["chosen"]

"""Reading AutoMod's rules with a real database and a scripted Discord: refusals, failures, and trying again."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import discord
import pytest
from structlog.testing import capture_logs

from bot import automod
from bot.automod import RETRY_S, AutoMod, turn_off
from bot.caps.service import Caps
from bot.caps.values import OperatorLimits
from bot.errors import AppError
from bot.safety.words import WordAction
from tests.service.doubles import MovedClock
from tests.service.world import GUILD

if TYPE_CHECKING:
    from db.engine import Database

MODERATOR = 10**18 + 90


def refuse(status: int) -> discord.HTTPException:
    kinds = {403: discord.Forbidden, 503: discord.DiscordServerError}
    answer = cast("Any", SimpleNamespace(status=status, reason="no"))
    return kinds.get(status, discord.HTTPException)(answer, "no")


class House:
    def __init__(self, database: Database) -> None:
        self.clock = MovedClock()
        self.caps = Caps(database, self.clock, OperatorLimits())
        self.answers: list[BaseException | object] = []
        self.asked: list[int] = []
        self.permissions: discord.Permissions | None = None
        client = SimpleNamespace(
            http=SimpleNamespace(get_auto_moderation_rules=self.answer), get_guild=self.find_guild
        )
        self.automod = AutoMod(cast("discord.Client", client), database, self.caps.policies, self.clock)

    def find_guild(self, _: int) -> object | None:
        """As the gateway told it: nothing yet, or with what the bot may do there."""
        if self.permissions is None:
            return None
        return SimpleNamespace(unavailable=False, me=SimpleNamespace(guild_permissions=self.permissions))

    async def answer(self, guild_id: int) -> object:
        self.asked.append(guild_id)
        answer = self.answers.pop(0) if self.answers else rules("finale")
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def use(self, guild_id: int = GUILD) -> None:
        await self.caps.policies.change(
            guild_id,
            MODERATOR,
            lambda policy: replace(policy, automod_action=WordAction.DROP),
            subject="automod_action",
        )

    async def words(self, guild_id: int = GUILD) -> tuple[str, ...]:
        return (await self.caps.policies.find(guild_id)).automod_words

    async def until(self, words: tuple[str, ...], guild_id: int = GUILD) -> None:
        async with asyncio.timeout(30):
            while True:
                if await self.words(guild_id) == words:
                    return
                await asyncio.sleep(0.005)

    async def wait_a_minute(self, *, asked: int) -> None:
        """Once so many answers were asked for, and the reader has gone to sleep."""
        async with asyncio.timeout(30):
            while True:
                if len(self.asked) >= asked and self.clock.move_on():
                    return
                await asyncio.sleep(0.005)


def rules(*keywords: str) -> list[dict[str, object]]:
    metadata = {"keyword_filter": list(keywords), "regex_patterns": ["x+"], "allow_list": []}
    return [{"id": "1", "name": "rule", "enabled": True, "trigger_type": 1, "trigger_metadata": metadata}]


@pytest.fixture
def house(database: Database) -> House:
    return House(database)


@pytest.mark.parametrize(
    ("answer", "key"),
    [
        (refuse(403), "automod.not_allowed"),
        (refuse(429), "automod.unreachable"),
        (refuse(503), "automod.unreachable"),
        (ConnectionResetError(), "automod.unreachable"),
        ({"rules": []}, "automod.unreachable"),
    ],
    ids=["403", "429", "503", "reset", "other shape"],
)
async def test_why_rules_cannot_be_read_is_told_and_the_words_stay(
    house: House, answer: object, key: str
) -> None:
    await house.use()
    await house.automod.renew(GUILD)
    house.answers = [answer]
    with pytest.raises(AppError) as failed:
        await house.automod.renew(GUILD)
    assert failed.value.key == key
    assert await house.words() == ("finale",)


async def test_turning_it_off_forgets_the_words_and_reads_no_more(house: House) -> None:
    read = await house.automod.read(GUILD)
    assert (read.words, read.allowed, read.skipped, len(read.rules)) == (("finale",), (), 1, 1)
    for change in (lambda policy: read.turn_on(policy, WordAction.REFUSE), turn_off):
        await house.caps.policies.change(GUILD, MODERATOR, change, subject="automod_action")
    policy = await house.caps.policies.find(GUILD)
    assert (policy.automod_action, policy.automod_words) == (None, ())
    assert read.renew(policy) == policy
    await house.automod.renew(GUILD)
    assert house.asked == [GUILD]


async def test_all_servers_that_use_rules_are_read_page_by_page(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(automod, "PAGE_MAX", 2)
    servers = [GUILD + number for number in range(5)]
    for guild_id in servers:
        await house.use(guild_id)
    await house.caps.policies.leave(servers[4])
    await house.caps.policies.meet({GUILD + 9: "ko"})
    house.automod.start()
    house.automod.read_all_soon()
    await house.until(("finale",), servers[3])
    await house.automod.stop(grace_s=1)
    assert house.asked == servers[:4]


async def test_what_passes_is_tried_again_and_a_missing_permission_is_not(house: House) -> None:
    await house.use()
    await house.use(GUILD + 1)
    house.answers = [refuse(403), refuse(503)]
    with capture_logs() as lines:
        house.automod.start()
        house.automod.read_soon(GUILD)
        house.automod.read_soon(GUILD + 1)
        await house.wait_a_minute(asked=2)
        await house.until(("finale",), GUILD + 1)
        await house.automod.stop(grace_s=1)
    assert house.asked == [GUILD, GUILD + 1, GUILD + 1]
    assert house.clock.elapsed_s == RETRY_S
    assert [line["reason"] for line in lines if line["event"] == "automod.not_read"] == [
        "automod.not_allowed",
        "automod.unreachable",
    ]


async def test_a_failure_of_ours_is_logged_and_tried_again(house: House) -> None:
    await house.use()
    house.answers = [RuntimeError("a bug")]
    with capture_logs() as lines:
        house.automod.start()
        house.automod.read_soon(GUILD)
        await house.wait_a_minute(asked=1)
        await house.until(("finale",))
        await house.automod.stop(grace_s=1)
    assert "automod.failed" in [line["event"] for line in lines]


async def test_that_rules_may_not_be_read_is_remembered_until_they_may(house: House) -> None:
    await house.use()
    assert not house.automod.is_refused(GUILD)
    house.answers = [refuse(403)]
    with pytest.raises(AppError):
        await house.automod.renew(GUILD)
    assert house.automod.is_refused(GUILD)
    assert not house.automod.is_refused(GUILD + 1)
    await house.automod.renew(GUILD)
    assert not house.automod.is_refused(GUILD)
    # Without the permission Discord does not even say that rules changed.
    house.permissions = discord.Permissions.none()
    assert house.automod.is_refused(GUILD)
    house.permissions = discord.Permissions(manage_guild=True)
    assert not house.automod.is_refused(GUILD)


async def test_what_failed_is_tried_again_although_others_wake_the_reader_all_the_time(house: House) -> None:
    await house.use()
    house.answers = [refuse(503)]
    house.automod.start()
    house.automod.read_soon(GUILD)
    async with asyncio.timeout(5):
        while await house.words() != ("finale",):
            house.automod.read_soon(GUILD + 1)
            await asyncio.sleep(0.005)
            house.clock.elapsed_s += RETRY_S / 10
    await house.automod.stop(grace_s=1)
    assert house.asked == [GUILD, GUILD]

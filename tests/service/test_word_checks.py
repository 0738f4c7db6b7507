"""Banned words: found, and never looked for or compiled while the database is held."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bot.caps.service import Caps
from bot.caps.values import Asker, OperatorLimits, Policy
from bot.clock import SystemClock
from bot.errors import AppError, Refused
from bot.jobs.service import Jobs, Origin, Picture
from bot.safety.words import (
    ALLOWED_WORDS_MAX,
    IMPORTED_ALLOWED_MAX,
    IMPORTED_WORDS_MAX,
    LISTS_MAX,
    WORDS_PER_LIST_MAX,
    WordAction,
    WordFilter,
    WordList,
)
from db.enums import DeliveryMode, JobKind, Surface

if TYPE_CHECKING:
    from db.engine import Database
    from db.values import Job

GUILD, CHANNEL, MEMBER, MODERATOR = 10**18, 10**18 + 1, 10**18 + 2, 10**18 + 3


def list_words(name: str, count: int) -> WordList:
    words = tuple(f"{name}{number:05}" for number in range(count))
    return WordList(name=name, action=WordAction.REFUSE, words=words)


FULL = Policy(
    word_lists=tuple(list_words(f"list{letter}", WORDS_PER_LIST_MAX) for letter in "abcdefghij"),
    allowed_words=tuple(f"fine{number}" for number in range(ALLOWED_WORDS_MAX)),
    automod_action=WordAction.REFUSE,
    automod_words=list_words("rule", IMPORTED_WORDS_MAX).words,
    automod_allowed=tuple(f"good{number}" for number in range(IMPORTED_ALLOWED_MAX)),
)


class House:
    def __init__(self, database: Database) -> None:
        clock = SystemClock()
        self.caps = Caps(database, clock, OperatorLimits())
        self.jobs = Jobs(database, clock, self.caps.admission)
        self.requests = 0

    async def ask(self, prompt: str) -> Job:
        self.requests += 1
        origin = Origin(
            request_id=self.requests,
            asker=Asker(user_id=MEMBER, guild_id=GUILD, channel_id=CHANNEL),
            channel_id=CHANNEL,
            surface=Surface.INTERACTION,
            delivery=DeliveryMode.CHANNEL,
            locale="en-US",
        )
        return await self.jobs.accept(JobKind.TEXT_TO_IMAGE, Picture(prompt=prompt), origin)


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the threads that compiled words or searched a prompt for them."""
    names: list[str] = []
    build, check = WordFilter.build.__func__, WordFilter.check  # type: ignore[attr-defined]  # a class method's

    def building(cls: type[WordFilter], lists: Any, *rest: Any, **more: Any) -> WordFilter:
        if lists:
            names.append(threading.current_thread().name)
        built: WordFilter = build(cls, lists, *rest, **more)
        return built

    def checking(self: WordFilter, prompt: str) -> Any:
        if self.word_count:
            names.append(threading.current_thread().name)
        return check(self, prompt)

    monkeypatch.setattr(WordFilter, "build", classmethod(building))
    monkeypatch.setattr(WordFilter, "check", checking)
    return names


async def test_nothing_is_compiled_or_searched_while_the_database_is_held(
    database: Database, threads: list[str]
) -> None:
    house = House(database)
    await house.caps.policies.change(
        GUILD, MODERATOR, lambda policy: replace(policy, word_lists=FULL.word_lists), subject="word_lists"
    )
    assert len(threads) == 1
    await house.ask("a lantern")
    with pytest.raises(Refused, match="words"):
        await house.ask("a lista00001")
    # The prompts are searched once each, and the lists are not compiled again, here or in another process.
    assert len(threads) == 3
    await House(database).ask("a silver lantern")
    assert len(threads) == 5
    assert not [name for name in threads if name.startswith("db")]


async def test_other_settings_do_not_compile_the_words_again(database: Database, threads: list[str]) -> None:
    house = House(database)
    for cooldown_s in (0, 1, 0):
        await house.caps.policies.change(
            GUILD,
            MODERATOR,
            lambda policy, cooldown_s=cooldown_s: replace(  # type: ignore[misc]
                policy, word_lists=FULL.word_lists, cooldown_s=cooldown_s
            ),
            subject="cooldown_s",
        )
    assert len(threads) == 1


async def test_words_changed_by_another_process_count_with_the_next_request(database: Database) -> None:
    house, other = House(database), House(database)
    await house.ask("a lista00001")
    await other.caps.policies.change(
        GUILD, MODERATOR, lambda policy: replace(policy, word_lists=FULL.word_lists), subject="word_lists"
    )
    with pytest.raises(Refused, match="words"):
        await house.ask("a lista00001")


async def test_all_lists_may_be_full_at_once(database: Database) -> None:
    """Ten lists, and everything that Discord lets a server's own rules have."""
    house = House(database)
    assert len(FULL.word_lists) == LISTS_MAX
    await house.caps.policies.change(GUILD, MODERATOR, lambda _: FULL, subject="word_lists")
    for prompt in ("listj00499", "rule05999"):
        with pytest.raises(Refused, match="words"):
            await house.ask(prompt)
    assert (await house.ask("a good999 fine499 lantern")).prompt == "a good999 fine499 lantern"


async def test_a_list_that_is_too_long_is_refused_before_it_is_stored(database: Database) -> None:
    house = House(database)
    too_long = (list_words("list", WORDS_PER_LIST_MAX + 1),)
    with pytest.raises(AppError, match=r"settings\.range"):
        await house.caps.policies.change(
            GUILD, MODERATOR, lambda policy: replace(policy, word_lists=too_long), subject="word_lists"
        )
    await house.ask("a list00001")


async def test_what_is_kept_compiled_is_bounded_by_words(
    monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    monkeypatch.setattr("bot.caps.policies.CACHED_WORDS_MAX", 2 * LISTS_MAX * WORDS_PER_LIST_MAX)
    policies = House(database).caps.policies
    for guild_id in (1, 2, 3):
        await policies.change(
            guild_id,
            MODERATOR,
            lambda policy: replace(policy, word_lists=FULL.word_lists),
            subject="word_lists",
        )
    assert [policies.cached(guild_id, None).version for guild_id in (1, 2, 3)] == [0, 1, 1]

"""Requests to Discord are repeated while that may help, in a bounded time, and never when Discord said no."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import aiohttp
import discord
import pytest

from bot.discord_retry import (
    HURRIED_TRIES_MAX,
    LAST_WORD,
    ONCE,
    POST,
    SILENT_LIMIT_S,
    Patience,
    Retry,
    describe,
    may_pass,
    retry_after_s,
)
from bot.metrics import Metrics
from tests.service.doubles import MovedClock

if TYPE_CHECKING:
    from collections.abc import Callable


def answer(status: int, code: int = 0, *, wait: str | None = None) -> discord.HTTPException:
    kind = {403: discord.Forbidden, 404: discord.NotFound, 503: discord.DiscordServerError}
    headers = {} if wait is None else {"Retry-After": wait}
    response: Any = SimpleNamespace(status=status, reason="", headers=headers)
    return kind.get(status, discord.HTTPException)(response, {"code": code, "message": "no"})


class Requests:
    """A request that fails as planned, and when it was tried."""

    def __init__(self, *errors: BaseException, chance: float = 1.0) -> None:
        self.clock = MovedClock()
        self.retry = Retry(self.clock, chance=lambda: chance)
        self.errors = list(errors)
        self.tried_s: list[float] = []

    async def __call__(self) -> str:
        self.tried_s.append(self.clock.elapsed_s)
        if self.errors:
            raise self.errors.pop(0)
        return "done"

    async def call(self, patience: Patience, hurry: asyncio.Event | None = None) -> str:
        calling = asyncio.ensure_future(self.retry.call("x", self, patience, hurry=hurry))
        while not calling.done():
            for _ in range(20):
                await asyncio.sleep(0)
            self.clock.move_on()
        return await calling


@pytest.mark.parametrize(
    "make",
    [
        lambda: ConnectionResetError(104, "reset"),
        aiohttp.ServerDisconnectedError,
        TimeoutError,
        lambda: answer(503),
        lambda: answer(500),
        lambda: answer(429),
        lambda: discord.RateLimited(2.0),
    ],
)
async def test_what_may_pass_is_tried_again(make: Callable[[], BaseException]) -> None:
    requests = Requests(make(), make())
    assert await requests.call(POST) == "done"
    assert len(requests.tried_s) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413])
async def test_what_discord_refuses_is_not_tried_again(status: int) -> None:
    requests = Requests(answer(status))
    with pytest.raises(discord.HTTPException):
        await requests.call(LAST_WORD)
    assert requests.tried_s == [0.0]


async def test_a_bug_is_not_tried_again() -> None:
    requests = Requests(KeyError("x"))
    with pytest.raises(KeyError):
        await requests.call(LAST_WORD)
    assert not may_pass(KeyError("x"))


async def test_the_waits_double_up_to_their_bound_and_the_tries_end() -> None:
    requests = Requests(*[OSError()] * 99)
    with pytest.raises(OSError):  # noqa: PT011 - the very error of the last try
        await requests.call(Patience(tries_max=6, total_s=999, wait_s=1.0, wait_max_s=4.0))
    assert requests.tried_s == [0, 1, 3, 7, 11, 15]


async def test_no_try_begins_behind_the_whole_time() -> None:
    requests = Requests(*[OSError()] * 99)
    with pytest.raises(OSError):  # noqa: PT011 - the very error of the last try
        await requests.call(Patience(tries_max=99, total_s=10, wait_s=1.0))
    assert requests.tried_s == [0, 1, 3, 7]


async def test_chance_halves_a_wait_at_most() -> None:
    requests = Requests(OSError(), chance=0.0)
    await requests.call(Patience(tries_max=2, total_s=9, wait_s=2.0))
    assert requests.tried_s == [0, 1.0]


async def test_once_is_once() -> None:
    requests = Requests(OSError())
    with pytest.raises(OSError):  # noqa: PT011 - the very error of the only try
        await requests.call(ONCE)


@pytest.mark.parametrize(
    ("error", "asked_s"),
    [
        (answer(429, wait="7"), 7.0),
        (answer(429, wait="soon"), SILENT_LIMIT_S),
        (answer(429, wait="nan"), SILENT_LIMIT_S),
        (answer(429), SILENT_LIMIT_S),
        (discord.RateLimited(11.0), 11.0),
    ],
)
async def test_a_limit_is_waited_out_as_long_as_it_asks(error: BaseException, asked_s: float) -> None:
    assert retry_after_s(error) == asked_s
    requests = Requests(error)
    await requests.call(POST)
    assert asked_s < requests.tried_s[1] <= asked_s + 1


async def test_a_limit_longer_than_the_patience_is_left_to_the_caller() -> None:
    error = answer(429, wait="600")
    requests = Requests(error)
    with pytest.raises(discord.HTTPException):
        await requests.call(POST)
    assert len(requests.tried_s) == 1


async def test_in_a_hurry_nothing_is_waited_for_and_little_is_tried() -> None:
    hurry = asyncio.Event()
    hurry.set()
    requests = Requests(*[OSError()] * 99)
    with pytest.raises(OSError):  # noqa: PT011 - the very error of the last try
        await requests.call(LAST_WORD, hurry)
    assert len(requests.tried_s) == HURRIED_TRIES_MAX
    assert requests.clock.elapsed_s == 0


async def test_a_request_that_hangs_is_cut_short_and_said_so() -> None:
    """discord.py keeps its gate for global limits closed when a request is cut short in front of it."""
    cut: list[str] = []
    retry = Retry(MovedClock(), on_cut_short=lambda: cut.append("cut"))

    async def hang() -> None:
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await retry.call("x", hang, Patience(tries_max=1, total_s=1, try_s=0.01))
    assert cut == ["cut"]


def test_an_error_is_told_in_a_line() -> None:
    assert describe(answer(413, 40005)) == "413 40005 no"
    assert describe(OSError("x" * 999)).startswith("OSError('xxx")
    assert len(describe(OSError("x" * 999))) == 300


async def test_each_try_is_counted_by_what_it_was_for_and_what_discord_said() -> None:
    metrics, requests = Metrics(), Requests(answer(503), ConnectionResetError())
    requests.retry.on_tried = metrics.discord_tried
    await requests.call(POST)
    shown = metrics.render().decode()
    assert 'kvid_bot_discord_request_seconds_count{call="x"} 3.0' in shown
    assert 'kvid_bot_discord_errors_total{call="x",code="0",status="503"} 1.0' in shown
    assert 'kvid_bot_discord_errors_total{call="x",code="0",status="ConnectionResetError"} 1.0' in shown

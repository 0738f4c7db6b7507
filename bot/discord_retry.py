"""The one retry around requests to Discord: what discord.py gives up on, tried again for a bounded time.

discord.py itself repeats 500, 502, 504, 524 and a 429 that Discord sent. On Linux it never repeats a reset, a
time-out, a 503, a 429 of the firewall in front of Discord, or a wait beyond its own bound: those come here.
Callers hand over the work as a function, so that every try builds new files and keeps its nonce. Knows no jobs.
**Source**: platform notes 6 and 12; discord.py 2.7.1, `http.py` and `webhook/async_.py`.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, TypeVar

import aiohttp
import discord

from bot.log import get_logger
from bot.tasks import wait_for

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bot.clock import Clock

log = get_logger(__name__)

Value = TypeVar("Value")

# Everything a request to Discord may raise. TimeoutError is an OSError.
DISCORD_ERRORS = (discord.HTTPException, discord.RateLimited, aiohttp.ClientError, OSError)
_CUT_SHORT = (
    *(aiohttp.ClientError, ConnectionError, TimeoutError),
    *(discord.RateLimited, discord.DiscordServerError),
)
# Longer waits for a limit than this discord.py hands to us instead of sleeping through them.
RATE_LIMIT_WAIT_MAX_S = 30.0
# What a 429 asks for that does not say how long.
SILENT_LIMIT_S = 5.0
# So many more tries, without waits, once everything shall come to an end.
HURRIED_TRIES_MAX = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long one request is tried.

    Units: no try begins later than `total_s` after the first; one try takes at most `try_s`; the waits begin
    with `wait_s` and double up to `wait_max_s`.
    """

    tries_max: int
    total_s: float
    try_s: float = 60.0
    wait_s: float = 0.5
    wait_max_s: float = 30.0


# A card of a job on its way: the next state comes anyway.
ONCE = Patience(tries_max=1, total_s=0.0)
# A press must be answered within three seconds. Source: platform notes 1.
ACKNOWLEDGE = Patience(tries_max=4, total_s=2.2, try_s=2.5, wait_s=0.2)
# Somebody waits in front of the screen.
ANSWER = Patience(tries_max=4, total_s=10.0, wait_s=0.5)
# A result, while Discord still knows its nonce. Beyond that `jobs.posting` looks first whether it is there.
POST = Patience(tries_max=4, total_s=30.0, try_s=90.0, wait_s=0.5)
# How a job ended. Nobody else will say it.
LAST_WORD = Patience(tries_max=60, total_s=900.0, wait_s=1.0)


class Retry:
    """Shape: `on_cut_short` is called when a request was ended in the middle."""

    def __init__(
        self,
        clock: Clock,
        *,
        on_cut_short: Callable[[], None] = lambda: None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._clock = clock
        # Called after each try with what it was for, its seconds and its error.
        self.on_tried: Callable[[str, float, BaseException | None], None] = lambda _what, _s, _error: None
        self._on_cut_short = on_cut_short
        self._chance = chance

    async def call(
        self,
        what: str,
        work: Callable[[], Awaitable[Value]],
        patience: Patience,
        *,
        hurry: asyncio.Event | None = None,
    ) -> Value:
        """What `work` returns, called until it works, at last with the error of its last try.

        **Repeatable** as far as `work` is. With `hurry` set, nothing is waited for any more.
        **Raises** one of DISCORD_ERRORS.
        """
        hurry = hurry or asyncio.Event()
        begun_s = self._clock.monotonic()
        hurried_tries = 0
        for tried in count(1):
            try:
                return await self._try(what, work, patience.try_s)
            except DISCORD_ERRORS as error:
                wait_s = self._wait_s(error, tried, patience)
                hurried_tries += hurry.is_set()
                over = self._clock.monotonic() - begun_s + wait_s > patience.total_s
                if not may_pass(error) or tried >= patience.tries_max or over:
                    raise
                if hurried_tries >= HURRIED_TRIES_MAX:
                    raise
                log.warning(
                    "discord.retried", what=what, tried=tried, wait_s=round(wait_s, 2), error=describe(error)
                )
            await wait_for(self._clock, hurry, wait_s)
        raise AssertionError  # the loop has no other end

    async def _try(self, what: str, work: Callable[[], Awaitable[Value]], try_s: float) -> Value:
        begun_s = self._clock.monotonic()
        failed: BaseException | None = None
        try:
            async with asyncio.timeout(try_s):
                return await work()
        except (TimeoutError, asyncio.CancelledError) as error:
            failed = error
            self._on_cut_short()
            raise
        except DISCORD_ERRORS as error:
            failed = error
            raise
        finally:
            self.on_tried(what, self._clock.monotonic() - begun_s, failed)

    def _wait_s(self, error: BaseException, tried: int, patience: Patience) -> float:
        """Half of the doubled wait by chance, so that those who failed together do not come back together."""
        wait_s = min(patience.wait_s * 2.0 ** min(tried - 1, 16), patience.wait_max_s)
        wait_s *= 0.5 + self._chance() / 2
        asked_s = retry_after_s(error)
        return wait_s if asked_s is None else asked_s + min(wait_s, 1.0)


def may_pass(error: BaseException) -> bool:
    """Whether the same request may work later; Discord's refusals (4xx) stay what they are."""
    if isinstance(error, discord.HTTPException):
        return error.status == 429 or error.status >= 500
    return isinstance(error, DISCORD_ERRORS)


def was_cut_short(error: BaseException) -> bool:
    """Whether Discord, or the way to it, failed or asked to wait: an error that says nothing of us."""
    return isinstance(error, _CUT_SHORT) or (isinstance(error, discord.HTTPException) and may_pass(error))


def retry_after_s(error: BaseException) -> float | None:
    """How long a limit asks to wait; None where `error` is no limit."""
    if isinstance(error, discord.RateLimited):
        return error.retry_after
    if not isinstance(error, discord.HTTPException) or error.status != 429:
        return None
    try:
        told_s = float(error.response.headers["Retry-After"])
    except (KeyError, ValueError):
        return SILENT_LIMIT_S
    return told_s if 0 <= told_s < float("inf") else SILENT_LIMIT_S


def describe(error: BaseException) -> str:
    """For the operator's log."""
    if isinstance(error, discord.HTTPException):
        return f"{error.status} {error.code} {error.text}"[:300]
    return repr(error)[:300]

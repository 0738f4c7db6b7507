"""The second ways of a last word: where a card, a channel or an interaction cannot be reached."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import aiohttp
import discord
import pytest

from bot.client import KvidBot
from bot.errors import AppError
from db.enums import DeliveryMode
from tests.service.world import START, MovedClock
from tests.unit.test_cards import World, ended, job, refusal, world

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["world"]


@pytest.mark.parametrize("status", [403, 404])
async def test_a_closed_channel_is_no_reason_to_stay_silent(world: World, status: int) -> None:
    """The failure was to be told in the channel, which is the trouble itself: it is told directly."""
    late = ended(job(interaction_expires_at=START))
    world.errors["channel.send"] = [refusal(status, 50013)]
    world.cards.show(late, None)
    await world.pass_s(60)
    assert world.seen("direct.send") == ["failed"]
    assert [options["nonce"] for options in world.sent] == [f"{late.id}f", f"{late.id}f"]


async def test_a_token_that_died_before_its_time_is_told_late(world: World) -> None:
    failed = ended(job())
    world.errors["answer.edit"] = [refusal(404, 10015)]
    world.cards.show(failed, None)
    await world.pass_s(60)
    assert world.seen("channel.send") == [f"failed {failed.id}"]


async def test_a_card_that_was_dismissed_is_left_alone(world: World) -> None:
    """Whoever closed their card has seen what they wanted to see."""
    world.errors["answer.edit"] = [refusal(404, 10008)]
    world.cards.show(ended(job()), None)
    await world.pass_s(60)
    assert world.seen("channel.send") == []


async def test_a_reason_is_whispered_although_the_first_try_only_took_the_answer_back(world: World) -> None:
    public = ended(job(delivery=DeliveryMode.INTERACTION))
    world.errors["answer.follow_up"] = [refusal(503), aiohttp.ClientConnectionResetError()]
    world.cards.show(public, None)
    await world.pass_s(60)
    assert len(world.seen("answer.delete")) == 1
    assert world.seen("answer.follow_up") == ["failed"] * 3


async def test_an_answer_that_is_gone_already_does_not_keep_the_reason(world: World) -> None:
    world.errors["answer.delete"] = [refusal(404, 10008)]
    world.cards.show(ended(job(delivery=DeliveryMode.INTERACTION)), None)
    await world.pass_s(60)
    assert world.seen("answer.follow_up") == ["failed"]


# --- refusals ---


class Answering:
    """As much of a bot and an interaction as the boundary needs; `errors` are raised first."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.tries = 0
        self.clock = MovedClock()
        layouts = SimpleNamespace(refusal=lambda content, typed: (content, typed))
        self.bot: Any = SimpleNamespace(
            explain=lambda _locale, error: error.key,
            delivery=SimpleNamespace(layouts=layouts),
            clock=SimpleNamespace(sleep=self._sleep),
        )
        response = SimpleNamespace(
            is_done=lambda: True, type=discord.InteractionResponseType.deferred_channel_message
        )
        self.interaction: Any = SimpleNamespace(
            locale="en-US",
            data={},
            type=discord.InteractionType.component,
            extras={},
            response=response,
            edit_original_response=self._edit,
        )
        self.said: list[object] = []

    async def _sleep(self, _delay_s: float) -> None: ...

    async def _edit(self, *, view: object) -> None:
        self.tries += 1
        if self.errors:
            raise self.errors.pop(0)
        self.said.append(view)

    async def answer(self) -> None:
        await KvidBot.answer_error(self.bot, self.interaction, AppError("source.missing"))


@pytest.mark.parametrize(
    "make",
    [lambda: ConnectionResetError(104, "reset"), aiohttp.ServerDisconnectedError, lambda: refusal(503)],
)
async def test_a_refusal_is_said_again_after_a_reset(make: Callable[[], BaseException]) -> None:
    world = Answering(make(), make())
    await world.answer()
    assert world.said == [("source.missing", None)]


async def test_a_refusal_that_discord_refuses_is_not_repeated() -> None:
    world = Answering(refusal(404, 10062))
    await world.answer()
    assert (world.said, world.tries) == ([], 1)


async def test_a_refusal_is_given_up_some_time() -> None:
    world = Answering(*[ConnectionResetError(104, "reset")] * 9)
    await world.answer()
    assert (world.said, world.tries) == ([], 3)

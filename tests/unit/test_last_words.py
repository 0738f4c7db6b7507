"""The second ways of a last word: where a card, a channel or an interaction cannot be reached."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import aiohttp
import discord
import pytest

from bot.client import KvidBot
from bot.discord_retry import Retry
from bot.errors import AppError
from db.enums import DeliveryMode, JobState
from tests.service.doubles import START, MovedClock
from tests.unit.card_parts import CARD, REQUEST, World, ended, job, ours, refusal, reply, world

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
    assert world.seen("direct.send") == [f"failed {late.id}"]
    assert [options["nonce"] for options in world.sent] == [f"{late.id}f", f"{late.id}f"]
    assert world.told == [late.id]


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


async def test_a_public_answer_that_somebody_deleted_is_told_directly(world: World) -> None:
    public = ended(job(delivery=DeliveryMode.INTERACTION))
    world.errors["answer.edit"] = [refusal(404, 10008)]
    world.cards.show(public, None)
    await world.pass_s(60)
    assert world.seen("direct.send") == [f"failed {public.id}"]


async def test_a_deleted_card_of_a_reply_is_told_in_its_channel(world: World) -> None:
    failed = ended(reply(card_message_id=CARD))
    world.errors["message.edit"] = [refusal(404, 10008)]
    world.cards.show(failed, None)
    await world.pass_s(60)
    assert world.seen("channel.send") == [f"failed {failed.id}"]
    assert world.sent[0]["nonce"] == f"{failed.id}f"


@pytest.mark.parametrize("way", ["direct.open", "direct.send"])
async def test_a_member_out_of_reach_is_not_tried_again(world: World, way: str) -> None:
    """They left every server the bot is in, or take no messages."""
    lost = ended(job(interaction_expires_at=START, delivery=DeliveryMode.INTERACTION, private=True))
    world.errors[way] = [refusal(403, 50007)]
    world.cards.show(lost, None)
    await world.pass_s(2000)
    assert len(world.seen(way)) == 1
    assert world.told == [lost.id]


@pytest.mark.parametrize("surface", ["channel", "direct"])
async def test_what_an_earlier_process_told_late_is_not_told_again(world: World, surface: str) -> None:
    """Discord has forgotten the nonce, so our own messages are looked through."""
    private = surface == "direct"
    mode = DeliveryMode.INTERACTION if private else DeliveryMode.CHANNEL
    late = ended(job(interaction_expires_at=START, delivery=mode, private=private))
    world.history = [ours(words="Job x"), ours(button="v1:why:x")]
    own = ours(words=f"-# Job {late.id}") if private else ours(button=f"v1:why:{late.id}")
    await world.pass_s(600)
    world.cards.show(late, None)
    await world.pass_s(60)
    assert len(world.seen(f"{surface}.send")) == 1
    world.history.append(own)
    world.cards.show(late, None)
    await world.pass_s(60)
    assert len(world.seen(f"{surface}.send")) == 1
    assert world.told == [late.id, late.id]


async def test_a_refusal_that_answered_the_press_is_not_told_late(world: World) -> None:
    refused = ended(job(interaction_expires_at=START), JobState.REFUSED, "blocked")
    world.cards.show(refused, None)
    await world.pass_s(60)
    assert world.calls == []


async def test_the_lost_card_of_a_reply_is_found_again_by_the_next_process(world: World) -> None:
    """Its owner died between the post and our note of it, too long ago for the nonce."""
    await world.pass_s(600)
    world.cards._started_at = world.clock.now()
    asked = reply()
    world.history = [
        ours(reply_to=REQUEST, button=f"v1:again:{asked.id}"),
        ours(reply_to=REQUEST + 1),
        ours(reply_to=REQUEST),
    ]
    world.cards.show(ended(asked), None)
    await world.pass_s(60)
    assert world.seen("message.edit") == [f"failed {asked.id}"]
    assert world.seen("channel.send") == []
    assert world.remembered == [(asked.id, 88)]


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
            retry=Retry(self.clock),
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

    async def _edit(self, *, view: object) -> None:
        self.tries += 1
        if self.errors:
            raise self.errors.pop(0)
        self.said.append(view)

    async def answer(self) -> None:
        error = AppError("source.missing")
        answering = asyncio.ensure_future(KvidBot.answer_error(self.bot, self.interaction, error))
        while not answering.done():
            for _ in range(20):
                await asyncio.sleep(0)
            self.clock.move_on()
        await answering


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
    assert (world.said, world.tries) == ([], 4)

"""Cards: few edits, nothing from the past, and a last word that arrives."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import discord
import pytest
from discord import ui

from bot.cards import Cards
from db.enums import DeliveryMode, JobState, Surface
from tests.db.builders import build_job
from tests.service.world import START, MovedClock

if TYPE_CHECKING:
    from db.values import Job

CARD, USER, CHANNEL = 42, 111_111_111_111_111_111, 333_333_333_333_333_333
IDLE_TURNS = 20


def refusal(status: int, code: int = 0) -> discord.HTTPException:
    kind = {404: discord.NotFound, 403: discord.Forbidden, 503: discord.DiscordServerError}
    response: Any = SimpleNamespace(status=status, reason="")
    return kind.get(status, discord.HTTPException)(response, {"code": code, "message": "no"})


def words_of(view: ui.LayoutView) -> str:
    parts: list[Any] = view.to_components()  # type: ignore[no-untyped-call]  # discord.py has no types here
    return "".join(part["content"] for part in parts)


def says(words: str) -> ui.LayoutView:
    view = ui.LayoutView(timeout=None)
    view.add_item(ui.TextDisplay(words))
    return view


class World:
    """The cards of one process, a clock that tests move, and a Discord that keeps what it is sent.

    Shape: `calls` are (second, what, words or id); `errors` by what, one for each call.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = MovedClock()
        self.calls: list[tuple[float, str, object]] = []
        self.sent: list[dict[str, Any]] = []
        self.errors: dict[str, list[BaseException]] = defaultdict(list)
        self.remembered: list[tuple[str, int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        monkeypatch.setattr(discord.Webhook, "partial", self._webhook)
        client: Any = SimpleNamespace(get_partial_messageable=self._channel, fetch_user=self._user)
        self.cards = Cards(client, self.clock, self._layout, lambda job: says(f"failed {job.id}"))
        self.cards.remember = self._remember

    @staticmethod
    def _layout(job: Job, place: int | None) -> ui.LayoutView:
        return says(job.state if place is None else f"{job.state} {place}")

    async def _call(self, what: str, detail: object) -> None:
        self.calls.append((self.clock.elapsed_s, what, detail))
        await self.gate.wait()
        if self.errors[what]:
            raise self.errors[what].pop(0)

    def _webhook(self, _id: int, token: str, *, client: object) -> Any:
        assert (token, client) == ("token", self.cards._client)

        async def edit(message_id: int, *, view: ui.LayoutView) -> None:
            assert message_id == CARD
            await self._call("answer.edit", words_of(view))

        async def delete(message_id: int) -> None:
            await self._call("answer.delete", message_id)

        async def send(*, view: ui.LayoutView, ephemeral: bool) -> None:
            assert ephemeral
            # discord.py lets no other kind whisper.
            assert hook.type is discord.WebhookType.application
            await self._call("answer.follow_up", words_of(view))

        hook = SimpleNamespace(edit_message=edit, delete_message=delete, send=send)
        return hook

    def _sender(self, what: str) -> Any:
        async def send(*, view: ui.LayoutView, **options: Any) -> Any:
            self.sent.append(options)
            await self._call(what, words_of(view))
            return SimpleNamespace(id=77)

        return send

    def _channel(self, channel_id: int, *, guild_id: int | None) -> Any:
        assert channel_id == CHANNEL
        assert guild_id is not None

        def message(message_id: int) -> Any:
            async def edit(*, view: ui.LayoutView, **_options: Any) -> None:
                await self._call("message.edit", words_of(view))

            async def delete() -> None:
                await self._call("message.delete", message_id)

            return SimpleNamespace(edit=edit, delete=delete)

        return SimpleNamespace(send=self._sender("channel.send"), get_partial_message=message)

    async def _user(self, user_id: int) -> Any:
        assert user_id == USER
        return SimpleNamespace(send=self._sender("direct.send"))

    async def _remember(self, job_id: str, message_id: int) -> None:
        self.remembered.append((job_id, message_id))

    # --- time ---

    async def idle(self) -> None:
        for _ in range(IDLE_TURNS):
            await asyncio.sleep(0)

    async def pass_s(self, delay_s: float) -> None:
        await self.idle()
        over = asyncio.ensure_future(self.clock.sleep(delay_s))
        await self.idle()
        while not over.done():
            assert self.clock.move_on()
            await self.idle()

    # --- looking ---

    def seen(self, what: str = "answer.edit") -> list[object]:
        return [detail for _, name, detail in self.calls if name == what]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def job(**changes: object) -> Job:
    private = {
        "application_id": 1,
        "interaction_token": "token",
        "interaction_expires_at": START + timedelta(minutes=15),
        "card_message_id": CARD,
    }
    return build_job(**(private | changes))


def at(before: Job, state: JobState, **changes: Any) -> Job:
    return replace(before, state=state, **changes)


def ended(before: Job, state: JobState = JobState.FAILED, failure: str | None = "render") -> Job:
    return at(before, state, failure=failure, finished_at=START)


def reply(**changes: object) -> Job:
    return build_job(surface=Surface.MESSAGE, request_message_id=9, **changes)


# --- few edits ---


async def test_the_first_edit_waits_half_a_second_and_shows_only_the_newest_state(world: World) -> None:
    waiting = job()
    world.cards.show(waiting, 1)
    world.cards.show(at(waiting, JobState.SUBMITTING), None)
    await world.pass_s(0.49)
    assert world.calls == []
    world.cards.show(at(waiting, JobState.SUBMITTED), None)
    await world.pass_s(0.02)
    assert world.calls == [(0.5, "answer.edit", "submitted")]


async def test_edits_are_at_least_two_and_a_half_seconds_apart_and_fold(world: World) -> None:
    waiting = job()
    for place in range(100, 0, -1):
        world.cards.show(waiting, place)
        await world.pass_s(0.1)
    moments = [moment for moment, _, _ in world.calls]
    assert moments[0] == 0.5
    assert all(later - earlier > 2.499 for earlier, later in pairwise(moments))
    assert len(moments) in {4, 5}


async def test_a_card_that_would_say_the_same_is_not_edited(world: World) -> None:
    waiting = job()
    for _ in range(10):
        world.cards.show(waiting, 3)
        await world.pass_s(3)
    assert world.seen() == ["reserved 3"]


async def test_an_edit_that_fails_on_the_way_is_not_repeated_but_the_next_one_is_sent(world: World) -> None:
    waiting = job()
    world.errors["answer.edit"] = [refusal(503)]
    world.cards.show(waiting, 2)
    await world.pass_s(10)
    assert world.seen() == ["reserved 2"]
    world.cards.show(waiting, 2)
    await world.pass_s(10)
    assert world.seen() == ["reserved 2", "reserved 2"]


# --- the end ---


async def test_nothing_from_before_the_end_is_shown_after_it(world: World) -> None:
    waiting = job()
    world.cards.show(waiting, 2)
    await world.pass_s(1)
    world.cards.show(ended(waiting, JobState.CANCELLED, None), None)
    world.cards.show(waiting, 1)
    await world.pass_s(10)
    world.cards.show(waiting, 1)
    await world.pass_s(10)
    assert world.seen() == ["reserved 2", "cancelled"]


async def test_an_end_that_comes_during_an_edit_is_shown_after_it(world: World) -> None:
    waiting = job()
    world.gate.clear()
    world.cards.show(waiting, 1)
    await world.pass_s(1)
    world.cards.show(ended(waiting), None)
    await world.pass_s(5)
    world.gate.set()
    await world.pass_s(5)
    assert world.seen() == ["reserved 1", "failed"]


@pytest.mark.parametrize("turns", range(12))
async def test_an_end_is_shown_at_whatever_turn_of_an_edit_it_comes(world: World, turns: int) -> None:
    waiting = job()
    world.gate.clear()
    world.cards.show(waiting, 1)
    await world.pass_s(1)
    world.gate.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    world.cards.show(ended(waiting), None)
    await world.pass_s(10)
    assert world.seen() == ["reserved 1", "failed"]


async def test_the_last_word_is_tried_until_it_arrives(world: World) -> None:
    world.errors["answer.edit"] = [refusal(503), OSError("reset"), refusal(429), refusal(500)]
    world.cards.show(ended(job()), None)
    await world.pass_s(60)
    assert world.seen() == ["failed"] * 5


async def test_the_last_word_is_given_up_some_time(world: World) -> None:
    world.errors["answer.edit"] = [OSError("reset")] * 50
    world.cards.show(ended(job()), None)
    await world.pass_s(300)
    assert len(world.seen()) == 6


@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_a_refused_last_word_is_not_repeated(world: World, status: int) -> None:
    world.errors["answer.edit"] = [refusal(status)]
    world.cards.show(ended(job()), None)
    await world.pass_s(60)
    assert len(world.seen()) == 1


async def test_a_dead_token_is_told_late_and_once_in_the_channel(world: World) -> None:
    late = ended(job(interaction_expires_at=START))
    world.errors["channel.send"] = [OSError("reset")]
    world.cards.show(late, None)
    await world.pass_s(60)
    # Tried twice; Discord knows the nonce.
    assert world.seen("channel.send") == [f"failed {late.id}"] * 2
    assert {options["nonce"] for options in world.sent} == {f"{late.id}f"}
    assert world.seen() == []


async def test_a_dead_token_of_a_private_job_is_told_by_direct_message(world: World) -> None:
    late = ended(job(interaction_expires_at=START, delivery=DeliveryMode.INTERACTION, private=True))
    world.cards.show(late, None)
    await world.pass_s(60)
    assert world.seen("direct.send") == ["failed"]
    assert world.sent[0]["nonce"] == f"{late.id}f"
    assert world.seen("channel.send") == []


@pytest.mark.parametrize("state", [JobState.DELIVERED, JobState.CANCELLED, JobState.SUBMITTED])
async def test_a_dead_token_needs_no_word_where_nothing_went_wrong(world: World, state: JobState) -> None:
    late = job(interaction_expires_at=START)
    finished = None if state is JobState.SUBMITTED else START
    world.cards.show(at(late, state, finished_at=finished), None)
    await world.pass_s(60)
    assert world.calls == []


# --- the answer becomes the result ---


def answered_here(**changes: object) -> Job:
    return job(delivery=DeliveryMode.INTERACTION, **changes)


async def test_close_takes_back_what_was_still_to_be_shown(world: World) -> None:
    here = answered_here(private=True)
    world.cards.show(here, 1)
    await world.cards.close(here)
    world.cards.show(at(here, JobState.DELIVERING), None)
    await world.pass_s(10)
    world.cards.show(ended(here, JobState.DELIVERED, None), None)
    await world.pass_s(10)
    assert world.calls == []


async def test_close_waits_for_an_edit_on_its_way(world: World) -> None:
    here = answered_here(private=True)
    world.gate.clear()
    world.cards.show(here, 1)
    await world.pass_s(1)
    closing = asyncio.ensure_future(world.cards.close(here))
    await world.pass_s(5)
    assert not closing.done()
    world.gate.set()
    await world.idle()
    assert closing.done()


async def test_close_holds_for_a_job_that_an_earlier_process_showed(world: World) -> None:
    here = answered_here(private=True)
    await world.cards.close(here)
    world.cards.show(at(here, JobState.DELIVERING), None)
    world.cards.show(ended(here, JobState.DELIVERED, None), None)
    await world.pass_s(10)
    assert world.calls == []


async def test_a_card_has_its_say_again_after_an_answer_that_failed(world: World) -> None:
    here = answered_here(private=True)
    await world.cards.close(here)
    world.cards.reopen(here)
    world.cards.show(ended(here, JobState.UNDELIVERABLE, "discord"), None)
    await world.pass_s(10)
    assert world.seen() == ["undeliverable"]


async def test_a_result_in_the_answer_is_never_edited_by_its_card(world: World) -> None:
    """Also after a restart, when nobody closed the card."""
    world.cards.show(ended(answered_here(), JobState.DELIVERED, None), None)
    await world.pass_s(10)
    assert world.calls == []


async def test_a_public_answer_that_failed_goes_and_the_reason_is_told_in_private(world: World) -> None:
    world.cards.show(ended(answered_here(private=False)), None)
    await world.pass_s(10)
    assert [(what, detail) for _, what, detail in world.calls] == [
        ("answer.delete", CARD),
        ("answer.follow_up", "failed"),
    ]


# --- replies ---


async def test_the_card_of_a_reply_is_sent_edited_remembered_and_goes_with_the_picture(world: World) -> None:
    asked = reply()
    world.cards.show(asked, 1)
    await world.pass_s(3)
    world.cards.show(at(asked, JobState.SUBMITTED), None)
    await world.pass_s(3)
    world.cards.show(ended(asked, JobState.DELIVERED, None), None)
    await world.pass_s(3)
    assert [(what, detail) for _, what, detail in world.calls] == [
        ("channel.send", "reserved 1"),
        ("message.edit", "submitted"),
        ("message.delete", 77),
    ]
    assert world.remembered == [(asked.id, 77)]
    assert world.sent[0]["nonce"] == f"{asked.id}c"
    assert world.sent[0]["reference"].message_id == 9


async def test_a_card_whose_reference_is_refused_is_sent_without_it(world: World) -> None:
    """Discord refuses it where the bot may not read the history."""
    world.errors["channel.send"] = [refusal(400, 160002)]
    world.cards.show(reply(), 1)
    await world.pass_s(3)
    assert len(world.sent) == 2
    assert "reference" not in world.sent[1]
    assert len(world.remembered) == 1


async def test_a_failed_reply_says_no_reason_in_public(world: World) -> None:
    asked = reply(card_message_id=CARD)
    world.cards.show(ended(asked), None)
    await world.pass_s(3)
    assert world.seen("message.edit") == [f"failed {asked.id}"]


async def test_a_failed_reply_without_a_card_gets_one(world: World) -> None:
    asked = reply()
    world.cards.show(ended(asked), None)
    await world.pass_s(3)
    assert world.seen("channel.send") == [f"failed {asked.id}"]


async def test_a_reply_that_is_quick_never_has_a_card(world: World) -> None:
    asked = reply()
    world.cards.show(asked, 1)
    world.cards.show(ended(asked, JobState.DELIVERED, None), None)
    await world.pass_s(3)
    assert world.calls == []


@pytest.mark.parametrize(
    ("state", "failure", "then"),
    [
        (JobState.SUBMITTED, None, ("message.edit", "submitted")),
        (JobState.FAILED, "render", ("message.edit", "failed")),
        (JobState.DELIVERED, None, ("message.delete", 77)),
    ],
)
async def test_a_card_whose_answer_was_lost_is_found_by_its_nonce_and_follows(
    world: World, state: JobState, failure: str | None, then: tuple[str, object]
) -> None:
    """Discord answers a second post of the same nonce with the first message, whatever it says now."""
    asked = reply()
    world.errors["channel.send"] = [OSError("reset")]
    world.cards.show(asked, 1)
    await world.pass_s(3)
    finished = None if state is JobState.SUBMITTED else START
    world.cards.show(at(asked, state, failure=failure, finished_at=finished), None)
    await world.pass_s(3)
    what, detail = world.calls[-1][1:]
    assert (what, str(detail).removesuffix(f" {asked.id}")) == (then[0], str(then[1]))
    assert {options["nonce"] for options in world.sent} == {f"{asked.id}c"}
    assert len(world.sent) == 2


async def test_a_card_that_cannot_be_noted_is_not_sent_twice(world: World) -> None:
    async def fail(_job_id: str, _message_id: int) -> None:
        raise OSError("disk")

    world.cards.remember = fail
    asked = reply()
    world.cards.show(asked, 1)
    await world.pass_s(3)
    world.cards.show(at(asked, JobState.SUBMITTED), None)
    await world.pass_s(3)
    assert [what for _, what, _ in world.calls] == ["channel.send", "message.edit"]


# --- stop ---


async def test_stop_shows_at_once_what_is_still_to_be_shown(world: World) -> None:
    jobs = [job() for _ in range(5)]
    for one in jobs:
        world.cards.show(at(one, JobState.SUBMITTED), None)
    await world.cards.stop(grace_s=1)
    assert world.seen() == ["submitted"] * 5
    assert world.clock.elapsed_s == 0


async def test_stop_does_not_wait_between_the_tries_of_a_last_word(world: World) -> None:
    world.errors["answer.edit"] = [OSError("reset")] * 3
    world.cards.show(ended(job()), None)
    await world.cards.stop(grace_s=1)
    assert world.seen() == ["failed"] * 4
    assert world.clock.elapsed_s == 0

"""Edits of a card: few, never the same twice, and for a reply one message that follows its job."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from bot import cards
from db.enums import DeliveryMode, JobState
from tests.service.doubles import START
from tests.unit.card_parts import CARD, World, at, ended, job, ours, refusal, reply, world

if TYPE_CHECKING:
    from discord import HTTPException

    from db.values import Job

__all__ = ["World", "ended", "job", "refusal", "world"]


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


async def test_stop_shows_at_once_what_is_still_to_be_shown(world: World) -> None:
    jobs = [job() for _ in range(5)]
    for one in jobs:
        world.cards.show(at(one, JobState.SUBMITTED), None)
    await world.cards.stop(grace_s=1)
    assert world.seen() == ["submitted"] * 5
    assert world.clock.elapsed_s == 0


# --- other processes ---


def stored(world: World, *jobs: Job) -> dict[str, Job]:
    """The jobs as other processes have left them."""
    found = {one.id: one for one in jobs}

    async def find(job_id: str) -> Job | None:
        return found.get(job_id)

    world.cards.find_job = find
    return found


async def test_a_state_that_has_passed_elsewhere_is_not_shown_but_a_last_word_is(world: World) -> None:
    """Another process has the job by now, or this one was suspended while it waited to edit."""
    waiting, moved, admitted, over = job(), job(), job(), ended(job(), JobState.FAILED)
    stored(
        world, ended(waiting, JobState.FAILED), replace(moved, epoch=7), replace(admitted, admitted_at=START)
    )
    for one in (waiting, moved, admitted):
        world.cards.show(one, 2)
    world.cards.show(over, None)
    await world.pass_s(10)
    assert world.seen() == ["failed"]


@pytest.mark.parametrize("state", [JobState.CANCELLED, JobState.FAILED, JobState.DELIVERED])
async def test_a_last_word_that_an_edit_of_ours_overtook_is_said_again(world: World, state: JobState) -> None:
    """The edit waits at Discord; meanwhile another process ends the job and says so, and then ours lands."""
    waiting = job()
    found = stored(world, waiting)
    world.gate.clear()
    world.cards.show(waiting, 2)
    await world.pass_s(1)
    assert world.seen() == ["reserved 2"]
    found[waiting.id] = ended(waiting, state)
    world.gate.set()
    await world.pass_s(10)
    assert world.seen() == ["reserved 2", state]
    world.cards.show(waiting, 1)
    await world.pass_s(10)
    assert world.seen() == ["reserved 2", state]


async def test_a_closed_card_is_left_to_the_picture_whatever_others_say(world: World) -> None:
    waiting = job()
    found = stored(world, waiting)
    world.gate.clear()
    world.cards.show(waiting, 2)
    await world.pass_s(1)
    closing = asyncio.ensure_future(world.cards.close(waiting))
    found[waiting.id] = ended(waiting, JobState.FAILED)
    world.gate.set()
    await world.pass_s(10)
    await closing
    assert world.seen() == ["reserved 2"]


async def test_an_edit_that_may_have_overwritten_a_picture_is_told_to_the_operator(world: World) -> None:
    waiting = job(delivery=DeliveryMode.INTERACTION)
    found = stored(world, waiting)
    world.gate.clear()
    world.cards.show(waiting, 2)
    await world.pass_s(1)
    found[waiting.id] = replace(ended(waiting, JobState.DELIVERED), message_id=CARD)
    world.gate.set()
    with capture_logs() as lines:
        await world.pass_s(10)
    assert world.seen() == ["reserved 2"]
    assert [(line["event"], line["job"], line["message"]) for line in lines] == [
        ("card.overtook_picture", waiting.id, CARD)
    ]


async def test_nothing_is_said_again_where_no_edit_was_made(world: World) -> None:
    """The card says it already, or can be reached no more: there is nothing to put right."""
    waiting, unreachable = job(), replace(job(), interaction_token=None)
    found = stored(world, waiting, unreachable)
    world.cards.show(waiting, 2)
    await world.pass_s(10)
    asked = dict.fromkeys(found, 0)

    async def end_meanwhile(job_id: str) -> Job | None:
        asked[job_id] += 1
        return found[job_id] if asked[job_id] == 1 else ended(found[job_id], JobState.FAILED)

    world.cards.find_job = end_meanwhile
    for one in (waiting, unreachable):
        world.cards.show(one, 2)
    await world.pass_s(10)
    assert world.seen() == ["reserved 2"]
    assert set(asked.values()) == {1}


async def test_the_last_word_under_a_reply_goes_to_the_card_that_another_process_sent(world: World) -> None:
    """Ours could not be sent, and by now there is one: nothing is posted a second time."""
    asked_for = reply()
    found = stored(world, asked_for)
    world.errors["channel.send"] = [refusal(503)]
    world.gate.clear()
    world.cards.show(asked_for, 2)
    await world.pass_s(1)
    found[asked_for.id] = replace(ended(asked_for, JobState.CANCELLED), card_message_id=88)
    world.gate.set()
    await world.pass_s(200)
    assert [what for _, what, _ in world.calls] == ["channel.send", "message.edit"]


async def test_an_edit_that_nobody_can_answer_for_is_left_out(world: World) -> None:
    async def find(_job_id: str) -> Job | None:
        raise ConnectionError

    world.cards.find_job = find
    world.cards.show(job(), 2)
    await world.pass_s(10)
    assert world.seen() == []


async def test_cards_that_went_on_elsewhere_make_room(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cards, "CARDS_MAX", 3)
    for place in range(1, 8):
        world.cards.show(job(), place)
        await world.pass_s(3)
    assert world.seen() == [f"reserved {place}" for place in range(1, 8)]


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
    assert world.remembered == [(asked.id, 77), (asked.id, None)]
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


async def test_the_card_of_a_cancelled_reply_is_found_where_another_process_sent_it(world: World) -> None:
    asked = reply()
    world.history = [ours(button=f"v1:cancel:{asked.id}")]
    world.cards.show(ended(asked, JobState.CANCELLED, None), None)
    await world.pass_s(3)
    assert world.seen("message.edit") == ["cancelled"]
    assert world.remembered == [(asked.id, 88)]
    assert world.told == [asked.id]


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


@pytest.mark.parametrize("error", [refusal(404, 10008), refusal(403, 50001)])
async def test_a_card_that_others_deleted_or_hid_is_not_owed_any_more(
    world: World, error: HTTPException
) -> None:
    asked = reply(card_message_id=CARD)
    world.errors["message.delete"] = [error]
    world.cards.show(ended(asked, JobState.DELIVERED, None), None)
    await world.pass_s(3)
    assert world.remembered == [(asked.id, None)]


async def test_a_card_that_cannot_be_noted_is_not_sent_twice(world: World) -> None:
    async def fail(_job_id: str, _message_id: int | None) -> None:
        raise OSError("disk")

    world.cards.messages.remember = fail
    asked = reply()
    world.cards.show(asked, 1)
    await world.pass_s(3)
    world.cards.show(at(asked, JobState.SUBMITTED), None)
    await world.pass_s(3)
    assert [what for _, what, _ in world.calls] == ["channel.send", "message.edit"]

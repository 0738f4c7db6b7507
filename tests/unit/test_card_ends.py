"""The end of a card: nothing from before it is shown after it, and its last word arrives."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from db.enums import DeliveryMode, JobState
from tests.service.doubles import START
from tests.unit.card_parts import World, at, ended, job, refusal, world

if TYPE_CHECKING:
    from db.values import Job

__all__ = ["world"]


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


async def test_the_last_word_outlives_an_outage_of_minutes_and_is_given_up_some_time(world: World) -> None:
    world.errors["answer.edit"] = [OSError("reset")] * 500
    world.cards.show(ended(job()), None)
    await world.pass_s(800)
    tries = len(world.seen())
    assert 20 <= tries <= 40
    await world.pass_s(3000)
    assert tries < len(world.seen()) <= 60
    assert world.told == []


@pytest.mark.parametrize("errors", [[], [refusal(404, 10008)], [refusal(503)]])
async def test_who_called_a_job_off_is_told_also_where_they_closed_the_card(
    world: World, errors: list[BaseException]
) -> None:
    called_off = ended(job(), JobState.CANCELLED, None)
    world.errors["answer.edit"] = errors
    world.cards.show(called_off, None)
    await world.pass_s(60)
    assert world.told == [called_off.id]


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
    assert world.seen("direct.send") == [f"failed {late.id}"]
    assert world.sent[0]["nonce"] == f"{late.id}f"
    assert world.seen("channel.send") == []


@pytest.mark.parametrize("state", [JobState.DELIVERED, JobState.CANCELLED, JobState.SUBMITTED])
async def test_a_dead_token_needs_no_word_where_nothing_went_wrong(world: World, state: JobState) -> None:
    late = job(interaction_expires_at=START)
    finished = None if state is JobState.SUBMITTED else START
    world.cards.show(at(late, state, finished_at=finished), None)
    await world.pass_s(60)
    assert world.calls == []


async def test_stop_does_not_wait_between_the_tries_of_a_last_word(world: World) -> None:
    world.errors["answer.edit"] = [OSError("reset")] * 3
    world.cards.show(ended(job()), None)
    await world.cards.stop(grace_s=1)
    assert world.seen() == ["failed"] * 4
    assert world.clock.elapsed_s == 0


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


async def test_a_public_answer_that_failed_says_so_without_the_reason(world: World) -> None:
    """An edit: a process that dies before or after it may do it again."""
    public = ended(answered_here(private=False))
    world.cards.show(public, None)
    await world.pass_s(10)
    world.cards.show(public, None)
    await world.pass_s(10)
    assert {(what, detail) for _, what, detail in world.calls} == {("answer.edit", f"failed {public.id}")}

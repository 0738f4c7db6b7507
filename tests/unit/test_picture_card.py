"""The card of a picture: it offers what can still be done, and says what was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bot.caps.pictures import Returned
from cogs import _picture_views
from db.enums import JobState
from tests.support.wire import buttons_of
from tests.unit.moderator_parts import (
    JOB_ID,
    MODERATOR,
    NOW,
    TEXT,
    USER,
    build_job,
    components,
    past,
    seen,
    words,
)

if TYPE_CHECKING:
    from bot.caps.histories import PastPicture


def test_a_hidden_note_names_who_hid_whose_picture_and_has_no_button() -> None:
    view = _picture_views.hidden_note(TEXT, build_job(), MODERATOR)
    assert words(view) == f"Hidden by <@{MODERATOR}>: a picture that <@{USER}> asked for."
    assert buttons_of({"components": components(view)}) == []


@pytest.mark.parametrize(
    ("picture", "off"),
    [
        (past(), []),
        (past(refunded=True), ["Refund", "Hide and refund"]),
        (past(hidden_at=NOW), ["Hide and refund"]),
        (past(JobState.UNDELIVERABLE), ["Refund", "Hide and refund"]),
    ],
)
def test_a_pictures_card_offers_what_can_still_be_done(picture: PastPicture, off: list[str]) -> None:
    buttons = buttons_of({"components": components(_picture_views.picture_layout(TEXT, seen(picture)))})
    assert [one["label"] for one in buttons if one["disabled"]] == off
    assert {one["custom_id"].split(":")[2] for one in buttons} == {JOB_ID}


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        (Returned(), "had gone back already"),
        (Returned(amount_credits=8), "✅ 8 credits went back to <@1>."),
        (
            Returned(amount_credits=8, ended_credits=7),
            "1 credit went back to <@1>. 7 credits more had come from",
        ),
        (Returned(amount_credits=8, ended_credits=8), "0 credits went back to <@1>. 8 credits more had come"),
        (
            Returned(amount_credits=8, over_credits=8),
            "0 credits went back to <@1>. 8 credits more had come from an allowance that has started over",
        ),
        (
            Returned(amount_credits=8, ended_credits=2, over_credits=5),
            "gone. 5 credits more had come from an allowance that has started over since",
        ),
        (
            Returned(amount_credits=8, ended_credits=2, over_credits=5),
            "1 credit went back to <@1>. 2 credits more had come from grants that have expired since",
        ),
    ],
)
def test_a_refund_says_how_much_of_it_can_be_spent(returned: Returned, said: str) -> None:
    assert said in _picture_views.refund_text(TEXT, 1, returned)

"""The card of a member: true in every state, within a message's bounds, and nothing in it is a link or a ping."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.caps.histories import ACTS_MAX, PICTURES_MAX, MemberHistory, PastPicture
from bot.caps.values import Allowance, Cap, Rule
from cogs import _member_render, _member_views, _picture_views
from db.enums import AuditAction, BalancePeriod, JobState
from db.values import FOREVER, AuditEntry, CreditGrant, Membership, RoleGrant
from tests.support.wire import buttons_of, walk
from tests.unit.moderator_parts import (
    COMPONENTS_MAX,
    CUSTOM_ID_MAX,
    MODERATOR,
    NOW,
    ROLE,
    TEXT,
    TEXT_MAX,
    USER,
    build_history,
    components,
    past,
    seen,
    words,
)

HOSTILE = "@everyone [a](http://b) <@1> `x` **y** \u202e\n# z " * 40


def build_grant(amount: int = 1_000_000, expires_at: datetime | None = None) -> CreditGrant:
    return CreditGrant(
        id="g",
        guild_id=1,
        user_id=USER,
        amount_credits=amount,
        granted_by=MODERATOR,
        reason=HOSTILE,
        created_at=NOW,
        expires_at=expires_at,
    )


def entry(action: AuditAction, **more: Any) -> AuditEntry:
    return AuditEntry(guild_id=1, at=NOW, actor_id=MODERATOR, action=action, subject="x", **more)


def fullest() -> MemberHistory:
    """More of everything than any card can have."""
    offer = RoleGrant(
        id="r",
        guild_id=1,
        role_id=ROLE,
        amount_credits=1_000_000,
        granted_by=MODERATOR,
        reason=HOSTILE,
        created_at=NOW,
        open_until=NOW,
    )
    detail = json.dumps({"text": "words", "word": HOSTILE})
    return build_history(
        allowance=Allowance(
            cap=Cap(credits=1_000_000, period=BalancePeriod.MONTH),
            role_id=ROLE,
            left_credits=1_000_000,
            resets_at=NOW,
        ),
        forgivable_credits=1_000_000,
        grants=(build_grant(expires_at=NOW),) * 50,
        offers=(offer,) * 20,
        membership=Membership(
            guild_id=1,
            user_id=USER,
            blocked_until=FOREVER,
            block_reason=HOSTILE,
            pass_until=NOW + timedelta(hours=1),
        ),
        pictures=(past(JobState.REFUSED, failure="words", failure_detail=detail, prompt=HOSTILE),)
        * PICTURES_MAX,
        acts=(entry(AuditAction.GRANT, after={"amount_credits": 10**6}, reason=HOSTILE),) * ACTS_MAX,
    )


async def test_the_fullest_card_fits_into_a_message() -> None:
    view = _member_views.member_layout(TEXT, fullest(), said="x" * 200, roles_known=False)
    assert len(words(view)) <= TEXT_MAX
    parts = list(walk(components(view)))
    assert len(parts) <= COMPONENTS_MAX
    assert all(len(one["custom_id"]) <= CUSTOM_ID_MAX for one in parts if "custom_id" in one)
    assert all(len(one["components"]) <= 5 for one in parts if one["type"] == 1)
    assert view.is_finished(), "nothing of it is kept in memory"


@pytest.mark.parametrize("view", ["member", "picture"])
def test_nothing_that_members_wrote_links_or_mentions(view: str) -> None:
    shown = (
        words(_member_views.member_layout(TEXT, fullest()))
        if view == "member"
        else words(_picture_views.picture_layout(TEXT, seen(past(prompt=HOSTILE))))
    )
    assert "@everyone" not in shown
    assert "<@1>" not in shown
    assert "](http" not in shown
    assert "\u202e" not in shown


@pytest.mark.parametrize(
    ("allowance", "left", "origin"),
    [
        (Allowance(), "**No cap** counts for them", "This server has set none"),
        (Allowance(cap=Cap(credits=None), own=True), "as much as they like", "By a cap of their own"),
        (
            Allowance(cap=Cap(credits=50), role_id=7, left_credits=12, resets_at=NOW),
            f"**12** left of 50 credits a day · starts over <t:{int(NOW.timestamp())}:R>",
            "By the cap of their role <@&7>",
        ),
        (
            Allowance(cap=Cap(credits=1, period=BalancePeriod.WEEK), left_credits=0),
            "**0** left of 1 credit a week",
            "By the cap for every member",
        ),
    ],
)
def test_the_card_says_what_is_left_and_whose_cap_it_is(allowance: Allowance, left: str, origin: str) -> None:
    lines = _member_render.allowance_text(TEXT, build_history(allowance=allowance), roles_known=True)
    assert left in lines.splitlines()[1]
    assert origin in lines.splitlines()[2]
    assert "Used today **1** · this week **2** · this month **3** · held **4**" in lines
    assert "roles can't be seen" not in lines


def test_granted_credits_stand_with_their_expiries_soonest_first() -> None:
    grants = (build_grant(5, NOW), build_grant(7), *[build_grant(1)] * 4)
    lines = _member_render.allowance_text(TEXT, build_history(grants=grants), roles_known=True).splitlines()
    assert lines[-6:] == [
        "Granted credits left: **16**",
        f"-# 5 credits, until <t:{int(NOW.timestamp())}:f>",
        "-# 7 credits, without an expiry",
        "-# 1 credit, without an expiry",
        "-# 1 credit, without an expiry",
        "-# and 2 more grants",
    ]


@pytest.mark.parametrize(
    ("picture", "outcome"),
    [
        (past(), "8 credits"),
        (past(refunded=True), "8 credits, refunded"),
        (past(refunded=True, hidden_at=NOW), "8 credits, refunded, hidden"),
        (past(JobState.CANCELLED), "cancelled"),
        (past(JobState.FAILED), "failed, not charged"),
        (past(JobState.UNKNOWN), "failed, not charged"),
        (past(JobState.UNDELIVERABLE), "failed, not charged"),
        (past(JobState.SUBMITTED), "8 credits held"),
        (past(JobState.REFUSED, failure="cap"), "refused: cap"),
        (past(JobState.REFUSED, failure="safety"), "refused: not allowed by kvid"),
        (
            past(JobState.REFUSED, failure="words", failure_detail='{"text": "words", "word": "x*y"}'),
            "refused: banned word “x\\*y”",
        ),
    ],
)
def test_each_picture_says_what_became_of_it(picture: PastPicture, outcome: str) -> None:
    assert _member_render.outcome_text(TEXT, picture) == outcome


def test_every_rule_and_every_act_about_a_member_has_words() -> None:
    assert set(_member_render.RULES) == set(Rule)
    others = {AuditAction.SETTING, AuditAction.ROLE_GRANT, AuditAction.AUTOMOD, AuditAction.EXPORT}
    assert set(_member_render.ACTS) == set(AuditAction) - others
    for state in JobState:
        assert _member_render.outcome_text(TEXT, past(state))


@pytest.mark.parametrize(
    ("act", "shown"),
    [
        (entry(AuditAction.BLOCK, after={"blocked_until": FOREVER.isoformat()}), "blocked them for good"),
        (
            entry(AuditAction.BLOCK, after={"blocked_until": NOW.isoformat()}),
            f"blocked them until <t:{int(NOW.timestamp())}:f>",
        ),
        (entry(AuditAction.GRANT, after={"amount_credits": 1}), "granted 1 credit"),
        (
            entry(AuditAction.CORRECT, before={"left_credits": 3}, after={"left_credits": 0}),
            "took back 3 credits",
        ),
        (entry(AuditAction.GIVE, after={"amount_credits": 2}), "gave them 2 credits"),
        (
            entry(AuditAction.RESET, before={"used_credits": 9}),
            "started their allowance over, forgiving 9 credits",
        ),
        (entry(AuditAction.REFUND, before={"charged_credits": 8}), "refunded 8 credits"),
        (
            entry(AuditAction.MEMBER_CAP, after={"cap": 40, "period": "week"}),
            "set their cap: 40 credits a week",
        ),
        (
            entry(AuditAction.MEMBER_CAP, after={"cap": "unlimited", "period": "day"}),
            "set their cap: as much as they like",
        ),
        (entry(AuditAction.MEMBER_CAP, after={"cap": None}), "set their cap: no cap of their own"),
        (entry(AuditAction.HIDE, reason="rule *3*"), "hid a picture · rule \\*3\\*"),
        (entry(AuditAction.BLOCK), "blocked them for good"),
    ],
)
def test_each_act_is_told_with_its_number(act: AuditEntry, shown: str) -> None:
    line = _member_render.acts_text(TEXT, build_history(acts=(act,))).splitlines()[1]
    assert line == f"<t:{int(NOW.timestamp())}:R> · <@{MODERATOR}> {shown}"


def test_the_operator_is_named_as_such() -> None:
    act = AuditEntry(guild_id=1, at=NOW, actor_id=0, action=AuditAction.HIDE, subject="x")
    assert "the operator hid a picture" in _member_render.acts_text(TEXT, build_history(acts=(act,)))


def test_a_private_pictures_words_are_not_shown() -> None:
    shown = _member_render.pictures_text(TEXT, build_history(pictures=(past(private=True),)))
    assert "a stage at night" not in shown
    assert "*private*" in shown


@pytest.mark.parametrize(("forgivable", "granted"), [(0, 0), (3, 0), (0, 7)])
def test_buttons_without_anything_to_do_are_off(forgivable: int, granted: int) -> None:
    history = build_history(forgivable_credits=forgivable, grants=(build_grant(granted),) if granted else ())
    buttons = {
        one["label"]: one
        for one in buttons_of({"components": components(_member_views.member_layout(TEXT, history))})
    }
    assert buttons["Start over"]["disabled"] is not bool(forgivable)
    assert buttons["Take back"]["disabled"] is not bool(granted)
    assert "Unblock" not in buttons


@pytest.mark.parametrize("view", ["member", "picture"])
@pytest.mark.parametrize(
    ("left", "off"),
    [
        (None, []),
        (timedelta(minutes=59), []),
        (timedelta(hours=2), ["Block 1 h"]),
        (timedelta(days=2), ["Block 1 h", "Block 1 d"]),
        (FOREVER - NOW, ["Block 1 h", "Block 1 d"]),
    ],
)
def test_a_block_that_would_cut_a_longer_one_short_is_off(
    view: str, left: timedelta | None, off: list[str]
) -> None:
    until = NOW + left if left is not None else None
    membership = Membership(guild_id=1, user_id=USER, blocked_until=until)
    card = (
        _member_views.member_layout(TEXT, build_history(membership=membership))
        if view == "member"
        else _picture_views.picture_layout(TEXT, seen(past(), until))
    )
    buttons = {one["label"]: one["disabled"] for one in buttons_of({"components": components(card)})}
    assert [label for label in buttons if label.startswith("Block") and buttons[label]] == off
    assert ("Unblock" in buttons) == (until is not None)
    assert ("🚫" in words(card)) == (until is not None)


def test_what_was_done_stands_right_above_the_buttons() -> None:
    (container,) = components(_member_views.member_layout(TEXT, build_history(), said="Done."))
    kinds = [one["type"] for one in container["components"]]
    first_row = kinds.index(1)
    assert container["components"][first_row - 1]["content"] == "Done."

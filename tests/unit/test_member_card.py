"""The cards of moderators as values: their words, their bounds, and what is read out of their windows."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.caps.histories import ACTS_MAX, PICTURES_MAX, MemberHistory, PastPicture, SeenPicture
from bot.caps.pictures import Returned
from bot.caps.values import Allowance, Cap, Rule
from bot.credits.values import Usage
from bot.errors import AppError
from bot.i18n import Catalogue
from cogs import _member_render, _member_views, _picture_views, _windows
from cogs._member_acts import read_cap
from cogs._studio_members import offer_window
from cogs.gift import credits_help
from db.enums import AuditAction, BalancePeriod, DeliveryMode, JobKind, JobState, Surface
from db.values import FOREVER, AuditEntry, CreditGrant, Job, Membership, RoleGrant
from tests.support.wire import buttons_of, text_of, walk

if TYPE_CHECKING:
    from collections.abc import Callable

    from discord import ui

TEXT = partial(Catalogue.load().text, "en-US")
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
# Discord's bounds of one message. Source: Discord developer docs, Components Reference (read 2026-11-23).
TEXT_MAX, COMPONENTS_MAX, CUSTOM_ID_MAX = 4000, 40, 100
USER, MODERATOR, ROLE = 2**63 - 1, 2**63 - 2, 2**63 - 3
JOB_ID = "f" * 20
HOSTILE = "@everyone [a](http://b) <@1> `x` **y** \u202e\n# z " * 40


def build_job(state: JobState = JobState.DELIVERED, **more: Any) -> Job:
    ended = state not in {JobState.RESERVED, JobState.SUBMITTED}
    made: dict[str, Any] = {
        "id": JOB_ID,
        "request_id": 1,
        "kind": JobKind.TEXT_TO_IMAGE,
        "surface": Surface.INTERACTION,
        "delivery": DeliveryMode.CHANNEL,
        "user_id": USER,
        "guild_id": MODERATOR,
        "channel_id": ROLE,
        "message_id": USER,
        "locale": "en-US",
        "private": False,
        "prompt": "a stage at night",
        "image_count": 1,
        "seed": 1,
        "output_format": "jpeg",
        "reserved_credits": 8,
        "used_credits": 8 if state is JobState.DELIVERED else None,
        "nonce": JOB_ID,
        "state": state,
        "created_at": NOW,
        "updated_at": NOW,
        "finished_at": NOW if ended else None,
    }
    return Job(**made | more)


def past(state: JobState = JobState.DELIVERED, *, refunded: bool = False, **more: Any) -> PastPicture:
    return PastPicture(job=build_job(state, **more), refunded=refunded)


def seen(picture: PastPicture, blocked_until: datetime | None = None) -> SeenPicture:
    return SeenPicture(job=picture.job, refunded=picture.refunded, now=NOW, blocked_until=blocked_until)


def build_history(**more: Any) -> MemberHistory:
    empty: dict[str, Any] = {
        "user_id": USER,
        "now": NOW,
        "allowance": Allowance(),
        "forgivable_credits": 0,
        "usage": Usage(today_credits=1, week_credits=2, month_credits=3, held_credits=4),
        "grants": (),
        "offers": (),
        "membership": None,
        "pictures": (),
        "acts": (),
    }
    return MemberHistory(**empty | more)


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


def components(view: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = view.to_components()
    return found


def words(view: Any) -> str:
    return text_of({"components": components(view)})


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


@pytest.mark.parametrize(
    ("cap", "now", "chosen", "typed"),
    [
        (None, "Now: no cap of their own", "day", None),
        (Cap(credits=None), "Now: as much as they like", "unlimited", None),
        (Cap(credits=0, period=BalancePeriod.WEEK), "Now: 0 credits a week", "week", "0"),
        (Cap(credits=50, period=BalancePeriod.MONTH), "Now: 50 credits a month", "month", "50"),
    ],
)
def test_the_window_of_an_own_cap_shows_the_present_one(
    cap: Cap | None, now: str, chosen: str, typed: str | None
) -> None:
    history = build_history(allowance=Allowance(cap=cap or Cap(credits=7), own=cap is not None))
    view = _member_views.member_layout(TEXT, history)
    buttons = {one["label"]: one["custom_id"] for one in buttons_of({"components": components(view)})}
    shown = buttons["Own cap"].removeprefix(f"member1:cap:{USER}").removeprefix(":")
    assert _member_views.read_cap_id(shown) == cap
    words_now, kind, amount, _ = _member_views.cap_window(TEXT, USER, cap).to_dict()["components"]
    assert words_now["content"] == now
    assert [one["value"] for one in kind["component"]["options"] if one.get("default")] == [chosen]
    assert amount["component"].get("value") == typed


@pytest.mark.parametrize("shown", ["ever-5", "day", "day-", "day-x", "week-1000001", "5", ":"])
def test_a_forged_cap_opens_no_window(shown: str) -> None:
    with pytest.raises(AppError, match="stale"):
        _member_views.read_cap_id(shown)


def test_what_was_done_stands_right_above_the_buttons() -> None:
    (container,) = components(_member_views.member_layout(TEXT, build_history(), said="Done."))
    kinds = [one["type"] for one in container["components"]]
    first_row = kinds.index(1)
    assert container["components"][first_row - 1]["content"] == "Done."


@pytest.mark.parametrize(
    ("typed", "amount"),
    [("5", 5), (" 1,050 ", 1050), ("1 000", 1000), ("1.000.000", 1_000_000), ("1\u202f000", 1000)],
)
def test_a_typed_amount_is_read_with_its_thousands_apart(typed: str, amount: int) -> None:
    assert _windows.parse_amount(typed) == amount


@pytest.mark.parametrize(
    "typed",
    [
        *("", "0", "-1", "1e3", "five", "1000001", "9" * 13, "٣", "½", "0x10"),
        # None of them is ten times as much, nor a hundred times.
        *("1.5", "1,5", "2.50", "1,000.50", "1,00", "1 2", "1..000", "1,000 000", "1,000,"),
    ],
)
def test_another_amount_is_refused(typed: str) -> None:
    with pytest.raises(AppError, match="amount"):
        _windows.parse_amount(typed)


@given(st.text(max_size=40))
def test_whatever_is_typed_is_read_or_refused(typed: str) -> None:
    """An amount, days and ids come from outside; none of them may break anything."""
    for read in (_windows.parse_amount, _windows.parse_days, _windows.parse_id):
        try:
            number = read(typed)
        except AppError:
            continue
        assert number is None or 1 <= number < 2**63


@pytest.mark.parametrize("typed", ["0", "-1", "", "٣", str(2**63), "9999999999999999999"])
def test_what_no_id_can_be_is_no_id(typed: str) -> None:
    """It would otherwise reach the database, which has no room for it."""
    with pytest.raises(AppError, match="stale"):
        _windows.parse_id(typed)
    assert _windows.parse_id(str(2**63 - 1)) == 2**63 - 1


def test_a_count_may_be_nothing_and_no_more_than_credits_may_be() -> None:
    assert _windows.parse_count("0") == 0
    with pytest.raises(AppError, match="stale"):
        _windows.parse_count("1000001")


def test_days_are_a_number_or_never() -> None:
    assert _windows.parse_days("") is None
    assert _windows.parse_days(" 30 ") == 30
    for typed in ("0", "3651", "soon"):
        with pytest.raises(AppError, match="days"):
            _windows.parse_days(typed)


@pytest.mark.parametrize(
    ("values", "cap"),
    [
        ({"cap": ["none"]}, None),
        ({"cap": ["unlimited"], "typed": ["5"]}, Cap(credits=None)),
        ({"cap": ["week"], "typed": ["0"]}, Cap(credits=0, period=BalancePeriod.WEEK)),
        ({"cap": ["month"], "typed": ["1,000"]}, Cap(credits=1000, period=BalancePeriod.MONTH)),
    ],
)
def test_an_own_cap_is_read(values: dict[str, list[str]], cap: Cap | None) -> None:
    assert read_cap(values) == cap


@pytest.mark.parametrize(
    "values", [{}, {"cap": ["ever"], "typed": ["5"]}, {"cap": ["day"]}, {"cap": ["day"], "typed": ["x"]}]
)
def test_another_cap_is_refused(values: dict[str, list[str]]) -> None:
    with pytest.raises(AppError):
        read_cap(values)


@pytest.mark.parametrize(
    "build",
    [
        lambda: _member_views.block_window(TEXT, USER),
        lambda: _member_views.reset_window(TEXT, USER, 1_000_000),
        lambda: _member_views.grant_window(TEXT, USER),
        lambda: _member_views.take_window(TEXT, USER, 1_000_000),
        lambda: _member_views.cap_window(TEXT, USER, Cap(credits=1_000_000)),
        lambda: _picture_views.hide_window(TEXT, JOB_ID, "hide"),
        lambda: _picture_views.hide_window(TEXT, JOB_ID, "both"),
        lambda: _picture_views.block_window(TEXT, JOB_ID),
        lambda: offer_window(TEXT, ROLE, 1_000_000, "x" * 200, 3650),
    ],
)
async def test_a_window_keeps_to_discords_bounds(build: Callable[[], ui.Modal]) -> None:
    modal = build()
    sent = modal.to_dict()
    assert len(sent["title"]) <= 45
    assert len(sent["custom_id"]) <= CUSTOM_ID_MAX
    assert 1 <= len(sent["components"]) <= 5
    for part in sent["components"]:
        assert len(part.get("label", "")) <= 45
        assert len(part.get("description") or "") <= 100
    assert modal.is_finished()


@pytest.mark.parametrize(
    ("days", "told"),
    [
        (None, "within 30 days. They never expire."),
        (1, "within 1 day. What is left expires 1 day from now."),
        (2, "within 2 days. What is left expires 2 days from now."),
        (365, "within 30 days. What is left expires 365 days from now."),
    ],
)
def test_an_offer_to_a_role_says_how_long_it_is_open(days: int | None, told: str) -> None:
    assert told in text_of({"components": offer_window(TEXT, ROLE, 5, "x", days).to_dict()["components"]})


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


def test_how_credits_work_fits_and_promises_what_the_ledger_does() -> None:
    told = credits_help(TEXT)
    assert len(told) <= TEXT_MAX
    for promise in (
        "failed",
        "refused",
        "cancelled",
        "could not be posted",
        "the difference returns",
        "tolerance",
    ):
        assert promise in told


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

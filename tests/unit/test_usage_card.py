"""The card of /usage: right in every case, and within Discord's limits."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.caps.report_values import Budget, ReportedDay
from bot.caps.values import Allowance, Cap, Refusal, Rule
from bot.charts.values import NUMBER_MAX
from bot.credits.values import Usage
from cogs import _report_render, _usage_render
from cogs.usage import usage_layout
from db.enums import BalancePeriod, JobState
from db.values import CreditGrant
from tests.db.builders import GUILD, NOW, USER, build_job
from tests.unit.usage_parts import RESETS, TODAY, assert_fits, parts_of, server_report, text, usage_report

RESETS_UNIX = int(RESETS.timestamp())
HOSTILE = "@everyone <@1> **b** ||s|| [x](http://e.vil) \n# h\n> q <t:1:R> \u202e\\"


def allowance(left: int = 22, **changes: Any) -> Allowance:
    return replace(
        Allowance(cap=Cap(credits=30), used_credits=30 - left, left_credits=left, resets_at=RESETS), **changes
    )


def grant(left: int, expires_at: datetime | None = None) -> CreditGrant:
    return CreditGrant(
        id=f"{left}",
        guild_id=GUILD,
        user_id=USER,
        amount_credits=left,
        granted_by=USER,
        reason=HOSTILE,
        created_at=NOW,
        expires_at=expires_at,
    )


def test_a_card_says_what_is_left_and_when_it_starts_over() -> None:
    lines = _usage_render.usage_text(text, usage_report(allowance=allowance())).split("\n")
    assert lines == [
        "### Your credits",
        f"**22** of 30 credits left today · starts over <t:{RESETS_UNIX}:R>",
        "-# The cap of every member here",
        "Today: **8** used · this week: **20** · this month: **44**",
    ]


@pytest.mark.parametrize(
    ("blocked", "said"),
    [
        (
            Refusal(rule=Rule.BLOCKED, key="blocked", params={"until": RESETS_UNIX}),
            f"🚫 **A moderator has paused you here until <t:{RESETS_UNIX}:f>**, <t:{RESETS_UNIX}:R>.",
        ),
        (
            Refusal(rule=Rule.BLOCKED, key="blocked_for_good"),
            "🚫 **A moderator has blocked you from making pictures here.**",
        ),
        (
            Refusal(rule=Rule.BLOCKED_ROLE, key="blocked_role", params={"role": 77}),
            "🚫 **Members with the role <@&77> may not make pictures here.**",
        ),
    ],
)
def test_a_card_says_first_that_a_member_is_blocked_and_until_when(blocked: Refusal, said: str) -> None:
    lines = _usage_render.usage_text(text, usage_report(allowance=allowance(), blocked=blocked)).split("\n")
    assert lines[1].startswith(said)
    assert "**22** of 30" in lines[2]


@pytest.mark.parametrize(
    ("changes", "origin"),
    [
        ({"own": True}, "Your own cap"),
        ({"role_id": 77}, "The cap of your role <@&77>"),
        ({}, "The cap of every member"),
    ],
)
def test_a_card_says_where_the_cap_comes_from(changes: dict[str, Any], origin: str) -> None:
    shown = _usage_render.usage_text(text, usage_report(allowance=allowance(**changes)))
    assert origin in shown
    unlimited = Allowance(cap=Cap(credits=None), **changes)
    shown = _usage_render.usage_text(text, usage_report(allowance=unlimited))
    assert origin in shown
    assert "No limit" in shown


@pytest.mark.parametrize(
    ("period", "words"),
    [
        (BalancePeriod.DAY, "credits left today"),
        (BalancePeriod.WEEK, "credits left this week"),
        (BalancePeriod.MONTH, "credits left this month"),
    ],
)
def test_a_cap_is_named_by_its_period_and_only_a_daily_one_is_drawn(
    period: BalancePeriod, words: str
) -> None:
    report = usage_report(allowance=allowance(cap=Cap(credits=30, period=period)))
    assert words in _usage_render.usage_text(text, report)
    is_daily = period is BalancePeriod.DAY
    assert _usage_render.chart_limit(report) == (30 if is_daily else None)
    assert ("dashed line: 30 a day" in _usage_render.chart_caption(text, report)) == is_daily


def test_a_cap_for_ever_has_no_reset() -> None:
    cap = allowance(cap=Cap(credits=30, period=BalancePeriod.EVER), resets_at=None)
    shown = _usage_render.usage_text(text, usage_report(allowance=cap))
    assert "**22** of 30 credits left\n" in shown
    assert "<t:" not in shown


def test_without_a_cap_nothing_pretends_that_there_is_one() -> None:
    shown = _usage_render.usage_text(text, usage_report())
    assert "No cap" in shown
    assert "left" not in shown


def test_granted_credits_are_on_top_with_the_next_that_end() -> None:
    soon = RESETS + timedelta(days=1)
    grants = (grant(20, soon), grant(5, soon), grant(25))
    shown = _usage_render.usage_text(text, usage_report(allowance=allowance(), grants=grants))
    assert f"**50** granted on top · 25 of that until <t:{int(soon.timestamp())}:f>" in shown
    shown = _usage_render.usage_text(text, usage_report(allowance=allowance(), grants=(grant(25),)))
    assert "**25** granted on top\n" in shown


def test_held_credits_are_told_only_while_there_are_any() -> None:
    assert "held" not in _usage_render.usage_text(text, usage_report())
    held = Usage(today_credits=0, week_credits=0, month_credits=0, held_credits=16)
    assert "**16** held" in _usage_render.usage_text(text, usage_report(usage=held))


def test_the_operators_limit_is_told_in_a_server_where_it_leaves_less() -> None:
    less = Allowance(cap=Cap(credits=50), used_credits=45, left_credits=5, resets_at=RESETS)
    more = replace(less, used_credits=0, left_credits=50)
    words = f"In all servers together: **5** of 50 left today · starts over <t:{RESETS_UNIX}:R>"
    assert words in _usage_render.usage_text(text, usage_report(allowance=allowance(), daily=less))
    assert words in _usage_render.usage_text(text, usage_report(daily=less))
    assert "together" not in _usage_render.usage_text(text, usage_report(allowance=allowance(), daily=more))


def test_the_servers_budget_is_told_where_it_leaves_less_than_is_the_members_own() -> None:
    budget = Budget(limit_credits=500, left_credits=40, resets_at=RESETS)
    words = f"This whole server: **40** of 500 left this month · starts over <t:{RESETS_UNIX}:R>"
    assert words in _usage_render.usage_text(text, usage_report(budget=budget))
    assert "whole server" not in _usage_render.usage_text(
        text, usage_report(allowance=allowance(), budget=budget)
    )
    granted = usage_report(allowance=allowance(), budget=budget, grants=(grant(19),))
    assert words in _usage_render.usage_text(text, granted)


def test_in_direct_messages_the_card_is_about_all_servers() -> None:
    usage = Usage(today_credits=3, month_credits=5, held_credits=0)
    limit = allowance(47, cap=Cap(credits=50))
    report = usage_report(usage=usage, allowance=limit, daily=limit, guild_id=None)
    shown = _usage_render.usage_text(text, report)
    assert "**47** of 50 credits left today" in shown
    assert "In all servers and direct messages together" in shown
    assert shown.endswith("Today: **3** used · this month: **5**")
    free = usage_report(usage=usage, guild_id=None)
    assert "No limit" in _usage_render.usage_text(text, free)
    assert "all servers" in _usage_render.chart_caption(text, free)


def test_a_newcomer_is_told_how_to_begin_and_sees_no_empty_chart() -> None:
    report = usage_report()
    assert not _usage_render.has_chart(report)
    assert "`/imagine`" in _usage_render.recent_text(text, report)
    assert "no credits used" in _usage_render.chart_alt(text, report)


def test_the_chart_is_told_in_words() -> None:
    days = [(TODAY - timedelta(days=5), 16), (TODAY, 8)]
    assert _usage_render.has_chart(usage_report(days=days))
    assert _usage_render.chart_alt(text, usage_report(days=days)) == (
        "Bars, one a day from 2026-10-25 to 2026-11-23: 24 credits in all, used on 2 of the days. "
        "Most on 2026-11-18: 16. Today: 8."
    )


def test_each_picture_has_its_line_in_every_state() -> None:
    recent = [
        build_job(state=JobState.SUBMITTED, prompt=HOSTILE * 3),
        build_job(state=JobState.DELIVERED, used_credits=1, finished_at=NOW),
        build_job(state=JobState.FAILED, failure="busy", finished_at=NOW),
        *[build_job(state=state) for state in sorted(JobState)],
    ]
    lines = _usage_render.recent_text(text, usage_report(recent=recent)).split("\n")
    assert len(lines) == 1 + len(recent)
    assert "8 credits held" in lines[1]
    assert "· 1 credit ·" in lines[2]
    assert "not charged" in lines[3]
    assert "@everyone" not in lines[1]


def test_every_number_of_a_card_has_its_thousands_apart_in_one_way() -> None:
    days = [(TODAY, 12_345)]
    shown = _usage_render.chart_alt(text, usage_report(days=days))
    assert shown.count("12\u202f345") == 3
    busy = ReportedDay(day=TODAY, delivered=1_000, failed=1_000, refused=1_000, used_credits=1_000)
    report = server_report(busy, top_members=[(7, 1_000)])
    shown = _report_render.chart_alt(text, report) + "".join(_report_render.detail_texts(text, report))
    assert "1000" not in shown
    assert shown.count("1\u202f000") == 5


def test_a_picture_that_was_given_back_or_hidden_says_so() -> None:
    job = build_job(state=JobState.DELIVERED, used_credits=1, finished_at=NOW, hidden_at=NOW)
    lines = _usage_render.recent_text(text, usage_report(recent=[job], refunded=frozenset({job.id})))
    assert "· 1 credit, given back, hidden by a moderator ·" in lines


async def test_the_fullest_card_fits_into_a_message() -> None:
    most = NUMBER_MAX
    report = usage_report(
        usage=Usage(today_credits=most, week_credits=most, month_credits=most, held_credits=most),
        allowance=allowance(most, cap=Cap(credits=most), role_id=2**63 - 1),
        daily=Allowance(cap=Cap(credits=most), left_credits=0, resets_at=RESETS),
        grants=tuple(grant(most, RESETS) for _ in range(3)),
        budget=Budget(limit_credits=most, left_credits=most - 1, resets_at=RESETS),
        recent=[build_job(state=JobState.DELIVERED, prompt="@" * 1000, used_credits=most, finished_at=NOW)]
        * 10,
        days=[(TODAY - timedelta(days=n), most) for n in range(30)],
    )
    shown = assert_fits(usage_layout(text, report, chart=True))
    assert "9\u202f223\u202f372" in shown
    assert_fits(usage_layout(text, usage_report(), chart=False))


def test_the_card_leads_to_an_explanation() -> None:
    every = parts_of(usage_layout(text, usage_report(), chart=False))
    assert [one["custom_id"] for one in every if one["type"] == 2] == ["help:credits"]

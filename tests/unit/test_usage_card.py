"""The cards of /usage, /studio report and /studio export: right in every case, and within Discord's limits."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from unittest.mock import MagicMock
from zoneinfo import ZoneInfo

import discord
import pytest

from bot.caps.report_values import (
    Budget,
    ExportKind,
    ReportedDay,
    ReportPeriod,
    ServerReport,
    UsageReport,
    find_span,
)
from bot.caps.reports import Exported
from bot.caps.values import Allowance, Cap, Refusal, Rule
from bot.charts.values import NUMBER_MAX
from bot.credits.values import Usage
from bot.i18n import Catalogue
from bot.jobs.outcomes import Failure
from cogs import _report_render, _usage_render
from cogs._options import RATIO_CHOICES
from cogs._sources import FoundFile
from cogs._studio_reports import report_layout
from cogs.edit import Edit, price_of
from cogs.imagine import Imagine
from cogs.usage import usage_layout
from db.enums import BalancePeriod, JobState
from db.values import CreditGrant
from tests.db.builders import GUILD, NOW, USER, build_job

if TYPE_CHECKING:
    from collections.abc import Iterator

    from discord import ui

CATALOGUE = Catalogue.load()
TODAY = date(2026, 11, 23)
RESETS = datetime(2026, 11, 24, tzinfo=UTC)
RESETS_UNIX = int(RESETS.timestamp())
SEOUL = ZoneInfo("Asia/Seoul")
HOSTILE = "@everyone <@1> **b** ||s|| [x](http://e.vil) \n# h\n> q <t:1:R> \u202e\\"
# Discord's limits of one message. Source: Discord developer docs, Components reference (read 2026-11-23).
TEXT_MAX, COMPONENTS_MAX, ALT_MAX = 4000, 40, 1024


def text(key: str, **params: object) -> str:
    return CATALOGUE.text("en-US", key, **params)


def usage_report(**changes: Any) -> UsageReport:
    plain = UsageReport(
        usage=Usage(today_credits=8, week_credits=20, month_credits=44, held_credits=0),
        allowance=Allowance(),
        daily=Allowance(),
        grants=(),
        recent=(),
        today=TODAY,
        guild_id=GUILD,
    )
    return replace(plain, **changes)


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


def parts_of(view: ui.LayoutView) -> list[dict[str, Any]]:
    """Every component as Discord is told, nested ones too."""
    tops: list[dict[str, Any]] = view.to_components()  # type: ignore[no-untyped-call]

    def walk(components: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for component in components:
            yield component
            yield from walk(component.get("components", []))

    return list(walk(tops))


def assert_fits(view: ui.LayoutView) -> str:
    """Within Discord's limits, and nothing is kept for it. Shape: all of its text."""
    assert view.is_finished()
    every = parts_of(view)
    assert len(every) <= COMPONENTS_MAX
    texts = [one["content"] for one in every if one["type"] == 10]
    assert all(texts)
    assert sum(map(len, texts)) <= TEXT_MAX
    for one in every:
        for item in one.get("items", []):
            assert 0 < len(item["description"]) <= ALT_MAX
        assert len(one.get("options", [])) <= 25
    return "\n".join(texts)


# --- /usage ---


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


# --- /studio report ---


def server_report(
    *days: ReportedDay, period: ReportPeriod = ReportPeriod.DAYS_7, **changes: Any
) -> ServerReport:
    span = find_span(period, TODAY, SEOUL)
    filled = {day: ReportedDay(day=day) for day in span.days} | {day.day: day for day in days}
    plain = ServerReport(
        period=period, span=span, time_zone="Asia/Seoul", days=[filled[day] for day in sorted(filled)]
    )
    return replace(plain, **changes)


BUSY = ReportedDay(day=TODAY, delivered=47, failed=3, refused=6, cancelled=2, open=1, used_credits=376)


@pytest.mark.parametrize(
    ("period", "first", "last"),
    [
        (ReportPeriod.TODAY, date(2026, 11, 23), date(2026, 11, 23)),
        (ReportPeriod.DAYS_7, date(2026, 11, 17), date(2026, 11, 23)),
        (ReportPeriod.DAYS_30, date(2026, 10, 25), date(2026, 11, 23)),
        (ReportPeriod.THIS_MONTH, date(2026, 11, 1), date(2026, 11, 23)),
        (ReportPeriod.LAST_MONTH, date(2026, 10, 1), date(2026, 10, 31)),
    ],
)
def test_a_period_is_whole_days_of_the_server(period: ReportPeriod, first: date, last: date) -> None:
    span = find_span(period, TODAY, SEOUL)
    assert (span.first, span.last) == (first, last)
    assert span.days[0] == first
    assert span.days[-1] == last
    assert span.start.astimezone(SEOUL) == datetime(first.year, first.month, first.day, tzinfo=SEOUL)
    assert span.end.astimezone(SEOUL).date() == last + timedelta(days=1)


def test_a_day_of_a_change_to_winter_time_has_25_hours() -> None:
    span = find_span(ReportPeriod.TODAY, date(2026, 11, 1), ZoneInfo("America/New_York"))
    assert span.end - span.start == timedelta(hours=25)


def test_last_month_of_january_is_december() -> None:
    span = find_span(ReportPeriod.LAST_MONTH, date(2027, 1, 31), UTC)
    assert (span.first, span.last) == (date(2026, 12, 1), date(2026, 12, 31))


def test_a_report_tells_totals_credits_and_how_success_is_counted() -> None:
    report = server_report(BUSY, granted_credits=100, paid_credits=368)
    assert "\n".join(_report_render.summary_texts(text, report)).split("\n") == [
        "**94 %** worked out: 47 of 50",
        "-# Delivered out of delivered and failed. Refused and cancelled ones don't count.",
        "**59** asked for:",
        "✓ 47 delivered · ✕ 3 failed · ⊘ 6 refused · 2 cancelled · 1 on their way",
        "Credits: **376** used, **8** given back, so members paid **368** · **100** granted",
    ]
    assert "2026-11-17 – 2026-11-23 · days in the time zone Asia/Seoul" in _report_render.heading_text(
        text, report
    )


@pytest.mark.parametrize(
    ("delivered", "failed", "percent"),
    [(0, 0, None), (0, 3, 0), (1, 999, 1), (999, 1, 99), (5, 0, 100), (NUMBER_MAX, 1, 99)],
)
def test_success_is_never_made_better_than_it_was(delivered: int, failed: int, percent: int | None) -> None:
    assert (
        _report_render.success_percent(ReportedDay(day=TODAY, delivered=delivered, failed=failed)) == percent
    )


async def test_a_server_without_pictures_gets_a_kind_card() -> None:
    report = server_report(budget=Budget(limit_credits=500, left_credits=500, resets_at=RESETS))
    shown = assert_fits(report_layout(text, report, chart=False))
    assert "Nobody asked for a picture" in shown
    assert "%" not in shown
    assert "**500** of 500 left this month" in shown
    assert not _report_render.has_chart(report)


def test_only_granted_credits_are_no_empty_report() -> None:
    [*_, shown] = _report_render.summary_texts(text, server_report(granted_credits=5))
    assert "**5** granted" in shown
    assert "Nobody" not in shown


def test_who_used_most_is_named_without_a_ping_and_by_rank() -> None:
    report = server_report(BUSY, top_members=[(7, 300), (8, 1)], top_channels=[(9, 376)])
    members, channels = _report_render.detail_texts(text, report)
    assert members.endswith("\n1. <@7> · 300 credits\n2. <@8> · 1 credit")
    assert channels.endswith("\n1. <#9> · 376 credits")
    assert _report_render.detail_texts(text, server_report()) == []


def test_refusals_are_told_in_words_most_first_and_the_rest_together() -> None:
    refusals = {"cap": 2, "words": 9, "something_new": 4}
    [shown] = _report_render.detail_texts(text, server_report(BUSY, refusals=refusals))
    assert shown.split("\n") == [
        "**Why requests were refused**",
        "- 9 × a word this server does not allow",
        "- 2 × too little left of the member's cap",
        "- 4 × something else",
    ]


@pytest.mark.parametrize("rule", [*Rule, Failure.PROMPT, Failure.PARAMETERS, Failure.SAFETY, Failure.CLOSED])
def test_every_reason_of_a_refusal_has_words_of_its_own(rule: str) -> None:
    [shown] = _report_render.detail_texts(text, server_report(BUSY, refusals={str(rule): 1}))
    assert "something else" not in shown
    assert "1 × " in shown


def test_a_report_that_could_not_count_all_says_so() -> None:
    shown = _report_render.summary_texts(text, server_report(replace(BUSY, is_cut=True)))[0]
    assert "their numbers are too low" in shown


async def test_the_fullest_report_fits_into_a_message() -> None:
    most = NUMBER_MAX
    span = find_span(ReportPeriod.LAST_MONTH, TODAY, SEOUL)
    days = [
        ReportedDay(
            day=day, delivered=most, failed=most, refused=most, cancelled=most, open=most,
            used_credits=most, is_cut=True,
        )
        for day in span.days
    ]  # fmt: skip
    ranks = [(most - n, most) for n in range(5)]
    report = server_report(
        *days,
        period=ReportPeriod.LAST_MONTH,
        granted_credits=most,
        paid_credits=most,
        budget=Budget(limit_credits=most, left_credits=most, resets_at=RESETS),
        top_members=ranks,
        top_channels=ranks,
        refusals={str(rule): most for rule in Rule},
    )
    shown = assert_fits(report_layout(text, report, chart=True))
    assert len(re.findall("^- ", shown, re.MULTILINE)) == _report_render.REFUSALS_SHOWN_MAX + 1
    assert_fits(report_layout(text, server_report(), chart=False))


def test_the_report_chart_is_told_in_words() -> None:
    assert _report_render.chart_alt(text, server_report(BUSY)) == (
        "Bars, one a day from 2026-11-17 to 2026-11-23: 47 delivered, 3 failed, 6 refused. "
        "Line: 376 credits used. Busiest day 2026-11-23: 59 asked for."
    )
    assert not _report_render.has_chart(server_report(BUSY, period=ReportPeriod.TODAY))


def test_the_menu_offers_every_period_and_marks_the_one_that_is_shown() -> None:
    for period in ReportPeriod:
        every = parts_of(report_layout(text, server_report(period=period), chart=False))
        [menu] = [one for one in every if one["type"] == 3]
        assert [option["value"] for option in menu["options"]] == list(ReportPeriod)
        assert [option["value"] for option in menu["options"] if option.get("default")] == [period]
        assert len({option["label"] for option in menu["options"]}) == len(ReportPeriod)


# --- /studio export ---


@pytest.mark.parametrize(("kind", "left_out"), [(kind, rows) for kind in ExportKind for rows in (0, 1234)])
def test_an_export_says_what_is_in_it_and_what_is_not(kind: ExportKind, left_out: int) -> None:
    exported = Exported(
        kind=kind, span=find_span(ReportPeriod.DAYS_7, TODAY, UTC), data=b"", rows=5678, left_out=left_out
    )
    shown = _report_render.export_text(text, exported)
    assert "**5\u202f678** rows" in shown
    assert ("Prompts are not in it" in shown) == (kind is ExportKind.LEDGER)
    assert ("**1\u202f234** older rows did not fit" in shown) == bool(left_out)
    assert re.fullmatch(
        r"(ledger|audit-log)-2026-11-17-2026-11-23\.csv", _report_render.export_name(exported)
    )


def test_an_empty_export_is_said_to_be_empty() -> None:
    span = find_span(ReportPeriod.TODAY, TODAY, UTC)
    exported = Exported(kind=ExportKind.LEDGER, span=span, data=b"", rows=0, left_out=0)
    assert "no file" in _report_render.export_text(text, exported)


# --- what a press will cost ---


def test_what_costs_says_so_before_it_is_sent() -> None:
    """The options of /imagine and /edit, where no card can."""
    imagine, edit = Imagine.imagine, Edit.edit
    assert "up to 8 credits" in imagine.description
    assert "up to 8 credits" in edit.description
    told = {one.name: one.description for one in imagine.parameters}
    assert "8 credits" in str(told["aspect_ratio"])
    assert "up to 8 credits" in str(told["width"])
    assert "each at its price" in str(told["images"])
    assert all("credits" in choice.name for choice in RATIO_CHOICES)
    assert max(len(str(one)) for one in [imagine.description, edit.description, *told.values()]) <= 100


@pytest.mark.parametrize(
    ("sizes", "price"),
    [
        ([(1024, 576)], 5),
        ([(1024, 1024)], 8),
        ([(1600, 900), (500, 500)], 8),
        ([(None, None)], 8),
        ([(1600, 900), (None, 10)], 8),
    ],
)
def test_the_window_of_several_files_names_the_most_that_one_may_cost(
    sizes: list[tuple[int | None, int | None]], price: int
) -> None:
    files = [
        FoundFile(attachment=MagicMock(discord.Attachment, width=width, height=height))
        for width, height in sizes
    ]
    assert price_of(files) == price

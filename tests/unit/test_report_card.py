"""The card of /studio report: right in every case, and within Discord's limits."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bot.caps.report_values import Budget, ReportedDay, ReportPeriod, find_span
from bot.caps.values import Rule
from bot.charts.values import NUMBER_MAX
from bot.jobs.outcomes import Failure
from cogs import _report_render
from cogs._studio_reports import report_layout
from tests.unit.usage_parts import RESETS, SEOUL, TODAY, assert_fits, parts_of, server_report, text

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

"""What the tests of the cards about usage share: reports to show, and Discord's limits of one message."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from bot.caps.report_values import ReportedDay, ReportPeriod, ServerReport, UsageReport, find_span
from bot.caps.values import Allowance
from bot.credits.values import Usage
from bot.i18n import Catalogue
from tests.db.builders import GUILD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from discord import ui

CATALOGUE = Catalogue.load()
TODAY = date(2026, 11, 23)
RESETS = datetime(2026, 11, 24, tzinfo=UTC)
SEOUL = ZoneInfo("Asia/Seoul")
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


def server_report(
    *days: ReportedDay, period: ReportPeriod = ReportPeriod.DAYS_7, **changes: Any
) -> ServerReport:
    span = find_span(period, TODAY, SEOUL)
    filled = {day: ReportedDay(day=day) for day in span.days} | {day.day: day for day in days}
    plain = ServerReport(
        period=period, span=span, time_zone="Asia/Seoul", days=[filled[day] for day in sorted(filled)]
    )
    return replace(plain, **changes)


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

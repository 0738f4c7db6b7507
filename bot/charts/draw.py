"""The two charts, as PNG bytes.

Owns what is shown where; `panel` owns how it looks. Only the worker process imports this module, because
the plotting library behind it costs about 60 MB. Words stay out of the pictures: numbers, dates and signs
need no font for the reader's script, and the words stand in the message around them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.charts.panel import (
    CREDITS,
    DONE,
    ENDED,
    FAILED,
    LIMIT,
    TODAY,
    Bar,
    Chip,
    Segment,
    add_axes,
    build_panel,
    draw_bar,
    draw_chips,
    draw_limit,
    draw_line,
    encode,
    label_days,
    label_values,
)
from bot.charts.values import (
    build_report_window,
    build_usage_window,
    decide_labels,
    decide_scale,
    render_number,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from bot.charts.values import ReportDay, UsageDays

USAGE_HEIGHT_PX = 300
REPORT_HEIGHT_PX = 400
# Below the lowest axes stand the days; above the highest, a number over a bar and the row of totals.
DAYS_PX = 54
BARS_PX = 162
REPORT_BARS_PX, REPORT_GAP_PX, REPORT_LINE_PX = 150, 52, 72


def draw_usage_chart(days: UsageDays, *, limit_credits: int | None, today: date) -> bytes:
    """Thirty bars of credits, the last one today's, under the daily limit's line if there is one.

    Shape: PNG, RGBA, 800x300, transparent outside the rounded panel.
    Raises: ValueError as `build_usage_window` does.
    """
    window = build_usage_window(days, today=today)
    values = [amount_credits for _, amount_credits in window]
    scale = decide_scale(values, limit=limit_credits)
    figure = build_panel(USAGE_HEIGHT_PX)
    axes = add_axes(figure, bottom_px=DAYS_PX, height_px=BARS_PX, columns=len(values), top=scale.top)
    last = len(values) - 1
    label_days(axes, [day for day, _ in window], accent=TODAY)
    label_values(axes, is_empty=not any(values))
    labels = decide_labels(values, top=scale.top)
    for at, value in enumerate(values):
        colour = TODAY if at == last else DONE
        label = render_number(value) if at in labels else None
        draw_bar(axes, Bar(at=at, segments=(Segment(size=value, colour=colour),), label=label))
    if scale.limit_at is not None and limit_credits is not None:
        draw_limit(axes, scale.limit_at, is_above=scale.limit_is_above)
        sign = "▲ " if scale.limit_is_above else ""
        draw_chips(figure, [Chip(colour=LIMIT, mark="dashes", text=sign + render_number(limit_credits))])
    return encode(figure)


def draw_report_chart(days: Sequence[ReportDay]) -> bytes:
    """Stacked jobs a day by how they ended, and the credits used as a line above them.

    Shape: PNG, RGBA, 800x400, transparent outside the rounded panel. The totals above are the legend:
    delivered (plain), failed (light), refused (striped), credits (line), in this order.
    Raises: ValueError as `build_report_window` does.
    """
    window = build_report_window(days)
    jobs, spent = [day.jobs for day in window], [day.credits for day in window]
    scale, credit_scale = decide_scale(jobs), decide_scale(spent)
    figure = build_panel(REPORT_HEIGHT_PX)
    axes = add_axes(figure, bottom_px=DAYS_PX, height_px=REPORT_BARS_PX, columns=len(window), top=scale.top)
    label_days(axes, [day.day for day in window], accent=None)
    label_values(axes, parts=2, is_empty=not any(jobs))
    labels = decide_labels(jobs, top=scale.top)
    for at, day in enumerate(window):
        segments = (
            Segment(size=day.delivered, colour=DONE),
            Segment(size=day.failed, colour=FAILED),
            Segment(size=day.refused, colour=ENDED, is_striped=True),
        )
        label = render_number(day.jobs) if at in labels and day.jobs > scale.top else None
        draw_bar(axes, Bar(at=at, segments=segments, label=label))
    above_px = DAYS_PX + REPORT_BARS_PX + REPORT_GAP_PX
    line = add_axes(
        figure, bottom_px=above_px, height_px=REPORT_LINE_PX, columns=len(window), top=credit_scale.top
    )
    label_values(line, colour=CREDITS, parts=1, is_empty=not any(spent))
    draw_line(line, spent, colour=CREDITS)
    draw_chips(
        figure,
        [
            Chip(colour=DONE, mark="box", text="✓ " + render_number(sum(d.delivered for d in window))),
            Chip(colour=FAILED, mark="box", text="✕ " + render_number(sum(d.failed for d in window))),
            Chip(colour=ENDED, mark="stripes", text="⊘ " + render_number(sum(d.refused for d in window))),
            Chip(colour=CREDITS, mark="line", text=render_number(sum(spent))),
        ],
    )
    return encode(figure)

"""The charts, judged by their pixels: what is taller, what is accented, where the limit lies."""

from __future__ import annotations

import io
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bot.charts import ReportDay, describe_usage
from bot.charts.draw import draw_report_chart, draw_usage_chart
from bot.charts.panel import BASELINE, CREDITS, DONE, ENDED, FAILED, LIMIT, PANEL, TODAY
from bot.charts.values import (
    REPORT_DAYS_MAX,
    USAGE_DAYS,
    build_report_window,
    decide_labels,
    decide_scale,
    render_day,
    render_number,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

TODAY_DATE = date(2026, 11, 23)
KIB = 1024
Pixel = tuple[int, int, int, int]


def usage(*amounts: int) -> list[tuple[date, int]]:
    """Amounts of days in a row, the last one today's."""
    return [(TODAY_DATE - timedelta(days=n), amount) for n, amount in enumerate(reversed(amounts))]


def report(days: Sequence[tuple[int, int, int, int]]) -> list[ReportDay]:
    first = TODAY_DATE - timedelta(days=len(days) - 1)
    return [
        ReportDay(day=first + timedelta(days=n), delivered=d, failed=f, refused=r, credits=c)
        for n, (d, f, r, c) in enumerate(days)
    ]


def draw(*amounts: int, limit: int | None = None) -> Image.Image:
    return decode(draw_usage_chart(usage(*amounts), limit_credits=limit, today=TODAY_DATE))


def decode(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    assert image.format == "PNG"
    assert len(data) < 40 * KIB
    return image.convert("RGBA")


def colour(code: str) -> Pixel:
    return (int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16), 255)


def places(image: Image.Image, code: str) -> list[tuple[int, int]]:
    """Where exactly this colour stands, as (x, y)."""
    wanted, width = colour(code), image.width
    data = image.tobytes()
    found = (n for n in range(0, len(data), 4) if tuple(data[n : n + 4]) == wanted)
    return [((n // 4) % width, n // 4 // width) for n in found]


def columns(image: Image.Image, code: str, *, below_y: int = 70) -> dict[int, int]:
    """Column -> how many pixels of this colour stand in it, under the row of totals."""
    counted: dict[int, int] = {}
    for x, y in places(image, code):
        if y >= below_y:
            counted[x] = counted.get(x, 0) + 1
    return counted


def bars(image: Image.Image, code: str) -> list[int]:
    """The heights of the bars of one colour, from left to right."""
    heights: list[int] = []
    previous = -2
    for x, height in sorted(columns(image, code).items()):
        if x == previous + 1:
            heights[-1] = max(heights[-1], height)
        else:
            heights.append(height)
        previous = x
    return heights


def test_the_usage_chart_is_a_small_panel_with_transparent_corners() -> None:
    image = draw(3, 0, 5, limit=10)
    assert image.size == (800, 300)
    assert {image.getchannel("A").getpixel(at) for at in [(0, 0), (799, 0), (0, 299), (799, 299)]} == {0}
    assert image.getpixel((400, 20)) == colour(PANEL)


def test_the_bar_of_a_larger_day_is_taller_in_proportion() -> None:
    heights = bars(draw(20, 0, 40, 0, 10, 0), DONE)
    assert len(heights) == 3
    assert heights[1] == pytest.approx(2 * heights[0], abs=3)
    assert heights[1] == pytest.approx(4 * heights[2], abs=5)


def test_only_the_bar_of_today_is_accented() -> None:
    image = draw(10, 10, 10)
    assert len(bars(image, DONE)) in {1, 2}
    accented = [x for x, count in columns(image, TODAY).items() if count > 50]
    assert min(accented) > max(columns(image, DONE))
    assert not columns(draw(10, 10, 0), TODAY) or max(columns(draw(10, 10, 0), TODAY).values()) < 25


def test_the_limit_is_a_dashed_line_at_its_height() -> None:
    image = draw(10, 0, 0, 20, 0, limit=40)
    rows = [y for _, y in places(image, LIMIT) if y > 60]
    line = max(set(rows), key=rows.count)
    dashes = sum(y == line for y in rows)
    assert 300 < dashes < 600
    top_of_twenty = min(y for x, y in places(image, DONE))
    baseline = max(y for x, y in places(image, DONE))
    assert baseline - line == pytest.approx(2 * (baseline - top_of_twenty), abs=4)


def test_without_a_limit_there_is_no_line() -> None:
    assert places(draw(10, 20), LIMIT) == []


@pytest.mark.parametrize("amounts", [(20, 0, 76), (1, 2, 1, 2, 1, 9000), (0, 0, 3)])
@pytest.mark.parametrize("limit", [1, 15, 9_999])
def test_the_number_of_the_limit_stands_clear_of_todays_number(amounts: tuple[int, ...], limit: int) -> None:
    """Both stand at the right edge when today is the best day, which is when a member looks."""
    image = draw(*amounts, limit=limit)
    number = min(y for _, y in places(image, TODAY))
    lower_edge = max(y for x, y in places(image, LIMIT) if x > 600 and y < 60)
    assert number - lower_edge >= 8


def test_an_empty_history_is_a_calm_baseline() -> None:
    for image in (draw(), decode(draw_usage_chart([], limit_credits=None, today=TODAY_DATE))):
        assert not columns(image, DONE)
        assert len({x for x, _ in places(image, BASELINE)}) > 600
    assert places(draw(limit=30), LIMIT)


def test_one_enormous_day_leaves_the_others_their_heights() -> None:
    heights = bars(draw(10, 0, 100_000, 0, 5, 0), DONE)
    assert heights[0] > 70
    assert heights[0] == pytest.approx(2 * heights[2], abs=3)
    assert heights[1] > heights[0]


def test_a_single_credit_beside_many_is_still_seen() -> None:
    heights = bars(draw(1, 0, 4000, 0, 3900, 0, 3800, 0), DONE)
    assert len(heights) == 4
    assert 3 <= heights[0] < 10


def test_days_outside_the_window_do_not_count() -> None:
    old = (TODAY_DATE - timedelta(days=USAGE_DAYS), 500)
    future = (TODAY_DATE + timedelta(days=1), 500)
    days = usage(3, 4)
    plain = draw_usage_chart(days, limit_credits=None, today=TODAY_DATE)
    assert draw_usage_chart([old, future, *days], limit_credits=None, today=TODAY_DATE) == plain
    facts = describe_usage([old, future, *days], today=TODAY_DATE)
    assert (facts.total_credits, facts.days_used) == (7, 2)


def test_the_same_input_gives_the_same_bytes() -> None:
    days = report([(4, 1, 2, 30), (9, 0, 0, 60)])
    assert draw_report_chart(days) == draw_report_chart(list(reversed(days)))
    first = draw_usage_chart(usage(1, 2, 3), limit_credits=4, today=TODAY_DATE)
    assert first == draw_usage_chart(usage(1, 2, 3), limit_credits=4, today=TODAY_DATE)
    assert b"atplotlib" not in first


def test_a_negative_amount_is_refused() -> None:
    with pytest.raises(ValueError, match="-1"):
        draw_usage_chart(usage(1, -1), limit_credits=None, today=TODAY_DATE)
    with pytest.raises(ValueError, match="-1"):
        draw_report_chart(report([(1, -1, 0, 0)]))


def test_the_report_stacks_what_became_of_the_jobs() -> None:
    image = decode(draw_report_chart(report([(40, 0, 0, 100), (20, 10, 10, 50), (0, 0, 0, 0)])))
    assert image.size == (800, 400)
    delivered, failed = bars(image, DONE), bars(image, FAILED)
    assert delivered[0] == pytest.approx(2 * delivered[1], abs=4)
    assert failed[0] == pytest.approx(delivered[1] / 2, abs=4)
    lowest = {code: max(y for _, y in places(image, code)) for code in (DONE, FAILED, ENDED)}
    assert lowest[DONE] > lowest[FAILED] > lowest[ENDED] > 70


def test_refused_jobs_are_striped_and_not_only_of_another_colour() -> None:
    image = decode(draw_report_chart(report([(0, 0, 10, 0)])))
    grey = [at for at in places(image, ENDED) if at[1] > 150]
    left, right = min(x for x, _ in grey), max(x for x, _ in grey)
    middle = (min(y for _, y in grey) + max(y for _, y in grey)) // 2
    row = [image.getpixel((x, middle)) for x in range(left, right)]
    assert colour(ENDED) in row
    assert row.count(colour(PANEL)) > 3


def test_the_credits_line_rises_with_the_credits() -> None:
    image = decode(draw_report_chart(report([(1, 0, 0, 10 * n) for n in range(1, 8)])))
    line = [(x, y) for x, y in places(image, CREDITS) if y > 60 and x > 100]
    assert min(line)[1] > max(line)[1]


@pytest.mark.parametrize("days", [[], [(0, 0, 0, 0)] * 30, [(1, 1, 1, 1)], [(9, 9, 9, 9)] * REPORT_DAYS_MAX])
def test_a_report_of_any_length_is_drawn(days: list[tuple[int, int, int, int]]) -> None:
    assert decode(draw_report_chart(report(days))).size == (800, 400)


def test_a_report_fills_in_empty_days_and_is_bounded() -> None:
    first, last = report([(1, 0, 0, 1), (0, 0, 0, 0), (2, 0, 0, 2)])[::2]
    assert [day.jobs for day in build_report_window([last, first])] == [1, 0, 2]
    for wrong in (report([(0, 0, 0, 0)] * (REPORT_DAYS_MAX + 1)), [first, first]):
        with pytest.raises(ValueError, match=r"\d"):
            build_report_window(wrong)


def test_the_alternative_text_gets_its_numbers() -> None:
    facts = describe_usage(usage(0, 12, 0, 12, 3), today=TODAY_DATE)
    assert (facts.total_credits, facts.days_used, facts.today_credits) == (27, 3, 3)
    assert (facts.best_day, facts.best_credits) == (TODAY_DATE - timedelta(days=1), 12)
    assert (facts.first_day, facts.last_day) == (date(2026, 10, 25), TODAY_DATE)


def test_an_empty_history_has_no_best_day() -> None:
    facts = describe_usage([], today=TODAY_DATE)
    assert (facts.best_day, facts.best_credits, facts.days_used) == (None, 0, 0)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (999, "999"),
        (9_999, "9\u2009999"),
        (10_000, "10k"),
        (12_345, "12.3k"),
        (99_990, "100k"),
        (999_499, "999k"),
        (999_900, "1M"),
        (2_500_000, "2.5M"),
        (7 * 10**9, "7G"),
        (7 * 10**15, "7000T"),
    ],
)
def test_a_number_reads_in_any_language(value: int, text: str) -> None:
    assert render_number(value) == text


def test_a_day_reads_month_first() -> None:
    assert render_day(date(2026, 1, 5)) == "01-05"


def test_a_limit_far_above_is_marked_instead_of_pressing_the_bars_flat() -> None:
    assert decide_scale([2, 3], limit=5000).limit_is_above
    near = decide_scale([20, 30], limit=60)
    assert near.limit_at == 60
    assert near.top > 60
    assert max(bars(draw(2, 0, 3, 0, limit=5000), DONE)) > 80
    assert places(draw(2, 3, limit=5000), LIMIT)


def test_two_giants_are_broken_and_three_are_the_scale() -> None:
    assert decide_scale([1, 2, 3, 4, 900, 1000]).top < 10
    assert decide_scale([1, 2, 3, 4, 5, 6, 900, 950, 1000]).top == 1000


def test_a_day_is_no_giant_beside_a_single_other_one() -> None:
    assert decide_scale([1, 900]).top == 900
    assert decide_scale([1, 2, 3, 900, 1000]).top == 1000
    assert decide_scale([1, 2, 900]).top < 10


def test_numbers_over_bars_never_touch() -> None:
    assert decide_labels([1, 2, 9, 3], top=9) == {3}
    assert decide_labels([9, 0, 0, 0, 3], top=9) == {0, 4}
    assert decide_labels([0, 0], top=4) == frozenset()
    assert decide_labels([], top=4) == frozenset()


@settings(max_examples=8, deadline=None)
@given(
    amounts=st.lists(st.integers(0, 2**63 - 1), max_size=USAGE_DAYS),
    limit=st.none() | st.integers(0, 2**63 - 1),
)
def test_any_history_is_drawn(amounts: list[int], limit: int | None) -> None:
    assert draw(*amounts, limit=limit).size == (800, 300)

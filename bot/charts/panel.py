"""How a chart looks: the panel, its colours, bars with rounded heads, labels and the row above.

Owns every colour and measure. The only module that imports the plotting library (matplotlib with the Agg
canvas): no pyplot and no global state, so the same input gives the same bytes.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch, PathPatch, Polygon
from matplotlib.path import Path
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, MaxNLocator

from bot.charts.values import render_day, render_number

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from matplotlib.axes import Axes

PANEL = "#241B30"
PANEL_EDGE = "#3A2D4B"
GRID = "#3D3150"
BASELINE = "#5B4C72"
LABEL = "#C9BFD8"
BRIGHT = "#FBF3FF"
# The accents of the message cards, so that picture and card belong together.
TODAY = "#F5A3C7"
FAILED = "#F5A3C7"
DONE = "#8B7CF6"
ENDED = "#9AA0AA"
LIMIT = "#FFD479"
CREDITS = "#FFE9B8"

WIDTH_PX = 800
LEFT_PX, RIGHT_PX = 88, 40
COLUMNS_MIN = 7
DPI = 100
# 22 px: still legible where a phone shrinks the picture to half.
TEXT_PT = 16
BAR_WIDTH = 0.66
BAR_PX_MAX, BAR_PX_MIN, HEAD_PX = 56, 6, 7
CHIP_MARK_PX, CHIP_GAP_PX = 30, 34
# With more points than this their marks would touch.
MARKS_MAX = 31
BARS_ABOVE, LINES_ABOVE, TEXT_ABOVE = 4, 6, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    size: int
    colour: str
    is_striped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """Shape: segments from the baseline upwards; `label` stands over the head."""

    at: int
    segments: tuple[Segment, ...]
    label: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """One entry of the row above: a mark in its colour and a number."""

    colour: str
    mark: Literal["box", "stripes", "dashes", "line"]
    text: str


def build_panel(height_px: int) -> Figure:
    """The rounded panel; its first axes are in pixels, for what does not belong to a chart's own axes."""
    figure = Figure(figsize=(WIDTH_PX / DPI, height_px / DPI), dpi=DPI, facecolor="none")
    FigureCanvasAgg(figure)
    backdrop = figure.add_axes((0, 0, 1, 1))
    backdrop.set_axis_off()
    backdrop.set_xlim(0, WIDTH_PX)
    backdrop.set_ylim(0, height_px)
    round_box = "round,pad=0,rounding_size=26"
    backdrop.add_patch(
        FancyBboxPatch(
            (2, 2), WIDTH_PX - 4, height_px - 4, boxstyle=round_box, fc=PANEL, ec=PANEL_EDGE, lw=1.5
        )
    )
    return figure


def add_axes(figure: Figure, *, bottom_px: int, height_px: int, columns: int, top: float) -> Axes:
    """A chart's axes, one unit a column; fewer columns than `COLUMNS_MIN` stand in the middle."""
    whole = figure.axes[0].get_ylim()[1]
    width = (WIDTH_PX - LEFT_PX - RIGHT_PX) / WIDTH_PX
    axes = figure.add_axes(
        (LEFT_PX / WIDTH_PX, bottom_px / whole, width, height_px / whole), facecolor="none"
    )
    margin = max(COLUMNS_MIN - columns, 0) / 2 + 0.2
    axes.set_xlim(-0.5 - margin, columns - 0.5 + margin)
    axes.set_ylim(0, top)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_axisbelow(True)
    axes.grid(axis="y", color=GRID, linewidth=1.2)
    axes.axhline(0, color=BASELINE, linewidth=3, clip_on=False, zorder=BARS_ABOVE - 1)
    axes.set_xticks([])
    return axes


def label_values(axes: Axes, *, colour: str | None = None, parts: int = 3, is_empty: bool) -> None:
    """A few whole numbers on the value axis; a single 0 where there is nothing."""
    axes.tick_params(axis="y", length=0, labelsize=TEXT_PT, labelcolor=colour or LABEL, pad=8)
    top = axes.get_ylim()[1]
    axes.yaxis.set_major_locator(MaxNLocator(nbins=parts, integer=True, min_n_ticks=2))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: render_number(round(value))))
    if is_empty:
        axes.set_yticks([0])
    axes.set_ylim(0, top)


def label_days(axes: Axes, days: Sequence[date], *, accent: str | None) -> None:
    """A label each week, counted back from the last day, which is the one readers look for."""
    axes.tick_params(axis="x", length=0, labelsize=TEXT_PT, labelcolor=LABEL, pad=8)
    # At most five or six labels fit side by side.
    step = 7 * -(-len(days) // 35) if len(days) > 14 else -(-len(days) // 5) or 1
    ticks = list(range(len(days) - 1, -1, -step))
    axes.set_xticks(ticks, [render_day(days[at]) for at in ticks])
    if accent is not None:
        today = axes.get_xticklabels()[0]
        today.set_color(accent)
        today.set_fontweight("bold")


def draw_bar(axes: Axes, bar: Bar) -> None:
    """A stacked bar: a small one keeps a visible stub, one past the axis is broken, an empty one is a dot."""
    px_x, px_y = _measure(axes)
    top, bottom = axes.get_ylim()[1], 0.0
    total = sum(segment.size for segment in bar.segments)
    if total == 0:
        axes.plot(bar.at, 5 * px_y, "o", color=BASELINE, markersize=3, clip_on=False)
        return
    half = min(BAR_WIDTH / 2, BAR_PX_MAX / 2 * px_x)
    shown = [segment for segment in bar.segments if segment.size > 0]
    stretch = min(top / total, 1.0)
    for segment in shown:
        end = bottom + max(segment.size * stretch, BAR_PX_MIN * px_y)
        is_head = segment is shown[-1]
        path = _build_bar_path(
            bar.at - half, bar.at + half, bottom, end, head=(px_x, px_y) if is_head else None
        )
        patch = PathPatch(path, fc=segment.colour, ec=PANEL, lw=0, zorder=BARS_ABOVE, clip_on=False)
        if segment.is_striped:
            patch.set_hatch("////")
            patch.set_hatch_linewidth(2)
        axes.add_patch(patch)
        bottom = end
        if not is_head:
            # A gap, so that neighbours differ by more than their colour.
            axes.hlines(end, bar.at - half, bar.at + half, color=PANEL, lw=2, zorder=BARS_ABOVE + 1)
    if total > top:
        _draw_break(axes, bar.at, half + 2 * px_x)
    if bar.label is not None:
        plain = len(bar.segments) > 1 or bar.segments[0].colour == DONE
        _draw_number(axes, bar.at, bottom, bar.label, colour=BRIGHT if plain else bar.segments[0].colour)


def draw_line(axes: Axes, values: Sequence[int], *, colour: str) -> None:
    """A line over a faint area; a value past the axis is held at its top and marked by a triangle."""
    if not any(values):
        return
    top = axes.get_ylim()[1]
    heights = [min(value, top) for value in values]
    columns = range(len(values))
    axes.fill_between(columns, heights, color=colour, alpha=0.16, lw=0, zorder=BARS_ABOVE)
    mark = "o" if len(values) <= MARKS_MAX else None
    axes.plot(heights, color=colour, lw=2.6, marker=mark, markersize=5, clip_on=False, zorder=LINES_ABOVE)
    for at in columns:
        if values[at] > top:
            axes.plot(at, top, "^", color=colour, markersize=13, clip_on=False, zorder=LINES_ABOVE)


def draw_limit(axes: Axes, at: float, *, is_above: bool) -> None:
    """A dashed line; where the limit is far above, the line ends in a triangle and no number stands near it."""
    axes.axhline(at, color=LIMIT, lw=2.4, dashes=(5, 3), zorder=LINES_ABOVE, clip_on=False)
    if is_above:
        axes.set_yticks([tick for tick in axes.get_yticks() if tick <= 0.85 * at])
        axes.plot(axes.get_xlim()[1], at, "^", color=LIMIT, markersize=11, clip_on=False, zorder=LINES_ABOVE)


def draw_chips(figure: Figure, chips: Sequence[Chip]) -> None:
    """The row above the chart, set from the right: each mark with its number."""
    backdrop = figure.axes[0]
    right, middle = float(WIDTH_PX - 34), backdrop.get_ylim()[1] - 34
    for chip in reversed(chips):
        text = backdrop.text(
            right, middle, chip.text, ha="right", va="center_baseline", color=chip.colour, fontsize=TEXT_PT,
            fontweight="bold",
        )  # fmt: skip
        left = text.get_window_extent().x0 - 10 - CHIP_MARK_PX
        _draw_mark(backdrop, chip, left, middle)
        right = left - CHIP_GAP_PX


def encode(figure: Figure) -> bytes:
    """The picture's bytes, without the library's name and version, so that they depend on the picture alone."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, facecolor="none", metadata={"Software": None})
    return buffer.getvalue()


def _measure(axes: Axes) -> tuple[float, float]:
    """How much of each axis one pixel is."""
    box = axes.get_window_extent()
    (left, right), top = axes.get_xlim(), axes.get_ylim()[1]
    return (right - left) / box.width, top / box.height


def _build_bar_path(
    left: float, right: float, bottom: float, end: float, *, head: tuple[float, float] | None
) -> Path:
    if head is None:
        corners = [(left, bottom), (left, end), (right, end), (right, bottom), (left, bottom)]
        return Path(corners, [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY])
    px_x, px_y = head
    radius_px = min((right - left) / 2 / px_x, (end - bottom) / px_y, HEAD_PX)
    dx, dy = radius_px * px_x, radius_px * px_y
    return Path(
        [(left, bottom), (left, end - dy), (left, end), (left + dx, end), (right - dx, end), (right, end),
         (right, end - dy), (right, bottom), (left, bottom)],
        [Path.MOVETO, Path.LINETO, Path.CURVE3, Path.CURVE3, Path.LINETO, Path.CURVE3,
         Path.CURVE3, Path.LINETO, Path.CLOSEPOLY],
    )  # fmt: skip


def _draw_break(axes: Axes, at: float, half: float) -> None:
    _, px_y = _measure(axes)
    top = axes.get_ylim()[1]
    for middle in (top - 26 * px_y, top - 38 * px_y):
        slant, thick = 4 * px_y, 2.5 * px_y
        corners = [
            (at - half, middle - slant - thick),
            (at - half, middle - slant + thick),
            (at + half, middle + slant + thick),
            (at + half, middle + slant - thick),
        ]
        axes.add_patch(Polygon(corners, fc=PANEL, lw=0, zorder=BARS_ABOVE + 1))


def _draw_number(axes: Axes, at: float, height: float, text: str, *, colour: str) -> None:
    # The outline keeps the number legible where a line passes behind it.
    axes.annotate(
        text, (at, height), xytext=(0, 4), annotation_clip=False, textcoords="offset points", ha="center", va="bottom",
        color=colour, fontsize=TEXT_PT, fontweight="bold", zorder=TEXT_ABOVE,
        path_effects=[withStroke(linewidth=5, foreground=PANEL)],
    )  # fmt: skip


def _draw_mark(backdrop: Axes, chip: Chip, left: float, middle: float) -> None:
    right = left + CHIP_MARK_PX
    if chip.mark in {"box", "stripes"}:
        box = FancyBboxPatch(
            (right - 20, middle - 10),
            20,
            20,
            boxstyle="round,pad=0,rounding_size=5",
            fc=chip.colour,
            ec=PANEL,
            lw=0,
        )
        if chip.mark == "stripes":
            box.set_hatch("////")
            box.set_hatch_linewidth(2)
        backdrop.add_patch(box)
        return
    line = Line2D([left, (left + right) / 2, right], [middle] * 3, color=chip.colour, lw=2.6)
    if chip.mark == "dashes":
        line.set_dashes((4, 2.2))
    else:
        line.set(marker="o", markersize=8, markevery=slice(1, 2))
    backdrop.add_line(line)

"""The windows of the settings panel, stateless: what each is about stands in its custom_id.

Finished before it is sent, as every window of ours, and answered through `bot.client.on_modal`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import discord
from discord import ui

from cogs._panel import build_id, option
from cogs._panel_input import (
    NAME_MAX,
    PERIOD,
    PERIODS,
    TYPED,
    UNIT,
    UNIT_LENGTHS,
    UNLIMITED,
    WORDS_TYPED_MAX,
)
from cogs._render import number
from db.enums import BalancePeriod

if TYPE_CHECKING:
    from bot.caps.values import Cap
    from cogs._render import Text

TITLE_MAX = 45
LABEL_MAX = 45
HINT_MAX = 100
PERIOD_LABELS = {
    BalancePeriod.DAY: "panelwindow.day",
    BalancePeriod.WEEK: "panelwindow.week",
    BalancePeriod.MONTH: "panelwindow.month",
}
UNIT_LABELS = {
    "second": "panelwindow.seconds",
    "minute": "panelwindow.minutes",
    "hour": "panelwindow.hours",
    "day": "panelwindow.days",
}


def _window(title: str, custom_id: str, *fields: ui.Label[Any]) -> ui.Modal:
    modal = ui.Modal(title=title[:TITLE_MAX], custom_id=custom_id, timeout=60)
    for one in fields:
        modal.add_item(one)
    modal.stop()
    return modal


def _typed(
    label: str,
    hint: str | None,
    value: str,
    *,
    length_max: int,
    required: bool = False,
    long: bool = False,
    placeholder: str | None = None,
) -> ui.Label[Any]:
    field: ui.TextInput[Any] = ui.TextInput(
        custom_id=TYPED,
        style=discord.TextStyle.paragraph if long else discord.TextStyle.short,
        default=value or None,
        placeholder=placeholder,
        required=required,
        max_length=length_max,
    )
    return ui.Label(text=label[:LABEL_MAX], description=hint[:HINT_MAX] if hint else None, component=field)


def _choice(label: str, name: str, options: list[Any]) -> ui.Label[Any]:
    select: ui.Select[Any] = ui.Select(custom_id=name, options=options)
    return ui.Label(text=label[:LABEL_MAX], component=select)


def cap_window(text: Text, title: str, hint: str, cap: Cap | None, *target: object) -> ui.Modal:
    """Credits and their period; `target` is the action and whom it is about."""
    shown = "" if cap is None else UNLIMITED if cap.credits is None else str(cap.credits)
    chosen = cap.period if cap is not None else BalancePeriod.DAY
    periods = [option(text(PERIOD_LABELS[one]), one.value, chosen=one is chosen) for one in PERIODS]
    return _window(
        title,
        build_id(*map(str, target)),
        _typed(
            text("panelwindow.credits"),
            hint,
            shown,
            length_max=20,
            placeholder=text("panelwindow.credits_example"),
        ),
        _choice(text("panelwindow.period"), PERIOD, periods),
    )


def budget_window(text: Text, budget_credits: int | None) -> ui.Modal:
    return _window(
        text("panelname.server_budget"),
        build_id("budget"),
        _typed(
            text("panelwindow.budget"),
            text("panelwindow.budget_hint"),
            "" if budget_credits is None else str(budget_credits),
            length_max=20,
            placeholder=text("panelwindow.credits_example"),
        ),
    )


def number_window(text: Text, title: str, action: str, value: int, *, least: int, most: int) -> ui.Modal:
    label = text("panelwindow.number", least=least, most=number(most))
    return _window(title, build_id(action), _typed(label, None, str(value), length_max=20, required=True))


def length_window(
    text: Text, title: str, hint: str, action: str, length_s: int, units: tuple[str, ...]
) -> ui.Modal:
    """So many seconds, minutes, hours or days; `units` are those that make sense."""
    # The largest unit that shows the present length as a whole number.
    fitting = [unit for unit in units if length_s % UNIT_LENGTHS[unit] == 0] if length_s else [units[1]]
    chosen = max(fitting, key=lambda unit: UNIT_LENGTHS[unit], default=units[0])
    value = str(length_s // UNIT_LENGTHS[chosen]) if length_s else ""
    options = [option(text(UNIT_LABELS[unit]), unit, chosen=unit == chosen) for unit in units]
    return _window(
        title,
        build_id(action),
        _typed(text("panelwindow.length"), hint, value, length_max=20, placeholder="0"),
        _choice(text("panelwindow.unit"), UNIT, options),
    )


def name_window(text: Text, title: str, value: str, *target: object) -> ui.Modal:
    return _window(
        title,
        build_id(*map(str, target)),
        _typed(
            text("panelwords.name_label"),
            text("panelwords.name_hint"),
            value,
            length_max=NAME_MAX,
            required=True,
        ),
    )


def words_window(text: Text, title: str, words: tuple[str, ...], *target: object) -> ui.Modal:
    return _window(
        title,
        build_id(*map(str, target)),
        _typed(
            text("panelwords.words_label"),
            text("panelwords.words_hint"),
            "\n".join(words),
            length_max=WORDS_TYPED_MAX,
            required=True,
            long=True,
        ),
    )


def zone_window(text: Text, zone: str) -> ui.Modal:
    return _window(
        text("panelname.time_zone"),
        build_id("zone"),
        _typed(
            text("panelwindow.zone"),
            text("panelwindow.zone_hint"),
            zone,
            length_max=64,
            required=True,
        ),
    )

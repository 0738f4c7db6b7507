"""Cards and windows of moderators: their parts, and the reading of what was typed into them (pure).

All of them are stateless: what a button or a window is about stands in its custom_id, and a view is finished
before it is sent, so that it works after a restart and nothing is kept in memory for it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeAlias

import discord
from discord import ui

from bot.caps.acts import REASON_LENGTH_MAX
from bot.caps.values import CREDITS_MAX
from bot.errors import AppError
from cogs._render import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cogs._render import Text

Item: TypeAlias = ui.Item[Any]
Values: TypeAlias = dict[str, list[str]]

ACCENT = 0x8B7CF6
LABEL_MAX, TITLE_MAX = 80, 45
DAYS_MAX = 3_650
# What the database keeps of an id.
ID_MAX = 2**63 - 1
AMOUNT_FIELD, REASON_FIELD, DAYS_FIELD = "typed", "reason", "days"
# Longer numbers are refused unread.
_DIGITS_MAX = 12
# Thousands apart by one sign throughout; "1.5" is no whole number, and must not be read as fifteen.
_GROUPED = re.compile(r"[0-9]{1,3}([ ,._'\u00a0\u202f])[0-9]{3}(?:\1[0-9]{3})*")


def button(
    label: str,
    custom_id: str,
    *,
    style: discord.ButtonStyle = discord.ButtonStyle.secondary,
    disabled: bool = False,
) -> ui.Button[Any]:
    return ui.Button(label=label[:LABEL_MAX], custom_id=custom_id, style=style, disabled=disabled)


def row(*buttons: ui.Button[Any]) -> Item:
    line: ui.ActionRow[Any] = ui.ActionRow()
    for one in buttons:
        line.add_item(one)
    return line


def card(*items: Item, accent: int = ACCENT) -> ui.LayoutView:
    container: ui.Container[Any] = ui.Container(accent_colour=accent)
    for item in items:
        container.add_item(item)
    view = ui.LayoutView(timeout=None)
    view.add_item(container)
    view.stop()
    return view


def window(title: str, custom_id: str, *items: Item) -> ui.Modal:
    modal = ui.Modal(title=title[:TITLE_MAX], custom_id=custom_id, timeout=60)
    for item in items:
        modal.add_item(item)
    modal.stop()
    return modal


def field(
    name: str,
    label: str,
    *,
    hint: str | None = None,
    value: str | None = None,
    required: bool = True,
    length_max: int = 20,
) -> Item:
    typed: ui.TextInput[Any] = ui.TextInput(
        custom_id=name, required=required, default=value or None, min_length=0, max_length=length_max
    )
    return ui.Label(text=label, description=hint, component=typed)


def reason_field(text: Text, *, required: bool = False, value: str | None = None) -> Item:
    return field(
        REASON_FIELD,
        text("window.reason"),
        hint=text("window.reason_hint"),
        value=value,
        required=required,
        length_max=REASON_LENGTH_MAX,
    )


def choice(name: str, label: str, options: Sequence[tuple[str, str]], chosen: str) -> Item:
    """A select; `options` are (value, words)."""
    select: ui.Select[Any] = ui.Select(
        custom_id=name,
        options=[
            discord.SelectOption(label=words, value=value, default=value == chosen)
            for value, words in options
        ],
    )
    return ui.Label(text=label, component=select)


def read_first(values: Values, name: str) -> str:
    return (values.get(name) or [""])[0].strip()


def read_reason(values: Values) -> str | None:
    return read_first(values, REASON_FIELD) or None


def parse_amount(typed: str, least: int = 1) -> int:
    """A whole number of credits, thousands apart or not. **Raises** AppError."""
    amount = _parse_number(typed)
    if amount is None or not least <= amount <= CREDITS_MAX:
        raise AppError("moderate.amount", least=least, most=number(CREDITS_MAX))
    return amount


def parse_days(typed: str) -> int | None:
    """How many days; nothing typed means never. **Raises** AppError."""
    if not typed.strip():
        return None
    days = _parse_number(typed)
    if days is None or not 1 <= days <= DAYS_MAX:
        raise AppError("moderate.days", most=number(DAYS_MAX))
    return days


def parse_id(typed: str) -> int:
    """An id out of a custom_id, which may be forged. **Raises** AppError."""
    return _parse_whole(typed, 1, ID_MAX)


def parse_count(typed: str) -> int:
    """A number of credits or days out of a custom_id, which may be forged. **Raises** AppError."""
    return _parse_whole(typed, 0, CREDITS_MAX)


def _parse_whole(typed: str, least: int, most: int) -> int:
    if not (typed.isascii() and typed.isdigit() and len(typed) < 20 and least <= int(typed) <= most):
        raise AppError("window.stale")
    return int(typed)


def _parse_number(typed: str) -> int | None:
    shown = typed.strip()
    grouped = _GROUPED.fullmatch(shown)
    digits = shown.replace(grouped[1], "") if grouped else shown
    if not digits.isascii() or not digits.isdigit() or len(digits) > _DIGITS_MAX:
        return None
    return int(digits)


def require_private(interaction: discord.Interaction[Any]) -> None:
    """A card is only ever a private message; a forged press on another one would be written over it.

    **Raises** AppError.
    """
    if interaction.message is None or not interaction.message.flags.ephemeral:
        raise AppError("window.stale")

"""The window "Edit image", stateless: what it is about stands in its custom_id.

discord.py would keep a modal in memory until it is submitted, for ever when it is dismissed, and forget it
at a restart. So it is finished before it is sent and its answer is routed by `bot.client.on_modal`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import discord
from discord import ui

from cogs._options import PROMPT_MAX
from cogs._render import credits_text

if TYPE_CHECKING:
    from cogs._render import Text

PROMPT_FIELD = "prompt"
PICTURE_FIELD = "picture"


def edit_modal(text: Text, custom_id: str, *, pictures: int, price_credits: int) -> ui.Modal:
    """Asks what should change and, where there are several pictures, in which one."""
    modal = ui.Modal(title=text("modal.title"), custom_id=custom_id, timeout=60)
    price = text("modal.price", credits=credits_text(text, price_credits))
    field: ui.TextInput[Any] = ui.TextInput(
        custom_id=PROMPT_FIELD,
        style=discord.TextStyle.paragraph,
        placeholder=text("modal.prompt_hint"),
        min_length=1,
        max_length=PROMPT_MAX,
    )
    modal.add_item(ui.Label(text=text("modal.prompt"), description=price, component=field))
    if pictures > 1:
        select: ui.Select[Any] = ui.Select(
            custom_id=PICTURE_FIELD,
            options=[
                discord.SelectOption(
                    label=text("modal.picture", index=index), value=str(index), default=index == 1
                )
                for index in range(1, min(pictures, 10) + 1)
            ],
        )
        modal.add_item(ui.Label(text=text("modal.which"), component=select))
    modal.stop()
    return modal


def chosen_picture(values: dict[str, list[str]], pictures: int) -> int:
    """Index from 0 of the chosen picture; anything odd is the first."""
    chosen = (values.get(PICTURE_FIELD) or ["1"])[0]
    index = int(chosen) - 1 if chosen.isascii() and chosen.isdigit() else 0
    return index if 0 <= index < pictures else 0


def typed_prompt(values: dict[str, list[str]]) -> str:
    return (values.get(PROMPT_FIELD) or [""])[0]

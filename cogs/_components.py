"""What the bot's messages look like: layouts, and the buttons that live on them for ever.

Every button is a DynamicItem whose custom_id carries a version and the job's id, so that it works after a
restart and nothing is kept in memory for it. Never mix them with ordinary items in one view: discord.py
would forget the whole class when that view ends.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Self

import discord
from discord import ui

from bot.ids import JOB_ID_PATTERN
from cogs import _render

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bot.client import KvidBot
    from bot.fitting import Fit
    from cogs._render import Text
    from db.values import Job

ACCENT_WAITING = 0xF5A3C7
ACCENT_DONE = 0x8B7CF6
ACCENT_ENDED = 0x9AA0AA
JOB_BUTTON_ID = re.compile(
    rf"v1:(?P<action>cancel|again|edit|why):(?P<job>{JOB_ID_PATTERN})(?::(?P<price>\d{{1,5}}))?"
)


class JobButton(
    ui.DynamicItem[ui.Button[ui.LayoutView]],
    template=JOB_BUTTON_ID,
):
    """A button that acts on one job; the handlers are registered by the cogs under their action."""

    def __init__(
        self,
        action: str,
        job_id: str,
        *,
        label: str,
        style: discord.ButtonStyle = discord.ButtonStyle.secondary,
        price_credits: int | None = None,
    ) -> None:
        self.action = action
        self.job_id = job_id
        self.price_credits = price_credits
        price = "" if price_credits is None else f":{price_credits}"
        super().__init__(ui.Button(label=label[:80], style=style, custom_id=f"v1:{action}:{job_id}{price}"))

    @classmethod
    async def from_custom_id(
        cls, _interaction: discord.Interaction[Any], item: ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        label = item.label if isinstance(item, ui.Button) else None
        price = int(match["price"]) if match["price"] else None
        return cls(match["action"], match["job"], label=label or "?", price_credits=price)

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        client: KvidBot = interaction.client
        await client.run_button(self.action, interaction, self.job_id)


def card_layout(text: Text, job: Job, place: int | None, now: datetime) -> ui.LayoutView:
    """The private card of a job; Cancel is there only while cancelling is possible."""
    container: ui.Container[ui.LayoutView] = ui.Container(accent_colour=_accent(job))
    container.add_item(ui.TextDisplay(_render.card_text(text, job, place, now)))
    view = _layout(container)
    if _render.shows_cancel(job):
        container.add_item(_row(JobButton("cancel", job.id, label=text("card.cancel"))))
    return view


def public_failure_layout(text: Text, job: Job) -> ui.LayoutView:
    """What a channel sees when a job fails whose card cannot be private; the reason is behind a private button."""
    return _layout(
        ui.TextDisplay(_render.public_failure_text(text, job)),
        _row(JobButton("why", job.id, label=text("card.why"))),
    )


def late_failure_layout(text: Text, job: Job, now: datetime) -> ui.LayoutView:
    """The same as a message for its member alone, with the number of the job: an operator can look it up."""
    number = "-# " + text("card.job", job=job.id)
    return _words(f"{_render.card_text(text, job, None, now)}\n{number}", ACCENT_ENDED)


def result_layout(text: Text, job: Job, files: Sequence[discord.File], fit: Fit) -> ui.LayoutView:
    """The message with the picture(s), what they cost, and the two things one does next."""
    parts: list[ui.Item[Any]] = [ui.TextDisplay(_render.result_heading(text, job))]
    if files:
        gallery: ui.MediaGallery[ui.LayoutView] = ui.MediaGallery()
        for index, file in enumerate(files, start=1):
            gallery.add_item(media=file, description=_render.alt_text(text, job, index))
        parts.append(gallery)
    parts.append(ui.TextDisplay(_render.result_footer(text, job, fit)))
    return _layout(
        *parts,
        _row(
            JobButton(
                "again",
                job.id,
                label=text(
                    "result.again", credits=_render.credits_text(text, _render.job_price_credits(job))
                ),
            ),
            JobButton(
                "edit",
                job.id,
                label=text("result.edit"),
                style=discord.ButtonStyle.primary,
                price_credits=_render.edit_price_credits(job),
            ),
        ),
    )


def text_layout(content: str) -> ui.LayoutView:
    """A card with words alone."""
    return _words(content, ACCENT_DONE)


def refusal_layout(content: str, typed: str | None) -> ui.LayoutView:
    """A card that says no, with what was typed."""
    return _words(_render.refusal_text(content, typed), ACCENT_ENDED)


def _words(content: str, accent: int) -> ui.LayoutView:
    container: ui.Container[ui.LayoutView] = ui.Container(accent_colour=accent)
    container.add_item(ui.TextDisplay(content))
    return _layout(container)


def _layout(*items: ui.Item[Any]) -> ui.LayoutView:
    view = ui.LayoutView(timeout=None)
    for item in items:
        view.add_item(item)
    return view


def _row(*buttons: JobButton) -> ui.ActionRow[ui.LayoutView]:
    row: ui.ActionRow[ui.LayoutView] = ui.ActionRow()
    for button in buttons:
        row.add_item(button)
    return row


def _accent(job: Job) -> int:
    if job.finished_at is None:
        return ACCENT_WAITING
    return ACCENT_DONE if job.message_id is not None else ACCENT_ENDED


class Layouts:
    """`bot.delivery.Layouts` for this surface."""

    card = staticmethod(card_layout)
    public_failure = staticmethod(public_failure_layout)
    late_failure = staticmethod(late_failure_layout)
    result = staticmethod(result_layout)
    text = staticmethod(text_layout)
    refusal = staticmethod(refusal_layout)
    alt = staticmethod(_render.alt_text)


async def setup(bot: KvidBot) -> None:
    bot.add_buttons(JobButton, JOB_BUTTON_ID)
    bot.delivery.use_layouts(Layouts())

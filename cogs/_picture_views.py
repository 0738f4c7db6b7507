"""The card of one picture, its windows, and the note in the place of a hidden one (pure).

Owns their custom_ids: `picture1:<verb>:<job>`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import discord
from discord import ui

from cogs import _windows
from cogs._components import ACCENT_ENDED
from cogs._member_render import outcome_text, until_text
from cogs._member_views import block_buttons
from cogs._render import credits_text, escape, message_link
from cogs._windows import button, reason_field, row, window
from db.enums import JobState

if TYPE_CHECKING:
    from bot.caps.histories import SeenPicture
    from bot.caps.pictures import Returned
    from cogs._render import Text
    from db.values import Job

# The number rises when a custom_id of an open card would be read wrongly.
PREFIX = "picture1"
PROMPT_SHOWN_MAX = 300


def picture_layout(text: Text, picture: SeenPicture, said: str | None = None) -> ui.LayoutView:
    """The card; `said` is what was just done."""
    job = picture.job
    lines = [text("picture.title"), text("picture.by", who=f"<@{job.user_id}>", link=_link(job))]
    lines += [f"> {escape(job.prompt, PROMPT_SHOWN_MAX)}"]
    lines.append("-# " + text("picture.cost", outcome=outcome_text(text, picture)))
    if picture.blocked_until is not None:
        lines.append(text("member.blocked", until=until_text(text, picture.blocked_until)))
    parts: list[_windows.Item] = [ui.Separator(), ui.TextDisplay(said)] if said else []
    return _windows.card(ui.TextDisplay("\n".join(lines)), *parts, *_rows(text, picture))


def hide_window(text: Text, job_id: str, verb: str) -> ui.Modal:
    """Asks before a picture goes that cannot come back; `verb` is hide or both."""
    return window(
        text("picture.hide_title"),
        f"{PREFIX}:{verb}:{job_id}",
        ui.TextDisplay(text("picture.hide_sure" if verb == "hide" else "picture.both_sure")),
        reason_field(text),
    )


def block_window(text: Text, job_id: str) -> ui.Modal:
    return window(
        text("member.block_title"),
        f"{PREFIX}:forever:{job_id}",
        ui.TextDisplay(text("picture.block_sure")),
        reason_field(text),
    )


def hidden_note(text: Text, job: Job, moderator_id: int) -> ui.LayoutView:
    """What everybody sees where the picture was."""
    said = text("picture.note", moderator=f"<@{moderator_id}>", who=f"<@{job.user_id}>")
    return _windows.card(ui.TextDisplay(said), accent=ACCENT_ENDED)


def refund_text(text: Text, user_id: int, returned: Returned) -> str:
    """What a refund gave back, and what of it nobody can spend any more."""
    if not returned.amount_credits:
        return text("picture.was_refunded")
    ended, over = returned.ended_credits, returned.over_credits
    back = credits_text(text, returned.amount_credits - ended - over)
    if not (ended or over):
        return text("picture.did_refund", who=f"<@{user_id}>", credits=back)
    told = [text("picture.did_refund_part", who=f"<@{user_id}>", credits=back)]
    told += [text("picture.refund_ended", credits=credits_text(text, ended))] if ended else []
    told += [text("picture.refund_over", credits=credits_text(text, over))] if over else []
    return " ".join(told)


def _rows(text: Text, picture: SeenPicture) -> list[_windows.Item]:
    job = picture.job
    hidden = job.hidden_at is not None
    free = picture.refunded or job.state is not JobState.DELIVERED or not job.used_credits
    red = discord.ButtonStyle.danger

    def of(key: str, verb: str, **look: Any) -> ui.Button[Any]:
        return button(text(key), f"{PREFIX}:{verb}:{job.id}", **look)

    return [
        row(
            # It stays there when it is hidden: Discord may not have taken the picture off its message.
            of("picture.hide", "hide", style=red),
            of("picture.refund", "refund", disabled=free),
            of("picture.both", "both", style=red, disabled=free or hidden),
        ),
        row(
            *block_buttons(
                text, picture.blocked_until, picture.now, lambda verb: f"{PREFIX}:{verb}:{job.id}"
            ),
            of("picture.allow", "pass"),
        ),
    ]


def _link(job: Job) -> str:
    return message_link(job.guild_id, job.channel_id, job.message_id or 0)

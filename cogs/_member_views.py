"""The card of one member and its windows, as moderators use them (pure).

Owns their custom_ids: `member1:<verb>:<member>` with a number behind it where a window names one.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import discord
from discord import ui

from bot.caps.values import Cap
from bot.errors import AppError
from cogs import _member_render, _windows
from cogs._render import credits_text
from cogs._windows import button, field, reason_field, row, window
from db.enums import BalancePeriod

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bot.caps.histories import MemberHistory
    from cogs._render import Text

# The number rises when a custom_id of an open card would be read wrongly.
PREFIX = "member1"
CAP_FIELD = "cap"
UNLIMITED, NO_CAP = "unlimited", "none"
CAP_PERIODS = ("day", "week", "month")
HOUR_S, DAY_S = 3_600, 86_400
RED = discord.ButtonStyle.danger


def member_layout(
    text: Text, history: MemberHistory, *, said: str | None = None, roles_known: bool = True
) -> ui.LayoutView:
    """The card; `said` is what was just done, beside the button that did it: the top may be out of sight."""
    shown = [
        _member_render.allowance_text(text, history, roles_known=roles_known),
        _member_render.pictures_text(text, history),
        _member_render.acts_text(text, history),
        said,
    ]
    parts: list[_windows.Item] = []
    for words in shown:
        if words:
            parts += [ui.TextDisplay(words), ui.Separator()]
    return _windows.card(*parts[:-1], *_rows(text, history))


def block_window(text: Text, user_id: int) -> ui.Modal:
    return window(
        text("member.block_title"),
        _id("forever", user_id),
        ui.TextDisplay(text("member.block_sure", who=f"<@{user_id}>")),
        reason_field(text),
    )


def reset_window(text: Text, user_id: int, amount_credits: int) -> ui.Modal:
    return window(
        text("member.reset_title"),
        _id("reset", user_id),
        ui.TextDisplay(
            text("member.reset_sure", who=f"<@{user_id}>", credits=credits_text(text, amount_credits))
        ),
        reason_field(text),
    )


def grant_window(text: Text, user_id: int) -> ui.Modal:
    return window(
        text("member.grant_title"),
        _id("grant", user_id),
        field(_windows.AMOUNT_FIELD, text("member.amount"), hint=text("member.grant_hint")),
        reason_field(text, required=True),
        field(_windows.DAYS_FIELD, text("member.days"), hint=text("member.days_hint"), required=False),
    )


def take_window(text: Text, user_id: int, left_credits: int) -> ui.Modal:
    return window(
        text("member.take_title"),
        _id("take", user_id),
        field(
            _windows.AMOUNT_FIELD,
            text("member.amount"),
            hint=text("member.take_hint", credits=credits_text(text, left_credits)),
            value=str(left_credits),
        ),
        reason_field(text, required=True),
    )


def cap_window(text: Text, user_id: int, cap: Cap | None) -> ui.Modal:
    """`cap` is the one of their own that they have; None for none."""
    now = _member_render.cap_text(text, cap) if cap is not None else text("member.no_own_cap")
    return window(
        text("member.cap_title"),
        _id("cap", user_id),
        ui.TextDisplay(text("member.cap_now", cap=now)),
        _windows.choice(
            CAP_FIELD,
            text("member.cap_kind"),
            [
                ("day", text("member.cap_day")),
                ("week", text("member.cap_week")),
                ("month", text("member.cap_month")),
                (UNLIMITED, text("member.cap_unlimited")),
                (NO_CAP, text("member.cap_no")),
            ],
            "day" if cap is None else UNLIMITED if cap.credits is None else cap.period.value,
        ),
        field(
            _windows.AMOUNT_FIELD,
            text("member.cap_amount"),
            hint=text("member.cap_hint"),
            value=None if cap is None or cap.credits is None else str(cap.credits),
            required=False,
        ),
        reason_field(text),
    )


def block_buttons(
    text: Text, blocked_until: datetime | None, now: datetime, build_id: Callable[[str], str]
) -> list[ui.Button[Any]]:
    """Block for some time, for good, and let in again; what would cut a running block short is off."""

    def is_shorter(for_s: int) -> bool:
        return blocked_until is not None and blocked_until > now + timedelta(seconds=for_s)

    blocks: list[ui.Button[Any]] = [
        button(text("member.block_hour"), build_id("hour"), disabled=is_shorter(HOUR_S)),
        button(text("member.block_day"), build_id("day"), disabled=is_shorter(DAY_S)),
        button(text("member.block_forever"), build_id("forever"), style=RED),
    ]
    if blocked_until is not None:
        blocks.append(button(text("member.unblock"), build_id("unblock"), style=discord.ButtonStyle.success))
    return blocks


def _rows(text: Text, history: MemberHistory) -> list[_windows.Item]:
    user_id = history.user_id
    blocks = block_buttons(text, history.blocked_until, history.now, lambda verb: _id(verb, user_id))
    granted, used = history.granted_credits, history.forgivable_credits
    return [
        row(*blocks),
        row(
            button(text("member.do_grant"), _id("grant", user_id), style=discord.ButtonStyle.primary),
            button(text("member.do_take"), _id("take", user_id, granted), disabled=not granted),
            button(text("member.do_cap"), _id("cap", user_id) + _cap_id(history)),
            button(text("member.do_reset"), _id("reset", user_id, used), disabled=not used),
            button(text("member.do_pass"), _id("pass", user_id)),
        ),
    ]


def read_cap_id(shown: str) -> Cap | None:
    """The own cap that the card showed, out of its custom_id, which may be forged. **Raises** AppError."""
    if not shown:
        return None
    if shown == UNLIMITED:
        return Cap(credits=None)
    kind, _, amount = shown.partition("-")
    if kind not in CAP_PERIODS:
        raise AppError("window.stale")
    return Cap(credits=_windows.parse_count(amount), period=BalancePeriod(kind))


def _cap_id(history: MemberHistory) -> str:
    """The own cap at the end of its button's custom_id: its window asks nothing of the database."""
    cap = history.allowance.cap if history.allowance.own else None
    if cap is None:
        return ""
    return ":" + (UNLIMITED if cap.credits is None else f"{cap.period.value}-{cap.credits}")


def _id(verb: str, user_id: int, number: int | None = None) -> str:
    return f"{PREFIX}:{verb}:{user_id}" + ("" if number is None else f":{number}")

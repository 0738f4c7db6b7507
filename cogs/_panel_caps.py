"""The sections "Caps" and "Queue and time" of the settings panel (pure)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import discord
from discord import ui

from bot.caps.limits import budget_of, lower_of
from bot.caps.values import Cap
from cogs._panel import build_id, button, option, row, rule, setting, words
from cogs._panel_format import (
    cap_text,
    channel_text,
    length_text,
    role_text,
    value_text,
)
from cogs._render import credits_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bot.caps.values import CapOf
    from cogs._panel import Item, Panel
    from cogs._render import Text
    from db.values import Membership

CAPS_SHOWN_MAX = 12
MEMBERS_SHOWN_MAX = 8
CHANNEL_KINDS = [
    discord.ChannelType.text,
    discord.ChannelType.news,
    discord.ChannelType.forum,
    discord.ChannelType.voice,
    discord.ChannelType.stage_voice,
]


def caps_items(panel: Panel) -> list[Item]:
    text, policy = panel.text, panel.policy
    change = text("panel.change")
    roles = _list_caps(text, policy.role_caps, lambda one: role_text(text, panel.names, one))
    channels = _list_caps(text, policy.channel_caps, lambda one: channel_text(text, panel.names, one))
    return [
        setting(text("panelcaps.member", cap=cap_text(text, policy.member_cap)), button(change, "cap")),
        setting(_budget_text(panel), button(change, "budget")),
        rule(),
        words(text("panelcaps.roles"), *(roles or [text("panelcaps.roles_none")])),
        row(_role_select(text)),
        *_existing(panel, "rolecap", policy.role_caps, panel.names.roles, text("panel.deleted_role")),
        rule(),
        words(text("panelcaps.channels"), *(channels or [text("panelcaps.channels_none")])),
        row(_channel_select(text)),
        *_existing(
            panel, "chancap", policy.channel_caps, panel.names.channels, text("panel.deleted_channel")
        ),
        rule(),
        words(text("panelcaps.members"), *_list_members(text, panel.decided.capped)),
    ]


def _budget_text(panel: Panel) -> str:
    """The budget that counts, and whose it is."""
    text, own = panel.text, panel.policy.server_budget_credits
    ceiling = budget_of(replace(panel.policy, server_budget_credits=None), panel.operator)
    shown = value_text(text, panel.names, "server_budget_credits", own)
    if ceiling is None:
        return text("panelcaps.budget", budget=shown)
    if lower_of(own, ceiling) == own:
        return text("panelcaps.budget_ceiling", budget=shown, ceiling=credits_text(text, ceiling))
    return text("panelcaps.budget_above", budget=shown, ceiling=credits_text(text, ceiling))


def _list_caps(text: Text, entries: Sequence[CapOf], show: Callable[[int], str]) -> list[str]:
    lines = [
        text("panelcaps.line", who=show(one.id), cap=cap_text(text, one.cap))
        for one in entries[:CAPS_SHOWN_MAX]
    ]
    left = len(entries) - CAPS_SHOWN_MAX
    return [*lines, text("panelcaps.more", n=left)] if left > 0 else lines


def _list_members(text: Text, members: Sequence[Membership]) -> list[str]:
    lines = [
        text("panelcaps.line", who=f"<@{one.user_id}>", cap=cap_text(text, _own_cap(one)))
        for one in members[:MEMBERS_SHOWN_MAX]
    ]
    left = len(members) - MEMBERS_SHOWN_MAX
    more = [text("panelcaps.members_more", n=left)] if left > 0 else []
    return [*(lines or [text("panelcaps.members_none")]), *more, text("panelcaps.members_hint")]


def _own_cap(member: Membership) -> Cap | None:
    return Cap(credits=member.cap_credits, period=member.cap_period) if member.cap_period else None


def _role_select(text: Text) -> ui.RoleSelect[Any]:
    # No choice at all is allowed too: without it, a role could not be chosen twice in a row.
    return ui.RoleSelect(
        custom_id=build_id("role"), placeholder=text("panelcaps.role_choose"), min_values=0, max_values=1
    )


def _channel_select(text: Text) -> ui.ChannelSelect[Any]:
    return ui.ChannelSelect(
        custom_id=build_id("chan"),
        placeholder=text("panelcaps.channel_choose"),
        channel_types=CHANNEL_KINDS,
        min_values=0,
        max_values=1,
    )


def _existing(
    panel: Panel, action: str, entries: Sequence[CapOf], known: Mapping[int, str] | None, deleted: str
) -> list[Item]:
    """The caps there are, by name; those of deleted roles and channels can be reached only here."""
    if not entries:
        return []
    select: ui.Select[Any] = ui.Select(
        custom_id=build_id(action),
        placeholder=panel.text("panelcaps.existing"),
        min_values=0,
        options=[
            option(_name(entry.id, known, deleted), str(entry.id), cap_text(panel.text, entry.cap))
            for entry in entries
        ],
    )
    return [row(select)]


def _name(entry_id: int, known: Mapping[int, str] | None, deleted: str) -> str:
    if known is None:
        return str(entry_id)
    return known.get(entry_id) or f"{deleted} {str(entry_id)[-4:]}"


def queue_items(panel: Panel) -> list[Item]:
    text, policy = panel.text, panel.policy
    change = text("panel.change")
    cooldown = (
        text("panelqueue.cooldown", length=length_text(text, policy.cooldown_s))
        if policy.cooldown_s
        else text("panelqueue.cooldown_none")
    )
    tenure = (
        text("panelqueue.tenure", length=length_text(text, policy.tenure_s))
        if policy.tenure_s
        else text("panelqueue.tenure_none")
    )
    return [
        setting(text("panelqueue.running", n=policy.running_max), button(change, "running")),
        setting(text("panelqueue.waiting", n=policy.waiting_max), button(change, "waiting")),
        setting(cooldown, button(change, "cooldown")),
        setting(tenure, button(change, "tenure")),
    ]

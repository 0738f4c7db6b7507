"""The section "Places" of the settings panel: where pictures are made, and who may not make any (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import discord
from discord import ui

from bot.caps.values import ENTRIES_MAX, PLACES_MAX
from cogs._panel import build_id, button, chosen_channels, chosen_roles, row, rule, words
from cogs._panel_caps import CHANNEL_KINDS
from cogs._panel_format import channel_text, join_some, role_text
from db.values import FOREVER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cogs._panel import Item, Panel
    from cogs._render import Text
    from db.values import Membership

# A page leaves room to add some to what a select may hold.
PAGE_MAX = 20
SELECT_MAX = 25
BLOCKED_SHOWN_MAX = 10
FIRST_KEYS = {"allowed": "panelplaces.allowed_choose", "denied": "panelplaces.denied_choose"}
PLACE_KINDS = [*CHANNEL_KINDS, discord.ChannelType.category]


def places_items(panel: Panel) -> list[Item]:
    text, policy, names = panel.text, panel.policy, panel.names
    blocked = [role_text(text, names, one) for one in policy.blocked_roles]
    return [
        words(_shown(text("panelplaces.allowed_none"), "panelplaces.allowed", panel, policy.allowed_places)),
        *_place_selects(panel, "allowed", policy.allowed_places, panel.focus.allowed_page),
        words(_shown(text("panelplaces.denied_none"), "panelplaces.denied", panel, policy.denied_places)),
        *_place_selects(panel, "denied", policy.denied_places, panel.focus.denied_page),
        rule(),
        words(
            text("panelplaces.roles", roles=join_some(text, blocked))
            if blocked
            else text("panelplaces.roles_none")
        ),
        row(_role_select(panel)),
        *_forget_deleted(panel),
        rule(),
        words(*_list_blocked(text, panel.decided.blocked)),
    ]


def _shown(none: str, key: str, panel: Panel, places: Sequence[int]) -> str:
    text = panel.text
    return (
        text(key, places=join_some(text, [channel_text(text, panel.names, one) for one in places]))
        if places
        else none
    )


def count_pages(places: Sequence[int]) -> int:
    """At least one; a full last page is followed by an empty one, where more can be added."""
    if len(places) >= PLACES_MAX:
        return -(-len(places) // PAGE_MAX)
    return len(places) // PAGE_MAX + 1


def _place_selects(panel: Panel, action: str, places: Sequence[int], page: int) -> list[Item]:
    text, pages = panel.text, count_pages(places)
    page = min(page, pages - 1)
    shown = [one for one in places[page * PAGE_MAX : (page + 1) * PAGE_MAX] if panel.names.has_channel(one)]
    room = min(SELECT_MAX, len(shown) + PLACES_MAX - len(places))
    select: ui.ChannelSelect[Any] = ui.ChannelSelect(
        custom_id=build_id(action, page),
        placeholder=text("panelplaces.more_choose" if places else FIRST_KEYS[action]),
        channel_types=PLACE_KINDS,
        min_values=0,
        max_values=max(1, room),
        default_values=chosen_channels(shown),
    )
    return [row(select)] if pages == 1 else [row(select), _pager(panel, action, page, pages)]


def _pager(panel: Panel, action: str, page: int, pages: int) -> Item:
    """Turns one of the two lists; the other stays where it is."""

    def turn(label: str, to: int) -> ui.Button[Any]:
        at = (to, panel.focus.denied_page) if action == "allowed" else (panel.focus.allowed_page, to)
        return button(label, "page", action, *at, disabled=not 0 <= to < pages)

    text = panel.text
    return row(
        turn(text("panel.back"), page - 1),
        turn(text("panel.next_page", page=page + 1, pages=pages), page + 1),
    )


def _role_select(panel: Panel) -> ui.RoleSelect[Any]:
    shown = [one for one in panel.policy.blocked_roles if panel.names.has_role(one)]
    gone = len(panel.policy.blocked_roles) - len(shown)
    return ui.RoleSelect(
        custom_id=build_id("roles"),
        placeholder=panel.text("panelplaces.roles_choose"),
        min_values=0,
        max_values=max(1, ENTRIES_MAX - gone),
        default_values=chosen_roles(shown),
    )


def _forget_deleted(panel: Panel) -> list[Item]:
    """A button for places and roles that are no longer there, which no select can show."""
    policy, names = panel.policy, panel.names
    gone = sum(not names.has_channel(one) for one in (*policy.allowed_places, *policy.denied_places))
    gone += sum(not names.has_role(one) for one in policy.blocked_roles)
    return [row(button(panel.text("panelplaces.forget", n=gone), "forget"))] if gone else []


def _list_blocked(text: Text, blocked: Sequence[Membership]) -> list[str]:
    lines = []
    for one in blocked[:BLOCKED_SHOWN_MAX]:
        until = one.blocked_until
        who = f"<@{one.user_id}>"
        lines.append(
            text("panelplaces.blocked_for_good", who=who)
            if until is None or until >= FOREVER
            else text("panelplaces.blocked_until", who=who, until=int(until.timestamp()))
        )
    left = len(blocked) - BLOCKED_SHOWN_MAX
    if left > 0:
        lines.append(text("panelcaps.members_more", n=left))
    return [
        text("panelplaces.blocked"),
        *(lines or [text("panelplaces.blocked_none")]),
        text("panelplaces.blocked_hint"),
    ]

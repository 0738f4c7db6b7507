"""The section "Gifts, log and time zone" of the settings panel, and which module draws which section (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import discord
from discord import ui

from cogs._panel import Topic, build_id, button, chosen_channels, frame, row, rule, setting, words
from cogs._panel_caps import caps_items, queue_items
from cogs._panel_format import DAY_S, channel_text, length_text
from cogs._panel_places import places_items
from cogs._panel_words import words_items

if TYPE_CHECKING:
    from datetime import datetime

    from cogs._panel import Item, Panel

LOG_KINDS = [discord.ChannelType.text, discord.ChannelType.news]
WEEKDAY_KEYS = (
    "paneltime.monday",
    "paneltime.tuesday",
    "paneltime.wednesday",
    "paneltime.thursday",
    "paneltime.friday",
    "paneltime.saturday",
    "paneltime.sunday",
)


def local_time(now: datetime, zone: str) -> datetime:
    return now.astimezone(ZoneInfo(zone))


def more_items(panel: Panel) -> list[Item]:
    text, policy = panel.text, panel.policy
    local = local_time(panel.now, policy.time_zone)
    zone = text(
        "paneltime.zone",
        zone=policy.time_zone,
        time=f"{local:%H:%M}",
        weekday=text(WEEKDAY_KEYS[local.weekday()]),
        date=f"{local:%Y-%m-%d}",
    )
    if policy.gifts_allowed:
        gifts = setting(text("panelmore.gifts_on"), button(text("panel.turn_off"), "gifts", "off"))
    else:
        gifts = setting(text("panelmore.gifts_off"), button(text("panel.turn_on"), "gifts", "on"))
    log_id = policy.log_channel_id
    log = (
        text("panelmore.log", channel=channel_text(text, panel.names, log_id))
        if log_id is not None
        else text("panelmore.log_none")
    )
    retention = (
        text("panelmore.retention", length=length_text(text, policy.retention_days * DAY_S))
        if policy.retention_days
        else text("panelmore.retention_none")
    )
    return [
        setting(zone, button(text("panel.change"), "zone")),
        rule(),
        gifts,
        rule(),
        words(log, *([text("panelmore.log_stuck")] if panel.log_closed else [])),
        row(_log_select(panel)),
        *([row(button(text("panelmore.log_stop"), "nolog"))] if log_id is not None else []),
        setting(retention, button(text("panel.change"), "retention")),
    ]


def _log_select(panel: Panel) -> ui.ChannelSelect[Any]:
    log_id = panel.policy.log_channel_id
    shown = [log_id] if log_id is not None and panel.names.has_channel(log_id) else []
    return ui.ChannelSelect(
        custom_id=build_id("log"),
        placeholder=panel.text("panelmore.log_choose"),
        channel_types=LOG_KINDS,
        min_values=0,
        max_values=1,
        default_values=chosen_channels(shown),
    )


ITEMS = {
    Topic.CAPS: caps_items,
    Topic.QUEUE: queue_items,
    Topic.PLACES: places_items,
    Topic.WORDS: words_items,
    Topic.MORE: more_items,
}


def render_panel(panel: Panel) -> ui.LayoutView:
    return frame(panel, ITEMS[panel.focus.topic](panel))

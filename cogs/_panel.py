"""The frame of the settings panel: its sections, its custom_ids, what a section is drawn from (pure).

Owns how a part of the panel is named, so that a press says all that its handler needs, also after a restart.
Each section is drawn by a module of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

import discord
from discord import ui

from bot.caps.overview import Decided
from bot.caps.values import OperatorLimits
from cogs._render import cut

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from bot.caps.values import Policy
    from cogs._render import Text

Item: TypeAlias = ui.Item[Any]

# The number rises when a custom_id of an open panel would be read wrongly.
PREFIX = "studio1"
ACCENT = 0x8B7CF6
LABEL_MAX, OPTION_MAX = 80, 100
NOTICE_MAX = 700


class Topic(StrEnum):
    """The sections of the panel, in their order."""

    CAPS = "caps"
    QUEUE = "queue"
    PLACES = "places"
    WORDS = "words"
    MORE = "more"


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Names of a server's roles and channels by id; None: not known now, so nothing counts as deleted."""

    roles: Mapping[int, str] | None = None
    channels: Mapping[int, str] | None = None
    categories: frozenset[int] = frozenset()

    def has_role(self, role_id: int) -> bool:
        return self.roles is None or role_id in self.roles

    def has_channel(self, channel_id: int) -> bool:
        return self.channels is None or channel_id in self.channels


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What was just done, and the line of the audit log by which it can be undone (0: it cannot)."""

    words: str
    entry_id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Focus:
    """What of a section is open: pages of places, one word list, a question to confirm."""

    topic: Topic = Topic.CAPS
    allowed_page: int = 0
    denied_page: int = 0
    list_key: str = ""
    asks: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Everything that a panel is drawn from."""

    text: Text
    policy: Policy
    now: datetime
    focus: Focus = field(default_factory=Focus)
    operator: OperatorLimits = field(default_factory=OperatorLimits)
    names: Names = field(default_factory=Names)
    decided: Decided = field(default_factory=Decided)
    # Discord refused the last post to the chosen log channel.
    log_closed: bool = False
    # The words of AutoMod's rules may not be read any more.
    automod_refused: bool = False
    notice: Notice | None = None


def build_id(action: str, *arguments: object) -> str:
    """The custom_id of a panel's part or window; arguments may hold no slash and no colon."""
    return f"{PREFIX}:{'/'.join([action, *(str(one) for one in arguments)])}"


def button(
    label: str,
    action: str,
    *arguments: object,
    style: discord.ButtonStyle = discord.ButtonStyle.secondary,
    disabled: bool = False,
) -> ui.Button[Any]:
    return ui.Button(
        label=label[:LABEL_MAX], custom_id=build_id(action, *arguments), style=style, disabled=disabled
    )


def option(label: str, value: str, description: str | None = None, *, chosen: bool = False) -> Any:
    return discord.SelectOption(
        label=label[:OPTION_MAX],
        value=value,
        description=description[:OPTION_MAX] if description else None,
        default=chosen,
    )


class Chosen(discord.SelectDefaultValue):
    """What a select has chosen already, as Discord itself writes ids: a page would lose digits of a number."""

    def to_dict(self) -> Any:
        return {"id": str(self.id), "type": self.type.value}


def chosen_channels(ids: Iterable[int]) -> list[Chosen]:
    return [Chosen(id=one, type=discord.SelectDefaultValueType.channel) for one in ids]


def chosen_roles(ids: Iterable[int]) -> list[Chosen]:
    return [Chosen(id=one, type=discord.SelectDefaultValueType.role) for one in ids]


def row(*items: Item) -> Item:
    line: ui.ActionRow[Any] = ui.ActionRow()
    for item in items:
        line.add_item(item)
    return line


def words(*lines: str) -> Item:
    return ui.TextDisplay("\n".join(lines))


def setting(shown: str, accessory: ui.Button[Any]) -> Item:
    """What a setting is, with the button that changes it."""
    return ui.Section(ui.TextDisplay(shown), accessory=accessory)


def rule() -> Item:
    return ui.Separator()


TOPIC_KEYS = {
    Topic.CAPS: ("panel.topic_caps", "panel.topic_caps_hint"),
    Topic.QUEUE: ("panel.topic_queue", "panel.topic_queue_hint"),
    Topic.PLACES: ("panel.topic_places", "panel.topic_places_hint"),
    Topic.WORDS: ("panel.topic_words", "panel.topic_words_hint"),
    Topic.MORE: ("panel.topic_more", "panel.topic_more_hint"),
}


def frame(panel: Panel, inner: Iterable[Item]) -> ui.LayoutView:
    """The whole message: title, the select of sections, what is inside, and what was just done.

    Shape: finished before it is sent, so that discord.py keeps nothing of it.
    """
    box: ui.Container[Any] = ui.Container(accent_colour=ACCENT)
    box.add_item(words(panel.text("panel.title")))
    box.add_item(row(_topics(panel.text, panel.focus.topic)))
    for item in inner:
        box.add_item(item)
    if panel.notice is not None:
        box.add_item(rule())
        box.add_item(_told(panel, panel.notice))
    view = ui.LayoutView(timeout=None)
    view.add_item(box)
    view.stop()
    return view


def _topics(text: Callable[..., str], chosen: Topic) -> ui.Select[Any]:
    return ui.Select(
        custom_id=build_id("show"),
        options=[
            option(text(name), topic.value, text(hint), chosen=topic is chosen)
            for topic, (name, hint) in TOPIC_KEYS.items()
        ],
    )


def _told(panel: Panel, notice: Notice) -> Item:
    shown = cut(notice.words, NOTICE_MAX)
    if not notice.entry_id:
        return words(shown)
    undo = button(panel.text("panel.undo"), "undo", panel.focus.topic.value, notice.entry_id)
    return setting(shown, undo)

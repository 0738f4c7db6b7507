"""Owns the shape of components: their kinds, the walk through nested ones, and what Discord fills in.

Pure. The rules for what may be sent are in `components` and `modals`.
"""

import copy
from collections.abc import Iterator
from enum import IntEnum

from sandbox.discord.state import Json


class Kind(IntEnum):
    ACTION_ROW = 1
    BUTTON = 2
    STRING_SELECT = 3
    TEXT_INPUT = 4
    USER_SELECT = 5
    ROLE_SELECT = 6
    MENTIONABLE_SELECT = 7
    CHANNEL_SELECT = 8
    SECTION = 9
    TEXT_DISPLAY = 10
    THUMBNAIL = 11
    MEDIA_GALLERY = 12
    FILE = 13
    SEPARATOR = 14
    CONTAINER = 17
    LABEL = 18
    FILE_UPLOAD = 19
    RADIO_GROUP = 21
    CHECKBOX_GROUP = 22
    CHECKBOX = 23


SELECTS = (
    Kind.STRING_SELECT,
    Kind.USER_SELECT,
    Kind.ROLE_SELECT,
    Kind.MENTIONABLE_SELECT,
    Kind.CHANNEL_SELECT,
)
SELECT_DEFAULTS: Json = {"min_values": 1, "max_values": 1}
DEFAULTS: dict[int, Json] = {
    **dict.fromkeys(SELECTS, SELECT_DEFAULTS),
    Kind.TEXT_INPUT: {"label": None, "min_length": None, "max_length": None},
    Kind.THUMBNAIL: {"description": None, "spoiler": False},
    Kind.FILE: {"spoiler": False},
    Kind.SEPARATOR: {"divider": True, "spacing": 1},
    Kind.CONTAINER: {"accent_color": None, "spoiler": False},
}
CHILD_KEYS = ("components", "component", "accessory")


def walk(roots: list[Json]) -> Iterator[Json]:
    """Every component, parents before their children."""
    for root in roots:
        yield root
        for key in CHILD_KEYS:
            inner = root.get(key)
            if isinstance(inner, dict):
                yield from walk([inner])
            elif isinstance(inner, list):
                yield from walk([one for one in inner if isinstance(one, dict)])


def collect_media(roots: list[Json]) -> list[Json]:
    """The media items inside components or embeds, as the dicts that hold their `url`."""
    items = []
    for component in walk(roots):
        holders = [component, *(one for one in component.get("items", ()) if isinstance(one, dict))]
        for holder in holders:
            for key in ("media", "file", "image", "thumbnail"):
                item = holder.get(key)
                if isinstance(item, dict) and isinstance(item.get("url"), str):
                    items.append(item)
    return items


def collect_text(roots: list[Json]) -> str:
    texts = (one.get("content") for one in walk(roots) if one.get("type") == Kind.TEXT_DISPLAY)
    return "\n".join(text for text in texts if isinstance(text, str))


def find_by_custom_id(roots: list[Json], custom_id: str) -> Json | None:
    return next((one for one in walk(roots) if one.get("custom_id") == custom_id), None)


def complete_components(roots: list[Json]) -> list[Json]:
    """A copy in which every component has an `id` and Discord's defaults; ids given by the sender stay."""
    numbered = copy.deepcopy(roots)
    for component in walk(numbered):
        for key, value in DEFAULTS.get(component["type"], {}).items():
            component.setdefault(key, value)
        for item in component.get("items", ()):
            item.setdefault("description", None)
            item.setdefault("spoiler", False)
    taken = {one["id"] for one in walk(numbered) if one.get("id")}
    following = 1
    for component in walk(numbered):
        if not component.get("id"):
            while following in taken:
                following += 1
            component["id"] = following
            taken.add(following)
    return numbered

"""What a member fills in, in the shapes in which the page of the local Discord sends it."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Json = dict[str, Any]
SUBCOMMAND, GROUP, ATTACHMENT = 1, 2, 11
OPTION_TYPES = {str: 3, int: 4, bool: 5, float: 10}
ROW, TEXT_DISPLAY, LABEL = 1, 10, 18
TEXT_INPUT, STRING_SELECT, FILE_UPLOAD, RADIO_GROUP, CHECKBOX_GROUP, CHECKBOX = 4, 3, 19, 21, 22, 23
SELECTS = (3, 5, 6, 7, 8)


@dataclass(frozen=True, slots=True)
class File:
    name: str
    data: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class UserOption:
    """A member chosen in an option of type USER."""

    id: str
    kind = 6


@dataclass(frozen=True, slots=True)
class ChannelOption:
    id: str
    kind = 7


@dataclass(frozen=True, slots=True)
class RoleOption:
    id: str
    kind = 8


@dataclass(frozen=True, slots=True)
class MentionableOption:
    id: str
    kind = 9


Chosen = UserOption | ChannelOption | RoleOption | MentionableOption


def build_options(options: Mapping[str, Any], files: list[File]) -> list[Json]:
    """Filled options; a File goes to `files`, and its place there becomes the value."""
    wire: list[Json] = []
    for name, value in options.items():
        if isinstance(value, File):
            files.append(value)
            wire.append({"name": name, "type": ATTACHMENT, "value": len(files) - 1})
        elif isinstance(value, Chosen):
            wire.append({"name": name, "type": value.kind, "value": str(value.id)})
        else:
            wire.append({"name": name, "type": OPTION_TYPES[type(value)], "value": value})
    return wire


def nest_options(path: list[str], options: list[Json]) -> list[Json]:
    """Options under their subcommand, and that under its group where the path has one."""
    for depth, name in enumerate(reversed(path)):
        options = [{"name": name, "type": GROUP if depth else SUBCOMMAND, "options": options}]
    return options


def fill_modal(modal: Json, values: Mapping[str, Any], files: list[File]) -> list[Json]:
    """A window as it is sent off: what is not named stays as the bot filled it.

    Shape: a field is named by its custom_id or the beginning of it. Text and radio take a str, selects and
    checkbox groups a str or several, a checkbox a bool, an upload a File or several.
    """
    filled: list[Json] = []
    used: set[str] = set()
    for component in modal["components"]:
        if component["type"] == LABEL:
            field = _fill(component["component"], values, files, used)
            filled.append({"type": LABEL, "component": field})
        elif component["type"] == ROW:
            inner = [_fill(one, values, files, used) for one in component["components"]]
            filled.append({"type": ROW, "components": inner})
    unknown = set(values) - used
    assert not unknown, f"the window has no fields {sorted(unknown)}"
    return filled


def _fill(field: Json, values: Mapping[str, Any], files: list[File], used: set[str]) -> Json:
    custom_id = field["custom_id"]
    name = (
        custom_id if custom_id in values else next((one for one in values if custom_id.startswith(one)), None)
    )
    body: Json = {"type": field["type"], "custom_id": custom_id}
    if name is not None:
        used.add(name)
    given = values[name] if name is not None else _default(field)
    if field["type"] in (TEXT_INPUT, RADIO_GROUP, CHECKBOX):
        return body | {"value": given}
    several = list(given) if isinstance(given, list | tuple | set) else [given]
    if field["type"] == FILE_UPLOAD:
        files.extend(several)
        several = list(range(len(files) - len(several), len(files)))
    return body | {"values": several}


def _default(field: Json) -> Any:
    chosen = [one["value"] for one in field.get("options", ()) if one.get("default")]
    if field["type"] == TEXT_INPUT:
        return field.get("value") or ""
    if field["type"] == CHECKBOX:
        return bool(field.get("default"))
    if field["type"] == RADIO_GROUP:
        return chosen[0] if chosen else None
    return chosen or [one["id"] for one in field.get("default_values") or ()]


def build_form(body: Json, files: list[File]) -> aiohttp.FormData:
    form = aiohttp.FormData(default_to_multipart=True)
    form.add_field("payload_json", json.dumps(body), content_type="application/json")
    for index, file in enumerate(files):
        form.add_field(
            f"files[{index}]", io.BytesIO(file.data), filename=file.name, content_type=file.content_type
        )
    return form


def walk(components: list[Json]) -> Iterator[Json]:
    """Every component of a message, a section's accessory too."""
    for component in components:
        yield component
        yield from walk(component.get("components", []))
        if isinstance(component.get("accessory"), dict):
            yield component["accessory"]


def text_of(message: Json) -> str:
    """All words of a message, from its content and its text displays."""
    shown = [
        part["content"] for part in walk(message.get("components") or []) if part["type"] == TEXT_DISPLAY
    ]
    return "\n".join([message.get("content") or "", *shown]).strip()


def buttons_of(message: Json) -> list[Json]:
    return [part for part in walk(message.get("components") or []) if part["type"] == 2]


def selects_of(message: Json) -> list[Json]:
    return [part for part in walk(message.get("components") or []) if part["type"] in SELECTS]


def pictures_of(message: Json) -> list[Json]:
    """The media of a message: url, description ..."""
    return [
        {**item["media"], "description": item.get("description")}
        for part in walk(message.get("components") or [])
        if part["type"] == 12
        for item in part["items"]
    ]


def files_of(message: Json) -> list[Json]:
    """The File components of a message: url, name, size."""
    return [
        {**part["file"], "name": part.get("name"), "size": part.get("size")}
        for part in walk(message.get("components") or [])
        if part["type"] == 13
    ]

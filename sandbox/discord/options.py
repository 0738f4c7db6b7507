"""Owns the checks Discord's client makes before a slash command is sent, and the `resolved` values of options.

A test that wants to send what no client would sends `"forge": true` and skips the checks, not the shape.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sandbox.discord.command_rules import (
    ATTACHMENT,
    BOOLEAN,
    CHANNEL,
    GROUP,
    INTEGER,
    MENTIONABLE,
    NUMBER,
    ROLE,
    STRING,
    SUBCOMMAND,
    USER,
    is_number,
)
from sandbox.discord.errors import ApiError
from sandbox.discord.state import Json

STRING_MAX = 6000


@dataclass(slots=True, kw_only=True)
class OptionReader:
    """One reading of the options a member filled in.

    Shape: `store_file` turns the n of `files[n]` into an attachment id; `exists` says whether an id of the
    given option type names something.
    """

    store_file: Callable[[Any], str]
    exists: Callable[[int, str], bool]
    forged: bool = False
    autocomplete: bool = False
    focused: Json | None = None
    named: list[tuple[int, str]] = field(default_factory=list)

    def read(self, definitions: list[Json], given: Any) -> list[Json]:
        """Raises: ApiError 50035 for what Discord's client would not send."""
        entries = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
        by_name = {one["name"]: one for one in definitions}
        filled: list[Json] = []
        seen: set[str] = set()
        for entry in entries:
            name = str(entry.get("name"))
            definition = by_name.get(name)
            if definition is None or name in seen:
                if not self.forged:
                    raise refuse(name, "this option does not exist")
                definition = {"type": entry.get("type", STRING), "name": name}
            seen.add(name)
            filled.append(self._read_one(definition, entry))
        if self.forged:
            return filled
        nested = [one for one in definitions if one["type"] in (SUBCOMMAND, GROUP)]
        if nested and len(filled) != 1:
            raise refuse("options", "exactly one sub-command is needed")
        for definition in definitions:
            missing = definition.get("required") and definition["name"] not in seen
            if missing and not self.autocomplete:
                raise refuse(definition["name"], "this option is required")
        return filled

    def _read_one(self, definition: Json, entry: Json) -> Json:
        kind, name = definition["type"], definition["name"]
        if kind in (SUBCOMMAND, GROUP):
            inner = self.read(definition.get("options") or [], entry.get("options"))
            return {"type": kind, "name": name, "options": inner}
        value = entry.get("value")
        is_focused = self.autocomplete and entry.get("focused") is True
        if kind == ATTACHMENT:
            value = self.store_file(value)
        elif kind in (USER, CHANNEL, ROLE, MENTIONABLE):
            value = str(value)
            if not self.forged and not self.exists(kind, value):
                raise refuse(name, "there is no such id")
        elif not self.forged and not self.autocomplete:
            check_value(definition, value)
        if kind in (USER, CHANNEL, ROLE, MENTIONABLE, ATTACHMENT):
            self.named.append((kind, str(value)))
        body: Json = {"type": kind, "name": name, "value": value}
        if is_focused:
            if not definition.get("autocomplete") and not self.forged:
                raise refuse(name, "this option has no autocomplete")
            self.focused = definition
            # An unfinished number travels as text, exactly as typed.
            return body | {"value": "" if value is None else str(value), "focused": True}
        return body


def check_value(definition: Json, value: Any) -> None:
    """One finished value against its definition.

    Raises: ApiError 50035.
    """
    kind, name = definition["type"], definition["name"]
    if kind == STRING:
        fewest = definition.get("min_length") or 0
        most = definition.get("max_length") or STRING_MAX
        if not isinstance(value, str) or not max(fewest, 1) <= len(value) <= most:
            raise refuse(name, f"between {max(fewest, 1)} and {most} characters are needed")
    elif kind in (INTEGER, NUMBER):
        if not is_number(value, whole=kind == INTEGER):
            raise refuse(name, "a number is needed")
        low, high = definition.get("min_value"), definition.get("max_value")
        if (low is not None and value < low) or (high is not None and value > high):
            raise refuse(name, f"must be between {low} and {high}")
    elif kind == BOOLEAN and not isinstance(value, bool):
        raise refuse(name, "true or false is needed")
    choices = definition.get("choices")
    if choices and all(one["value"] != value for one in choices):
        raise refuse(name, "choose one of the choices")


def spell_name(data: Json) -> str:
    """A command's name with its subcommand and group, as the line above an answer shows it."""
    names, node = [str(data["name"])], data
    while len(inner := node.get("options") or []) == 1 and inner[0]["type"] in (SUBCOMMAND, GROUP):
        node = inner[0]
        names.append(str(node["name"]))
    return " ".join(names)


def refuse(name: str, why: str) -> ApiError:
    return ApiError(400, 50035, f"{name}: {why}")

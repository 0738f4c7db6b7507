"""Owns the list of the bot's REST requests: what it sent and how it was answered, for assertions in tests."""

from collections import deque
from typing import Any

from sandbox.discord.body import Body
from sandbox.discord.state import Json

ENTRIES_MAX = 5000


class RequestLog:
    """The last 5000 requests, numbered from 1."""

    def __init__(self) -> None:
        self._entries: deque[Json] = deque(maxlen=ENTRIES_MAX)
        self._number = 0

    def add(self, *, method: str, path: str, route: str, query: dict[str, str]) -> Json:
        self._number += 1
        entry: Json = {
            "n": self._number,
            "method": method,
            "path": path,
            "route": route,
            "query": query,
            "body": None,
            "files": [],
            "status": None,
        }
        self._entries.append(entry)
        return entry

    def since(self, number: int) -> list[Json]:
        return [entry for entry in self._entries if entry["n"] > number]


def describe_body(entry: Json, body: Body) -> None:
    value: Any = body.value
    entry["body"] = value
    entry["files"] = [
        {"name": one.filename, "content_type": one.content_type, "size": len(one.data)}
        for one in body.files.values()
    ]

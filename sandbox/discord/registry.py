"""Owns the registered application commands, global and per server. What makes one valid is in `command_rules`."""

from collections import deque

from sandbox.discord.clock import Clock
from sandbox.discord.errors import ApiError
from sandbox.discord.state import Json

COMMANDS_MAX = {1: 100, 2: 15, 3: 15}
CREATES_PER_DAY_MAX = 200
DAY_S = 86_400.0
Scope = str | None


class Registry:
    """Shape: scope None is global, otherwise a guild id; commands are kept as Discord would answer them."""

    def __init__(self) -> None:
        self._scopes: dict[Scope, dict[str, Json]] = {}
        self._created_at_s: dict[Scope, deque[float]] = {}

    def list_scope(self, scope: Scope) -> list[Json]:
        return list(self._scopes.get(scope, {}).values())

    def find(self, command_id: str) -> Json | None:
        for commands in self._scopes.values():
            if command_id in commands:
                return commands[command_id]
        return None

    def get(self, scope: Scope, command_id: str) -> Json:
        """Raises: ApiError 10063."""
        command = self._scopes.get(scope, {}).get(command_id)
        if command is None:
            raise ApiError(404, 10063, "Unknown application command")
        return command

    def replace_all(self, scope: Scope, commands: list[Json], clock: Clock) -> list[Json]:
        """Bulk overwrite; a command of the same type and name keeps its id.

        Raises: ApiError 30032 or 30034.
        """
        known = {(one["type"], one["name"]): one for one in self.list_scope(scope)}
        fresh = [one for one in commands if (one["type"], one["name"]) not in known]
        self._require_room(commands)
        self._count_creates(scope, len(fresh), clock)
        kept: dict[str, Json] = {}
        for command in commands:
            old = known.get((command["type"], command["name"]))
            stored = self._complete(scope, command, clock, old)
            kept[stored["id"]] = stored
        self._scopes[scope] = kept
        return list(kept.values())

    def put(
        self, scope: Scope, command: Json, clock: Clock, command_id: str | None = None
    ) -> tuple[Json, bool]:
        """Create, or overwrite the one of the same type and name; answers the command and whether it is new."""
        kept = self._scopes.setdefault(scope, {})
        old = kept.get(command_id) if command_id else None
        if old is None:
            same = (command["type"], command["name"])
            old = next((one for one in kept.values() if (one["type"], one["name"]) == same), None)
        if old is None:
            self._require_room([*kept.values(), command])
            self._count_creates(scope, 1, clock)
        stored = self._complete(scope, command, clock, old)
        kept[stored["id"]] = stored
        return stored, old is None

    def remove(self, scope: Scope, command_id: str) -> None:
        self.get(scope, command_id)
        del self._scopes[scope][command_id]

    def _complete(self, scope: Scope, command: Json, clock: Clock, old: Json | None) -> Json:
        body = {
            "id": old["id"] if old else clock.make_id(),
            "version": clock.make_id(),
            **command,
        }
        return body if scope is None else body | {"guild_id": scope}

    def _require_room(self, commands: list[Json]) -> None:
        for kind, most in COMMANDS_MAX.items():
            if sum(one["type"] == kind for one in commands) > most:
                raise ApiError(400, 30032, f"Maximum number of application commands reached ({most})")

    def _count_creates(self, scope: Scope, number: int, clock: Clock) -> None:
        if scope is None:
            return
        times = self._created_at_s.setdefault(scope, deque(maxlen=CREATES_PER_DAY_MAX))
        while times and times[0] < clock.now_s() - DAY_S:
            times.popleft()
        if len(times) + number > CREATES_PER_DAY_MAX:
            message = (
                f"Max number of daily application command creates has been reached ({CREATES_PER_DAY_MAX})"
            )
            raise ApiError(400, 30034, message)
        times.extend([clock.now_s()] * number)

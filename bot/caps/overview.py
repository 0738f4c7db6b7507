"""What the settings panel needs beside the settings: members with decisions of their own, and taking a change back.

Owns when a change may be taken back. Must not know Discord.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from bot.caps.policies import dump_policy, parse_policy
from bot.errors import AppError
from db.queries import servers as queries

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from bot.caps.policies import Changed, Policies
    from bot.caps.values import Policy
    from bot.clock import Clock
    from db.engine import Database
    from db.values import Membership

MEMBERS_SHOWN_MAX = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """Members of one server that moderators decided about, at most `MEMBERS_SHOWN_MAX` of each."""

    blocked: tuple[Membership, ...] = ()
    capped: tuple[Membership, ...] = ()


class Overtaken(Exception):
    """Somebody changed the same setting since."""


class Overview:
    def __init__(self, database: Database, clock: Clock, policies: Policies) -> None:
        self._database = database
        self._clock = clock
        self._policies = policies

    async def find_decided(self, guild_id: int) -> Decided:
        now = self._clock.now()

        def work(c: Connection) -> Decided:
            return Decided(
                blocked=tuple(queries.list_blocked(c, guild_id, now, MEMBERS_SHOWN_MAX)),
                capped=tuple(queries.list_capped(c, guild_id, MEMBERS_SHOWN_MAX)),
            )

        return await self._database.read(work)

    async def undo(
        self, guild_id: int, actor_id: int, entry_id: int, *, locale: str | None
    ) -> tuple[Policy, Changed]:
        """Set back what one line of the audit log changed; that is a change with a line of its own.

        Shape: the settings before, and what was changed.
        **Raises** AppError when the same setting was changed since, there is no such line, or no room for it.
        """
        found = await self._database.read(
            lambda c: queries.list_entries(c, guild_id, after_id=entry_id - 1, limit=1)
        )
        entry = found[0] if found and found[0].id == entry_id else None
        if entry is None or entry.before is None or entry.after is None:
            raise AppError("panel.undo_unknown")
        before, after = entry.before, entry.after
        seen: list[Policy] = []

        def change(policy: Policy) -> Policy:
            seen.append(policy)
            try:
                return parse_policy(revert(dump_policy(policy), before, after))
            except Overtaken as error:
                raise AppError("panel.undo_late") from error
            except ValidationError as error:
                # What came since leaves no room: twenty-five caps, and the one that was taken away.
                raise AppError("panel.undo_unknown") from error

        changed = await self._policies.change(
            guild_id, actor_id, change, subject=entry.subject, locale=locale, action=entry.action
        )
        return seen[-1], changed


def revert(
    document: Mapping[str, object], before: Mapping[str, object], after: Mapping[str, object]
) -> dict[str, object]:
    """The document with one change taken back, and all others kept. **Raises** Overtaken."""
    if not set(after) <= set(document):
        raise Overtaken
    reverted = {name: _revert_value(document[name], before.get(name), after[name]) for name in after}
    return {**document, **reverted}


def _revert_value(present: object, before: object, after: object) -> object:
    if present == after:
        return before
    if not (isinstance(present, list) and isinstance(before, list) and isinstance(after, list)):
        raise Overtaken
    # Entries are changed one by one, so only those of this change must still be as it left them.
    now, old, new = _by_key(present), _by_key(before), _by_key(after)
    changed = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    if any(now.get(key) != new.get(key) for key in changed):
        raise Overtaken
    for key in changed:
        if key in old:
            now[key] = old[key]
        else:
            del now[key]
    return list(now.values())


def _by_key(entries: list[object]) -> dict[object, object]:
    return {_key_of(entry): entry for entry in entries}


def _key_of(entry: object) -> object:
    return entry.get("id") or entry.get("name") if isinstance(entry, dict) else entry

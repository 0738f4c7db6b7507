"""The settings of servers: read, kept for the next decision, changed with a line in the audit log.

Owns the stored document of a `Policy` and a bounded cache of what was read, which is used only while the
database still has the same version. Must not know Discord.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING
from zoneinfo import available_timezones

from pydantic import TypeAdapter, ValidationError

from bot.caps.loaded import build_default, build_loaded, in_zone
from bot.caps.values import Policy
from bot.caps.zones import zone_of_locale
from bot.errors import AppError
from bot.log import get_logger
from bot.safety.words import WORDS_PER_LIST_MAX
from db.enums import AuditAction
from db.queries import servers as queries
from db.queries import upkeep as upkeep_queries
from db.values import AuditEntry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Connection

    from bot.caps.loaded import Loaded
    from bot.clock import Clock
    from db.engine import Database

log = get_logger(__name__)

OPERATOR_ID = 0
CACHED_MAX = 1_000
# A compiled word takes about half a kilobyte.
CACHED_WORDS_MAX = 100_000
CHANGE_ATTEMPTS_MAX = 5
SERVERS_MAX = 100_000
ZONE = "time_zone"
_DOCUMENT = TypeAdapter(Policy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What a change of settings did, and what is stored now; `entry_id` 0: nothing was different."""

    policy: Policy
    document: Mapping[str, object]
    entry_id: int
    version: int


class Policies:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._cache: OrderedDict[int, Loaded] = OrderedDict()
        self._cached_words = 0
        # The cache is filled from database threads.
        self._keeping = threading.Lock()
        # Told after each new line of the audit log.
        self.on_entry: Callable[[], None] = lambda: None

    # --- inside a transaction, on a database thread ---

    def cached(self, guild_id: int | None, locale: str | None) -> Loaded:
        """What was read last, or the defaults; compare its version before trusting it."""
        found = self._cache.get(guild_id) if guild_id is not None else None
        if found is not None:
            return in_zone(found, locale)
        return build_default(locale if guild_id is not None else None)

    def load(self, c: Connection, guild_id: int, locale: str | None) -> Loaded:
        """Read a server's settings; words are compiled again only where they changed.

        Transaction: joins, and only reads. Long lists are compiled before it by `prepare` and `change`.
        """
        server = queries.find_server(c, guild_id)
        if server is None:
            return build_default(locale)
        return in_zone(self._keep(guild_id, server.policy, server.version), locale)

    def _keep(self, guild_id: int, document: Mapping[str, object], version: int) -> Loaded:
        known = self._cache.get(guild_id)
        if known is not None and known.version == version:
            return known
        loaded = build_loaded(parse_policy(document), version, known, zoned=ZONE in document)
        with self._keeping:
            replaced = self._cache.pop(guild_id, None)
            self._cache[guild_id] = loaded
            self._cached_words += loaded.words.word_count
            self._cached_words -= replaced.words.word_count if replaced is not None else 0
            while len(self._cache) > CACHED_MAX or (
                self._cached_words > CACHED_WORDS_MAX and len(self._cache) > 1
            ):
                _, dropped = self._cache.popitem(last=False)
                self._cached_words -= dropped.words.word_count
        return loaded

    def ensure(self, c: Connection, guild_id: int, locale: str | None = None) -> None:
        """Store a server's settings as they are, if nothing of it is stored yet; its language chooses its zone.

        Without a language, as in an act on a server not met yet, the zone stays to be chosen.
        **Transaction** joins. **Repeatable** yes.
        """
        for _ in range(CHANGE_ATTEMPTS_MAX):
            server = queries.find_server(c, guild_id)
            if server is not None and (locale is None or ZONE in server.policy):
                return
            document = dump_policy(Policy()) if server is None else dict(server.policy)
            document[ZONE] = zone_of_locale(locale)
            if locale is None:
                del document[ZONE]
            if queries.write_policy(c, guild_id, document, version=server.version if server else 0):
                return

    # --- for the surface ---

    async def prepare(self, guild_id: int, locale: str | None = None) -> Loaded:
        """What is kept of a server's settings, read and compiled now where nothing is kept yet.

        **Transaction** opens one for reading; compiling, which may take half a second, is done outside of it.
        """
        found = self._cache.get(guild_id)
        if found is not None:
            return in_zone(found, locale)
        server = await self._database.read(lambda c: queries.find_server(c, guild_id))
        if server is None:
            return build_default(locale)
        return in_zone(await asyncio.to_thread(self._keep, guild_id, server.policy, server.version), locale)

    async def find(self, guild_id: int, locale: str | None = None) -> Policy:
        """The settings of a server, or the defaults."""
        return (await self._database.read(lambda c: self.load(c, guild_id, locale))).policy

    async def change(
        self,
        guild_id: int,
        actor_id: int,
        change: Callable[[Policy], Policy],
        *,
        subject: str,
        locale: str | None = None,
        action: AuditAction = AuditAction.SETTING,
        reason: str | None = None,
    ) -> Changed:
        """Change a server's settings, and write down who did it, what was before and what is now.

        **Transaction** opens one. **Repeatable** in effect: a change that changes nothing writes nothing.
        **Raises** AppError for settings that are out of range, or when others change them all the time.
        """
        now = self._clock.now()
        await self.prepare(guild_id, locale)
        for _ in range(CHANGE_ATTEMPTS_MAX):
            changed = await self._database.transaction(
                lambda c: self._change(
                    c,
                    guild_id,
                    change,
                    locale,
                    AuditEntry(
                        guild_id=guild_id,
                        at=now,
                        actor_id=actor_id,
                        action=action,
                        subject=subject,
                        reason=reason,
                    ),
                )
            )
            if changed is not None:
                if changed.entry_id:
                    # Compiled here, so that no member's request has to, inside its transaction.
                    await asyncio.to_thread(self._keep, guild_id, changed.document, changed.version)
                    log.info("setting.changed", guild=guild_id, actor=actor_id, subject=subject)
                    self.on_entry()
                return changed
        raise AppError("error.try_again")

    def _change(
        self,
        c: Connection,
        guild_id: int,
        change: Callable[[Policy], Policy],
        locale: str | None,
        entry: AuditEntry,
    ) -> Changed | None:
        loaded = self.load(c, guild_id, locale)
        policy = check_policy(change(loaded.policy))
        if entry.actor_id != OPERATOR_ID:
            # Also through an undo: what the operator set is not the moderators' to change.
            policy = replace(policy, operator_budget_credits=loaded.policy.operator_budget_credits)
        before, after = dump_policy(loaded.policy), dump_policy(policy)
        different = [name for name in after if before[name] != after[name]]
        document = dict(after)
        if not loaded.zoned and locale is None and ZONE not in different:
            # Nobody who knows the server's language has been here: it is met later.
            del document[ZONE]
        if not different and loaded.version:
            return Changed(policy=policy, document=document, entry_id=0, version=loaded.version)
        if not queries.write_policy(c, guild_id, document, version=loaded.version):
            return None
        entry_id = 0
        if different:
            entry_id = queries.append_entry(c, _with_difference(entry, before, after, different))
        return Changed(policy=policy, document=document, entry_id=entry_id, version=loaded.version + 1)

    # --- coming and going ---

    async def meet(
        self, guilds: Mapping[int, str], *, all_of: Callable[[int], bool] = lambda _guild_id: False
    ) -> None:
        """The bot is in these servers (id -> language): they get settings of their own, in a first time zone.

        Of those that `all_of` accepts it is in no others: which of them it was in before are left as of now.
        """
        now = self._clock.now()

        def work(c: Connection) -> None:
            present = set(upkeep_queries.list_present(c, SERVERS_MAX))
            unzoned = upkeep_queries.list_unzoned(c, guilds.keys() & present)
            for guild_id in sorted((guilds.keys() - present) | unzoned):
                self.ensure(c, guild_id, guilds[guild_id])
                queries.mark_left(c, guild_id, None)
            for guild_id in sorted(filter(all_of, present - guilds.keys())):
                queries.mark_left(c, guild_id, now)

        await self._database.transaction(work)

    async def leave(self, guild_id: int) -> None:
        """The bot is no longer in a server, which starts the retention time of its audit log."""
        now = self._clock.now()
        await self._database.transaction(lambda c: queries.mark_left(c, guild_id, now))


def parse_policy(document: Mapping[str, object]) -> Policy:
    """Read a stored document. Raises: pydantic's ValidationError for one that is damaged."""
    return _DOCUMENT.validate_python(document)


def dump_policy(policy: Policy) -> dict[str, object]:
    """The document of a policy, as JSON knows it."""
    document: dict[str, object] = _DOCUMENT.dump_python(policy, mode="json")
    return document


def check_policy(policy: Policy) -> Policy:
    """Hold new settings to their ranges. **Raises** AppError naming the setting that is wrong."""
    try:
        checked = _DOCUMENT.validate_python(
            {field.name: getattr(policy, field.name) for field in fields(policy)}
        )
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        raise AppError("settings.range", setting=name) from error
    if any(len(one.words) > WORDS_PER_LIST_MAX for one in checked.word_lists):
        raise AppError("settings.range", setting="word_lists")
    if checked.time_zone not in available_timezones():
        raise AppError("settings.time_zone", zone=checked.time_zone)
    return checked


def _with_difference(
    entry: AuditEntry, before: Mapping[str, object], after: Mapping[str, object], different: list[str]
) -> AuditEntry:
    return replace(
        entry,
        before={name: before[name] for name in different},
        after={name: after[name] for name in different},
    )

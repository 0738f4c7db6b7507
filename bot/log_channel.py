"""Posts the audit log of each server to the channel that its moderators chose for it.

Owns the order and the once: entries go out by their number, and how far the channel was told is stored after
each; a closed channel keeps its place. Discord refuses a second post with the nonce of an entry; later than
that, our own messages are looked through. What an entry looks like comes from the cogs. Stands behind
everything: nothing waits for it.
"""

from __future__ import annotations

import asyncio
from enum import Enum
from itertools import takewhile
from typing import TYPE_CHECKING

import discord

from bot.discord_retry import DISCORD_ERRORS, describe, may_pass
from bot.log import get_logger, tell_failed_round
from bot.own_messages import NONCE_SAFE_S
from bot.tasks import TaskGroup, wait_for
from db.queries import servers as server_queries
from db.queries import upkeep as queries

if TYPE_CHECKING:
    from collections.abc import Callable

    from discord import ui

    from bot.client import KvidBot
    from bot.clock import Clock
    from db.engine import Database
    from db.queries.upkeep import Unposted
    from db.values import AuditEntry

    Render = Callable[[AuditEntry, int], ui.LayoutView]

log = get_logger(__name__)

# Also without a word from anybody: the command line writes entries from another process.
LOOK_INTERVAL_S = 10.0
RETRY_S = 30.0
# A channel that is closed to us: each refused try counts with Discord.
CLOSED_RETRY_S = 300.0
# So many lines of the time it was closed are posted after all; what is older is one line.
BACKLOG_MAX = 25
# PostgreSQL numbers entries before they can be seen: one that is younger may still be overtaken.
SETTLED_S = 0.5
SERVERS_PER_PAGE = 100
PAGES_MAX = 1_000
ENTRIES_READ_MAX = 500
# Discord lets five messages into a channel at once; the next server shall not wait for more.
SHARE_MAX = 5
LOOK_MESSAGES_MAX = 100


class _Outcome(Enum):
    POSTED = "posted"
    DELAYED = "delayed"
    UNFIT = "unfit"
    CLOSED = "closed"


class LogChannel:
    """Started by the app once Discord's REST is there; posts as soon as the gateway is."""

    def __init__(self, client: KvidBot, database: Database, clock: Clock) -> None:
        self._client = client
        self._database = database
        self._clock = clock
        self._render: Render | None = None
        self._loop = TaskGroup("log-channel", limit=1)
        self._wake = asyncio.Event()
        self._stopping = False
        # Moments before which a server is left alone; only of servers that Discord put off or refused.
        self._not_before: dict[int, float] = {}
        # The channel of a server that refused the last post.
        self._closed: dict[int, int] = {}

    def use_render(self, render: Render) -> None:
        """How an entry looks: the entry, and the server whose language and names count."""
        self._render = render

    def start(self) -> None:
        self._loop.start("post", self._run())

    async def stop(self, *, grace_s: float) -> None:
        self._stopping = True
        self._wake.set()
        await self._loop.stop(grace_s=grace_s)

    def wake(self) -> None:
        """There is a new entry somewhere. May be called often, by the event loop's thread alone."""
        self._wake.set()

    def is_closed(self, guild_id: int, channel_id: int | None) -> bool:
        """Whether Discord refused the last post to this log channel of a server: deleted, or no permission."""
        return channel_id is not None and self._closed.get(guild_id) == channel_id

    def try_again(self, guild_id: int) -> None:
        """Somebody looks after a server's settings: its channel may be open again. Cheap where it was not closed."""
        if guild_id in self._closed:
            self._not_before.pop(guild_id, None)
            self._wake.set()

    async def _run(self) -> None:
        while not self._stopping:
            self._wake.clear()
            pause_s = LOOK_INTERVAL_S
            try:
                if self._render is not None and self._client.is_ready():
                    pause_s = await self._post_everywhere()
            except Exception as error:  # noqa: BLE001 - told, and tried again in the next round
                tell_failed_round(log, "log_channel.failed", error)
            if pause_s > 0:
                await wait_for(self._clock, self._wake, pause_s)

    async def _post_everywhere(self) -> float:
        """Post a few entries of every server. Units: how long until there may be more, if nobody wakes us."""
        after, pause_s = 0, LOOK_INTERVAL_S
        for _ in range(PAGES_MAX):
            page_after = after
            servers = await self._database.read(
                lambda c, page_after=page_after: queries.list_unposted(  # type: ignore[misc]
                    c, after_guild_id=page_after, limit=SERVERS_PER_PAGE
                )
            )
            for server in servers:
                if self._stopping:
                    return LOOK_INTERVAL_S
                if self._client.has_shard_of(server.guild_id) and not self._is_put_off(server):
                    pause_s = min(pause_s, await self._post_server(server))
            if len(servers) < SERVERS_PER_PAGE:
                break
            after = servers[-1].guild_id
        return pause_s

    def _is_put_off(self, server: Unposted) -> bool:
        if self._closed.get(server.guild_id, server.log_channel_id) != server.log_channel_id:
            # Another channel, or none, was chosen instead of the closed one.
            return False
        return self._not_before.get(server.guild_id, 0.0) > self._clock.monotonic()

    async def _post_server(self, server: Unposted) -> float:
        """Units: as `_post_everywhere`."""
        guild_id, now = server.guild_id, self._clock.now()
        found = await self._database.read(
            lambda c: server_queries.list_entries(
                c, guild_id, limit=ENTRIES_READ_MAX, after_id=server.posted_entry_id
            )
        )
        entries = list(takewhile(lambda one: (now - one.at).total_seconds() >= SETTLED_S, found))
        pause_s = SETTLED_S if len(entries) < len(found) else LOOK_INTERVAL_S
        # The choice of the channel may itself be too young to be posted.
        first = min(_find_first(found), len(entries)) if server.log_channel_id is not None else len(entries)
        if first:
            await self._mark(guild_id, entries[first - 1])
        due, channel_id = entries[first:], server.log_channel_id
        if channel_id is None:
            self._closed.pop(guild_id, None)
            return pause_s
        if guild_id in self._closed and len(due) > BACKLOG_MAX:
            missed = due[:-BACKLOG_MAX]
            if await self._post(guild_id, channel_id, missed[-1], missed=len(missed)):
                await self._mark(guild_id, missed[-1])
                # What did not fit into this reading is behind it and was missed too.
                if len(found) < ENTRIES_READ_MAX:
                    self._closed.pop(guild_id, None)
                return 0.0
            return pause_s
        for entry in due[:SHARE_MAX]:
            if not await self._post(guild_id, channel_id, entry):
                return pause_s
            self._closed.pop(guild_id, None)
            await self._mark(guild_id, entry)
        return 0.0 if len(due) > SHARE_MAX else pause_s

    async def _post(self, guild_id: int, channel_id: int, entry: AuditEntry, *, missed: int = 0) -> bool:
        """Post a line, or with `missed` the one line for so many; False when it waits, with all behind it."""
        outcome = await self._try(guild_id, channel_id, entry, missed)
        if outcome is _Outcome.DELAYED:
            self._not_before[guild_id] = self._clock.monotonic() + RETRY_S
        elif outcome is _Outcome.CLOSED:
            self._closed[guild_id] = channel_id
            self._not_before[guild_id] = self._clock.monotonic() + CLOSED_RETRY_S
        else:
            self._not_before.pop(guild_id, None)
        return outcome in {_Outcome.POSTED, _Outcome.UNFIT}

    async def _mark(self, guild_id: int, entry: AuditEntry) -> None:
        await self._database.transaction(lambda c: server_queries.mark_posted(c, guild_id, entry.id))

    async def _try(self, guild_id: int, channel_id: int, entry: AuditEntry, missed: int) -> _Outcome:
        assert self._render is not None  # noqa: S101 - asked before each round
        guild = self._client.get_guild(guild_id)
        if guild is None:
            return _Outcome.DELAYED
        try:
            view = self._draw_missed(guild, entry, missed) if missed else self._render(entry, guild_id)
        except Exception:
            log.exception("log_channel.entry_not_drawn", guild=guild_id, entry=entry.id)
            return _Outcome.UNFIT
        channel = self._client.get_partial_messageable(channel_id, guild_id=guild_id)
        try:
            late = (self._clock.now() - entry.at).total_seconds() > NONCE_SAFE_S
            if late and await self._find_posted(channel, entry):
                return _Outcome.POSTED
            nonce = f"missed{entry.id}" if missed else build_nonce(entry)
            await channel.send(view=view, nonce=nonce, silent=True)
        except DISCORD_ERRORS as error:
            return self._outcome_of(error, guild_id, channel_id, entry)
        return _Outcome.POSTED

    def _outcome_of(self, error: Exception, guild_id: int, channel_id: int, entry: AuditEntry) -> _Outcome:
        if may_pass(error):
            log.warning("log_channel.delayed", guild=guild_id, error=describe(error))
            return _Outcome.DELAYED
        if not isinstance(error, discord.Forbidden | discord.NotFound):
            # Something about this one entry, which must not hold up those behind it.
            log.error("log_channel.entry_refused", guild=guild_id, entry=entry.id, exc_info=error)
            return _Outcome.UNFIT
        if self._closed.get(guild_id) != channel_id:
            log.warning(
                "log_channel.closed", guild=guild_id, channel=channel_id, code=error.code, status=error.status
            )
        return _Outcome.CLOSED

    def _draw_missed(self, guild: discord.Guild, last: AuditEntry, missed: int) -> ui.LayoutView:
        told = self._client.text(guild.preferred_locale, "log.missed", n=missed)
        return self._client.delivery.layouts.text(f"{told}\n{build_mark(last)}")

    async def _find_posted(self, channel: discord.PartialMessageable, entry: AuditEntry) -> bool:
        """Whether an earlier post arrived although its answer, or our note of it, did not."""
        try:
            async for message in channel.history(limit=LOOK_MESSAGES_MAX):
                if message.author.id == self._client.user_id and _shows(message, entry):
                    return True
        except discord.Forbidden:
            # Without the history nobody can tell; a line twice is better than none.
            return False
        return False


def build_nonce(entry: AuditEntry) -> str:
    return f"log-{entry.id}"


def build_mark(entry: AuditEntry) -> str:
    """How every posted entry ends, in any language, so that it can be found again."""
    return f"-# #{entry.id} · <t:{int(entry.at.timestamp())}:f>"


def _shows(message: discord.Message, entry: AuditEntry) -> bool:
    mark = build_mark(entry)
    return any(mark in content for content in _list_texts(message.components))


def _list_texts(components: object, depth: int = 0) -> list[str]:
    if not isinstance(components, list) or depth > 3:
        return []
    texts: list[str] = []
    for component in components:
        content = getattr(component, "content", None)
        if isinstance(content, str):
            texts.append(content)
        texts += _list_texts(getattr(component, "children", None), depth + 1)
    return texts


def _find_first(entries: list[AuditEntry]) -> int:
    """Where to begin: with the entry that chose a channel where there was none; what was before stays untold."""
    for place in range(len(entries) - 1, -1, -1):
        before, after = entries[place].before or {}, entries[place].after or {}
        if "log_channel_id" in after and before.get("log_channel_id") is None:
            return place
    return 0

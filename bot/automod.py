"""Reads servers' own AutoMod keyword rules from Discord, and keeps their words in the settings.

Owns when that happens: when a moderator turns it on, when the bot is ready, and when rules change. What a rule
says stands in `bot.safety.automod`, what its words do in `bot.safety.words`. Reading needs Manage Server.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bot.discord_retry import DISCORD_ERRORS, may_pass
from bot.errors import AppError
from bot.log import get_logger, tell_failed_round
from bot.safety.automod import KeywordRule, RulesUnreadable, read_rules, words_of
from bot.tasks import TaskGroup, wait_for
from db.enums import AuditAction
from db.queries import upkeep as queries

if TYPE_CHECKING:
    from collections.abc import Callable

    import discord

    from bot.caps.policies import Policies
    from bot.caps.values import Policy
    from bot.clock import Clock
    from bot.safety.words import WordAction
    from db.engine import Database

log = get_logger(__name__)

OPERATOR_ID = 0
RETRY_S = 60.0
PAGE_MAX = 500
PAGES_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class AutomodRead:
    """What a server's AutoMod rules list now; `skipped` entries cannot be used, such as regular expressions."""

    rules: tuple[KeywordRule, ...]
    words: tuple[str, ...]
    allowed: tuple[str, ...]
    skipped: int

    def turn_on(self, policy: Policy, action: WordAction) -> Policy:
        """The settings with these words in use."""
        return replace(policy, automod_action=action, automod_words=self.words, automod_allowed=self.allowed)

    def renew(self, policy: Policy) -> Policy:
        """The settings with these words, where AutoMod's words are in use at all."""
        return self.turn_on(policy, policy.automod_action) if policy.automod_action is not None else policy


def turn_off(policy: Policy) -> Policy:
    """The settings without any of AutoMod's words."""
    return replace(policy, automod_action=None, automod_words=(), automod_allowed=())


class AutoMod:
    """Started by the app; a server's rules are read one after the other, each at most once for many changes."""

    def __init__(
        self,
        client: discord.Client,
        database: Database,
        policies: Policies,
        clock: Clock,
        *,
        is_ours: Callable[[int], bool] = lambda _guild_id: True,
    ) -> None:
        self._client = client
        self._is_ours = is_ours
        self._database = database
        self._policies = policies
        self._clock = clock
        self._loop = TaskGroup("automod", limit=1)
        self._wake = asyncio.Event()
        self._stopping = False
        # Servers whose rules are to be read, in this order; no more than the bot is in.
        self._waiting: dict[int, None] = {}
        # When those that could not be read are asked about again.
        self._later: dict[int, float] = {}
        self._all = False
        # Servers where Discord did not let us read; each is asked again at every start.
        self._refused: set[int] = set()

    def start(self) -> None:
        self._loop.start("read", self._run())

    async def stop(self, *, grace_s: float) -> None:
        self._stopping = True
        self._wake.set()
        await self._loop.stop(grace_s=grace_s)

    def read_soon(self, guild_id: int) -> None:
        """A server's rules may have changed; servers that do not use them are passed over."""
        self._waiting.setdefault(guild_id)
        self._wake.set()

    def read_all_soon(self) -> None:
        """Rules may have changed anywhere, since nobody listened."""
        self._all = True
        self._wake.set()

    def is_refused(self, guild_id: int) -> bool:
        """Whether a server's rules may not be read now, so that its words may be those of an earlier time."""
        if guild_id in self._refused:
            return True
        # Without the permission nobody tells us of changes either, so it may never come to a refusal.
        guild = self._client.get_guild(guild_id)
        if guild is None or guild.unavailable:
            return False
        return not guild.me.guild_permissions.manage_guild

    async def read(self, guild_id: int) -> AutomodRead:
        """Read a server's rules now.

        **Raises** AppError: `automod.not_allowed` without Manage Server, `automod.unreachable` otherwise.
        """
        try:
            payload: Any = await self._client.http.get_auto_moderation_rules(guild_id)
            rules = read_rules(payload)
        except DISCORD_ERRORS as error:
            if may_pass(error):
                raise AppError("automod.unreachable") from error
            self._refused.add(guild_id)
            raise AppError("automod.not_allowed") from error
        except RulesUnreadable as error:
            log.warning("automod.unreadable", guild=guild_id, field=error.field)
            raise AppError("automod.unreachable") from error
        self._refused.discard(guild_id)
        words, allowed, skipped = words_of(rules)
        return AutomodRead(rules=tuple(rules), words=words, allowed=allowed, skipped=skipped)

    async def renew(self, guild_id: int) -> None:
        """Store a server's words as they are now, where it uses them.

        **Repeatable** yes: nothing is written when nothing is different. **Raises** AppError as `read`.
        """
        if (await self._policies.find(guild_id)).automod_action is None:
            return
        read = await self.read(guild_id)
        changed = await self._policies.change(
            guild_id, OPERATOR_ID, read.renew, subject="automod_words", action=AuditAction.AUTOMOD
        )
        if changed.entry_id:
            log.info("automod.read", guild=guild_id, words=len(read.words), skipped=read.skipped)

    async def _run(self) -> None:
        while not self._stopping:
            self._wake.clear()
            try:
                if self._all:
                    await self._find_all()
                self._take_later()
                await self._renew_waiting()
            except Exception as error:  # noqa: BLE001 - told, and tried again in the next round
                tell_failed_round(log, "automod.failed", error)
            await wait_for(self._clock, self._wake, RETRY_S)

    def _take_later(self) -> None:
        # By the clock, not once it is quiet: among many servers it never is.
        now = self._clock.monotonic()
        for guild_id in [guild_id for guild_id, due in self._later.items() if due <= now]:
            del self._later[guild_id]
            self._waiting.setdefault(guild_id)

    def _try_later(self, guild_id: int) -> None:
        self._later.setdefault(guild_id, self._clock.monotonic() + RETRY_S)

    async def _find_all(self) -> None:
        after = 0
        for _ in range(PAGES_MAX):
            page_after = after
            found = await self._database.read(
                lambda c, page_after=page_after: queries.list_automod(  # type: ignore[misc]
                    c, after_guild_id=page_after, limit=PAGE_MAX
                )
            )
            self._waiting |= dict.fromkeys(one for one in found if self._is_ours(one))
            if len(found) < PAGE_MAX:
                break
            after = found[-1]
        self._all = False

    async def _renew_waiting(self) -> None:
        while self._waiting and not self._stopping:
            guild_id = next(iter(self._waiting))
            del self._waiting[guild_id]
            try:
                await self.renew(guild_id)
            except AppError as error:
                # The words that were read before go on to count.
                log.warning("automod.not_read", guild=guild_id, reason=error.key)
                if error.key != "automod.not_allowed":
                    self._try_later(guild_id)
            except Exception:
                self._try_later(guild_id)
                raise

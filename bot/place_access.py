"""What the bot may do in a place: from what the gateway keeps, and by REST where there is no gateway.

A process that only runs jobs never connects to the gateway, and any process works before it has. What was
fetched and allowed a post is remembered for a moment; a refusal never is, since it would outlive its mend.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import discord

from bot.discord_retry import ANSWER, DISCORD_ERRORS, describe, may_pass
from bot.log import get_logger

if TYPE_CHECKING:
    from bot.client import KvidBot
    from bot.clock import Clock

log = get_logger(__name__)

REMEMBERED_S = 60.0
REMEMBERED_MAX = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Shape: `reason` says for the operator why the place is closed; None where pictures can be posted."""

    reason: str | None
    can_read_history: bool


class PlaceAccess:
    def __init__(self, client: KvidBot, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        # Moments until which a channel is known to take pictures.
        self._open_until: OrderedDict[int, float] = OrderedDict()

    async def find_closed(self, guild_id: int, channel_id: int) -> str | None:
        """Why no picture can be posted there, as far as is known; None also while Discord does not answer."""
        if self._open_until.get(channel_id, 0.0) > self._clock.monotonic():
            return None
        try:
            access = await self.look(guild_id, channel_id)
        except DISCORD_ERRORS as error:
            log.info("place.not_known", guild=guild_id, channel=channel_id, error=describe(error))
            return None
        if access.reason is None and not self._client.is_ready():
            self._remember(channel_id)
        return access.reason

    def _remember(self, channel_id: int) -> None:
        self._open_until[channel_id] = self._clock.monotonic() + REMEMBERED_S
        self._open_until.move_to_end(channel_id)
        while len(self._open_until) > REMEMBERED_MAX:
            self._open_until.popitem(last=False)

    async def look(self, guild_id: int, channel_id: int) -> Access:
        """What the bot may do there now. **Raises** one of DISCORD_ERRORS that may pass."""
        if self._client.is_ready():
            return self._look_into_cache(guild_id, channel_id)
        try:
            return await self._fetch(guild_id, channel_id)
        except discord.HTTPException as error:
            if may_pass(error):
                raise
            return Access(reason=f"Discord does not show it: {describe(error)}", can_read_history=False)

    def _look_into_cache(self, guild_id: int, channel_id: int) -> Access:
        guild = self._client.get_guild(guild_id)
        if guild is None:
            return Access(reason="the bot is no longer in that server", can_read_history=False)
        channel = guild.get_channel_or_thread(channel_id)
        if channel is None:
            # An archived thread is not in the cache; Discord will say whether it is there.
            return Access(reason=None, can_read_history=True)
        is_thread = isinstance(channel, discord.Thread)
        return _access(channel.permissions_for(guild.me), is_thread=is_thread)

    async def _fetch(self, guild_id: int, channel_id: int) -> Access:
        call = self._client.retry.call
        guild = await call("guild", lambda: self._client.fetch_guild(guild_id, with_counts=False), ANSWER)
        me = await call("member", lambda: guild.fetch_member(self._client.user_id), ANSWER)
        channel = await call("channel", lambda: guild.fetch_channel(channel_id), ANSWER)
        is_thread = isinstance(channel, discord.Thread)
        if isinstance(channel, discord.Thread):
            # A fetched thread does not bring its parent, whose permissions are the thread's.
            parent_id = channel.parent_id
            channel = await call("channel", lambda: guild.fetch_channel(parent_id), ANSWER)
            assert not isinstance(channel, discord.Thread)  # noqa: S101 - threads stand in channels
        return _access(channel.permissions_for(me), is_thread=is_thread)


def _access(granted: discord.Permissions, *, is_thread: bool) -> Access:
    may_send = granted.send_messages_in_threads if is_thread else granted.send_messages
    may_post = granted.view_channel and may_send and granted.attach_files
    reason = None if may_post else "the bot may no longer post pictures in that channel"
    return Access(reason=reason, can_read_history=granted.view_channel and granted.read_message_history)

"""Our own messages, found again by a job's id: what was posted before a restart is not posted twice.

A nonce is not kept on the message, so past its window the id in a button, or in the text, is what tells.
**Source**: platform notes 5.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    import discord
    from discord.abc import Messageable

# Discord remembers a nonce for "the past few minutes"; within this a second post is refused by Discord itself.
NONCE_SAFE_S = 120.0
# How far the clocks may differ, and how many messages behind the intent may hide our own.
LOOK_MARGIN_S = 60.0
LOOK_MESSAGES_MAX = 1000


async def find_own_message(
    channel: Messageable, own_id: int, since: datetime, matches: Callable[[discord.Message], bool]
) -> discord.Message | None:
    """The first message of ours after `since` that matches; None also where the history may not be read."""
    after = since - timedelta(seconds=LOOK_MARGIN_S)
    async for message in channel.history(limit=LOOK_MESSAGES_MAX, after=after, oldest_first=True):
        if message.author.id == own_id and matches(message):
            return message
    return None


def has_button(message: discord.Message, custom_id: str) -> bool:
    return any(getattr(part, "custom_id", None) == custom_id for part in _walk(message.components))


def says(message: discord.Message, words: str) -> bool:
    return any(words in str(getattr(part, "content", "")) for part in _walk(message.components))


def _walk(components: Iterable[object]) -> Iterable[object]:
    for component in components:
        yield component
        yield from _walk(getattr(component, "children", ()))

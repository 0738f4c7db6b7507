"""An address of the picture to edit that works now: Discord signs its own for a day.

**Source**: platform notes 4: the message is fetched again, which brings fresh addresses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from bot.discord_retry import ANSWER, DISCORD_ERRORS
from bot.jobs.ports import SourceExpired

if TYPE_CHECKING:
    from datetime import datetime

    from bot.client import KvidBot
    from db.values import Job

SOURCE_MARGIN_S = 120.0


async def fetch_fresh_url(client: KvidBot, job: Job, now: datetime) -> str:
    """**Raises** SourceExpired when the address is too old and its message is gone."""
    url = job.source_url or ""
    if not _expires_soon(url, now):
        return url
    if job.source_channel_id is None or job.source_message_id is None:
        raise SourceExpired
    channel, message_id = client.get_partial_messageable(job.source_channel_id), job.source_message_id
    try:
        message = await client.retry.call("source", lambda: channel.fetch_message(message_id), ANSWER)
    except DISCORD_ERRORS as error:
        raise SourceExpired from error
    for attachment in message.attachments:
        if attachment.id == job.source_attachment_id:
            return attachment.url
    raise SourceExpired


def _expires_soon(url: str, now: datetime) -> bool:
    expires = parse_qs(urlsplit(url).query).get("ex")
    if not expires:
        return False
    try:
        expires_at = int(expires[0], 16)
    except ValueError:
        return False
    return expires_at - now.timestamp() <= SOURCE_MARGIN_S

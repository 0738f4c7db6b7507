"""Reply to edit: a reply to a picture, with the ping on, changes that picture.

Discord hands the bot a reply's text only when the bot is pinged (or in direct messages), so a reply without
the ping gets one short hint. There is no private way to answer a message: refusals here say no numbers.
**Source**: platform notes 2.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

import discord
from discord.ext import commands

from bot.discord_retry import ANSWER, DISCORD_ERRORS, describe
from bot.errors import AppError, Refused, SourceRefused
from bot.jobs.service import Origin, Picture, Source
from bot.log import get_logger
from cogs import _options, _sources
from cogs._hints import HintLimiter
from cogs._intake import show_far_place
from cogs._places import build_asker, check_can_post, is_thread
from db.enums import DeliveryMode, JobKind, Surface

if TYPE_CHECKING:
    from bot.client import KvidBot
    from db.values import Job

log = get_logger(__name__)

NOTE_LIFETIME_S = 30.0
# A refused reply is answered in public, so not every one of many is.
REFUSAL_INTERVAL_S = 5.0
# "#2 make it night" edits the second of several pictures.
_WHICH = re.compile(r"#([1-4])\s+")


class Replies(commands.Cog):
    def __init__(self, bot: KvidBot, sources: _sources.SourceLoader) -> None:
        self.bot = bot
        self.sources = sources
        self.hints = HintLimiter(bot.clock)
        self.refusals = HintLimiter(bot.clock, REFUSAL_INTERVAL_S)

    @commands.Cog.listener("on_message")
    async def on_reply(self, message: discord.Message) -> None:
        if message.author.bot:
            return
        if message.type is not discord.MessageType.reply or message.reference is None:
            await self._greet(message)
            return
        pinged = any(user.id == self.bot.user_id for user in message.mentions)
        if not pinged and message.guild is not None:
            await self._hint(message)
            return
        try:
            await self._edit(message)
        except Exception as error:  # noqa: BLE001 - the boundary of replies
            await self._explain(message, error)

    async def _greet(self, message: discord.Message) -> None:
        """Somebody talks to the bot alone, in direct messages: say once what it understands."""
        ordinary = message.type is discord.MessageType.default
        if message.guild is None and ordinary and self.hints.may_tell(message.author.id):
            await self._note(message, self.bot.text(_locale(message), "hint.direct"))

    async def _hint(self, message: discord.Message) -> None:
        """A reply to one of our pictures without the ping: say once how it works."""
        replied = message.reference.resolved if message.reference else None
        if not isinstance(replied, discord.Message) or replied.author.id != self.bot.user_id:
            return
        job = await self.bot.jobs.find_by_message(replied.id)
        if job is None or job.hidden_at is not None or not self.hints.may_tell(message.author.id):
            return
        await self._note(message, self.bot.text(_locale(message), "hint.ping_off"))

    async def _edit(self, message: discord.Message) -> None:
        reference_id = message.reference.message_id if message.reference else None
        if reference_id is None:
            return
        replied = message.reference.resolved if message.reference else None
        job = await self._job_of(message, reference_id, replied)
        if job is None and message.guild is None and not _has_files(replied):
            # A reply to ordinary talk in a direct message is no request.
            return
        _check_message_place(message)
        with contextlib.suppress(*DISCORD_ERRORS):
            # A courtesy, which nothing depends on.
            await message.channel.typing()
        words = _words(message, self.bot.user_id)
        if not words:
            raise AppError("hint.reply_empty")
        picture, source = await self._source(words, message, job, replied)
        accepted = await self.bot.jobs.accept(
            JobKind.IMAGE_TO_IMAGE,
            picture,
            Origin(
                request_id=message.id,
                asker=build_asker(
                    message.author,
                    message.guild.id if message.guild else None,
                    message.channel,
                    str(message.guild.preferred_locale) if message.guild else None,
                ),
                channel_id=message.channel.id,
                surface=Surface.MESSAGE,
                delivery=DeliveryMode.CHANNEL,
                locale=_locale(message),
                request_message_id=message.id,
            ),
            source,
        )
        await show_far_place(self.bot, accepted)

    async def _job_of(self, message: discord.Message, message_id: int, replied: object) -> Job | None:
        """The job whose result was replied to."""
        job = await self.bot.jobs.find_by_message(message_id)
        if job is None and isinstance(replied, discord.Message) and replied.author.id == self.bot.user_id:
            # A reply may be quicker than our own note of the message that we have just posted.
            own = _sources.own_result(replied)
            job = await self.bot.jobs.find(own.job_id) if own is not None else None
        if job is not None and job.hidden_at is not None:
            raise AppError("job.hidden")
        if job is None or not job.private:
            return job
        # The edit is as public as the place: a private picture is edited in its member's talk with the bot alone.
        return job if message.guild is None and job.user_id == message.author.id else None

    async def _source(
        self,
        words: str,
        message: discord.Message,
        job: Job | None,
        replied: discord.Message | discord.DeletedReferencedMessage | None,
    ) -> tuple[Picture, Source]:
        if job is not None:
            which = _WHICH.match(words) if len(job.results) > 1 else None
            prompt = _options.check_prompt(words[which.end() :] if which else words)
            index = int(which[1]) - 1 if which else 0
            return _sources.edit_of_job(prompt, job, index, channel_id=message.channel.id)
        if not isinstance(replied, discord.Message):
            raise SourceRefused("source.missing")
        files = _sources.files_of(replied)
        if not files:
            hidden = not replied.content and not replied.embeds and replied.author.id != self.bot.user_id
            raise SourceRefused("source.hidden" if hidden else "source.missing")
        source, image = await self.sources.load(files[0])
        return _sources.edit_of_file(_options.check_prompt(words), image), source

    async def _explain(self, message: discord.Message, error: Exception) -> None:
        if isinstance(error, Refused):
            job = await self.bot.jobs.find(str(error.params.get("job_id")))
            if job is not None:
                self.bot.delivery.show(job)
                return
        content = self.bot.explain(_locale(message), error)
        if self.refusals.may_tell(message.author.id):
            await self._note(message, content)

    async def _note(self, message: discord.Message, content: str) -> None:
        try:
            await self.bot.retry.call(
                "note",
                lambda: message.reply(
                    content,
                    mention_author=False,
                    delete_after=NOTE_LIFETIME_S,
                    silent=True,
                    nonce=f"note-{message.id}",
                ),
                ANSWER,
            )
        except DISCORD_ERRORS as error:
            # Where the bot may not write there is no way to say so.
            log.info("note.not_posted", message=message.id, error=describe(error))


def _locale(message: discord.Message) -> str:
    """Messages carry no language of their author; the server's is the best guess."""
    return str(message.guild.preferred_locale) if message.guild is not None else "en-US"


def _has_files(replied: object) -> bool:
    return isinstance(replied, discord.Message) and bool(_sources.files_of(replied))


def _words(message: discord.Message, bot_user_id: int) -> str:
    """The reply's text without the mention that made it readable."""
    return re.sub(rf"<@!?{bot_user_id}>", " ", message.content).strip()


def _check_message_place(message: discord.Message) -> None:
    if message.guild is not None and isinstance(message.channel, discord.abc.GuildChannel | discord.Thread):
        check_can_post(message.channel.permissions_for(message.guild.me), thread=is_thread(message.channel))

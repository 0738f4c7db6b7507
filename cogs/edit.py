"""Changing a picture: /edit, the menu "Edit image", the Edit button."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.credits.rules import price_credits, size_for_aspect_ratio
from bot.errors import AppError, SourceRefused
from cogs import _modals, _options, _sources
from cogs._intake import accept, acknowledge, check_place, stays_private
from cogs._replies import Replies
from db.enums import JobKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.client import KvidBot

MODAL_JOB = "m1:edit"
# The same about a picture that only its member sees: the edit stays as private as its source.
MODAL_PRIVATE_JOB = "m1:editp"
MODAL_FILE = "m1:file"


class Edit(commands.Cog):
    def __init__(self, bot: KvidBot) -> None:
        self.bot = bot
        self.windows = _sources.OpenWindows(bot.clock)
        self.sources = _sources.SourceLoader(bot.retry)

    @app_commands.command(
        name="edit",
        description=f"Change a picture of yours, for up to {_options.PICTURE_CREDITS_MAX} credits",
    )
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @app_commands.describe(
        image="A JPEG, PNG or WebP picture, up to 20 MiB",
        prompt="What should change, in Korean or English",
        private="Only you see the picture",
    )
    async def edit(
        self,
        interaction: discord.Interaction[KvidBot],
        image: discord.Attachment,
        prompt: app_commands.Range[str, 1, _options.PROMPT_MAX],
        private: bool = False,  # noqa: FBT001, FBT002 - a slash option
    ) -> None:
        acknowledged = await acknowledge(interaction, private=private)
        check_place(acknowledged)
        source, found = await self.sources.load(_sources.FoundFile(attachment=image))
        picture = _sources.edit_of_file(_options.check_prompt(prompt), found)
        await accept(self.bot, acknowledged, JobKind.IMAGE_TO_IMAGE, picture, source)

    async def edit_message(self, interaction: discord.Interaction[KvidBot], message: discord.Message) -> None:
        """The menu "Edit image" on any message: opens the window at once, from what the payload says."""
        own = _sources.own_result(message) if message.author.id == self.bot.user_id else None
        if own is not None:
            await self._open_own(interaction, message, own)
            return
        files = _sources.files_of(message)
        if not files:
            raise SourceRefused("source.missing")
        key = self.windows.remember(interaction.user.id, files)
        await self._open(interaction, f"{MODAL_FILE}:{key}", len(files), price_of(files))

    async def press(self, interaction: discord.Interaction[Any], job_id: str) -> None:
        """The Edit button under a result."""
        own = _sources.own_result(interaction.message) if interaction.message else None
        if interaction.message is None or own is None or own.job_id != job_id:
            raise AppError("job.unknown")
        await self._open_own(interaction, interaction.message, own)

    async def _open_own(
        self, interaction: discord.Interaction[Any], message: discord.Message, own: _sources.OwnResult
    ) -> None:
        prefix = MODAL_PRIVATE_JOB if message.flags.ephemeral else MODAL_JOB
        pictures = _sources.count_pictures(message)
        # Buttons of old messages do not carry their price.
        price = own.price_credits if own.price_credits is not None else _options.PICTURE_CREDITS_MAX
        await self._open(interaction, f"{prefix}:{own.job_id}", pictures, price)

    async def _open(
        self, interaction: discord.Interaction[Any], custom_id: str, pictures: int, price: int
    ) -> None:
        text = self.bot.texts(interaction.locale)
        await interaction.response.send_modal(
            _modals.edit_modal(text, custom_id, pictures=pictures, price_credits=price)
        )

    async def submit_private_job(
        self, interaction: discord.Interaction[Any], job_id: str, values: dict[str, list[str]]
    ) -> None:
        """The window about a picture that only its member sees was sent off."""
        await self._submit_job(interaction, job_id, values, private=True)

    async def submit_job(
        self, interaction: discord.Interaction[Any], job_id: str, values: dict[str, list[str]]
    ) -> None:
        """The window about one of our results was sent off."""
        await self._submit_job(interaction, job_id, values, private=False)

    async def _submit_job(
        self,
        interaction: discord.Interaction[Any],
        job_id: str,
        values: dict[str, list[str]],
        *,
        private: bool,
    ) -> None:
        acknowledged = await acknowledge(interaction, private=private)
        prompt = _options.check_prompt(_modals.typed_prompt(values))
        check_place(acknowledged)
        job = await self.bot.jobs.get_for(job_id, interaction.user.id)
        if job.private and not stays_private(acknowledged):
            # A forged window; the result would be public.
            raise AppError("job.unknown")
        index = _modals.chosen_picture(values, len(job.results))
        picture, source = _sources.edit_of_job(prompt, job, index, channel_id=job.channel_id)
        await accept(self.bot, acknowledged, JobKind.IMAGE_TO_IMAGE, picture, source)

    async def submit_file(
        self, interaction: discord.Interaction[Any], key: str, values: dict[str, list[str]]
    ) -> None:
        """The window about somebody's picture was sent off."""
        acknowledged = await acknowledge(interaction)
        prompt = _options.check_prompt(_modals.typed_prompt(values))
        check_place(acknowledged)
        files = self.windows.take(key, interaction.user.id)
        source, found = await self.sources.load(files[_modals.chosen_picture(values, len(files))])
        picture = _sources.edit_of_file(prompt, found)
        await accept(self.bot, acknowledged, JobKind.IMAGE_TO_IMAGE, picture, source)


def price_of(files: Sequence[_sources.FoundFile]) -> int:
    """What an edit of any of these files costs at most."""
    return max(_price_of(one) for one in files)


def _price_of(found: _sources.FoundFile) -> int:
    """What an edit of this file costs at most; of any file, where Discord does not say how large it is."""
    width, height = found.attachment.width, found.attachment.height
    if not width or not height:
        return _options.PICTURE_CREDITS_MAX
    return price_credits(*size_for_aspect_ratio(_options.nearest_ratio(width, height)))


async def setup(bot: KvidBot) -> None:
    cog = Edit(bot)
    await bot.add_cog(cog)
    menu = app_commands.ContextMenu(name="Edit image", callback=cog.edit_message)
    menu.allowed_installs = app_commands.AppInstallationType(guild=True, user=True)
    menu.allowed_contexts = app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=True)
    bot.tree.add_command(menu)
    bot.on_button("edit", cog.press)
    bot.on_modal(MODAL_JOB, cog.submit_job)
    bot.on_modal(MODAL_PRIVATE_JOB, cog.submit_private_job)
    bot.on_modal(MODAL_FILE, cog.submit_file)
    await bot.add_cog(Replies(bot, cog.sources))

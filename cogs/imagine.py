"""/imagine, and the buttons Again, Cancel and Why?."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.answers import defer
from bot.errors import AppError
from bot.jobs.service import Picture, Source
from cogs import _options, _render
from cogs._intake import accept, acknowledge, check_place, is_private_message, stays_private
from db.enums import JobKind

if TYPE_CHECKING:
    from bot.client import KvidBot
    from db.values import Job


def picture_of(job: Job) -> Picture:
    """What a job asked for, with a new seed."""
    return Picture(
        prompt=job.prompt,
        negative_prompt=job.negative_prompt,
        aspect_ratio=job.aspect_ratio,
        width=job.width,
        height=job.height,
        image_count=job.image_count,
        steps=job.steps,
        guidance=job.guidance,
        seed=None,
        output_format=job.output_format,
    )


def source_of(job: Job) -> Source | None:
    """The picture a job edited, for doing it again."""
    if job.source_url is None:
        return None
    return Source(
        url=job.source_url,
        channel_id=job.source_channel_id,
        message_id=job.source_message_id,
        attachment_id=job.source_attachment_id,
        job_id=job.parent_job_id,
        image_index=job.parent_image_index,
    )


class Imagine(commands.Cog):
    def __init__(self, bot: KvidBot) -> None:
        self.bot = bot

    @app_commands.command(
        name="imagine",
        description=f"Make a picture from words, for up to {_options.PICTURE_CREDITS_MAX} credits each",
    )
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @app_commands.describe(
        prompt="What the picture should show, in Korean or English",
        negative_prompt="What it should not show",
        aspect_ratio=f"Its shape and price; a square for {_options.SQUARE_CREDITS} credits if you choose nothing",
        width=f"Exact width, together with height; up to {_options.PICTURE_CREDITS_MAX} credits",
        height=f"Exact height, together with width; up to {_options.PICTURE_CREDITS_MAX} credits",
        images="How many pictures, 1 to 4, each at its price",
        steps="More steps: finer and slower",
        guidance="How closely to follow your words",
        seed="The number under a picture, to get the same one again",
        output_format="JPEG or PNG",
        private="Only you see the picture",
    )
    @app_commands.rename(output_format="format")
    @app_commands.choices(aspect_ratio=_options.RATIO_CHOICES, output_format=_options.FORMAT_CHOICES)
    @app_commands.choices(
        width=_options.SIZE_CHOICES, height=_options.SIZE_CHOICES, steps=_options.STEP_CHOICES
    )
    @app_commands.choices(guidance=_options.GUIDANCE_CHOICES)
    async def imagine(
        self,
        interaction: discord.Interaction[KvidBot],
        prompt: app_commands.Range[str, 1, _options.PROMPT_MAX],
        negative_prompt: app_commands.Range[str, 1, _options.PROMPT_MAX] | None = None,
        aspect_ratio: str | None = None,
        width: int | None = None,
        height: int | None = None,
        images: app_commands.Range[int, 1, _options.IMAGES_MAX] = 1,
        steps: int | None = None,
        guidance: float | None = None,
        seed: app_commands.Range[int, 0, _options.SEED_MAX] | None = None,
        output_format: str = "jpeg",
        private: bool = False,  # noqa: FBT001, FBT002 - a slash option
    ) -> None:
        acknowledged = await acknowledge(interaction, private=private)
        picture = _options.check_picture(
            prompt=prompt,
            negative_prompt=negative_prompt,
            aspect_ratio=aspect_ratio,
            width=width,
            height=height,
            images=images,
            steps=steps,
            guidance=guidance,
            seed=seed,
            output_format=output_format,
        )
        check_place(acknowledged)
        await accept(self.bot, acknowledged, JobKind.TEXT_TO_IMAGE, picture)

    async def again(self, interaction: discord.Interaction[Any], job_id: str) -> None:
        """The same job with a new seed, charged to whoever pressed."""
        acknowledged = await acknowledge(interaction, private=is_private_message(interaction))
        check_place(acknowledged)
        job = await self.bot.jobs.get_for(job_id, interaction.user.id)
        if job.private and not stays_private(acknowledged):
            raise AppError("job.unknown")
        await accept(self.bot, acknowledged, job.kind, picture_of(job), source_of(job))

    async def cancel(self, interaction: discord.Interaction[Any], job_id: str) -> None:
        await defer(interaction)
        job = await self.bot.jobs.cancel(job_id, interaction.user.id)
        self.bot.delivery.show(job)

    async def why(self, interaction: discord.Interaction[Any], job_id: str) -> None:
        """The reason behind a public failure note, for the member it concerns alone."""
        await defer(interaction, ephemeral=True, thinking=True)
        job = await self.bot.jobs.get(job_id)
        if job.user_id != interaction.user.id:
            raise AppError("error.not_your_reason")
        text = self.bot.texts(interaction.locale)
        layout = self.bot.delivery.layouts.text(_render.failure_text(text, job))
        await interaction.edit_original_response(view=layout)


async def setup(bot: KvidBot) -> None:
    cog = Imagine(bot)
    await bot.add_cog(cog)
    bot.on_button("again", cog.again)
    bot.on_button("cancel", cog.cancel)
    bot.on_button("why", cog.why)

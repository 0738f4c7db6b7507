"""/usage: what a member has used, what is held, and the last ten jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord
from discord import app_commands
from discord.ext import commands

from cogs import _render
from cogs._places import asker_of

if TYPE_CHECKING:
    from bot.client import KvidBot


class Usage(commands.Cog):
    def __init__(self, bot: KvidBot) -> None:
        self.bot = bot

    @app_commands.command(name="usage", description="See what you used and what your last pictures cost")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def usage(self, interaction: discord.Interaction[KvidBot]) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        report = await self.bot.caps.reports.report_usage(asker_of(interaction))
        content = _render.usage_text(self.bot.texts(interaction.locale), report)
        await interaction.edit_original_response(view=self.bot.delivery.layouts.text(content))


async def setup(bot: KvidBot) -> None:
    await bot.add_cog(Usage(bot))

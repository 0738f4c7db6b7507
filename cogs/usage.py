"""/usage: a private card of what a member may still spend, what they used, and their last pictures."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import discord
from discord import app_commands, ui
from discord.ext import commands

from bot.answers import defer
from bot.charts import UsageChart
from cogs import _usage_render
from cogs._components import ACCENT_DONE
from cogs._places import asker_of

if TYPE_CHECKING:
    from bot.caps.report_values import UsageReport
    from bot.client import KvidBot
    from cogs._render import Text

CHART_NAME = "my-credits.png"
# The handler is in cogs.gift, beside the other explanations.
HELP_BUTTON = "help:credits"


class Usage(commands.Cog):
    def __init__(self, bot: KvidBot) -> None:
        self.bot = bot

    @app_commands.command(name="usage", description="See what you have left and what your pictures cost")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def usage(self, interaction: discord.Interaction[KvidBot]) -> None:
        await defer(interaction, ephemeral=True, thinking=True)
        report = await self.bot.caps.reports.report_usage(asker_of(interaction))
        picture = await self._draw(report)
        view = usage_layout(self.bot.texts(interaction.locale), report, chart=picture is not None)
        files = [discord.File(io.BytesIO(picture), CHART_NAME)] if picture is not None else []
        await interaction.edit_original_response(view=view, attachments=files)

    async def _draw(self, report: UsageReport) -> bytes | None:
        if not _usage_render.has_chart(report):
            return None
        chart = UsageChart(
            days=report.days, today=report.today, limit_credits=_usage_render.chart_limit(report)
        )
        return await self.bot.painter.draw(chart)


def usage_layout(text: Text, report: UsageReport, *, chart: bool) -> ui.LayoutView:
    """The card; with `chart` its picture is attached as `CHART_NAME`."""
    container: ui.Container[ui.LayoutView] = ui.Container(accent_colour=ACCENT_DONE)
    container.add_item(ui.TextDisplay(_usage_render.usage_text(text, report)))
    if chart:
        gallery: ui.MediaGallery[ui.LayoutView] = ui.MediaGallery()
        gallery.add_item(
            media=f"attachment://{CHART_NAME}", description=_usage_render.chart_alt(text, report)
        )
        container.add_item(ui.TextDisplay(_usage_render.chart_caption(text, report)))
        container.add_item(gallery)
    container.add_item(ui.TextDisplay(_usage_render.recent_text(text, report)))
    row: ui.ActionRow[ui.LayoutView] = ui.ActionRow()
    row.add_item(ui.Button(label=text("usage.help"), custom_id=HELP_BUTTON))
    container.add_item(row)
    view = ui.LayoutView(timeout=None)
    view.add_item(container)
    # Finished before it is sent: its button is answered by its custom_id, also after a restart.
    view.stop()
    return view


async def setup(bot: KvidBot) -> None:
    await bot.add_cog(Usage(bot))

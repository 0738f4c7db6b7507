"""/studio: everything that moderators do, one group of commands.

Each part is a mixin in a module of its own; this one only puts them together. Discord shows the group to
members with Manage Server until the server's Integrations page says otherwise, and every handler asks again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from discord import app_commands
from discord.ext import commands

from cogs._studio_members import MemberCommands, listen
from cogs._studio_panel import PanelCommands
from cogs._studio_reports import REPORT_PREFIX, ReportCommands

if TYPE_CHECKING:
    from bot.client import KvidBot


@app_commands.default_permissions(manage_guild=True)
@app_commands.guild_only()
@app_commands.allowed_installs(guilds=True, users=False)
class Studio(
    PanelCommands,
    ReportCommands,
    MemberCommands,
    commands.GroupCog,
    name="studio",
    description="Settings, members and reports of this server's studio",
):
    def __init__(self, bot: KvidBot) -> None:
        self.bot = bot
        self.open_desk()


async def setup(bot: KvidBot) -> None:
    cog = Studio(bot)
    await bot.add_cog(cog)
    bot.on_component(REPORT_PREFIX, cog.choose_period)
    listen(bot)

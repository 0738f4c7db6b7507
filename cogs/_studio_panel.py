"""/studio settings and /studio timezone: the panel of everything that moderators set."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import discord
from discord import app_commands
from discord.ext import commands

from bot.answers import defer
from bot.caps.zones import UTC_NAME, suggest_zones
from cogs._moderators import is_moderator, require_moderator
from cogs._panel import PREFIX, Focus
from cogs._panel_acts_caps import CapActs
from cogs._panel_acts_more import MoreActs, read_zone
from cogs._panel_acts_places import PlaceActs
from cogs._panel_acts_words import WordActs
from cogs._panel_desk import Desk

if TYPE_CHECKING:
    from bot.client import KvidBot

# Discord drops an answer after three seconds.
SUGGEST_S = 1.5


class PanelCommands(commands.Cog):
    bot: KvidBot
    desk: Desk

    def open_desk(self) -> None:
        """Register what the parts and windows of the panel do."""
        self.desk = build_desk(self.bot)
        self.bot.on_component(PREFIX, self.desk.on_part)
        self.bot.on_modal(PREFIX, self.desk.on_window)

    @app_commands.command(name="settings", description="See and change everything about this server's studio")
    async def settings(self, interaction: discord.Interaction[KvidBot]) -> None:
        await self.desk.open(interaction, Focus())

    @app_commands.command(
        name="timezone", description="Set the time zone in which this server's days, weeks and months begin"
    )
    @app_commands.describe(zone="A city, such as Seoul or New York")
    async def timezone(
        self, interaction: discord.Interaction[KvidBot], zone: app_commands.Range[str, 1, 64]
    ) -> None:
        moderator = require_moderator(interaction)
        await defer(interaction, ephemeral=True, thinking=True)
        found = read_zone(zone)
        await self.bot.caps.policies.change(
            moderator.guild_id,
            moderator.user_id,
            lambda policy: replace(policy, time_zone=found),
            subject="time_zone",
            locale=moderator.locale,
        )
        self.bot.log_channel.try_again(moderator.guild_id)
        now = f"{self.bot.clock.now().astimezone(ZoneInfo(found)):%H:%M}"
        content = self.bot.text(interaction.locale, "zone.set", zone=found, now=now)
        await interaction.edit_original_response(view=self.bot.delivery.layouts.text(content))

    @timezone.autocomplete("zone")
    async def suggest(
        self, interaction: discord.Interaction[KvidBot], typed: str
    ) -> list[app_commands.Choice[str]]:
        """Zones that may be meant, the present one first while nothing is typed."""
        if not is_moderator(interaction):
            return []
        moderator = require_moderator(interaction)
        present = UTC_NAME
        try:
            async with asyncio.timeout(SUGGEST_S):
                policy = await self.bot.caps.policies.find(moderator.guild_id, moderator.locale)
                present = policy.time_zone
        except TimeoutError:
            # Suggestions without the present zone are better than none.
            pass
        return [app_commands.Choice(name=zone, value=zone) for zone in suggest_zones(typed, present)]


def build_desk(bot: KvidBot) -> Desk:
    """The desk with all its parts and windows."""
    desk = Desk(bot)
    for acts in (CapActs, PlaceActs, WordActs, MoreActs):
        acts(desk)
    return desk

"""The bot comes to a server or leaves it, its AutoMod rules change, its log is drawn: what the gateway tells.

Hears, and passes on: what follows stands in the settings of servers, in AutoMod's reader and the log channel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord
from discord.ext import commands

from bot.log_channel import build_mark
from cogs._log_render import render_entry
from cogs._panel_desk import names_of

if TYPE_CHECKING:
    from bot.client import KvidBot
    from db.values import AuditEntry


class Guilds(commands.Cog):
    def __init__(self, bot: KvidBot) -> None:
        self.bot = bot

    # --- coming and going ---

    @commands.Cog.listener()
    async def on_ready(self) -> None:
        """All shards of this process are ready: these are all their servers, whether available or not."""
        known = {guild.id: str(guild.preferred_locale) for guild in self.bot.guilds if not guild.unavailable}
        # Looked up only when they are compared: the bot may join one meanwhile.
        await self.bot.caps.policies.meet(
            known,
            all_of=lambda guild_id: self.bot.has_shard_of(guild_id) and self.bot.get_guild(guild_id) is None,
        )
        self.bot.automod.read_all_soon()
        self.bot.log_channel.wake()

    @commands.Cog.listener()
    async def on_guild_join(self, guild: discord.Guild) -> None:
        await self._meet(guild)

    @commands.Cog.listener()
    async def on_guild_available(self, guild: discord.Guild) -> None:
        await self._meet(guild)

    async def _meet(self, guild: discord.Guild) -> None:
        await self.bot.caps.policies.meet({guild.id: str(guild.preferred_locale)})
        self.bot.automod.read_soon(guild.id)

    @commands.Cog.listener()
    async def on_guild_remove(self, guild: discord.Guild) -> None:
        # An outage is another event, which says nothing about who is where.
        await self.bot.caps.policies.leave(guild.id)

    # --- AutoMod ---

    @commands.Cog.listener()
    async def on_automod_rule_create(self, rule: discord.AutoModRule) -> None:
        self.bot.automod.read_soon(rule.guild.id)

    @commands.Cog.listener()
    async def on_automod_rule_update(self, rule: discord.AutoModRule) -> None:
        self.bot.automod.read_soon(rule.guild.id)

    @commands.Cog.listener()
    async def on_automod_rule_delete(self, rule: discord.AutoModRule) -> None:
        self.bot.automod.read_soon(rule.guild.id)

    @commands.Cog.listener()
    async def on_guild_role_update(self, before: discord.Role, after: discord.Role) -> None:
        if not before.permissions.manage_guild and after.permissions.manage_guild:
            # Perhaps ours, and nobody tells what changed while we might not know.
            self.bot.automod.read_soon(after.guild.id)

    @commands.Cog.listener()
    async def on_member_update(self, before: discord.Member, after: discord.Member) -> None:
        if after.id == self.bot.user_id and before.roles != after.roles:
            self.bot.automod.read_soon(after.guild.id)

    # --- the log channel ---

    def draw(self, entry: AuditEntry, guild_id: int) -> discord.ui.LayoutView:
        """An entry in the server's language."""
        guild = self.bot.get_guild(guild_id)
        locale = guild.preferred_locale if guild is not None else discord.Locale.american_english
        content = render_entry(self.bot.texts(locale), names_of(self.bot, guild_id), entry, build_mark(entry))
        return self.bot.delivery.layouts.text(content)


async def setup(bot: KvidBot) -> None:
    guilds = Guilds(bot)
    bot.log_channel.use_render(guilds.draw)
    await bot.add_cog(guilds)

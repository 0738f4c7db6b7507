"""/gift: granted credits from one member to another; and how credits work, told in private."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands, ui
from discord.ext import commands

from bot.answers import defer
from bot.caps.values import CREDITS_MAX  # noqa: TC001 - discord.py reads the annotations at run time
from bot.errors import AppError
from bot.people import fetch_member
from cogs import _windows
from cogs._places import asker_of
from cogs._render import credits_text, number
from cogs._windows import button, parse_count, parse_id, row

if TYPE_CHECKING:
    from bot.client import KvidBot
    from cogs._render import Text

PREFIX, HELP_PREFIX = "gift1", "help"
HELP_TOPIC = "credits"


class Gift(commands.Cog):
    def __init__(self, bot: KvidBot) -> None:
        self.bot = bot

    @app_commands.command(name="gift", description="Give some of your granted credits to another member")
    @app_commands.guild_only()
    @app_commands.allowed_installs(guilds=True, users=False)
    @app_commands.describe(member="Who gets them", amount="How many of your granted credits")
    async def gift(
        self,
        interaction: discord.Interaction[KvidBot],
        member: discord.User | discord.Member,
        amount: app_commands.Range[int, 1, CREDITS_MAX],
    ) -> None:
        await defer(interaction, ephemeral=True, thinking=True)
        _require_server(interaction)
        if member.bot:
            raise AppError("gift.bot")
        if not isinstance(member, discord.Member):
            raise AppError("gift.not_here")
        left = await self.bot.caps.gifts.check(asker_of(interaction), member.id, amount)
        text = self.bot.texts(interaction.locale)
        await interaction.edit_original_response(view=_question(text, member.id, amount, left))

    async def press(self, interaction: discord.Interaction[Any], rest: str, _: list[str]) -> None:
        """The gift is confirmed, or called off."""
        _require_server(interaction)
        _windows.require_private(interaction)
        text = self.bot.texts(interaction.locale)
        verb, _colon, rest = rest.partition(":")
        await defer(interaction)
        if verb == "no":
            await interaction.edit_original_response(view=_words(text("gift.called_off")))
            return
        to_id, _colon, amount = rest.partition(":")
        user_id, credits_given = parse_id(to_id), parse_count(amount)
        if verb != "yes":
            raise AppError("window.stale")
        await self._check_receiver(interaction, user_id)
        assert interaction.message is not None  # noqa: S101 - `require_private` has looked
        left = await self.bot.caps.gifts.give(
            asker_of(interaction), user_id, credits_given, request_id=interaction.message.id
        )
        said = text(
            "gift.done", who=f"<@{user_id}>", credits=credits_text(text, credits_given), left=number(left)
        )
        await interaction.edit_original_response(view=_words(said))

    async def _check_receiver(self, interaction: discord.Interaction[Any], user_id: int) -> None:
        """The custom_id may be forged, and a member may have left since. **Raises** AppError."""
        guild = interaction.guild
        member = await fetch_member(self.bot, guild, user_id) if guild is not None else None
        if member is None:
            raise AppError("gift.not_here")
        if member.bot:
            raise AppError("gift.bot")

    async def help(self, interaction: discord.Interaction[Any], topic: str, _: list[str]) -> None:
        """The button below /usage."""
        if topic != HELP_TOPIC:
            raise AppError("window.stale")
        await defer(interaction, ephemeral=True, thinking=True)
        text = self.bot.texts(interaction.locale)
        await interaction.edit_original_response(view=_words(credits_help(text)))


def credits_help(text: Text) -> str:
    """How credits work, and when nothing is charged."""
    return "\n".join(
        [
            text("help.title"),
            text("help.price"),
            text("help.free"),
            text("help.less"),
            text("help.more"),
            text("help.order"),
            text("help.resets"),
            text("help.refund"),
        ]
    )


def _question(text: Text, user_id: int, amount_credits: int, left_credits: int) -> ui.LayoutView:
    given = credits_text(text, amount_credits)
    return _windows.card(
        ui.TextDisplay(text("gift.sure", who=f"<@{user_id}>", credits=given, left=number(left_credits))),
        row(
            button(
                text("gift.yes", credits=given),
                f"{PREFIX}:yes:{user_id}:{amount_credits}",
                style=discord.ButtonStyle.primary,
            ),
            button(text("gift.no"), f"{PREFIX}:no"),
        ),
    )


def _words(said: str) -> ui.LayoutView:
    return _windows.card(ui.TextDisplay(said))


def _require_server(interaction: discord.Interaction[Any]) -> None:
    if interaction.guild_id is None:
        raise AppError("gift.not_allowed")


async def setup(bot: KvidBot) -> None:
    cog = Gift(bot)
    await bot.add_cog(cog)
    bot.on_component(PREFIX, cog.press)
    bot.on_component(HELP_PREFIX, cog.help)

"""The menu "Moderate picture" on a result, and what its card does: hide, refund, block, let one pass."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.answers import defer
from bot.errors import AppError
from bot.hiding import hide_message
from bot.ids import JOB_ID_PATTERN
from bot.people import fetch_role_ids
from cogs import _picture_views, _sources, _windows
from cogs._member_acts import MemberActs
from cogs._member_views import DAY_S, HOUR_S
from cogs._moderators import Moderator, is_moderator

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bot.client import KvidBot
    from cogs._render import Text
    from db.values import Job

    Act = Callable[[Text, Moderator, Job], Awaitable[str]]
    Submit = Callable[[Text, Moderator, Job, str | None], Awaitable[str]]


class Moderate(commands.Cog):
    def __init__(self, bot: KvidBot) -> None:
        self.bot = bot
        members = MemberActs(bot)
        self._acts: dict[str, Act] = {
            "refund": lambda text, by, job: self.refund(text, by, job, None),
            "hour": lambda text, by, job: members.block(text, by, job.user_id, HOUR_S),
            "day": lambda text, by, job: members.block(text, by, job.user_id, DAY_S),
            "unblock": lambda text, by, job: members.unblock(text, by, job.user_id),
            "pass": lambda text, by, job: members.let_pass(text, by, job.user_id),
        }
        self._submits: dict[str, Submit] = {
            "hide": self.hide,
            "both": self.hide_and_refund,
            "forever": lambda text, by, job, reason: members.block(text, by, job.user_id, None, reason),
        }

    def listen(self) -> None:
        self.bot.on_component(_picture_views.PREFIX, self.press)
        for verb, submit in self._submits.items():
            self.bot.on_modal(f"{_picture_views.PREFIX}:{verb}", self._build_submit(submit))

    async def moderate(self, interaction: discord.Interaction[KvidBot], message: discord.Message) -> None:
        """The menu on any message; only our own results have a card."""
        moderator = require_picture_moderator(interaction)
        await defer(interaction, ephemeral=True, thinking=True)
        if message.author.id != self.bot.user_id:
            raise AppError("moderate.no_picture")
        job = await self.bot.jobs.find_by_message(message.id)
        own = _sources.own_result(message)
        if job is None and own is None:
            raise AppError("moderate.no_picture")
        if message.flags.ephemeral:
            raise AppError("moderate.private")
        job_id = job.id if job is not None else own.job_id if own is not None else ""
        await self._show(interaction, moderator, job_id)

    async def press(self, interaction: discord.Interaction[Any], rest: str, _: list[str]) -> None:
        """A button: opens its window, or does what it says."""
        moderator = require_picture_moderator(interaction)
        _windows.require_private(interaction)
        verb, _colon, job_id = rest.partition(":")
        text = self.bot.texts(interaction.locale)
        if verb in self._submits:
            await interaction.response.send_modal(_build_window(text, verb, _check_id(job_id)))
            return
        act = self._acts.get(verb)
        if act is None:
            raise AppError("window.stale")
        await defer(interaction)
        picture = await self.bot.caps.histories.find_picture(moderator.guild_id, job_id)
        check_channel(interaction, picture.job)
        said = await act(text, moderator, picture.job)
        await self._show(interaction, moderator, job_id, said)

    def _build_submit(
        self, submit: Submit
    ) -> Callable[[discord.Interaction[Any], str, _windows.Values], Awaitable[None]]:
        async def handle(interaction: discord.Interaction[Any], job_id: str, values: _windows.Values) -> None:
            moderator = require_picture_moderator(interaction)
            _windows.require_private(interaction)
            await defer(interaction)
            picture = await self.bot.caps.histories.find_picture(moderator.guild_id, job_id)
            check_channel(interaction, picture.job)
            text = self.bot.texts(interaction.locale)
            said = await submit(text, moderator, picture.job, _windows.read_reason(values))
            await self._show(interaction, moderator, job_id, said)

        return handle

    async def _show(
        self,
        interaction: discord.Interaction[Any],
        moderator: Moderator,
        job_id: str,
        said: str | None = None,
    ) -> None:
        picture = await self.bot.caps.histories.find_picture(moderator.guild_id, job_id)
        view = _picture_views.picture_layout(self.bot.texts(interaction.locale), picture, said)
        await interaction.edit_original_response(view=view)

    # --- acts; each answers what happened ---

    async def hide(self, text: Text, by: Moderator, job: Job, reason: str | None) -> str:
        """Stored first, so that what Discord does not do now can be done by pressing again."""
        hidden = await self.bot.caps.pictures.hide(by.guild_id, by.user_id, job.id, reason)
        note = _picture_views.hidden_note(self.bot.delivery.text_for(hidden), hidden, by.user_id)
        try:
            there = await hide_message(self.bot, hidden, note)
        except AppError as error:
            # The card says it beside what was done: as a refusal it would hide that anything was.
            return text(error.key, **error.params)
        return text("picture.did_hide" if there else "picture.gone", who=f"<@{job.user_id}>")

    async def refund(self, text: Text, by: Moderator, job: Job, reason: str | None) -> str:
        role_ids = await fetch_role_ids(self.bot, by.guild_id, job.user_id)
        returned = await self.bot.caps.pictures.refund(
            by.guild_id, by.user_id, job.id, reason, role_ids=role_ids or ()
        )
        return _picture_views.refund_text(text, job.user_id, returned)

    async def hide_and_refund(self, text: Text, by: Moderator, job: Job, reason: str | None) -> str:
        refunded = await self.refund(text, by, job, reason)
        return "\n".join([await self.hide(text, by, job, reason), refunded])


def require_picture_moderator(interaction: discord.Interaction[Any]) -> Moderator:
    """Who may moderate messages here. **Raises** AppError for anybody else."""
    permissions = interaction.permissions
    may = permissions.manage_messages or permissions.manage_guild or permissions.administrator
    if interaction.guild_id is None or not interaction.is_guild_integration() or not may:
        raise AppError("moderate.not_allowed")
    locale = interaction.guild_locale
    return Moderator(
        guild_id=interaction.guild_id,
        user_id=interaction.user.id,
        locale=str(locale) if locale is not None else None,
    )


def check_channel(interaction: discord.Interaction[Any], job: Job) -> None:
    """Manage Messages was judged for the channel of the press, and a forged press may name a picture of another.

    **Raises** AppError.
    """
    if interaction.channel_id != job.channel_id and not is_moderator(interaction):
        raise AppError("moderate.not_allowed")


def _check_id(job_id: str) -> str:
    """A job's id out of a custom_id, which may be forged. **Raises** AppError."""
    if not re.fullmatch(JOB_ID_PATTERN, job_id):
        raise AppError("window.stale")
    return job_id


def _build_window(text: Text, verb: str, job_id: str) -> discord.ui.Modal:
    if verb == "forever":
        return _picture_views.block_window(text, job_id)
    return _picture_views.hide_window(text, job_id, verb)


async def setup(bot: KvidBot) -> None:
    cog = Moderate(bot)
    await bot.add_cog(cog)
    menu = app_commands.ContextMenu(name="Moderate picture", callback=cog.moderate)
    menu.allowed_installs = app_commands.AppInstallationType(guild=True, user=False)
    menu.allowed_contexts = app_commands.AppCommandContext(
        guild=True, dm_channel=False, private_channel=False
    )
    menu.default_permissions = discord.Permissions(manage_messages=True)
    bot.tree.add_command(menu)
    cog.listen()

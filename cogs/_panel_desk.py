"""What every handler of the settings panel does: judge who presses, change one setting, draw the panel anew.

Owns the way from a press to the database and back to the same message. Each section's handlers stand in a
module of their own; what they change is a function of the latest settings, so that two moderators at once
never overwrite each other's other settings.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import discord

from bot.answers import defer, is_answered
from bot.caps.overview import Overview
from bot.errors import AppError
from cogs._moderators import Moderator, require_moderator
from cogs._panel import Focus, Names, Notice, Panel, Topic, build_id
from cogs._panel_format import describe_change, name_text
from cogs._panel_more import render_panel
from cogs._windows import require_private

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from bot.caps.values import Policy
    from bot.client import KvidBot
    from cogs._panel_input import Values
    from cogs._render import Text

    PartHandler = Callable[["Touch"], Awaitable[None]]
    PolicyChange = Callable[[Policy], Policy]

# Discord drops a press that is not answered within three seconds, and a window must be the first answer.
WINDOW_S = 1.5
# No id of Discord or the database is as large.
NUMBER_END = 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class Touch:
    """One press, choice or window: who, where, what the custom_id says, what was chosen or typed."""

    interaction: discord.Interaction[Any]
    moderator: Moderator
    text: Text
    names: Names
    arguments: tuple[str, ...] = ()
    chosen: tuple[str, ...] = ()
    values: Values

    def argument(self, place: int) -> str:
        """**Raises** AppError for a part that says too little: it is of another version."""
        if place >= len(self.arguments):
            raise AppError("panel.too_old")
        return self.arguments[place]

    def number(self, place: int) -> int:
        digits = self.argument(place)
        if not (digits.isascii() and digits.isdigit() and len(digits) < 20 and int(digits) < NUMBER_END):
            raise AppError("panel.too_old")
        return int(digits)

    def ids(self) -> tuple[int, ...]:
        """Roles or channels that were chosen; what no id can be is none."""
        digits = (one for one in self.chosen if one.isascii() and one.isdigit() and len(one) < 20)
        return tuple(one for one in map(int, digits) if 0 < one < NUMBER_END)


class Desk:
    def __init__(self, bot: KvidBot) -> None:
        self.bot = bot
        self.overview = Overview(bot.database, bot.clock, bot.caps.policies)
        self.parts: dict[str, PartHandler] = {"show": self.show_topic, "undo": self.undo}
        self.windows: dict[str, PartHandler] = {}

    # --- where presses arrive ---

    async def on_part(self, interaction: discord.Interaction[Any], rest: str, chosen: list[str]) -> None:
        require_private(interaction)
        moderator = require_moderator(interaction)
        try:
            await self._run(self.parts, interaction, moderator, rest, chosen, {})
        except AppError as error:
            if not is_select(interaction):
                raise
            # Discord shows a refused choice as if it were made, and it could not be made again.
            notice = Notice(words=self.bot.explain(interaction.locale, error))
            await self.open(interaction, Focus(topic=shown_topic(interaction)), notice)

    async def on_window(self, interaction: discord.Interaction[Any], rest: str, values: Values) -> None:
        require_private(interaction)
        moderator = require_moderator(interaction)
        await self._run(self.windows, interaction, moderator, rest, [], values)

    async def _run(
        self,
        handlers: dict[str, PartHandler],
        interaction: discord.Interaction[Any],
        moderator: Moderator,
        rest: str,
        chosen: list[str],
        values: Values,
    ) -> None:
        action, *arguments = rest.split("/")
        handler = handlers.get(action)
        if handler is None:
            raise AppError("panel.too_old")
        await handler(
            Touch(
                interaction=interaction,
                moderator=moderator,
                text=self.bot.texts(interaction.locale),
                names=names_of(self.bot, moderator.guild_id),
                arguments=tuple(arguments),
                chosen=tuple(chosen),
                values=values,
            )
        )

    # --- what handlers do ---

    async def open(
        self, interaction: discord.Interaction[Any], focus: Focus, notice: Notice | None = None
    ) -> None:
        """Answer a command with the panel, or a press with it drawn anew."""
        moderator = require_moderator(interaction)
        if interaction.type is discord.InteractionType.application_command:
            await defer(interaction, ephemeral=True, thinking=True)
        await self._run(
            {"": lambda touch: self.show(touch, focus, notice)}, interaction, moderator, "", [], {}
        )

    async def policy(self, touch: Touch) -> Policy:
        """The latest settings. **Raises** AppError when a window that waits for them would come too late."""
        find = self.bot.caps.policies.find(touch.moderator.guild_id, touch.moderator.locale)
        if is_answered(touch.interaction):
            return await find
        try:
            async with asyncio.timeout(WINDOW_S):
                return await find
        except TimeoutError as error:
            raise AppError("panel.slow") from error

    async def show(self, touch: Touch, focus: Focus, notice: Notice | None = None) -> None:
        """Draw the panel anew, in the same message."""
        if not is_answered(touch.interaction):
            await defer(touch.interaction)
        policy, guild_id = await self.policy(touch), touch.moderator.guild_id
        log_closed = self.bot.log_channel.is_closed(guild_id, policy.log_channel_id)
        automod_refused = policy.automod_action is not None and self.bot.automod.is_refused(guild_id)
        # Who looks here may just have given what was missing.
        self.bot.log_channel.try_again(guild_id)
        if automod_refused:
            self.bot.automod.read_soon(guild_id)
        panel = Panel(
            text=touch.text,
            policy=policy,
            now=self.bot.clock.now(),
            focus=focus,
            operator=self.bot.caps.admission.operator,
            names=touch.names,
            decided=await self.overview.find_decided(guild_id),
            log_closed=log_closed,
            automod_refused=automod_refused,
            notice=notice,
        )
        await touch.interaction.edit_original_response(view=render_panel(panel))

    async def change(
        self,
        touch: Touch,
        change: PolicyChange,
        *,
        subject: str,
        focus: Focus,
        also: str = "",
    ) -> None:
        """Change the latest settings, then show what is different, what to know `also`, and a way back."""
        if not is_answered(touch.interaction):
            await defer(touch.interaction)
        seen: list[Policy] = []

        def noting(policy: Policy) -> Policy:
            seen.append(policy)
            return change(policy)

        moderator = touch.moderator
        changed = await self.bot.caps.policies.change(
            moderator.guild_id,
            moderator.user_id,
            noting,
            subject=subject,
            locale=moderator.locale,
        )
        told = describe_change(touch.text, touch.names, seen[-1], changed.policy)
        lines = [told or touch.text("panel.same"), also]
        notice = Notice(words="\n".join(line for line in lines if line), entry_id=changed.entry_id)
        await self.show(touch, focus, notice)

    # --- what belongs to no section ---

    async def show_topic(self, touch: Touch) -> None:
        topic = next((one for one in Topic if one.value in touch.chosen), Topic.CAPS)
        await self.show(touch, Focus(topic=topic))

    async def undo(self, touch: Touch) -> None:
        topic = next((one for one in Topic if one.value == touch.argument(0)), Topic.CAPS)
        entry_id = touch.number(1)
        await defer(touch.interaction)
        moderator = touch.moderator
        before, changed = await self.overview.undo(
            moderator.guild_id, moderator.user_id, entry_id, locale=moderator.locale
        )
        told = describe_change(touch.text, touch.names, before, changed.policy)
        notice = Notice(words=told or touch.text("panel.same"), entry_id=changed.entry_id)
        await self.show(touch, Focus(topic=topic), notice)


def names_of(bot: KvidBot, guild_id: int) -> Names:
    """What the gateway told of a server; nothing, when it has not told yet."""
    guild = bot.get_guild(guild_id)
    if guild is None or guild.unavailable:
        return Names()
    return Names(
        roles={role.id: name_text(role.name) for role in guild.roles},
        channels={channel.id: name_text(channel.name) for channel in guild.channels},
        categories=frozenset(category.id for category in guild.categories),
    )


def is_select(interaction: discord.Interaction[Any]) -> bool:
    data: Any = interaction.data or {}
    return bool(data.get("component_type") != discord.ComponentType.button.value)


def shown_topic(interaction: discord.Interaction[Any]) -> Topic:
    """The section that a panel shows, as its message still says."""
    parts = walk_parts(interaction.message.components if interaction.message else ())
    topics = (
        one for one in parts if isinstance(one, discord.SelectMenu) and one.custom_id == build_id("show")
    )
    chosen = {option.value for select in topics for option in select.options if option.default}
    return next((one for one in Topic if one.value in chosen), Topic.CAPS)


def walk_parts(parts: Iterable[object], depth: int = 0) -> Iterable[object]:
    """Every part of a message, through containers and rows."""
    for part in parts:
        yield part
        if depth < 3 and isinstance(part, discord.Container | discord.ActionRow):
            yield from walk_parts(part.children, depth + 1)

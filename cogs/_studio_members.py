"""/studio member and /studio grant: what moderators do about one member, or for all holders of a role."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands, ui
from discord.ext import commands

from bot.answers import defer
from bot.caps.acts import REASON_LENGTH_MAX  # noqa: TC001 - discord.py reads the annotations at run time
from bot.caps.grants import OFFER_OPEN
from bot.caps.values import CREDITS_MAX  # noqa: TC001 - as above
from bot.errors import AppError
from cogs import _windows
from cogs._member_acts import MemberActs, expiry_in, granted_text
from cogs._member_render import expiry_text
from cogs._moderators import require_moderator
from cogs._render import credits_text, number
from cogs._windows import DAYS_MAX, parse_count, parse_id

if TYPE_CHECKING:
    from datetime import datetime

    from bot.client import KvidBot
    from cogs._render import Text

GRANT_PREFIX = "grant1"
OFFER_WINDOW = f"{GRANT_PREFIX}:offer"


class MemberCommands(commands.Cog):
    bot: KvidBot

    @app_commands.command(
        name="member", description="See what a member may spend, did and got, and act on it"
    )
    @app_commands.describe(member="Whom you want to look at")
    async def member(
        self, interaction: discord.Interaction[KvidBot], member: discord.User | discord.Member
    ) -> None:
        moderator = require_moderator(interaction)
        await defer(interaction, ephemeral=True, thinking=True)
        if member.bot:
            raise AppError("member.bot")
        await MemberActs(self.bot).show(interaction, moderator, member.id, role_ids=role_ids_of(member))

    @app_commands.command(name="grant", description="Give credits on top of the cap to a member or a role")
    @app_commands.describe(
        amount="How many credits",
        reason="Why; kept in the audit log of this server",
        member="Who gets them",
        role="Whose holders get them, each so many",
        days="After how many days they expire; never if you choose nothing",
    )
    async def grant(
        self,
        interaction: discord.Interaction[KvidBot],
        amount: app_commands.Range[int, 1, CREDITS_MAX],
        reason: app_commands.Range[str, 1, REASON_LENGTH_MAX],
        member: discord.User | discord.Member | None = None,
        role: discord.Role | None = None,
        days: app_commands.Range[int, 1, DAYS_MAX] | None = None,
    ) -> None:
        moderator = require_moderator(interaction)
        if (member is None) == (role is None):
            raise AppError("grant.one_of")
        text = self.bot.texts(interaction.locale)
        if role is not None:
            # A window is an answer that cannot be put off, and it asks nothing of the database.
            await interaction.response.send_modal(offer_window(text, role.id, amount, reason, days))
            return
        assert member is not None  # noqa: S101 - one of the two is there
        await defer(interaction, ephemeral=True, thinking=True)
        if member.bot:
            raise AppError("grant.bot")
        ends = expiry_in(self.bot.clock.now(), days)
        made = await self.bot.caps.grants.grant(
            moderator.guild_id, moderator.user_id, member.id, amount, reason=reason, expires_at=ends
        )
        said = granted_text(text, member.id, amount, ends)
        await interaction.edit_original_response(view=_undoable(text, said, "undo", made.id))


class GrantActs:
    """The window about a role, and the Undo buttons under what was granted."""

    def __init__(self, bot: KvidBot) -> None:
        self.bot = bot

    def listen(self) -> None:
        self.bot.on_component(GRANT_PREFIX, self.press)
        self.bot.on_modal(OFFER_WINDOW, self.offer)

    async def offer(self, interaction: discord.Interaction[Any], rest: str, values: _windows.Values) -> None:
        moderator = require_moderator(interaction)
        await defer(interaction, ephemeral=True, thinking=True)
        role_id, amount, days = _read_offer(rest)
        text = self.bot.texts(interaction.locale)
        made = await self.bot.caps.grants.grant_role(
            moderator.guild_id,
            moderator.user_id,
            role_id,
            amount,
            reason=_windows.read_reason(values) or "",
            expires_at=expiry_in(self.bot.clock.now(), days),
        )
        said = text(
            "grant.did_offer",
            role=role_id,
            credits=credits_text(text, amount),
            open=_unix(made.open_until),
            until=expiry_text(text, made.expires_at),
        )
        await interaction.edit_original_response(view=_undoable(text, said, "close", made.id))

    async def press(self, interaction: discord.Interaction[Any], rest: str, _: list[str]) -> None:
        """Undo: take what is left of a grant back, or end an offer."""
        moderator = require_moderator(interaction)
        _windows.require_private(interaction)
        verb, _colon, made_id = rest.partition(":")
        text = self.bot.texts(interaction.locale)
        await defer(interaction)
        grants = self.bot.caps.grants
        if verb == "undo":
            taken = await grants.take_back(moderator.guild_id, moderator.user_id, made_id)
            said = (
                text("grant.did_undo", credits=credits_text(text, taken))
                if taken
                else text("grant.nothing_left")
            )
        elif verb == "close":
            closed = await grants.close_offer(moderator.guild_id, moderator.user_id, made_id)
            said = text("grant.did_close" if closed else "grant.was_closed")
        else:
            raise AppError("window.stale")
        await interaction.edit_original_response(view=_windows.card(ui.TextDisplay(said)))


def listen(bot: KvidBot) -> None:
    """Answer the buttons and windows of this module's cards, also those sent before a restart."""
    MemberActs(bot).listen()
    GrantActs(bot).listen()


def offer_window(text: Text, role_id: int, amount_credits: int, reason: str, days: int | None) -> ui.Modal:
    """Says how a grant to a role works, before it is made."""
    ends = text("grant.ends", days=_days_text(text, days)) if days is not None else text("grant.ends_never")
    # What has expired is offered to nobody.
    open_days = min(days or OFFER_OPEN.days, OFFER_OPEN.days)
    return _windows.window(
        text("grant.offer_title"),
        f"{OFFER_WINDOW}:{role_id}-{amount_credits}-{days or 0}",
        ui.TextDisplay(
            text(
                "grant.offer_sure",
                role=role_id,
                credits=credits_text(text, amount_credits),
                open=_days_text(text, open_days),
                ends=ends,
            )
        ),
        _windows.reason_field(text, required=True, value=reason),
    )


def role_ids_of(member: discord.User | discord.Member) -> frozenset[int] | None:
    """The roles that came with a member; None for somebody who left."""
    return frozenset(role.id for role in member.roles) if isinstance(member, discord.Member) else None


def _read_offer(rest: str) -> tuple[int, int, int | None]:
    """Role, amount and days out of a custom_id, which may be forged. **Raises** AppError."""
    parts = rest.split("-")
    if len(parts) != 3:
        raise AppError("window.stale")
    role_id, amount, days = parse_id(parts[0]), parse_count(parts[1]), parse_count(parts[2])
    if days > DAYS_MAX:
        raise AppError("moderate.days", most=number(DAYS_MAX))
    return role_id, amount, days or None


def _undoable(text: Text, said: str, verb: str, made_id: str) -> ui.LayoutView:
    undo = _windows.button(text("grant.undo"), f"{GRANT_PREFIX}:{verb}:{made_id}")
    return _windows.card(ui.TextDisplay(said), _windows.row(undo))


def _days_text(text: Text, days: int) -> str:
    return text("grant.day_one" if days == 1 else "grant.day_many", n=days)


def _unix(moment: datetime) -> int:
    return int(moment.timestamp())

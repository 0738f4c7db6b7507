"""What the parts of the section "Gifts, log and time zone" do."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bot.caps.values import RETENTION_DAYS_MAX
from bot.caps.zones import find_zone, suggest_zones
from bot.errors import AppError
from cogs import _panel_modals as modals
from cogs._panel import Focus, Topic
from cogs._panel_input import TYPED, first, read_number
from cogs._render import escape

if TYPE_CHECKING:
    from cogs._panel_desk import Desk, Touch

MORE = Focus(topic=Topic.MORE)
GUESSES_SHOWN_MAX = 4


class MoreActs:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        desk.parts |= {
            "gifts": self.set_gifts,
            "log": self.set_log,
            "nolog": self.set_log,
            "retention": self.ask_retention,
            "zone": self.ask_zone,
        }
        desk.windows |= {"retention": self.set_retention, "zone": self.set_zone}

    async def set_gifts(self, touch: Touch) -> None:
        allowed = touch.argument(0) == "on"
        await self.desk.change(
            touch, lambda policy: replace(policy, gifts_allowed=allowed), subject="gifts_allowed", focus=MORE
        )

    async def set_log(self, touch: Touch) -> None:
        """The chosen channel; none, where nothing was chosen or the button says so."""
        channel_id = touch.ids()[0] if touch.ids() else None
        if channel_id is not None:
            self._check_log(touch, channel_id)
        await self.desk.change(
            touch,
            lambda policy: replace(policy, log_channel_id=channel_id),
            subject="log_channel_id",
            focus=MORE,
        )

    def _check_log(self, touch: Touch, channel_id: int) -> None:
        """**Raises** AppError for a channel in which the bot may not write."""
        guild = self.desk.bot.get_guild(touch.moderator.guild_id)
        channel = guild.get_channel(channel_id) if guild is not None else None
        if guild is None or channel is None:
            return
        may = channel.permissions_for(guild.me)
        if not (may.view_channel and may.send_messages):
            raise AppError("panelmore.log_closed", channel=f"<#{channel_id}>")

    async def ask_retention(self, touch: Touch) -> None:
        policy, text = await self.desk.policy(touch), touch.text
        await touch.interaction.response.send_modal(
            modals.number_window(
                text,
                text("panelname.retention"),
                "retention",
                policy.retention_days,
                least=0,
                most=RETENTION_DAYS_MAX,
            )
        )

    async def set_retention(self, touch: Touch) -> None:
        days = read_number(first(touch.values, TYPED), least=0, most=RETENTION_DAYS_MAX)
        await self.desk.change(
            touch, lambda policy: replace(policy, retention_days=days), subject="retention_days", focus=MORE
        )

    async def ask_zone(self, touch: Touch) -> None:
        policy = await self.desk.policy(touch)
        await touch.interaction.response.send_modal(modals.zone_window(touch.text, policy.time_zone))

    async def set_zone(self, touch: Touch) -> None:
        zone = read_zone(first(touch.values, TYPED))
        await self.desk.change(
            touch, lambda policy: replace(policy, time_zone=zone), subject="time_zone", focus=MORE
        )


def read_zone(typed: str) -> str:
    """A zone's own name, or a city that only one zone has. **Raises** AppError with what may be meant."""
    found = find_zone(typed)
    if found is not None:
        return found
    guesses = suggest_zones(typed, "") if typed.strip() else []
    if len(guesses) == 1:
        return guesses[0]
    if guesses:
        shown = ", ".join(guesses[:GUESSES_SHOWN_MAX])
        raise AppError("paneltime.several", typed=escape(typed, 40), zones=shown)
    raise AppError("settings.time_zone", zone=escape(typed, 64))

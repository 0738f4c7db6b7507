"""What the parts of the section "Places" do."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import discord

from bot.caps.values import ENTRIES_MAX, PLACES_MAX, Policy
from bot.errors import AppError
from cogs._panel import Focus, Topic
from cogs._panel_desk import walk_parts

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from cogs._panel_desk import Desk, Touch


class PlaceActs:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        desk.parts |= {
            "allowed": self.set_allowed,
            "denied": self.set_denied,
            "page": self.turn,
            "roles": self.set_roles,
            "forget": self.forget,
        }

    async def turn(self, touch: Touch) -> None:
        """Another page of the allowed or the denied places; the first argument only tells buttons apart."""
        allowed, denied = touch.number(1), touch.number(2)
        focus = Focus(topic=Topic.PLACES, allowed_page=allowed, denied_page=denied)
        await self.desk.show(touch, focus)

    async def set_allowed(self, touch: Touch) -> None:
        shown, chosen = shown_ids(touch.interaction), touch.ids()
        await self.desk.change(
            touch,
            lambda policy: replace(
                policy, allowed_places=put_places(policy.allowed_places, shown, chosen, PLACES_MAX)
            ),
            subject="allowed_places",
            focus=Focus(topic=Topic.PLACES, allowed_page=touch.number(0)),
        )

    async def set_denied(self, touch: Touch) -> None:
        shown, chosen = shown_ids(touch.interaction), touch.ids()
        await self.desk.change(
            touch,
            lambda policy: replace(
                policy, denied_places=put_places(policy.denied_places, shown, chosen, PLACES_MAX)
            ),
            subject="denied_places",
            focus=Focus(topic=Topic.PLACES, denied_page=touch.number(0)),
        )

    async def set_roles(self, touch: Touch) -> None:
        shown, chosen = shown_ids(touch.interaction), touch.ids()
        await self.desk.change(
            touch,
            lambda policy: replace(
                policy, blocked_roles=put_places(policy.blocked_roles, shown, chosen, ENTRIES_MAX)
            ),
            subject="blocked_roles",
            focus=Focus(topic=Topic.PLACES),
        )

    async def forget(self, touch: Touch) -> None:
        """Take out what no longer exists on Discord."""
        names = touch.names

        def change(policy: Policy) -> Policy:
            return replace(
                policy,
                allowed_places=tuple(one for one in policy.allowed_places if names.has_channel(one)),
                denied_places=tuple(one for one in policy.denied_places if names.has_channel(one)),
                blocked_roles=tuple(one for one in policy.blocked_roles if names.has_role(one)),
            )

        await self.desk.change(touch, change, subject="places", focus=Focus(topic=Topic.PLACES))


def put_places(
    present: Sequence[int], shown: Collection[int], chosen: Sequence[int], most: int
) -> tuple[int, ...]:
    """What was taken out of the choice goes, what was added comes; all others stay.

    Shape: `shown` is what the select had chosen when it was drawn, so that what another moderator did
    meanwhile is kept. **Raises** AppError when there are too many.
    """
    removed = set(shown) - set(chosen)
    kept = [one for one in present if one not in removed]
    placed = dict.fromkeys([*kept, *(one for one in chosen if one not in shown)])
    if len(placed) > most:
        raise AppError("panelplaces.full", most=most)
    return tuple(placed)


def shown_ids(interaction: discord.Interaction[Any]) -> frozenset[int]:
    """What the used select had chosen when the panel was drawn, as its message still says."""
    data: Any = interaction.data or {}
    custom_id = data.get("custom_id")
    parts = walk_parts(interaction.message.components if interaction.message else ())
    found = (part for part in parts if isinstance(part, discord.SelectMenu) and part.custom_id == custom_id)
    select = next(found, None)
    # discord.py leaves these ids as Discord writes them.
    return frozenset(int(one.id) for one in select.default_values) if select else frozenset()

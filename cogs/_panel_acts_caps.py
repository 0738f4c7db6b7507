"""What the parts of the sections "Caps" and "Queue and time" do."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from bot.caps.values import (
    COOLDOWN_S_MAX,
    ENTRIES_MAX,
    RUNNING_MAX,
    TENURE_S_MAX,
    WAITING_MAX,
    Cap,
    CapOf,
)
from bot.errors import AppError
from cogs import _panel_modals as modals
from cogs._panel import Focus, Topic
from cogs._panel_input import TYPED, first, read_amount, read_cap, read_length, read_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cogs._panel_desk import Desk, PolicyChange, Touch

CAPS, QUEUE = Focus(topic=Topic.CAPS), Focus(topic=Topic.QUEUE)
COOLDOWN_UNITS = ("second", "minute", "hour")
TENURE_UNITS = ("hour", "day")


class CapActs:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        desk.parts |= {
            "cap": self.ask_cap,
            "budget": self.ask_budget,
            "role": partial(self.ask_of, "role"),
            "rolecap": partial(self.ask_of, "role"),
            "chan": partial(self.ask_of, "chan"),
            "chancap": partial(self.ask_of, "chan"),
            "running": self.ask_running,
            "waiting": self.ask_waiting,
            "cooldown": self.ask_cooldown,
            "tenure": self.ask_tenure,
        }
        desk.windows |= {
            "cap": self.set_cap,
            "budget": self.set_budget,
            "role": self.set_role,
            "chan": self.set_channel,
            "running": self.set_running,
            "waiting": self.set_waiting,
            "cooldown": self.set_cooldown,
            "tenure": self.set_tenure,
        }

    # --- caps ---

    async def ask_cap(self, touch: Touch) -> None:
        policy = await self.desk.policy(touch)
        text = touch.text
        window = modals.cap_window(
            text, text("panelname.member_cap"), text("panelwindow.cap_hint"), policy.member_cap, "cap"
        )
        await touch.interaction.response.send_modal(window)

    async def set_cap(self, touch: Touch) -> None:
        cap = read_cap(touch.values)
        # For everybody, without an end and no cap are the same thing.
        limited = cap if cap is not None and cap.credits is not None else None
        await self.desk.change(
            touch, lambda policy: replace(policy, member_cap=limited), subject="member_cap", focus=CAPS
        )

    async def ask_budget(self, touch: Touch) -> None:
        policy = await self.desk.policy(touch)
        window = modals.budget_window(touch.text, policy.server_budget_credits)
        await touch.interaction.response.send_modal(window)

    async def set_budget(self, touch: Touch) -> None:
        budget = read_amount(touch.values)
        await self.desk.change(
            touch,
            lambda policy: replace(policy, server_budget_credits=budget),
            subject="server_budget_credits",
            focus=CAPS,
        )

    async def ask_of(self, what: str, touch: Touch) -> None:
        """A role or a channel was chosen: ask for its cap."""
        if not touch.ids():
            await self.desk.show(touch, CAPS)
            return
        target, text = touch.ids()[0], touch.text
        policy = await self.desk.policy(touch)
        entries = policy.role_caps if what == "role" else policy.channel_caps
        found = next((entry.cap for entry in entries if entry.id == target), None)
        if found is None and len(entries) >= ENTRIES_MAX:
            raise AppError("panelcaps.full", most=ENTRIES_MAX)
        known = (touch.names.roles if what == "role" else touch.names.channels) or {}
        if what == "role":
            title = text("panelcaps.role_title", name=known.get(target) or text("panel.deleted_role"))
        else:
            title = text("panelcaps.channel_title", name=known.get(target) or text("panel.deleted_channel"))
        hint = text("panelwindow.role_hint" if what == "role" else "panelwindow.channel_hint")
        await touch.interaction.response.send_modal(modals.cap_window(text, title, hint, found, what, target))

    async def set_role(self, touch: Touch) -> None:
        target, cap = touch.number(0), read_cap(touch.values)
        await self.desk.change(
            touch,
            lambda policy: replace(policy, role_caps=put_cap(policy.role_caps, target, cap)),
            subject=f"role_caps:{target}",
            focus=CAPS,
        )

    async def set_channel(self, touch: Touch) -> None:
        target, cap = touch.number(0), read_cap(touch.values)
        limited = cap if cap is not None and cap.credits is not None else None
        await self.desk.change(
            touch,
            lambda policy: replace(policy, channel_caps=put_cap(policy.channel_caps, target, limited)),
            subject=f"channel_caps:{target}",
            focus=CAPS,
        )

    # --- queue and time ---

    async def ask_running(self, touch: Touch) -> None:
        policy = await self.desk.policy(touch)
        title = touch.text("panelname.running")
        await touch.interaction.response.send_modal(
            modals.number_window(touch.text, title, "running", policy.running_max, least=1, most=RUNNING_MAX)
        )

    async def set_running(self, touch: Touch) -> None:
        count = read_number(first(touch.values, TYPED), least=1, most=RUNNING_MAX)
        await self._set(touch, lambda policy: replace(policy, running_max=count), "running_max")

    async def ask_waiting(self, touch: Touch) -> None:
        policy = await self.desk.policy(touch)
        title = touch.text("panelname.waiting")
        await touch.interaction.response.send_modal(
            modals.number_window(touch.text, title, "waiting", policy.waiting_max, least=0, most=WAITING_MAX)
        )

    async def set_waiting(self, touch: Touch) -> None:
        count = read_number(first(touch.values, TYPED), least=0, most=WAITING_MAX)
        await self._set(touch, lambda policy: replace(policy, waiting_max=count), "waiting_max")

    async def ask_cooldown(self, touch: Touch) -> None:
        policy, text = await self.desk.policy(touch), touch.text
        window = modals.length_window(
            text,
            text("panelname.cooldown"),
            text("panelqueue.cooldown_hint"),
            "cooldown",
            policy.cooldown_s,
            COOLDOWN_UNITS,
        )
        await touch.interaction.response.send_modal(window)

    async def set_cooldown(self, touch: Touch) -> None:
        length_s = read_length(touch.values, most_s=COOLDOWN_S_MAX)
        await self._set(touch, lambda policy: replace(policy, cooldown_s=length_s), "cooldown_s")

    async def ask_tenure(self, touch: Touch) -> None:
        policy, text = await self.desk.policy(touch), touch.text
        window = modals.length_window(
            text,
            text("panelname.tenure"),
            text("panelqueue.tenure_hint"),
            "tenure",
            policy.tenure_s,
            TENURE_UNITS,
        )
        await touch.interaction.response.send_modal(window)

    async def set_tenure(self, touch: Touch) -> None:
        length_s = read_length(touch.values, most_s=TENURE_S_MAX)
        await self._set(touch, lambda policy: replace(policy, tenure_s=length_s), "tenure_s")

    async def _set(self, touch: Touch, change: PolicyChange, subject: str) -> None:
        await self.desk.change(touch, change, subject=subject, focus=QUEUE)


def put_cap(entries: Sequence[CapOf], target: int, cap: Cap | None) -> tuple[CapOf, ...]:
    """Set one entry, or with None take it away. **Raises** AppError when there are too many."""
    if cap is None:
        return tuple(entry for entry in entries if entry.id != target)
    entry = CapOf(id=target, cap=cap)
    if any(one.id == target for one in entries):
        return tuple(entry if one.id == target else one for one in entries)
    if len(entries) >= ENTRIES_MAX:
        raise AppError("panelcaps.full", most=ENTRIES_MAX)
    return (*entries, entry)

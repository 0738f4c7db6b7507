"""What the page's tests do again and again: begin a command in the page, answer as the bot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.browser.window import Window
    from tests.sandbox.discord.support import Local


async def answer(local: Local, interaction_id: str, kind: int, data: Any = None) -> None:
    interaction = next(one for one in local.core.interactions if one.id == interaction_id)
    reply = await local.answer(interaction, kind, data)
    assert reply.status == 200, reply.body


async def start_command(window: Window, typed: str = "/ima") -> None:
    await window.input.focus()
    await window.type(typed)
    await window.press("Enter")

"""Who moderates pictures may do so where they may manage messages, however a press is forged."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import AsyncMock

import discord
import pytest

from bot.clock import SystemClock
from bot.discord_retry import Retry
from bot.errors import AppError
from cogs.moderate import Moderate
from tests.unit.moderator_parts import JOB_ID, past, seen
from tests.unit.test_panel import TEXT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from db.values import Job

HERE, ELSEWHERE = 21, 22


class House:
    """The cog with one picture, which stands in the channel `HERE`."""

    def __init__(self) -> None:
        self.picture = seen(past(channel_id=HERE, message_id=7))
        self.done: list[str] = []
        histories = SimpleNamespace(find_picture=AsyncMock(return_value=self.picture))
        self.windows: dict[str, Callable[..., Awaitable[None]]] = {}
        bot = SimpleNamespace(
            caps=SimpleNamespace(histories=histories),
            texts=lambda _: TEXT,
            on_component=lambda *_: None,
            on_modal=self.windows.__setitem__,
        )
        self.cog = Moderate(cast("Any", bot))
        for verb in self.cog._acts:
            self.cog._acts[verb] = self._note(verb)
        for verb in self.cog._submits:
            self.cog._submits[verb] = self._note(verb)
        self.cog.listen()

    def _note(self, verb: str) -> Any:
        async def act(_text: object, _by: object, _job: Job, _reason: str | None = None) -> str:
            self.done.append(verb)
            return "Done."

        return act

    async def arrive(self, verb: str, interaction: Any) -> None:
        if verb in self.cog._submits:
            await self.windows[f"picture1:{verb}"](interaction, JOB_ID, {})
        else:
            await self.cog.press(interaction, f"{verb}:{JOB_ID}", [])


def press(channel_id: int, **permissions: bool) -> Any:
    return SimpleNamespace(
        guild_id=1,
        channel_id=channel_id,
        permissions=discord.Permissions(**permissions),
        is_guild_integration=lambda: True,
        user=SimpleNamespace(id=5),
        guild_locale=None,
        locale=discord.Locale.american_english,
        message=SimpleNamespace(flags=SimpleNamespace(ephemeral=True)),
        response=SimpleNamespace(defer=AsyncMock()),
        edit_original_response=AsyncMock(),
        client=SimpleNamespace(retry=Retry(SystemClock())),
    )


VERBS = ["refund", "hour", "day", "unblock", "pass", "hide", "both", "forever"]


def test_every_act_is_tried_below() -> None:
    cog = House().cog
    assert sorted(VERBS) == sorted([*cog._acts, *cog._submits])


@pytest.mark.parametrize("verb", VERBS)
async def test_manage_messages_of_one_channel_is_none_in_another(verb: str) -> None:
    house = House()
    with pytest.raises(AppError, match=r"moderate\.not_allowed"):
        await house.arrive(verb, press(ELSEWHERE, manage_messages=True))
    assert house.done == []
    await house.arrive(verb, press(HERE, manage_messages=True))
    assert house.done == [verb]


async def test_who_manages_the_server_acts_from_every_channel() -> None:
    house = House()
    await house.arrive("refund", press(ELSEWHERE, manage_guild=True))
    assert house.done == ["refund"]

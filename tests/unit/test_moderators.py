"""Who counts as a moderator: by the permissions that come with each press, and only where the bot is a member."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import discord
import pytest

from bot.errors import AppError
from cogs._moderators import is_moderator, require_moderator
from cogs.moderate import require_picture_moderator

if TYPE_CHECKING:
    from collections.abc import Callable

    from cogs._moderators import Moderator

JUDGES = pytest.mark.parametrize("judge", [require_moderator, require_picture_moderator])


def press(*, guild_id: int | None = 1, installed: bool = True, **permissions: bool) -> Any:
    """`installed`: the server has the bot; otherwise whoever presses brought it along for themselves."""
    return SimpleNamespace(
        guild_id=guild_id,
        permissions=discord.Permissions(**permissions),
        is_guild_integration=lambda: installed,
        user=SimpleNamespace(id=5),
        guild_locale=None,
    )


@JUDGES
@pytest.mark.parametrize("permission", ["manage_guild", "administrator"])
def test_who_manages_the_server_moderates(judge: Callable[[Any], Moderator], permission: str) -> None:
    moderator = judge(press(**{permission: True}))
    assert (moderator.guild_id, moderator.user_id) == (1, 5)


@JUDGES
def test_somebody_who_brought_the_bot_along_moderates_nothing(judge: Callable[[Any], Moderator]) -> None:
    """They may manage a server that never asked for the bot; its settings are none of theirs to begin."""
    with pytest.raises(AppError, match="not_"):
        judge(press(installed=False, administrator=True, manage_guild=True, manage_messages=True))
    assert not is_moderator(press(installed=False, administrator=True))


@JUDGES
def test_in_direct_messages_nobody_moderates(judge: Callable[[Any], Moderator]) -> None:
    with pytest.raises(AppError, match="not_"):
        judge(press(guild_id=None, administrator=True, manage_guild=True, manage_messages=True))


def test_manage_messages_is_enough_for_pictures_and_for_nothing_else() -> None:
    assert require_picture_moderator(press(manage_messages=True)).user_id == 5
    with pytest.raises(AppError, match=r"error\.not_moderator"):
        require_moderator(press(manage_messages=True))


@JUDGES
def test_any_other_permission_is_none(judge: Callable[[Any], Moderator]) -> None:
    everything = discord.Permissions.all()
    everything.update(manage_guild=False, administrator=False, manage_messages=False)
    with pytest.raises(AppError, match="not_"):
        judge(press(**dict(iter(everything))))

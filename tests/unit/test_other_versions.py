"""What is said to a press of another version: every card of this version can say how to open it anew."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import MagicMock

import discord
import pytest

from bot.client import EXTENSIONS, KvidBot
from bot.errors import AppError
from bot.other_versions import OPENED_BY, build_refusal
from cogs._components import JOB_BUTTON_ID


async def prefixes() -> set[str]:
    """What custom_ids of this version begin with, as the cogs register them."""
    bot = MagicMock()
    found: list[str] = []
    bot.on_component.side_effect = lambda prefix, _: found.append(prefix)
    bot.on_modal.side_effect = lambda prefix, _: found.append(prefix)

    async def add_cog(_cog: object) -> None:
        return

    bot.add_cog = add_cog
    for name in EXTENSIONS:
        module = __import__(name, fromlist=["setup"])
        await module.setup(bot)
    return {prefix.partition(":")[0] for prefix in found}


async def test_every_card_of_this_version_says_how_to_open_it_anew() -> None:
    found = {prefix.rstrip("0123456789") for prefix in await prefixes()}
    assert found >= {"studio", "member", "picture", "gift", "grant", "report", "help", "m"}
    assert found | {"v"} == set(OPENED_BY)


@pytest.mark.parametrize("custom_id", ["", ":", "9", "\u0661", "studio", "x" * 100])
def test_whatever_a_custom_id_is_there_is_an_answer(custom_id: str) -> None:
    assert build_refusal(custom_id).key in {"window.unknown", "window.other_version"}


@pytest.mark.parametrize("kind", [discord.InteractionType.modal_submit, discord.InteractionType.component])
def test_what_no_handler_knows_is_refused_and_never_left_without_an_answer(kind: Any) -> None:
    bot: Any = SimpleNamespace(_modals={}, _components={}, _button_ids=JOB_BUTTON_ID)
    interaction: Any = SimpleNamespace(type=kind, data={"custom_id": "studio9:cap"})
    with pytest.raises(AppError, match=r"window\.other_version"):
        KvidBot._find_run(bot, interaction)
    own: Any = SimpleNamespace(
        type=discord.InteractionType.component, data={"custom_id": f"v1:again:{'a' * 20}"}
    )
    assert KvidBot._find_run(bot, cast("Any", own)) is None

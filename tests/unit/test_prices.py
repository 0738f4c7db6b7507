"""What a picture costs is told before it is asked for, and what becomes of credits that were not needed."""

from __future__ import annotations

from unittest.mock import MagicMock

import discord
import pytest

from cogs._options import RATIO_CHOICES
from cogs._sources import FoundFile
from cogs.edit import Edit, price_of
from cogs.gift import credits_help
from cogs.imagine import Imagine
from tests.unit.moderator_parts import TEXT, TEXT_MAX


def test_what_costs_says_so_before_it_is_sent() -> None:
    """The options of /imagine and /edit, where no card can."""
    imagine, edit = Imagine.imagine, Edit.edit
    assert "up to 8 credits" in imagine.description
    assert "up to 8 credits" in edit.description
    told = {one.name: one.description for one in imagine.parameters}
    assert "8 credits" in str(told["aspect_ratio"])
    assert "up to 8 credits" in str(told["width"])
    assert "each at its price" in str(told["images"])
    assert all("credits" in choice.name for choice in RATIO_CHOICES)
    assert max(len(str(one)) for one in [imagine.description, edit.description, *told.values()]) <= 100


@pytest.mark.parametrize(
    ("sizes", "price"),
    [
        ([(1024, 576)], 5),
        ([(1024, 1024)], 8),
        ([(1600, 900), (500, 500)], 8),
        ([(None, None)], 8),
        ([(1600, 900), (None, 10)], 8),
    ],
)
def test_the_window_of_several_files_names_the_most_that_one_may_cost(
    sizes: list[tuple[int | None, int | None]], price: int
) -> None:
    files = [
        FoundFile(attachment=MagicMock(discord.Attachment, width=width, height=height))
        for width, height in sizes
    ]
    assert price_of(files) == price


def test_how_credits_work_fits_and_promises_what_the_ledger_does() -> None:
    told = credits_help(TEXT)
    assert len(told) <= TEXT_MAX
    for promise in (
        "failed",
        "refused",
        "cancelled",
        "could not be posted",
        "the difference returns",
        "tolerance",
    ):
        assert promise in told

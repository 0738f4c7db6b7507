"""A local Discord on a free port, and hands to reach it with: as the bot, as a member, as a test."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import pytest

from tests.sandbox.discord.support import Local, serve_local

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

with warnings.catch_warnings():
    # discord.py 2.7.1 imports audioop, which Python 3.11 calls deprecated; here that is nobody's fault.
    warnings.simplefilter("ignore", DeprecationWarning)
    import discord  # noqa: F401 - imported once, so that tests may import it without the warning


@pytest.fixture
async def local() -> AsyncIterator[Local]:
    async with serve_local() as running:
        yield running

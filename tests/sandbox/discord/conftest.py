"""A local Discord on a free port, and hands to reach it with: as the bot, as a member, as a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.sandbox.discord.support import Local, serve_local

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def local() -> AsyncIterator[Local]:
    async with serve_local() as running:
        yield running

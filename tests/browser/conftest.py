"""What the page's tests share: one browser, which takes longer to start than most of them; a local Discord each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest_asyncio

from tests.browser.window import run_browser
from tests.sandbox.discord.support import Local, serve_local

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with run_browser() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def local() -> AsyncIterator[Local]:
    async with serve_local() as running:
        yield running

"""A headless browser at the local Discord's page, which must stay free of console errors and page errors."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import async_playwright, expect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, ConsoleMessage, Locator, Page

# The build without a desktop takes half the CPU; not every system has it.
PROGRAMS = (Path("/usr/bin/chromium-headless-shell"), Path("/usr/bin/chromium"))
CHROMIUM = next((path for path in PROGRAMS if path.exists()), None)
# Nothing here reaches past loopback, so the browser's own calls home are off.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
# Longer than any machine needs: only a test that fails waits for it.
WAIT_MS = 30_000
expect.set_options(timeout=WAIT_MS)


class Window:
    """One open page and short ways to what is in it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", self._note_console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def get(self, testid: str) -> Locator:
        return self.page.get_by_test_id(testid)

    @property
    def input(self) -> Locator:
        return self.get("composer-input")

    def message(self, text: str) -> Locator:
        return self.get("message").filter(has_text=text)

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.page.keyboard.press(key)

    async def type(self, text: str) -> None:
        await self.page.keyboard.type(text)

    async def focused(self) -> str:
        """The test id, or else the accessible name, of what has the focus."""
        found: str = await self.page.evaluate(
            "document.activeElement.dataset.testid || document.activeElement.getAttribute('aria-label') || ''"
        )
        return found


@asynccontextmanager
async def run_browser() -> AsyncIterator[Browser]:
    """Skips, saying so, only where no Chromium is installed."""
    if CHROMIUM is None:
        pytest.skip(f"no Chromium at {' or '.join(map(str, PROGRAMS))}; .ci/run installs it")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def open_window(
    browser: Browser,
    base: str,
    *,
    act: str = "mina_fan",
    channel: str = "studio",
    width_px: int = 1280,
    height_px: int = 800,
    theme: str = "dark",
) -> AsyncIterator[Window]:
    """A window of its own, without anybody else's storage; whoever leaves it unharmed finds no complaints."""
    context = await browser.new_context(
        viewport={"width": width_px, "height": height_px}, reduced_motion="reduce"
    )
    try:
        page = await context.new_page()
        page.set_default_timeout(WAIT_MS)
        window = Window(page)
        await page.goto(f"{base}/?as={act}&channel={channel}&theme={theme}")
        await expect(page.locator("#app")).to_have_attribute("data-ready", "true")
        yield window
        assert window.complaints == []
    finally:
        await context.close()

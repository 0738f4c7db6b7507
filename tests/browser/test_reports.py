"""A moderator reads the report in a browser and changes its days; a member reads /usage on a phone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests.browser.test_main import imagine, results, shoot
from tests.browser.window import open_window
from tests.support.process import run_bot
from tests.support.servers import run_servers

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Browser, Locator

    from tests.browser.window import Window

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def use(window: Window, typed: str) -> None:
    """Type a command without options and send it."""
    await window.input.click()
    await window.input.fill(typed)
    await window.press("Enter")
    await window.get("send").click()


async def fits(window: Window) -> bool:
    """Nothing on the page is wider than the window."""
    found: bool = await window.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    return found


def chart_of(card: Locator) -> Locator:
    return card.get_by_role("img", name=re.compile("^Bars, one a day"))


@pytest.mark.parametrize(("width_px", "theme"), [(1280, "dark"), (390, "light")])
async def test_a_moderator_reads_the_report_and_changes_its_days(
    browser: Browser, tmp_path: Path, width_px: int, theme: str
) -> None:
    async with (
        run_servers() as servers,
        run_bot(servers, f"sqlite:///{tmp_path / 'bot.db'}", tmp_path / "bot.log"),
    ):
        async with open_window(
            browser, servers.discord_url, width_px=width_px, height_px=900, theme=theme
        ) as window:
            await imagine(window, "aurora stage", aspect_ratio="1:1")
            await expect(results(window, "imagined")).to_be_visible()
            await use(window, "/usage")
            usage = window.message("Your credits")
            await expect(usage).to_contain_text("Today: 8 used")
            await expect(chart_of(usage)).to_be_visible()
            await expect(usage.get_by_role("button", name="How credits work")).to_be_visible()
            assert await fits(window)
            await shoot(window, f"usage-{width_px}-{theme}")
        async with open_window(
            browser,
            servers.discord_url,
            act="mod_moonbeam",
            width_px=width_px,
            height_px=900,
            theme=theme,
        ) as window:
            await use(window, "/studio report")
            report = window.message("Report ·")
            await expect(report).to_contain_text("100 % worked out: 1 of 1")
            await expect(report).to_contain_text("Mina's Fan · 8 credits")
            await expect(report).to_contain_text("Only you can see this")
            await expect(chart_of(report)).to_be_visible()
            await shoot(window, f"report-{width_px}-{theme}")
            await report.locator("[data-custom-id='report:period']").click()
            await window.page.locator(".listbox-row").filter(has_text="Last month").click()
            await expect(report).to_contain_text("Report · Last month")
            await expect(report).to_contain_text("Nobody asked for a picture")
            await expect(chart_of(report)).to_have_count(0)
            assert await fits(window)

"""The settings panel as a moderator uses it: in the page, with the real bot behind it, in both themes and widths."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from bot.caps.policies import Policies
from bot.caps.values import Cap
from bot.clock import SystemClock
from bot.safety.words import WordAction, WordList
from db import migrate
from db.engine import Database
from sandbox.discord.world import CATEGORY_ID, fixed_id
from tests.browser.test_main import shoot
from tests.browser.window import open_window
from tests.support.process import run_bot
from tests.support.servers import run_servers

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Browser, Locator

    from bot.caps.values import Policy
    from tests.browser.window import Window

pytestmark = pytest.mark.asyncio(loop_scope="session")

GUILD_ID = int(fixed_id(100))


async def pick(window: Window, custom_id: str, *labels: str) -> None:
    """Open a select of the panel, press these rows, and leave it."""
    await window.page.locator(f"[data-custom-id='{custom_id}']").click()
    for label in labels:
        await window.page.locator(".listbox-row:visible").filter(has_text=label).first.click()
    if await window.page.get_by_role("listbox").count():
        await window.press("Escape")


async def change(window: Window, panel: Locator, name: str, field: str, typed: str) -> None:
    """Press the button beside the setting `name` and send its window off."""
    section = panel.locator(".section").filter(has_text=name)
    await section.get_by_role("button").click()
    modal = window.get("modal")
    await modal.get_by_label(field).fill(typed)
    await window.get("modal-submit").click()
    await expect(modal).to_have_count(0)


async def assert_fits(window: Window, panel: Locator) -> None:
    """Nothing is wider than the window, nor than the panel."""
    assert await window.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert await panel.locator(".container").evaluate("box => box.scrollWidth <= box.clientWidth")


async def open_panel(window: Window) -> Locator:
    await window.input.fill("/studio settings")
    await window.press("Enter", "Enter")
    # A refusal below it quotes its words.
    panel = window.get("message").filter(has=window.page.locator("[data-custom-id='studio1:show']"))
    await expect(panel).to_contain_text("Default cap · no cap")
    await expect(panel).to_contain_text("Only you can see this")
    await assert_one_line(panel)
    return panel


async def assert_one_line(panel: Locator) -> None:
    """The same word on every button beside a section, however many words the section has."""
    boxes = [await button.bounding_box() for button in await panel.locator(".section-accessory button").all()]
    sizes = {(round(box["width"]), round(box["height"])) for box in boxes if box is not None}
    assert len(boxes) > 1
    assert len(sizes) == 1, sizes


async def find_policy(url: str) -> Policy:
    database = Database(url)
    try:
        return await Policies(database, SystemClock()).find(GUILD_ID)
    finally:
        await database.close()


@pytest.mark.parametrize(("width_px", "theme"), [(1280, "dark"), (390, "light")])
async def test_a_moderator_goes_through_the_whole_panel(
    browser: Browser, tmp_path: Path, width_px: int, theme: str
) -> None:
    """Open it, change a cap, take that back, choose places, make a word list, turn gifts on: all in one message."""
    url = f"sqlite:///{tmp_path / 'bot.db'}"
    migrate.upgrade(url)
    async with (
        run_servers() as servers,
        run_bot(servers, url, tmp_path / "bot.log"),
        open_window(
            browser, servers.discord_url, act="mod_moonbeam", width_px=width_px, height_px=900, theme=theme
        ) as window,
    ):
        panel = await open_panel(window)

        await change(window, panel, "Default cap", "Credits", "1e3")
        await expect(window.message("in plain digits")).to_contain_text("1e3")
        await change(window, panel, "Default cap", "Credits", "20")
        await expect(panel).to_contain_text("Default cap: no cap → 20 credits a day")
        await panel.get_by_role("button", name="Undo").click()
        await expect(panel).to_contain_text("Default cap: 20 credits a day → no cap")
        await panel.get_by_role("button", name="Undo").click()
        await expect(panel).to_contain_text("Default cap · 20 credits a day")
        await assert_fits(window, panel)
        await shoot(window, f"settings-caps-{width_px}-{theme}")

        await pick(window, "studio1:show", "Places and blocks")
        await expect(panel).to_contain_text("Only here · everywhere")
        await pick(window, "studio1:allowed/0", "Cafe", "studio")
        await expect(panel).to_contain_text("Only here: added")
        shown = window.page.locator("[data-custom-id='studio1:allowed/0'] .select-text")
        await expect(shown).to_contain_text("Cafe")
        await assert_fits(window, panel)
        await shoot(window, f"settings-places-{width_px}-{theme}")

        await pick(window, "studio1:show", "Words")
        await panel.get_by_role("button", name="New list").click()
        await window.get("modal").get_by_label("Name").fill("Rude")
        await window.get("modal-submit").click()
        await expect(panel).to_contain_text("List “Rude” made")
        await panel.get_by_role("button", name="Edit words").first.click()
        await window.get("modal").get_by_label("Words").fill("foo\nbar")
        await window.get("modal-submit").click()
        await expect(panel).to_contain_text("List “Rude”: 2 added")
        await assert_fits(window, panel)
        await shoot(window, f"settings-words-{width_px}-{theme}")

        await pick(window, "studio1:show", "Time zone, gifts and log")
        await expect(panel).to_contain_text("Gifts between members · off")
        await panel.get_by_role("button", name="Turn on").click()
        await expect(panel).to_contain_text("Gifts between members: off → on")
        await assert_fits(window, panel)
        await shoot(window, f"settings-more-{width_px}-{theme}")
        await expect(panel).to_have_count(1)
    policy = await find_policy(url)
    assert policy.member_cap == Cap(credits=20)
    assert set(policy.allowed_places) == {int(CATEGORY_ID), int(fixed_id(201))}
    assert policy.word_lists == (WordList(name="Rude", action=WordAction.REFUSE, words=("foo", "bar")),)
    assert policy.gifts_allowed

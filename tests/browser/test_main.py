"""The main job as a member does it: in the page, with the real bot and the local kvid behind it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from bot.credits import audit
from db import migrate
from db.engine import Database
from sandbox.kvid.settings import KvidSettings
from tests.browser.window import open_window
from tests.support.process import run_bot
from tests.support.servers import run_servers

if TYPE_CHECKING:
    from playwright.async_api import Browser, Locator

    from tests.browser.window import Window

pytestmark = pytest.mark.asyncio(loop_scope="session")

ARTEFACTS = Path(os.environ.get("ARTEFACTS", "artefacts"))


async def shoot(window: Window, name: str) -> None:
    """Keep what the member sees, for people to look at; Playwright makes the folder."""
    await window.page.screenshot(path=ARTEFACTS / f"{name}.png")


async def imagine(window: Window, prompt: str, **options: str) -> None:
    """Type the command with its options, all from the keyboard, and send it."""
    await window.input.click()
    await window.type("/imag")
    await expect(window.get("command-suggestion").first).to_contain_text("imagine")
    await window.press("Enter")
    await window.get("option-prompt").fill(prompt)
    for name, value in options.items():
        await window.get(f"add-option-{name}").click()
        await window.get(f"option-{name}").fill(value)
        await window.press("Enter")
    await window.get("send").click()


def results(window: Window, text: str) -> Locator:
    """Messages that show a picture and these words."""
    pictures = window.page.get_by_test_id("picture")
    return window.message(text).filter(has=pictures)


async def test_imagine_reply_again_usage(browser: Browser, tmp_path: Path) -> None:
    """Type /imagine, pick options, see the picture; reply and see it changed; Again; /usage shows all charges."""
    url = f"sqlite:///{tmp_path / 'bot.db'}"
    migrate.upgrade(url)
    async with (
        run_servers(kvid=KvidSettings(render_s=0.8)) as servers,
        run_bot(servers, url, tmp_path / "bot.log"),
        open_window(browser, servers.discord_url, act="mina_fan", channel="studio") as window,
    ):
        await imagine(window, "aurora stage, 은하수 콘셉트", aspect_ratio="3:4", steps="30")
        card = window.message("Only you can see this")
        await expect(card).to_contain_text("Costs up to 6 credits")
        first = results(window, "Mina's Fan imagined")
        await expect(first).to_be_visible()
        await expect(first).to_contain_text(re.compile(r"768×1024 · seed \d+ · 6 credits"))
        await expect(first.get_by_role("img", name=re.compile("aurora stage"))).to_be_visible()

        await first.hover()
        await first.get_by_test_id("reply").click()
        await window.input.fill("make it pink and snowy")
        await window.press("Enter")
        edited = results(window, "edited a picture")
        await expect(edited).to_be_visible()
        await expect(edited).to_contain_text("make it pink and snowy")

        await first.get_by_role("button", name="Again · 6 credits").click()
        await expect(results(window, "Mina's Fan imagined")).to_have_count(2)

        await window.input.fill("/usage")
        await window.press("Enter", "Enter")
        usage = window.message("Your credits")
        await expect(usage).to_contain_text("Today: 18 used")
        await expect(usage).to_contain_text("make it pink and snowy")
        assert (await usage.inner_text()).count("· 6 credits ·") == 3
        await shoot(window, "main")
        assert (await servers.kvid_books())["charged_credits"] == 18
    database = Database(url)
    assert await database.read(audit.find_differences) == []
    await database.close()


async def test_the_edit_window_on_a_phone(browser: Browser, tmp_path: Path) -> None:
    """At a phone's width, in the light theme: the Edit button, its window, the changed picture."""
    url = f"sqlite:///{tmp_path / 'bot.db'}"
    migrate.upgrade(url)
    async with (
        run_servers(kvid=KvidSettings(render_s=0.3)) as servers,
        run_bot(servers, url, tmp_path / "bot.log"),
        open_window(
            browser,
            servers.discord_url,
            act="neon_otter",
            channel="studio",
            width_px=390,
            height_px=844,
            theme="light",
        ) as window,
    ):
        await imagine(window, "neon city at night", aspect_ratio="1:1")
        first = results(window, "imagined")
        await expect(first).to_be_visible()
        await first.get_by_role("button", name="Edit", exact=True).click()
        modal = window.get("modal")
        await modal.get_by_label("What should change?").fill("turn the lights gold")
        await shoot(window, "phone-modal")
        await window.get("modal-submit").click()
        await expect(results(window, "turn the lights gold")).to_be_visible()
        await shoot(window, "phone-edited")

"""The cards of a member and of a picture as a moderator uses them, in the page, in both themes and widths."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from db import migrate
from tests.browser.test_main import shoot
from tests.browser.window import open_window
from tests.support.member import Member, UserOption
from tests.support.process import run_bot
from tests.support.servers import run_servers

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Browser, Locator

    from tests.browser.window import Window

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def send_off(window: Window, opener: Locator, fields: dict[str, str]) -> None:
    """Press a button that opens a window, fill the window in, and send it off."""
    await opener.click()
    modal = window.get("modal")
    for label, typed in fields.items():
        await modal.get_by_label(label).fill(typed)
    await window.get("modal-submit").click()
    await expect(modal).to_have_count(0)


async def assert_fits(window: Window, card: Locator) -> None:
    """Nothing is wider than the window, nor than the card."""
    assert await window.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert await card.locator(".container").evaluate("box => box.scrollWidth <= box.clientWidth")


@pytest.mark.parametrize(("theme", "width_px", "height_px"), [("dark", 1280, 900), ("light", 390, 844)])
async def test_a_moderator_acts_on_a_member_and_hides_a_picture(
    browser: Browser, tmp_path: Path, theme: str, width_px: int, height_px: int
) -> None:
    url = f"sqlite:///{tmp_path / 'bot.db'}"
    migrate.upgrade(url)
    async with (
        run_servers() as servers,
        run_bot(servers, url, tmp_path / "bot.log"),
    ):
        member, moderator = await Member.join(servers), await Member.join(servers, moderator=True)
        studio = member.channel("studio")
        await member.slash(studio, "imagine", prompt="a quiet cafe in the rain", width=512, height=512)
        result = await member.wait_for_result(studio)
        # Only then it is charged.
        await member.wait_for_text(studio, "Here it is")
        await moderator.slash(studio, "studio member", member=UserOption(member.user_id))
        await moderator.wait_for_text(studio, "### Member")
        look = {"width_px": width_px, "height_px": height_px, "theme": theme}
        async with open_window(browser, servers.discord_url, act="mod_moonbeam", **look) as window:  # type: ignore[arg-type]
            card = window.message("Member @Mina's Fan")
            await expect(card).to_contain_text("2 credits · a quiet cafe in the rain")
            await expect(card.get_by_role("button", name="Take back")).to_be_disabled()
            await card.get_by_role("button", name="Block 1 h").click()
            await expect(card).to_contain_text("@Mina's Fan is blocked until")
            await card.get_by_role("button", name="Unblock").click()
            await expect(card).to_contain_text("may make pictures again")
            await send_off(
                window,
                card.get_by_role("button", name="Grant", exact=True),
                {"How many credits": "1,000", "Reason": "won the contest"},
            )
            await expect(card).to_contain_text("@Mina's Fan got 1\u202f000 credits, without an expiry")
            await expect(card.get_by_role("button", name="Take back")).to_be_enabled()
            await assert_fits(window, card)
            await shoot(window, f"member-{theme}-{width_px}")

            await moderator.menu(result, "Moderate picture")
            picture = window.message("A picture").last
            await expect(picture).to_contain_text("asked for")
            await send_off(
                window, picture.get_by_role("button", name="Hide", exact=True), {"Reason": "rule 3"}
            )
            await expect(picture).to_contain_text("is hidden")
            note = window.message("Hidden by @Moonbeam: a picture that @Mina's Fan asked for.")
            await expect(note).to_be_visible()
            await expect(note.get_by_role("button", name="Edit", exact=True)).to_have_count(0)
            await expect(window.get("picture")).to_have_count(0)
            await assert_fits(window, picture)
            await shoot(window, f"hidden-{theme}-{width_px}")

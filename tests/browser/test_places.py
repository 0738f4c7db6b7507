"""Where a member is in the page: the first minute, who is there, which window is meant, a narrow screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests.browser.acts import answer, start_command
from tests.browser.samples import BUTTON, COMMAND, MODAL
from tests.browser.window import open_window

if TYPE_CHECKING:
    from playwright.async_api import Browser

    from tests.sandbox.discord.support import Local

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_newcomer_begins_where_pictures_are_made(browser: Browser, local: Local) -> None:
    await local.register(
        COMMAND, {"name": "about", "description": "Who is this", "integration_types": [0, 1]}
    )
    invitation = "Type /imagine and say what you would like to see."
    async with local.online(), open_window(browser, local.base) as window:
        await window.page.goto(local.base)
        await expect(window.page).to_have_title("#studio · Local Discord")
        await expect(window.page.get_by_text(invitation)).to_be_visible()
        await window.input.focus()
        await window.type("/")
        listed = window.get("command-suggestion")
        assert [await one.get_attribute("data-name") for one in await listed.all()] == ["imagine", "about"]
        await window.press("Escape")
        await window.get("channel").filter(has_text="general").click()
        await expect(window.page).to_have_title("#general · Local Discord")
        await expect(window.page.get_by_text(invitation)).to_have_count(0)


async def test_the_members_are_those_of_the_open_channel(browser: Browser, local: Local) -> None:
    async with local.online(), open_window(browser, local.base) as window:
        names = window.get("member").locator(".member-name")
        everybody = ["Moonbeam", "Mina's Fan", "Neon Otter", "Lilac Sky", "Paper Comet", "kvid"]
        await expect(names).to_have_text(everybody)
        await window.get("channel").filter(has_text="showcase").click()
        await expect(names).to_have_text(["Mina's Fan", "Neon Otter"])
        await window.get("channel").filter(has_text="Lilac Sky").click()
        await expect(names).to_have_text(["Mina's Fan", "Lilac Sky"])
        await window.get("channel").filter(has_text="kvid").click()
        await expect(names).to_have_text(["Mina's Fan", "kvid"])


async def test_a_modal_opens_only_in_the_window_that_acted(browser: Browser, local: Local) -> None:
    await local.post({"content": "a picture", "components": [BUTTON]}, channel="studio")
    async with (
        local.online() as bot,
        open_window(browser, local.base) as acting,
        open_window(browser, local.base) as other,
    ):
        await acting.page.get_by_role("button", name="Edit", exact=True).click()
        await answer(local, (await bot.wait_for("INTERACTION_CREATE"))["id"], 9, MODAL)
        await expect(acting.get("modal")).to_be_visible()
        # Sent after the modal, so whatever the other window was to be told has come.
        await local.post({"content": "said later"}, channel="studio")
        await expect(other.message("said later")).to_be_visible()
        await expect(other.get("modal")).to_have_count(0)


async def test_all_options_of_a_command_are_in_reach_on_a_phone(browser: Browser, local: Local) -> None:
    names = ("aspect_ratio", "width", "height", "steps", "guidance", "seed", "negative", "format", "image")
    more = [{"type": 3, "name": name, "description": "More"} for name in names]
    await local.register({**COMMAND, "options": [COMMAND["options"][0], *more]})
    async with local.online(), open_window(browser, local.base, width_px=390, height_px=844) as window:
        await start_command(window)
        send = await window.get("send").bounding_box()
        assert send
        for name in names:
            chip = await window.get(f"add-option-{name}").bounding_box()
            assert chip
            assert chip["x"] + chip["width"] <= send["x"]
            assert chip["y"] + chip["height"] <= 844

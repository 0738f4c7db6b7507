"""The page of the local Discord in a real browser, with a bot that answers as each test tells it to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import FilePayload, expect

from tests.browser.acts import answer, start_command
from tests.browser.samples import BUTTON, COMMAND, HOSTILE, MENU, MODAL
from tests.browser.window import open_window
from tests.sandbox.discord.support import FLAG_V2, PIXEL, Local, serve_local

if TYPE_CHECKING:
    from playwright.async_api import Browser

    from tests.sandbox.discord.support import Json

WIDTH: Json = {
    "type": 4,
    "name": "width",
    "description": "In pixels",
    "choices": [{"name": f"{px} pixels", "value": px} for px in (256, 320, 512, 640, 704, 768, 1024)],
}

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_hostile_text_stays_text(browser: Browser, local: Local) -> None:
    await local.post({"content": HOSTILE}, channel="studio")
    async with open_window(browser, local.base) as window:
        body = window.message("alert(1)").locator(".md")
        await expect(body).to_contain_text("<script>alert(2)</script> [go](javascript:alert(3))")
        await expect(body.locator("strong")).to_have_text("bold")
        await expect(body).to_contain_text("*plain*")
        await expect(body.locator("code")).to_have_text("<b>")
        await expect(body.locator("img, script, b")).to_have_count(0)
        links = await body.locator("a").evaluate_all("links => links.map(link => link.href)")
        assert links == ["https://example.com/a?b=1"]


async def test_a_command_is_found_filled_and_sent_with_the_keyboard_alone(
    browser: Browser, local: Local
) -> None:
    await local.register(COMMAND)
    async with local.online() as bot, open_window(browser, local.base) as window:
        await start_command(window)
        await window.type("stage lights")
        await window.press("Tab")
        assert await window.focused() == "add-option-shape"
        await window.press("Enter")
        choices = window.page.get_by_role("listbox", name="shape").get_by_role("option")
        await expect(choices).to_have_text(["square", "wide"])
        await window.press("ArrowDown", "Enter", "Enter")
        event = await bot.wait_for("INTERACTION_CREATE")
        sent = {one["name"]: one["value"] for one in event["data"]["options"]}
        assert sent == {"prompt": "stage lights", "shape": "16:9"}
        await answer(local, event["id"], 4, {"content": "On its way", "flags": 64})
        message = window.message("On its way")
        await expect(message).to_have_attribute("data-ephemeral", "true")
        await expect(message).to_contain_text("Mina's Fan")
        await expect(window.get("pending")).to_have_count(0)
        assert await window.focused() == "composer-input"
        await message.get_by_test_id("dismiss").click()
        await expect(message).to_have_count(0)


WRONG = (
    ("seed", "12", "Enter a whole number from 1 to 9."),
    ("seed", "1.5", "Enter a whole number from 1 to 9."),
    ("shape", "round", "Choose one from the list."),
    ("width", "700", "Choose one of: 256, 320 … 1024 (nearest: 704)"),
    ("width", "wide", "Choose one of: 256, 320 … 1024"),
    ("prompt", "", "This option is required."),
    ("prompt", "x" * 41, "At most 40 characters; this has 41."),
)


async def test_a_wrong_value_is_explained_and_not_sent(browser: Browser, local: Local) -> None:
    await local.register({**COMMAND, "options": [*COMMAND["options"], WIDTH]})
    async with local.online(), open_window(browser, local.base) as window:
        for option, typed, complaint in WRONG:
            await start_command(window)
            await window.get("option-prompt").fill("stage lights")
            if option != "prompt":
                await window.get(f"add-option-{option}").click()
            await window.get(f"option-{option}").fill(typed)
            await window.get("send").click()
            await expect(window.page.get_by_text(complaint, exact=True)).to_be_visible()
            await expect(window.page.locator(".listbox:visible")).to_have_count(0)
            assert await window.focused() == f"option-{option}"
            assert list(local.core.interactions) == []
            await window.press("Escape")
            await window.press("Escape")
            assert await window.focused() == "composer-input"


async def test_a_file_goes_along_as_an_option(browser: Browser, local: Local) -> None:
    await local.register(COMMAND)
    async with local.online() as bot, open_window(browser, local.base) as window:
        await start_command(window)
        await window.get("option-prompt").fill("with this")
        await window.get("add-option-source").click()
        file = FilePayload(name="source.png", mimeType="image/png", buffer=PIXEL)
        await window.get("option-source").set_input_files(file)
        await window.get("send").click()
        event = await bot.wait_for("INTERACTION_CREATE")
        [attachment] = event["data"]["resolved"]["attachments"].values()
        assert (attachment["filename"], attachment["size"]) == ("source.png", len(PIXEL))


async def test_a_modal_is_checked_then_submitted(browser: Browser, local: Local) -> None:
    await local.post({"content": "a picture", "components": [BUTTON]}, channel="studio")
    async with local.online() as bot, open_window(browser, local.base) as window:
        await window.page.get_by_role("button", name="Edit", exact=True).click()
        pressed = await bot.wait_for("INTERACTION_CREATE")
        await answer(local, pressed["id"], 9, MODAL)
        await expect(window.page.get_by_label("What should change?")).to_be_focused()
        await window.type("no")
        await window.get("modal-submit").click()
        await expect(window.get("modal-errors")).to_contain_text("2 fields need another look")
        await window.page.get_by_label("What should change?").fill("add fireworks")
        await window.page.get_by_label("Shape").click()
        await window.press("ArrowDown", "Enter")
        await window.get("modal-submit").click()
        submitted = await bot.wait_for("INTERACTION_CREATE")
        fields = [one["component"] for one in submitted["data"]["components"]]
        assert [one.get("value") or one["values"] for one in fields] == ["add fireworks", ["2"]]
        assert submitted["message"]["id"] == pressed["message"]["id"]
        await answer(local, submitted["id"], 6)
        await expect(window.get("modal")).to_have_count(0)


async def test_escape_closes_a_modal_and_tab_stays_inside(browser: Browser, local: Local) -> None:
    await local.post({"content": "a picture", "components": [BUTTON]}, channel="studio")
    async with local.online() as bot, open_window(browser, local.base) as window:
        button = window.page.get_by_role("button", name="Edit", exact=True)
        await button.click()
        await answer(local, (await bot.wait_for("INTERACTION_CREATE"))["id"], 9, MODAL)
        await expect(window.get("modal")).to_be_visible()
        inside = "document.activeElement.closest('dialog') !== null"
        for _ in range(8):
            await window.press("Tab")
            assert await window.page.evaluate(inside)
        await window.press("Escape")
        await expect(window.get("modal")).to_have_count(0)
        await expect(button).to_be_focused()


async def test_silence_of_the_bot_is_told(browser: Browser) -> None:
    async with serve_local(acknowledge_within_s=0.2) as local:
        await local.post({"content": "a picture", "components": [BUTTON]}, channel="studio")
        await local.register(COMMAND)
        async with local.online(), open_window(browser, local.base) as window:
            await window.page.get_by_role("button", name="Edit", exact=True).click()
            failed = window.get("interaction-failed")
            await expect(failed).to_have_text("The application did not respond")
            await start_command(window)
            await window.type("stage lights")
            await window.press("Enter")
            await expect(failed).to_have_count(2)


@pytest.mark.parametrize("ping", ["ON", "OFF"])
async def test_a_reply_pings_its_author_unless_switched_off(
    browser: Browser, local: Local, ping: str
) -> None:
    await local.post({"content": "a picture"}, channel="studio")
    async with open_window(browser, local.base) as window:
        await window.message("a picture").hover()
        await window.get("reply").click()
        await expect(window.get("reply-ping")).to_have_text("ON")
        if ping == "OFF":
            await window.get("reply-ping").click()
        await expect(window.get("reply-ping")).to_have_text(ping)
        await window.input.fill("warmer please")
        await window.input.press("Enter")
        await expect(window.message("warmer please")).to_contain_text("a picture")
        [_, reply] = local.core.world.list_messages(local.channel("studio"))
        assert (local.core.bot_id in reply.mentions) is (ping == "ON")


async def test_a_message_menu_command_names_its_target(browser: Browser, local: Local) -> None:
    await local.register(MENU)
    posted = await local.post({"content": "a picture"}, channel="studio")
    async with local.online() as bot, open_window(browser, local.base, width_px=390, height_px=844) as window:
        await window.message("a picture").get_by_test_id("more").click()
        await window.get("app-command").click()
        event = await bot.wait_for("INTERACTION_CREATE")
        assert event["data"]["target_id"] == posted.body["id"]


async def test_layouts_and_pictures_are_shown(browser: Browser, local: Local) -> None:
    parts = [
        {"type": 10, "content": "### Ready\n-# 5 credits"},
        {"type": 12, "items": [{"media": {"url": "attachment://a.png"}, "description": "Stage lights"}]},
        {"type": 14},
        BUTTON,
    ]
    body = {"flags": FLAG_V2, "components": [{"type": 17, "accent_color": 1, "components": parts}]}
    answered = await local.post(body, channel="studio", files=(("a.png", PIXEL),))
    assert answered.status == 200, answered.body
    async with open_window(browser, local.base) as window:
        message = window.message("Ready")
        await expect(message.get_by_role("heading", name="Ready")).to_be_visible()
        await expect(message.get_by_alt_text("Stage lights")).to_have_js_property("naturalWidth", 1)
        await message.get_by_test_id("picture").click()
        await expect(window.get("lightbox")).to_contain_text("Stage lights")
        await window.press("Escape")
        await expect(window.get("lightbox")).to_have_count(0)


async def test_a_lost_connection_is_mended_and_what_was_missed_appears(
    browser: Browser, local: Local
) -> None:
    async with open_window(browser, local.base) as window:
        [page] = local.core.pages.pages
        # No longer listed: what happens now is told to nobody.
        local.core.pages.remove(page)
        await local.post({"content": "said meanwhile"}, channel="studio")
        page.outbox.close_soon(1012, "restart")
        await expect(window.message("said meanwhile")).to_be_visible()


async def test_only_what_a_member_may_see_is_listed(browser: Browser, local: Local) -> None:
    async with open_window(browser, local.base) as window:
        channels = window.get("channel")
        await expect(channels.filter(has_text="mods")).to_have_count(0)
        await window.get("act-as").select_option(local.user("mod_moonbeam"))
        await expect(channels.filter(has_text="mods")).to_have_count(1)
        await channels.filter(has_text="announcements").click()
        await expect(window.input).to_be_enabled()
        await window.get("act-as").select_option(local.user("mina_fan"))
        await expect(window.input).to_be_disabled()


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_a_phone_shows_everything_within_its_width(browser: Browser, local: Local, theme: str) -> None:
    await local.register(COMMAND)
    await local.post({"content": "w" * 600, "components": [BUTTON]}, channel="studio")
    async with open_window(browser, local.base, width_px=390, height_px=844, theme=theme) as window:
        wide = (
            "[...document.querySelectorAll('.main *')].some(one => one.getBoundingClientRect().right > 391)"
        )
        await expect(window.message("www")).to_be_visible()
        assert not await window.page.evaluate(wide)
        await window.get("drawer").click()
        await window.get("channel").filter(has_text="general").click()
        await expect(window.page).to_have_title("#general · Local Discord")
        await start_command(window)
        assert await window.page.evaluate("document.documentElement.scrollWidth") == 390
        assert await window.page.evaluate("document.documentElement.dataset.theme") == theme

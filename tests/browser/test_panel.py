"""What a moderator's panel is made of: subcommands, menus of people, selects, files, redrawing in place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests.browser.acts import answer, start_command
from tests.browser.window import open_window
from tests.sandbox.discord.support import FLAG_V2, PIXEL, Local

if TYPE_CHECKING:
    from playwright.async_api import Browser

    from tests.browser.window import Window
    from tests.sandbox.discord.support import Gateway, Json

STUDIO: Json = {
    "name": "studio",
    "description": "All of it",
    "options": [
        {"type": 1, "name": "settings", "description": "Settings of this server"},
        {
            "type": 2,
            "name": "caps",
            "description": "Caps",
            "options": [
                {
                    "type": 1,
                    "name": "set",
                    "description": "Set a cap",
                    "options": [
                        {"type": 6, "name": "who", "description": "Whom", "required": True},
                        {
                            "type": 3,
                            "name": "zone",
                            "description": "Zone",
                            "required": True,
                            "autocomplete": True,
                        },
                        {"type": 7, "name": "place", "description": "Where", "channel_types": [4]},
                    ],
                }
            ],
        },
    ],
}
CARD: Json = {"name": "Member card", "type": 2}
SIZES = pytest.mark.parametrize(
    ("width_px", "theme"), [(1280, "dark"), (1280, "light"), (390, "dark"), (390, "light")]
)

pytestmark = pytest.mark.asyncio(loop_scope="session")


def row(component: Json) -> Json:
    return {"type": 1, "components": [component]}


def sections(chosen: str) -> Json:
    options = [
        {"label": name.title(), "value": name, "default": name == chosen} for name in ("limits", "words")
    ]
    return row({"type": 3, "custom_id": "section", "options": options})


def panel(chosen: str, lines: int) -> Json:
    words = "\n".join(f"{chosen} {number}" for number in range(lines))
    inner = [sections(chosen), {"type": 14}, {"type": 10, "content": words}]
    return {"flags": FLAG_V2, "components": [{"type": 17, "components": inner}]}


async def heard(bot: Gateway) -> Json:
    event = await bot.wait_for("INTERACTION_CREATE")
    data: Json = event["data"] | {"interaction_id": event["id"]}
    return data


async def pick(window: Window, custom_id: str, *labels: str) -> None:
    """Open a select, press these rows, and leave it."""
    select = window.page.locator(f"[data-custom-id='{custom_id}']")
    await select.click()
    for label in labels:
        await window.page.locator(".listbox-row").filter(has_text=label).first.click()
    if await window.page.get_by_role("listbox").count():
        await window.press("Escape")


@pytest.mark.parametrize("width_px", [1280, 390])
async def test_a_subcommand_takes_a_member_an_autocompleted_text_and_a_category(
    browser: Browser, local: Local, width_px: int
) -> None:
    await local.register(STUDIO)
    async with local.online() as bot, open_window(browser, local.base, width_px=width_px) as window:
        await start_command(window, "/studio ca")
        await window.type("otter")
        await window.press("Enter")
        await window.get("option-zone").click()
        asked = await heard(bot)
        [group] = asked["options"]
        assert [one["name"] for one in group["options"][0]["options"]] == ["who", "zone"]
        await answer(
            local, asked["interaction_id"], 8, {"choices": [{"name": "Seoul", "value": "Asia/Seoul"}]}
        )
        await window.page.get_by_role("option", name="Seoul").click()
        await window.get("add-option-place").click()
        await window.page.get_by_role("option", name="Cafe").click()
        await window.get("send").click()
        used = await heard(bot)
        filled = {one["name"]: one["value"] for one in used["options"][0]["options"][0]["options"]}
        assert filled == {
            "who": local.user("neon_otter"),
            "zone": "Asia/Seoul",
            "place": local.channel("Cafe"),
        }
        await answer(local, used["interaction_id"], 4, {"content": "Set", "flags": 64})
        await expect(window.message("Set")).to_contain_text("/studio caps set")


async def test_a_menu_of_people_is_opened_from_the_members_and_from_a_message(
    browser: Browser, local: Local
) -> None:
    await local.register(CARD)
    await local.say("hello there", channel=local.channel("studio"), act="lilac_sky")
    async with local.online() as bot:
        async with open_window(browser, local.base) as window:
            await window.get("member").filter(has_text="Neon Otter").click()
            await window.get("user-command").click()
            assert (await heard(bot))["target_id"] == local.user("neon_otter")
        async with open_window(browser, local.base, width_px=390) as window:
            await window.message("hello there").get_by_test_id("more").click()
            await window.get("user-command").click()
            assert (await heard(bot))["target_id"] == local.user("lilac_sky")


@SIZES
async def test_selects_of_every_kind_show_their_defaults_and_give_choices_back(
    browser: Browser, local: Local, width_px: int, theme: str
) -> None:
    guild = local.core.world.guilds[local.guild]
    roles = {one.name: one.id for one in guild.roles.values()}
    several = {"min_values": 0, "max_values": 3}
    chosen = {
        "users": [{"id": local.user("neon_otter"), "type": "user"}],
        "roles": [{"id": roles["Lightstick"], "type": "role"}],
        "anybody": [{"id": roles["Moderator"], "type": "role"}],
        "places": [{"id": local.channel("Cafe"), "type": "channel"}],
    }
    rows = [
        row({"type": kind, "custom_id": name, "default_values": chosen[name], **several})
        for kind, name in ((5, "users"), (6, "roles"), (7, "anybody"), (8, "places"))
    ]
    options = [{"label": "One", "value": "1", "default": True}, {"label": "Two", "value": "2"}]
    rows.append(row({"type": 3, "custom_id": "plain", "min_values": 0, "options": options}))
    await local.post({"flags": FLAG_V2, "components": rows}, channel="studio")
    async with (
        local.online() as bot,
        open_window(browser, local.base, width_px=width_px, theme=theme) as window,
    ):
        shown = window.page.locator(".components .select-text")
        await expect(shown).to_have_text(["Neon Otter", "Lightstick", "Moderator", "Cafe", "One"])
        acts = [
            ("users", ("Lilac Sky",), [local.user("neon_otter"), local.user("lilac_sky")]),
            ("roles", ("Lightstick",), []),
            ("anybody", ("Paper Comet", "Moderator"), [local.user("paper_comet")]),
            (
                "places",
                ("general", "studio"),
                [local.channel(one) for one in ("Cafe", "general", "studio")],
            ),
            ("plain", ("One",), []),
        ]
        for custom_id, labels, values in acts:
            await pick(window, custom_id, *labels)
            data = await heard(bot)
            assert (data["custom_id"], data["values"]) == (custom_id, values)
            await answer(local, data["interaction_id"], 6)
        assert await window.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_a_choice_of_too_few_is_not_sent_and_stays_as_it_was(browser: Browser, local: Local) -> None:
    options = [{"label": name, "value": name, "default": name == "A"} for name in "ABC"]
    select = {"type": 3, "custom_id": "some", "min_values": 1, "max_values": 2, "options": options}
    await local.post({"components": [row(select)]}, channel="studio")
    async with local.online() as bot, open_window(browser, local.base) as window:
        await pick(window, "some", "A")
        await expect(window.page.locator(".select-text")).to_have_text("A")
        await pick(window, "some", "B")
        assert (await heard(bot))["values"] == ["A", "B"]


@SIZES
async def test_a_panel_of_every_part_is_shown_within_its_width(
    browser: Browser, local: Local, width_px: int, theme: str
) -> None:
    button = {"type": 2, "style": 2, "label": "Change the default of everybody", "custom_id": "change"}
    parts = [
        {"type": 9, "components": [{"type": 10, "content": "Default cap"}], "accessory": button},
        {"type": 14, "spacing": 2},
        {
            "type": 9,
            "components": [{"type": 10, "content": "Chart"}],
            "accessory": {"type": 11, "media": {"url": "attachment://chart.png"}, "description": "small"},
        },
        {"type": 12, "items": [{"media": {"url": "attachment://chart.png"}, "description": "large"}]},
        {"type": 13, "file": {"url": "attachment://ledger.csv"}},
    ]
    body = {"flags": FLAG_V2, "components": [{"type": 17, "accent_color": 1, "components": parts}]}
    files = (("chart.png", PIXEL), ("ledger.csv", b"a,b\n1,2\n"))
    await local.post(body, channel="studio", files=files)
    async with open_window(browser, local.base, width_px=width_px, theme=theme) as window:
        page = window.page
        await expect(page.get_by_role("button", name="Change the default of everybody")).to_be_visible()
        await expect(page.locator(".container img[alt='small'], .container img[alt='large']")).to_have_count(
            2
        )
        await expect(page.locator(".container .separator.large")).to_be_visible()
        card = page.locator(".file-card")
        await expect(card).to_contain_text("ledger.csv")
        await expect(card).to_contain_text("8 B")
        async with page.expect_download() as download:
            await card.click()
        assert (await download.value).suggested_filename == "ledger.csv"
        box = page.locator(".container")
        assert await box.evaluate("box => box.scrollWidth <= box.clientWidth")
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("lines", [(60, 3, 60), (3, 60, 3)])
async def test_a_panel_drawn_anew_leaves_the_used_select_where_it_is(
    browser: Browser, local: Local, lines: tuple[int, int, int]
) -> None:
    for number in range(30):
        await local.say(f"line {number}", channel=local.channel("studio"))
    first = await local.slash(channel_id=local.channel("studio"), act="mod_moonbeam")
    await local.answer(first, 4, panel("limits", lines[0]) | {"flags": FLAG_V2 | 64})
    async with (
        local.online() as bot,
        open_window(browser, local.base, act="mod_moonbeam", height_px=700) as window,
    ):
        select = window.page.locator("[data-custom-id='section']")
        await select.scroll_into_view_if_needed()
        for section, count in (("words", lines[1]), ("limits", lines[2])):
            await pick(window, "section", section.title())
            before = await select.bounding_box()
            data = await heard(bot)
            await answer(local, data["interaction_id"], 7, panel(section, count))
            await expect(window.message(f"{section} {count - 1}")).to_have_count(1)
            await expect(select).to_be_focused()
            await expect(select).to_be_in_viewport()
            after = await select.bounding_box()
            assert before
            assert after
            # Where less is left than the window shows, the end of the talk comes into view instead.
            if count > 30:
                assert abs(after["y"] - before["y"]) < 3


async def test_a_window_opened_from_a_panel_gives_the_focus_back_to_its_button(
    browser: Browser, local: Local
) -> None:
    button = row({"type": 2, "style": 1, "label": "Change", "custom_id": "change"})
    field = {"type": 4, "custom_id": "amount", "style": 1}
    modal = {
        "title": "Cap",
        "custom_id": "cap",
        "components": [{"type": 18, "label": "Amount", "component": field}],
    }
    words = {"type": 10, "content": "old"}
    await local.post({"flags": FLAG_V2, "components": [words, button]}, channel="studio")
    async with local.online() as bot, open_window(browser, local.base) as window:
        await window.page.get_by_role("button", name="Change", exact=True).click()
        await answer(local, (await heard(bot))["interaction_id"], 9, modal)
        await window.get("modal").get_by_label("Amount").fill("200")
        await window.get("modal-submit").click()
        components = [{"type": 10, "content": "new"}, button]
        await answer(local, (await heard(bot))["interaction_id"], 7, {"components": components})
        await expect(window.get("modal")).to_have_count(0)
        await expect(window.message("new")).to_be_visible()
        await expect(window.page.get_by_role("button", name="Change", exact=True)).to_be_focused()


@pytest.mark.parametrize(
    ("act", "heading"), [("lilac_sky", "Cafe"), ("mina_fan", "Starlight Fan Cafe · Cafe")]
)
async def test_channels_stand_under_their_category(
    browser: Browser, local: Local, act: str, heading: str
) -> None:
    async with open_window(browser, local.base, act=act) as window:
        named = window.page.get_by_role("heading", name=heading, exact=True)
        group = window.page.locator(".channel-group").filter(has=named)
        await expect(group.get_by_test_id("channel")).to_have_text(["general", "studio", "stage outfits"])


@SIZES
async def test_a_window_of_every_field_is_filled_and_sent(
    browser: Browser, local: Local, width_px: int, theme: str
) -> None:
    options = [{"label": "Day", "value": "day"}, {"label": "Week", "value": "week", "default": True}]
    fields: Json = {
        "Amount": {"type": 4, "custom_id": "amount", "style": 1, "value": "20"},
        "Period": {"type": 3, "custom_id": "period", "options": options},
        "Role": {"type": 6, "custom_id": "role", "required": False},
        "Where": {"type": 8, "custom_id": "where", "channel_types": [0, 4], "max_values": 2},
        "Kind": {"type": 21, "custom_id": "kind", "options": options},
    }
    window_of = {
        "title": "Cap",
        "custom_id": "cap",
        "components": [{"type": 18, "label": label, "component": one} for label, one in fields.items()],
    }
    await local.post(
        {"components": [row({"type": 2, "style": 1, "label": "Open", "custom_id": "o"})]}, channel="studio"
    )
    async with (
        local.online() as bot,
        open_window(browser, local.base, width_px=width_px, theme=theme) as window,
    ):
        await window.page.get_by_role("button", name="Open", exact=True).click()
        await answer(local, (await heard(bot))["interaction_id"], 9, window_of)
        modal = window.get("modal")
        await modal.get_by_label("Amount").fill("35")
        await window.get("modal-submit").click()
        await expect(window.get("modal-errors")).to_contain_text("Where: Please choose one.")
        await modal.get_by_role("combobox", name="Where").click()
        for name in ("Cafe", "announcements"):
            await window.page.locator(".listbox-row").filter(has_text=name).first.click()
        await window.press("Escape")
        await modal.get_by_role("combobox", name="Role").click()
        await window.page.locator(".listbox-row").filter(has_text="Lightstick").click()
        await modal.get_by_role("radio", name="Day").check()
        assert await modal.evaluate("box => box.scrollWidth <= box.clientWidth")
        await window.get("modal-submit").click()
        data = await heard(bot)
        sent = {one["component"]["custom_id"]: one["component"] for one in data["components"]}
        assert (sent["amount"]["value"], sent["kind"]["value"]) == ("35", "day")
        assert sent["period"]["values"] == ["week"]
        assert sent["where"]["values"] == [local.channel("Cafe"), local.channel("announcements")]
        assert list(data["resolved"]["roles"]) == sent["role"]["values"]
        await answer(local, data["interaction_id"], 6)
        await expect(modal).to_have_count(0)

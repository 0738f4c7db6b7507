"""Components of messages, legacy and V2: what Discord refuses, and what it makes of what it takes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.discord.support import FLAG_V2, PIXEL, Local

Json = dict[str, Any]


def button(custom_id: str = "b", **more: Any) -> Json:
    return {"type": 2, "style": 1, "label": "Press", "custom_id": custom_id, **more}


def row(*children: Json) -> Json:
    return {"type": 1, "components": list(children)}


def text(content: str = "hello") -> Json:
    return {"type": 10, "content": content}


def gallery(*urls: str) -> Json:
    return {"type": 12, "items": [{"media": {"url": url}} for url in urls]}


def select(**more: Any) -> Json:
    return {"type": 3, "custom_id": "s", "options": [{"label": "A", "value": "a"}], **more}


def link(url: str, **more: Any) -> Json:
    return {"type": 2, "style": 5, "label": "Go", "url": url, **more}


PLACE = ("components", "0")
CHILD = ("components", "0", "components", "0")


@pytest.mark.parametrize(
    ("components", "place", "code"),
    [
        ([{"type": 99}], (*PLACE, "type"), "UNION_TYPE_CHOICES"),
        ([{"type": True}], (*PLACE, "type"), "UNION_TYPE_CHOICES"),
        ([text()], (*PLACE, "type"), "UNION_TYPE_CHOICES"),
        ([row()], (*PLACE, "components"), "BASE_TYPE_BAD_LENGTH"),
        ([row(*(button(str(n)) for n in range(6)))], (*PLACE, "components"), "BASE_TYPE_BAD_LENGTH"),
        ([row(button(str(n))) for n in range(6)], ("components",), "BASE_TYPE_BAD_LENGTH"),
        ([row(select(), button())], (*PLACE, "components"), "COMPONENT_LAYOUT_WIDTH_EXCEEDED"),
        ([row({"type": 4})], (*CHILD, "type"), "UNION_TYPE_CHOICES"),
        ([row(button(style=9))], (*CHILD, "style"), "BASE_TYPE_CHOICES"),
        ([row(button(style=None))], (*CHILD, "style"), "BASE_TYPE_REQUIRED"),
        ([row(button(label="x" * 81))], (*CHILD, "label"), "BASE_TYPE_MAX_LENGTH"),
        ([row(button(label=None))], (*CHILD, "label"), "BUTTON_COMPONENT_LABEL_REQUIRED"),
        ([row(button("x" * 101))], (*CHILD, "custom_id"), "BASE_TYPE_BAD_LENGTH"),
        ([row(button(""))], (*CHILD, "custom_id"), "BASE_TYPE_REQUIRED"),
        ([row(button(url="https://a.example"))], (*CHILD, "url"), "BUTTON_COMPONENT_CUSTOM_ID_URL"),
        ([row(button(emoji={}))], (*CHILD, "emoji", "name"), "BASE_TYPE_REQUIRED"),
        ([row(button(id="x"))], (*CHILD, "id"), "NUMBER_TYPE_COERCE"),
        ([row(link("ftp://a.example"))], (*CHILD, "url"), "URL_TYPE_INVALID_SCHEME"),
        ([row(link("https://" + "a" * 512))], (*CHILD, "url"), "BASE_TYPE_BAD_LENGTH"),
        (
            [row(link("https://a.example", custom_id="b"))],
            (*CHILD, "custom_id"),
            "BUTTON_COMPONENT_CUSTOM_ID_URL",
        ),
        ([row({"type": 2, "style": 6})], (*CHILD, "sku_id"), "BASE_TYPE_REQUIRED"),
        (
            [row(button(), button())],
            ("components", "0", "components", "1", "custom_id"),
            "COMPONENT_CUSTOM_ID_DUPLICATED",
        ),
        ([row(select(options=[]))], (*CHILD, "options"), "BASE_TYPE_BAD_LENGTH"),
        (
            [row(select(min_values=3, max_values=1))],
            (*CHILD, "min_values"),
            "SELECT_COMPONENT_MIN_VALUES_TOO_LARGE",
        ),
        ([row(select(max_values=2))], (*CHILD, "max_values"), "NUMBER_TYPE_MAX"),
        ([row(select(max_values=26))], (*CHILD, "max_values"), "NUMBER_TYPE_MAX"),
        ([row(select(placeholder="x" * 151))], (*CHILD, "placeholder"), "BASE_TYPE_MAX_LENGTH"),
        (
            [row(select(options=[{"label": "A", "value": "a"}] * 2))],
            (*CHILD, "options", "1", "value"),
            "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED",
        ),
    ],
)
async def test_a_wrong_legacy_component_is_named(
    local: Local, components: list[Json], place: tuple[str, ...], code: str
) -> None:
    answer = await local.post({"content": "x", "components": components})
    assert answer.refusal == (400, 50035)
    assert code in answer.problems(*place)


@pytest.mark.parametrize(
    ("components", "place", "code"),
    [
        ([button()], (*PLACE, "type"), "UNION_TYPE_CHOICES"),
        ([{"type": 17, "components": [{"type": 17}]}], (*CHILD, "type"), "UNION_TYPE_CHOICES"),
        ([{"type": 17, "components": []}], (*PLACE, "components"), "BASE_TYPE_BAD_LENGTH"),
        (
            [{"type": 17, "components": [text()], "accent_color": 1 << 24}],
            (*PLACE, "accent_color"),
            "NUMBER_TYPE_MAX",
        ),
        ([text("")], (*PLACE, "content"), "BASE_TYPE_REQUIRED"),
        ([text("x" * 4001)], (*PLACE, "content"), "BASE_TYPE_BAD_LENGTH"),
        ([text("x" * 2001)] * 2, ("components",), "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED"),
        ([text()] * 41, ("components",), "BASE_TYPE_MAX_LENGTH"),
        (
            [{"type": 17, "components": [text()] * 20}] * 2,
            ("components",),
            "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED",
        ),
        ([{"type": 9, "components": [text()]}], (*PLACE, "accessory"), "BASE_TYPE_REQUIRED"),
        (
            [{"type": 9, "components": [text()] * 4, "accessory": button()}],
            (*PLACE, "components"),
            "BASE_TYPE_BAD_LENGTH",
        ),
        (
            [{"type": 9, "components": [text()], "accessory": text()}],
            (*PLACE, "accessory", "type"),
            "UNION_TYPE_CHOICES",
        ),
        ([{"type": 14, "spacing": 3}], (*PLACE, "spacing"), "BASE_TYPE_CHOICES"),
        ([gallery()], (*PLACE, "items"), "BASE_TYPE_BAD_LENGTH"),
        ([gallery(*["https://a.example/p.png"] * 11)], (*PLACE, "items"), "BASE_TYPE_BAD_LENGTH"),
        ([gallery("data:x")], (*PLACE, "items", "0", "media", "url"), "URL_TYPE_INVALID_SCHEME"),
        (
            [gallery("attachment://none.png")],
            (*PLACE, "items", "0", "media", "url"),
            "UNFURLED_MEDIA_ITEM_REFERENCED_ATTACHMENT_NOT_FOUND",
        ),
        (
            [{"type": 12, "items": [{"media": {"url": "https://a.example"}, "description": "d" * 1025}]}],
            (*PLACE, "items", "0", "description"),
            "BASE_TYPE_MAX_LENGTH",
        ),
        (
            [{"type": 13, "file": {"url": "https://a.example"}}],
            (*PLACE, "file", "url"),
            "URL_TYPE_INVALID_SCHEME",
        ),
        ([{"type": 13}], (*PLACE, "file"), "BASE_TYPE_REQUIRED"),
        (
            [{"type": 12, "items": [{"media": {}}]}],
            (*PLACE, "items", "0", "media", "url"),
            "BASE_TYPE_REQUIRED",
        ),
    ],
)
async def test_a_wrong_v2_component_is_named(
    local: Local, components: list[Json], place: tuple[str, ...], code: str
) -> None:
    answer = await local.post({"flags": FLAG_V2, "components": components})
    assert answer.refusal == (400, 50035)
    assert code in answer.problems(*place)


@pytest.mark.parametrize("more", [{"content": "x"}, {"embeds": [{"title": "t"}]}])
async def test_v2_excludes_content_and_embeds(local: Local, more: Json) -> None:
    answer = await local.post({"flags": FLAG_V2, "components": [text()], **more})
    assert answer.refusal == (400, 50035)
    [key] = more
    assert answer.problems(key) == ["MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2"]


async def test_forty_components_and_every_kind_of_them_fit(local: Local) -> None:
    inner = [
        text(),
        {
            "type": 9,
            "components": [text()],
            "accessory": {"type": 11, "media": {"url": "https://a.example/t.png"}},
        },
        {"type": 14, "divider": True, "spacing": 2},
        row(button("one"), link("https://a.example"), {"type": 2, "style": 6, "sku_id": "1"}),
        row(select()),
        *(row({"type": kind, "custom_id": str(kind)}) for kind in (5, 6, 7, 8)),
        gallery("attachment://a.png", "https://a.example/b.png"),
        {"type": 13, "file": {"url": "attachment://b.txt"}},
    ]
    body = {"flags": FLAG_V2, "components": [{"type": 17, "components": inner}, *[text()] * 16]}
    answer = await local.post(body, files=(("a.png", PIXEL), ("b.txt", b"words")))
    assert answer.status == 200, answer.body
    assert answer.body["attachments"] == []


async def test_pictures_of_v2_live_in_media_items_and_not_in_attachments(local: Local) -> None:
    answer = await local.post(
        {"flags": FLAG_V2, "components": [gallery("attachment://a.png")]},
        files=(("a.png", PIXEL), ("unused.png", PIXEL)),
    )
    media = answer.body["components"][0]["items"][0]["media"]
    assert (media["width"], media["height"], media["content_type"]) == (1, 1, "image/png")
    assert [one["filename"] for one in answer.body["attachments"]] == ["unused.png"]
    async with local.session.get(media["url"]) as response:
        assert await response.read() == PIXEL


async def test_a_picture_of_an_embed_leaves_the_attachments_too(local: Local) -> None:
    body = {"embeds": [{"title": "t", "image": {"url": "attachment://a.png"}}]}
    answer = await local.post(body, files=(("a.png", PIXEL),))
    assert answer.body["attachments"] == []
    assert answer.body["embeds"][0]["image"]["url"].startswith(f"{local.base}/attachments/")


async def test_components_are_numbered(local: Local) -> None:
    body = {"content": "x", "components": [row(button("a", id=2), button("b"))]}
    [made] = (await local.post(body)).body["components"]
    assert [made["id"], *(one["id"] for one in made["components"])] == [1, 2, 3]


async def test_the_v2_flag_stays_for_ever(local: Local) -> None:
    made = await local.post({"flags": FLAG_V2, "components": [text()]})
    path = f"/channels/{local.channel()}/messages/{made.body['id']}"
    assert (await local.bot("PATCH", path, {"content": "x", "flags": 0})).refusal == (400, 50035)
    edited = await local.bot("PATCH", path, {"components": [text("new")], "flags": 0})
    assert edited.body["flags"] & FLAG_V2


async def test_a_legacy_message_turns_v2_only_with_its_content_emptied(local: Local) -> None:
    made = await local.post({"content": "x", "embeds": [{"title": "t"}]})
    path = f"/channels/{local.channel()}/messages/{made.body['id']}"
    body: Json = {"flags": FLAG_V2, "components": [text()]}
    refused = await local.bot("PATCH", path, body)
    assert set(refused.body["errors"]) == {"content", "embeds"}
    edited = await local.bot("PATCH", path, {**body, "content": None, "embeds": []})
    assert (edited.status, edited.body["content"]) == (200, "")


async def test_a_v2_edit_keeps_a_file_by_id_and_filename_together(local: Local) -> None:
    components = [gallery("attachment://a.png")]
    made = await local.post({"flags": FLAG_V2, "components": components}, files=(("a.png", PIXEL),))
    path = f"/channels/{local.channel()}/messages/{made.body['id']}"
    file_id = made.body["components"][0]["items"][0]["media"]["attachment_id"]
    refused = await local.bot("PATCH", path, {"components": components, "attachments": [{"id": file_id}]})
    assert refused.problems("attachments", "0", "filename") == ["BASE_TYPE_REQUIRED"]
    kept = [{"id": file_id, "filename": "a.png"}]
    edited = await local.bot("PATCH", path, {"components": components, "attachments": kept})
    assert edited.body["components"][0]["items"][0]["media"]["attachment_id"] == file_id
    dropped = await local.bot("PATCH", path, {"components": components, "attachments": []})
    assert dropped.refusal == (400, 50035)

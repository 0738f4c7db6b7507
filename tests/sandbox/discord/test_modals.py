"""Windows (modals) and message components pressed by members: rules for both sides."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.discord.support import PIXEL, Json, Local

LABEL_FIELD = ("data", "components", "0", "component")


def label(component: Json, **more: Any) -> Json:
    return {"type": 18, "label": "Field", "component": component, **more}


def text_input(**more: Any) -> Json:
    return {"type": 4, "custom_id": "p", "style": 1, **more}


def choices(kind: int, count: int = 2, **more: Any) -> Json:
    options = [{"label": str(number), "value": str(number)} for number in range(count)]
    return {"type": kind, "custom_id": "c", "options": options, **more}


def window(*components: Json, **more: Any) -> Json:
    return {"title": "Edit", "custom_id": "edit", "components": list(components), **more}


@pytest.mark.parametrize(
    ("body", "place", "code"),
    [
        (window(label(text_input()), title="x" * 46), ("data", "title"), "BASE_TYPE_BAD_LENGTH"),
        (window(label(text_input()), title=None), ("data", "title"), "BASE_TYPE_REQUIRED"),
        (window(label(text_input()), custom_id="x" * 101), ("data", "custom_id"), "BASE_TYPE_BAD_LENGTH"),
        (window(), ("data", "components"), "BASE_TYPE_BAD_LENGTH"),
        (
            window(*[label(text_input(custom_id=str(n))) for n in range(6)]),
            ("data", "components"),
            "BASE_TYPE_BAD_LENGTH",
        ),
        (window(text_input()), ("data", "components", "0", "type"), "UNION_TYPE_CHOICES"),
        (window(label({"type": 2})), (*LABEL_FIELD, "type"), "UNION_TYPE_CHOICES"),
        (
            window(label(text_input(), label="x" * 46)),
            ("data", "components", "0", "label"),
            "BASE_TYPE_BAD_LENGTH",
        ),
        (
            window(label(text_input(), description="x" * 101)),
            ("data", "components", "0", "description"),
            "BASE_TYPE_MAX_LENGTH",
        ),
        (window({"type": 18, "label": "L"}), LABEL_FIELD, "BASE_TYPE_REQUIRED"),
        (window(label(text_input(label="inner"))), (*LABEL_FIELD, "label"), "COMPONENT_LABEL_NOT_ALLOWED"),
        (window(label(text_input(style=3))), (*LABEL_FIELD, "style"), "BASE_TYPE_CHOICES"),
        (window(label(text_input(max_length=4001))), (*LABEL_FIELD, "max_length"), "NUMBER_TYPE_MAX"),
        (
            window(label(text_input(min_length=5, max_length=2))),
            (*LABEL_FIELD, "min_length"),
            "TEXT_INPUT_LENGTH_INVALID",
        ),
        (
            window(label(text_input(value="abc", max_length=2))),
            (*LABEL_FIELD, "value"),
            "BASE_TYPE_BAD_LENGTH",
        ),
        (
            window(label(text_input(placeholder="x" * 101))),
            (*LABEL_FIELD, "placeholder"),
            "BASE_TYPE_MAX_LENGTH",
        ),
        (window(label(choices(21, 1))), (*LABEL_FIELD, "options"), "BASE_TYPE_BAD_LENGTH"),
        (window(label(choices(22, 11))), (*LABEL_FIELD, "options"), "BASE_TYPE_BAD_LENGTH"),
        (window(label(choices(3, disabled=True))), (*LABEL_FIELD, "disabled"), "COMPONENT_DISABLED_IN_MODAL"),
        (
            window(label({"type": 19, "custom_id": "f", "max_values": 11})),
            (*LABEL_FIELD, "max_values"),
            "NUMBER_TYPE_MAX",
        ),
        (window({"type": 10}), ("data", "components", "0", "content"), "BASE_TYPE_REQUIRED"),
        (
            window(label(text_input()), label(text_input())),
            ("data", "components", "1", "component", "custom_id"),
            "COMPONENT_CUSTOM_ID_DUPLICATED",
        ),
        (
            window({"type": 1, "components": [text_input()]}),
            ("data", "components", "0", "components", "0", "label"),
            "BASE_TYPE_REQUIRED",
        ),
    ],
)
async def test_a_wrong_window_is_named(local: Local, body: Json, place: tuple[str, ...], code: str) -> None:
    answer = await local.answer(await local.slash(), 9, body)
    assert answer.refusal == (400, 50035)
    assert code in answer.problems(*place)


EVERYTHING = (
    label(text_input(min_length=2, max_length=10)),
    label(choices(3, custom_id="s", min_values=0, required=False)),
    label({"type": 5, "custom_id": "u", "required": False}),
    label({"type": 19, "custom_id": "f", "required": False, "min_values": 0}),
)
CHOOSERS = (
    label(choices(21, custom_id="r")),
    label(choices(22, custom_id="g", max_values=1, required=False)),
    label({"type": 23, "custom_id": "k"}),
    {"type": 10, "content": "words"},
    {"type": 1, "components": [text_input(label="Old", custom_id="o")]},
)


async def opened(local: Local, *components: Json) -> Json:
    async with local.events() as events:
        answer = await local.answer(await local.slash(), 9, window(*components))
        assert answer.status == 200, answer.body
        return await events.wait_for("INTERACTION_MODAL")


def filled(custom_id: str, **answer: Any) -> Json:
    return {"type": 18, "component": {"custom_id": custom_id, **answer}}


async def submit(local: Local, modal: Json, *answers: Json, files: tuple[tuple[str, bytes], ...] = ()) -> Any:
    body = {"type": 5, "modal_id": modal["modal_id"], "components": list(answers)}
    return await local.interact(body, *files)


async def test_what_a_member_fills_in_reaches_the_bot(local: Local) -> None:
    modal = await opened(local, *EVERYTHING)
    assert (modal["title"], modal["custom_id"]) == ("Edit", "edit")
    async with local.online() as gateway:
        answers = (
            filled("p", value="bluer"),
            filled("s", values=["1"]),
            filled("u", values=[local.user("neon_otter")]),
            filled("f", values=["0"]),
        )
        assert (await submit(local, modal, *answers, files=(("a.png", PIXEL),))).status == 202
        payload = await gateway.wait_for("INTERACTION_CREATE")
    assert payload["type"] == 5
    fields = [one["component"] for one in payload["data"]["components"]]
    assert [one["type"] for one in fields] == [4, 3, 5, 19]
    assert (fields[0]["value"], fields[1]["values"]) == ("bluer", ["1"])
    assert fields[3]["values"] == list(payload["data"]["resolved"]["attachments"])
    assert local.user("neon_otter") in payload["data"]["resolved"]["users"]


async def test_radios_checkboxes_and_rows_travel_too(local: Local) -> None:
    modal = await opened(local, *CHOOSERS)
    async with local.online() as gateway:
        answers = (
            filled("r", value="1"),
            filled("g", values=[]),
            filled("k", value=True),
            filled("o", value="x"),
        )
        assert (await submit(local, modal, *answers)).status == 202
        data = (await gateway.wait_for("INTERACTION_CREATE"))["data"]["components"]
    assert data[0]["component"]["value"] == "1"
    assert data[1]["component"]["values"] == []
    assert data[2]["component"]["value"] is True
    assert data[4]["components"][0]["value"] == "x"


@pytest.mark.parametrize(
    "answers",
    [
        [],
        [filled("p", value="x")],
        [filled("p", value="x" * 11)],
        [filled("p", value=5)],
        [filled("p", value="fine"), filled("s", values=["9"])],
        [filled("p", value="fine"), filled("s", values=["0", "1"])],
        [filled("p", value="fine"), filled("f", values=["0"])],
    ],
)
async def test_an_impossible_answer_is_refused(local: Local, answers: list[Json]) -> None:
    assert (await submit(local, await opened(local, *EVERYTHING), *answers)).refusal == (400, 50035)


@pytest.mark.parametrize("value", [None, "9"])
async def test_a_radio_needs_one_of_its_options(local: Local, value: str | None) -> None:
    modal = await opened(local, *CHOOSERS)
    answers = (filled("r", value=value), filled("o", value="x"))
    assert (await submit(local, modal, *answers)).refusal == (400, 50035)


async def test_a_window_belongs_to_the_member_and_the_channel_it_opened_in(local: Local) -> None:
    modal = await opened(local, *EVERYTHING)
    body = {"type": 5, "modal_id": modal["modal_id"], "components": [filled("p", value="fine")]}
    assert (await local.interact(body, act="neon_otter")).refusal == (400, 50035)
    assert (await local.interact({**body, "channel_id": local.channel("studio")})).refusal == (400, 50035)
    assert (await local.interact({**body, "modal_id": "1"})).refusal == (400, 50035)


async def test_a_window_from_a_button_brings_its_message_along(local: Local) -> None:
    button = {"type": 2, "style": 1, "label": "Edit", "custom_id": "edit"}
    made = await local.post({"content": "x", "components": [{"type": 1, "components": [button]}]})
    component = {"custom_id": "edit", "component_type": 2}
    async with local.online() as gateway, local.events() as events:
        await local.interact({"type": 3, "message_id": made.body["id"], "component": component})
        interaction = next(iter(local.core.interactions))
        pressed = await gateway.wait_for("INTERACTION_CREATE")
        assert pressed["message"]["id"] == made.body["id"]
        assert pressed["data"] == {"id": 2, "custom_id": "edit", "component_type": 2}
        await local.answer(interaction, 9, window(label(text_input())))
        modal = await events.wait_for("INTERACTION_MODAL")
        await submit(local, modal, filled("p", value="fine"))
        payload = await gateway.wait_for("INTERACTION_CREATE")
        assert payload["message"]["id"] == made.body["id"]
        submitted = next(one for one in local.core.interactions if one.type == 5)
        assert (await local.answer(submitted, 7, {"content": "edited"})).status == 200


async def use(local: Local, message_id: str, custom_id: str, act: str = "mina_fan", **more: Any) -> Any:
    component = {"custom_id": custom_id, "component_type": 3, **more}
    return await local.interact({"type": 3, "message_id": message_id, "component": component}, act=act)


async def test_a_select_takes_its_options_only(local: Local) -> None:
    row = {"type": 1, "components": [choices(3, 3, min_values=1, max_values=2)]}
    made = await local.post({"content": "x", "components": [row]})
    for values in ([], ["0", "1", "2"], ["9"], None):
        assert (await use(local, made.body["id"], "c", values=values)).refusal == (400, 50035)
    async with local.online() as gateway:
        assert (await use(local, made.body["id"], "c", values=["0", "2"])).status == 202
        assert (await gateway.wait_for("INTERACTION_CREATE"))["data"]["values"] == ["0", "2"]


async def test_a_user_select_resolves_users(local: Local) -> None:
    row = {"type": 1, "components": [{"type": 5, "custom_id": "u"}]}
    made = await local.post({"content": "x", "components": [row]})
    assert (await use(local, made.body["id"], "u", values=["1"])).refusal == (400, 50035)
    async with local.online() as gateway:
        assert (await use(local, made.body["id"], "u", values=[local.user()])).status == 202
        data = (await gateway.wait_for("INTERACTION_CREATE"))["data"]
        assert local.user() in data["resolved"]["members"]


async def test_only_components_that_are_there_can_be_pressed(local: Local) -> None:
    button = {"type": 2, "style": 1, "label": "Edit", "custom_id": "edit", "disabled": True}
    made = await local.post({"content": "x", "components": [{"type": 1, "components": [button]}]})
    assert (await use(local, made.body["id"], "edit")).refusal == (400, 50035)
    assert (await use(local, made.body["id"], "other")).refusal == (400, 50035)
    assert (await use(local, "1", "edit")).refusal == (404, 10008)
    forged = {"custom_id": "gone", "component_type": 2}
    body = {"type": 3, "message_id": made.body["id"], "component": forged, "forge": True}
    assert (await local.interact(body)).status == 202
    assert (await local.interact({**body, "forge": False, "component": None})).refusal == (400, 50035)


async def test_an_ephemeral_message_is_pressed_by_its_reader_only(local: Local) -> None:
    button = {"type": 2, "style": 1, "label": "Cancel", "custom_id": "cancel"}
    row = {"type": 1, "components": [button]}
    answered = await local.answer(await local.slash(), 4, {"content": "x", "flags": 64, "components": [row]})
    message_id = answered.body["interaction"]["response_message_id"]
    assert (await use(local, message_id, "cancel", act="neon_otter")).refusal == (404, 10008)
    assert (await use(local, message_id, "cancel")).status == 202

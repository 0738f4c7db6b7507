"""Owns modals: the rules for one the bot opens, and for what a member submits in it.

Pure but for the uploads a member hands in, which the caller stores.
Source: Discord developer docs, "Component Reference", and Discord's OpenAPI description, read 2026-11-22.
"""

from collections.abc import Callable
from typing import Any

from sandbox.discord.component_tree import SELECTS, Kind, complete_components, walk
from sandbox.discord.components import check_options, check_select
from sandbox.discord.errors import ApiError
from sandbox.discord.forms import Form
from sandbox.discord.state import Json

TOP_LEVEL = (Kind.ACTION_ROW, Kind.TEXT_DISPLAY, Kind.LABEL)
TOP_LEVEL_MAX = 5
IN_LABEL = (
    Kind.TEXT_INPUT,
    *SELECTS,
    Kind.FILE_UPLOAD,
    Kind.RADIO_GROUP,
    Kind.CHECKBOX_GROUP,
    Kind.CHECKBOX,
)


def check_modal(form: Form) -> list[Json]:
    """Report what is wrong with a modal and answer its components, numbered."""
    form.text("title", shortest=1, longest=45, required=True)
    form.text("custom_id", shortest=1, longest=100, required=True)
    children = form.children("components", fewest=1, most=TOP_LEVEL_MAX, required=True)
    custom_ids: set[str] = set()
    for child in children:
        _check_top_level(child, custom_ids)
    return [] if form.problems.found else complete_components([child.data for child in children])


def _check_top_level(form: Form, custom_ids: set[str]) -> None:
    kind = form.data.get("type")
    if isinstance(kind, bool) or kind not in TOP_LEVEL:
        form.error("type", "UNION_TYPE_CHOICES", 'Value of field "type" must be one of (1, 10, 18).')
    elif kind == Kind.TEXT_DISPLAY:
        form.text("content", shortest=1, longest=4000, required=True)
    elif kind == Kind.ACTION_ROW:
        for child in form.children("components", fewest=1, most=1, required=True):
            _check_field(child, (Kind.TEXT_INPUT,), custom_ids, labelled=False)
    else:
        form.text("label", shortest=1, longest=45, required=True)
        form.text("description", longest=100)
        inner = form.child("component", required=True)
        if inner is not None:
            _check_field(inner, IN_LABEL, custom_ids, labelled=True)


def _check_field(form: Form, allowed: tuple[int, ...], custom_ids: set[str], *, labelled: bool) -> None:
    kind = form.data.get("type")
    if isinstance(kind, bool) or kind not in allowed:
        names = ", ".join(str(int(one)) for one in sorted(allowed))
        form.error("type", "UNION_TYPE_CHOICES", f'Value of field "type" must be one of ({names}).')
        return
    custom_id = form.text("custom_id", shortest=1, longest=100, required=True)
    if custom_id in custom_ids:
        form.error("custom_id", "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated")
    custom_ids.add(str(custom_id))
    form.boolean("required", default=True)
    if kind == Kind.TEXT_INPUT:
        _check_text_input(form, labelled=labelled)
    elif kind in SELECTS:
        check_select(form, Kind(kind), in_modal=True)
        if form.boolean("disabled"):
            form.error("disabled", "COMPONENT_DISABLED_IN_MODAL", "A select of a modal cannot be disabled")
    elif kind in (Kind.FILE_UPLOAD, Kind.CHECKBOX_GROUP):
        form.integer("min_values", lowest=0, highest=10)
        form.integer("max_values", lowest=1, highest=10)
        if kind == Kind.CHECKBOX_GROUP:
            check_options(form, most=10, fewest=1)
    elif kind == Kind.RADIO_GROUP:
        check_options(form, most=10, fewest=2)


def _check_text_input(form: Form, *, labelled: bool) -> None:
    form.choice("style", (1, 2))
    if labelled and form.data.get("label"):
        form.error("label", "COMPONENT_LABEL_NOT_ALLOWED", "Inside a label component the input has no label")
    form.text("label", shortest=1, longest=45, required=not labelled)
    form.text("placeholder", longest=100)
    fewest = form.integer("min_length", lowest=0, highest=4000, default=0) or 0
    most = form.integer("max_length", lowest=1, highest=4000, default=4000) or 4000
    value = form.text("value", longest=4000)
    if fewest > most:
        form.error("min_length", "TEXT_INPUT_LENGTH_INVALID", "min_length above max_length")
    if value and not fewest <= len(value) <= most:
        form.error("value", "BASE_TYPE_BAD_LENGTH", f"Must be between {fewest} and {most} in length.")


def refuse(message: str) -> ApiError:
    """What Discord's client would not let a member send."""
    return ApiError(400, 50035, message)


def build_submission(
    components: list[Json], submitted: list[Any], store_file: Callable[[Any], str]
) -> list[Json]:
    """Check a member's answers and answer them in the shape Discord sends to the bot.

    Raises: ApiError for a missing, too long or impossible answer.
    Shape: `store_file` turns what the page sent for a file into the id of a stored attachment.
    """
    given = {
        str(one["custom_id"]): one
        for one in walk([one for one in submitted if isinstance(one, dict)])
        if "custom_id" in one
    }
    answers = []
    for component in components:
        if component["type"] == Kind.TEXT_DISPLAY:
            answers.append({"type": 10, "id": component["id"]})
        elif component["type"] == Kind.ACTION_ROW:
            inner = [_answer(one, given, store_file) for one in component["components"]]
            answers.append({"type": 1, "id": component["id"], "components": inner})
        else:
            field = _answer(component["component"], given, store_file)
            answers.append({"type": 18, "id": component["id"], "component": field})
    return answers


def _answer(field: Json, given: dict[str, Json], store_file: Callable[[Any], str]) -> Json:
    kind, name = field["type"], field["custom_id"]
    answer = given.get(name, {})
    body: Json = {"type": kind, "id": field["id"], "custom_id": name}
    required = field.get("required") is not False
    if kind == Kind.TEXT_INPUT:
        value = answer.get("value", "")
        fewest, most = field.get("min_length") or 0, field.get("max_length") or 4000
        if not isinstance(value, str) or (required and not value):
            raise refuse(f"{name}: this field is required")
        if value and not fewest <= len(value) <= most:
            raise refuse(f"{name}: must be between {fewest} and {most} in length")
        return body | {"value": value}
    if kind == Kind.CHECKBOX:
        return body | {"value": answer.get("value") is True}
    if kind == Kind.RADIO_GROUP:
        value = answer.get("value")
        allowed = {one["value"] for one in field["options"]}
        if (value is None and required) or (value is not None and str(value) not in allowed):
            raise refuse(f"{name}: choose one of the options")
        return body | {"value": value}
    return body | {"values": _check_values(field, answer.get("values"), store_file, required=required)}


def _check_values(field: Json, values: Any, store_file: Callable[[Any], str], *, required: bool) -> list[str]:
    values = values if isinstance(values, list) else []
    fewest = field["min_values"] if isinstance(field.get("min_values"), int) else 1
    most = field.get("max_values") or (10 if field["type"] == Kind.CHECKBOX_GROUP else 1)
    fewest = max(fewest, 1) if required else 0 if not values else fewest
    if not fewest <= len(values) <= most:
        raise refuse(f"{field['custom_id']}: between {fewest} and {most} values are needed")
    if field["type"] == Kind.FILE_UPLOAD:
        return [store_file(one) for one in values]
    if "options" in field:
        allowed = {one["value"] for one in field["options"]}
        if any(str(one) not in allowed for one in values):
            raise refuse(f"{field['custom_id']}: not one of the options")
    return [str(one) for one in values]

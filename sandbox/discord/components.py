"""Owns the rules for components of messages: the legacy rows and Components V2.

Pure: checks one decoded body and reports into `Problems`.
Source: Discord developer docs, "Component Reference", and Discord's OpenAPI description, read 2026-11-22.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from sandbox.discord.component_tree import SELECTS, Kind
from sandbox.discord.errors import Path, Problems
from sandbox.discord.forms import Form

IN_CONTAINER = (
    Kind.ACTION_ROW,
    Kind.SECTION,
    Kind.TEXT_DISPLAY,
    Kind.MEDIA_GALLERY,
    Kind.FILE,
    Kind.SEPARATOR,
)
LEGACY_ROWS_MAX = 5
COMPONENTS_MAX = 40
TEXT_MAX = 4000
LINK_STYLE, PREMIUM_STYLE = 5, 6


@dataclass(slots=True, kw_only=True)
class Checker:
    """One walk over the components of one message."""

    problems: Problems
    filenames: Collection[str]
    uses_v2: bool
    custom_ids: set[str] = field(default_factory=set)
    count: int = 0
    text_length: int = 0

    def check(self, forms: list[Form], root: Path) -> None:
        for form in forms:
            allowed = (*IN_CONTAINER, Kind.CONTAINER) if self.uses_v2 else (Kind.ACTION_ROW,)
            self._check_one(form, allowed)
        if not self.uses_v2 and len(forms) > LEGACY_ROWS_MAX:
            self.problems.add(root, "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.")
        if self.count > COMPONENTS_MAX:
            message = f"The total number of components cannot exceed {COMPONENTS_MAX}."
            self.problems.add(root, "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED", message)
        if self.text_length > TEXT_MAX:
            message = f"Total displayable text size exceeds maximum size of {TEXT_MAX}."
            self.problems.add(root, "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED", message)

    def _check_one(self, form: Form, allowed: Collection[int]) -> None:
        self.count += 1
        kind = form.data.get("type")
        if isinstance(kind, bool) or not isinstance(kind, int) or kind not in allowed:
            names = ", ".join(str(int(one)) for one in sorted(allowed))
            form.error("type", "UNION_TYPE_CHOICES", f'Value of field "type" must be one of ({names}).')
            return
        form.integer("id", lowest=0, highest=2**31 - 1)
        if kind in SELECTS:
            self._check_custom_id(form)
            check_select(form, Kind(kind))
            return
        checks: dict[int, Callable[[Form], None]] = {
            Kind.ACTION_ROW: self._check_row,
            Kind.SECTION: self._check_section,
            Kind.CONTAINER: self._check_container,
            Kind.BUTTON: self._check_button,
            Kind.TEXT_DISPLAY: self._check_text,
            Kind.SEPARATOR: _check_separator,
            Kind.THUMBNAIL: self._check_picture,
            Kind.MEDIA_GALLERY: self._check_gallery,
            Kind.FILE: self._check_file,
        }
        checks[kind](form)

    def _check_section(self, form: Form) -> None:
        for child in form.children("components", fewest=1, most=3, required=True):
            self._check_one(child, (Kind.TEXT_DISPLAY,))
        accessory = form.child("accessory", required=True)
        if accessory is not None:
            self._check_one(accessory, (Kind.BUTTON, Kind.THUMBNAIL))

    def _check_container(self, form: Form) -> None:
        form.integer("accent_color", lowest=0, highest=0xFFFFFF)
        form.boolean("spoiler")
        for child in form.children("components", fewest=1, most=COMPONENTS_MAX, required=True):
            self._check_one(child, IN_CONTAINER)

    def _check_text(self, form: Form) -> None:
        text = form.text("content", shortest=1, longest=TEXT_MAX, required=True)
        self.text_length += len(text or "")

    def _check_row(self, form: Form) -> None:
        children = form.children("components", fewest=1, most=5, required=True)
        for child in children:
            self._check_one(child, (Kind.BUTTON, *SELECTS))
        if len(children) > 1 and any(child.data.get("type") in SELECTS for child in children):
            form.error(
                "components",
                "COMPONENT_LAYOUT_WIDTH_EXCEEDED",
                "The specified component exceeds the maximum width",
            )

    def _check_custom_id(self, form: Form) -> None:
        custom_id = form.text("custom_id", shortest=1, longest=100, required=True)
        if custom_id is None:
            return
        if custom_id in self.custom_ids:
            form.error(
                "custom_id", "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated"
            )
        self.custom_ids.add(custom_id)

    def _check_button(self, form: Form) -> None:
        style = form.choice("style", range(1, 7))
        form.text("label", longest=80)
        form.boolean("disabled")
        emoji = form.child("emoji")
        if emoji is not None:
            emoji.text("name", longest=32, required=emoji.data.get("id") is None)
        if style == PREMIUM_STYLE:
            form.text("sku_id", longest=20, required=True)
            return
        if not form.data.get("label") and emoji is None:
            form.error("label", "BUTTON_COMPONENT_LABEL_REQUIRED", "A button must have a label or an emoji")
        if style == LINK_STYLE:
            url = form.text("url", shortest=1, longest=512, required=True)
            if url and not url.startswith(("http://", "https://", "discord://")):
                form.error("url", "URL_TYPE_INVALID_SCHEME", "Scheme must be one of ('http', 'https').")
            if form.data.get("custom_id"):
                form.error("custom_id", "BUTTON_COMPONENT_CUSTOM_ID_URL", "A link button has no custom id")
            return
        if form.data.get("url"):
            form.error(
                "url", "BUTTON_COMPONENT_CUSTOM_ID_URL", "A custom id and url cannot both be specified"
            )
        self._check_custom_id(form)

    def _check_file(self, form: Form) -> None:
        form.boolean("spoiler")
        self._check_media(form.child("file", required=True), attachment_only=True)

    def _check_gallery(self, form: Form) -> None:
        for item in form.children("items", fewest=1, most=10, required=True):
            self._check_picture(item)

    def _check_picture(self, form: Form) -> None:
        form.text("description", longest=1024)
        form.boolean("spoiler")
        self._check_media(form.child("media", required=True), attachment_only=False)

    def _check_media(self, media: Form | None, *, attachment_only: bool) -> None:
        if media is None:
            return
        url = media.text("url", shortest=1, longest=2048, required=True)
        if not url:
            return
        if url.startswith("attachment://"):
            if url.removeprefix("attachment://") not in self.filenames:
                media.error(
                    "url",
                    "UNFURLED_MEDIA_ITEM_REFERENCED_ATTACHMENT_NOT_FOUND",
                    "The referenced attachment could not be found.",
                )
        elif attachment_only or not url.startswith(("http://", "https://")):
            schemes = "('attachment')" if attachment_only else "('http', 'https', 'attachment')"
            media.error("url", "URL_TYPE_INVALID_SCHEME", f"Scheme must be one of {schemes}.")


def _check_separator(form: Form) -> None:
    form.boolean("divider")
    form.choice("spacing", (1, 2), required=False)


def check_select(form: Form, kind: Kind, *, in_modal: bool = False) -> None:
    """The rules that selects of messages and of modals share."""
    form.text("placeholder", longest=150)
    form.boolean("disabled")
    fewest = form.integer("min_values", lowest=0, highest=25, default=1)
    most = form.integer("max_values", lowest=1, highest=25, default=1)
    if fewest is not None and most is not None and fewest > most:
        form.error("min_values", "SELECT_COMPONENT_MIN_VALUES_TOO_LARGE", "Must not exceed max_values")
    if kind is Kind.STRING_SELECT:
        check_options(form, most=25, fewest=1)
        if most is not None and not in_modal and most > len(form.data.get("options") or ()):
            form.error("max_values", "NUMBER_TYPE_MAX", "Must not exceed the number of options.")


def check_options(form: Form, *, most: int, fewest: int) -> None:
    seen = set()
    for option in form.children("options", most=most, fewest=fewest, required=True):
        option.text("label", shortest=1, longest=100, required=True)
        option.text("description", longest=100)
        option.boolean("default")
        value = option.text("value", shortest=1, longest=100, required=True)
        if value in seen:
            option.error(
                "value",
                "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED",
                "The specified option value is already used",
            )
        seen.add(value)

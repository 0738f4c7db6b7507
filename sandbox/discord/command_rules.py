"""Owns what makes an application command valid, and the full shape Discord answers for it.

Pure. Source: Discord developer docs, "Application Commands", and Discord's OpenAPI description, read 2026-11-22.
"""

import unicodedata
from typing import Any

from sandbox.discord.errors import Problems
from sandbox.discord.forms import Form
from sandbox.discord.state import Json

CHAT_INPUT, USER_MENU, MESSAGE_MENU = 1, 2, 3
SUBCOMMAND, GROUP, STRING, INTEGER, BOOLEAN, USER, CHANNEL, ROLE, MENTIONABLE, NUMBER, ATTACHMENT = range(
    1, 12
)
OPTIONS_MAX = CHOICES_MAX = 25
COMMAND_TEXT_MAX = 8000
SAFE_NUMBER_MAX = 2**53 - 1
NAME_BAD = ("APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
LOCALES = frozenset(
    (
        *(
            "id",
            "da",
            "de",
            "en-GB",
            "en-US",
            "es-ES",
            "es-419",
            "fr",
            "hr",
            "it",
            "lt",
            "hu",
            "nl",
            "no",
            "pl",
        ),
        *("pt-BR", "ro", "fi", "sv-SE", "vi", "tr", "cs", "el", "bg", "ru", "uk", "hi", "th", "zh-CN", "ja"),
        *("zh-TW", "ko"),
    )
)


def is_slash_name(name: str) -> bool:
    """Letters of any script, digits, `-`, `_`, apostrophes; no capital where a lowercase letter exists."""
    if not 1 <= len(name) <= 32 or name != name.lower():
        return False
    return all(one in "-_'" or unicodedata.category(one)[0] in "LN" or _is_mark(one) for one in name)


def _is_mark(letter: str) -> bool:
    return "DEVANAGARI" in unicodedata.name(letter, "") or "THAI" in unicodedata.name(letter, "")


def check_command(form: Form, *, is_global: bool) -> Json:
    """Report what is wrong with one command and answer it completed with Discord's defaults."""
    kind = form.choice("type", (CHAT_INPUT, USER_MENU, MESSAGE_MENU), required=False) or CHAT_INPUT
    form.text("name", shortest=1, longest=32, required=True)
    _check_name(form, slash=kind == CHAT_INPUT)
    if kind == CHAT_INPUT:
        form.text("description", shortest=1, longest=100, required=True)
    elif form.data.get("description"):
        form.error(
            "description", "APPLICATION_COMMAND_CONTEXT_MENU_DESCRIPTION_CANNOT_BE_SET", "Not for menus"
        )
    _check_localizations(form, "description_localizations", 100)
    options = _check_options(form, kind)
    if sum(_count_text(form.data)) > COMMAND_TEXT_MAX:
        form.error(
            None, "APPLICATION_COMMAND_TOO_LARGE", f"Command exceeds maximum size ({COMMAND_TEXT_MAX})"
        )
    permissions = form.data.get("default_member_permissions")
    if permissions is not None and not str(permissions).isdecimal():
        form.error("default_member_permissions", "NUMBER_TYPE_COERCE", f'Value "{permissions}" is not int.')
    contexts = _check_numbers(form, "contexts", (0, 1, 2))
    installs = _check_numbers(form, "integration_types", (0, 1))
    body: Json = {
        "application_id": None,
        "type": kind,
        "name": form.data.get("name"),
        "name_localizations": form.data.get("name_localizations"),
        "description": form.data.get("description") or "",
        "description_localizations": form.data.get("description_localizations"),
        "default_member_permissions": None if permissions is None else str(permissions),
        "nsfw": form.boolean("nsfw"),
        "integration_types": installs or [0],
        "contexts": contexts,
        "dm_permission": form.boolean("dm_permission", default=True),
    }
    if not is_global and (form.data.get("contexts") or form.data.get("integration_types")):
        for key in ("contexts", "integration_types"):
            if form.data.get(key):
                form.error(key, "APPLICATION_COMMAND_INVALID_CONTEXTS", "Only for global commands")
    return body | ({"options": options} if kind == CHAT_INPUT else {})


def _check_name(form: Form, *, slash: bool) -> None:
    name = form.data.get("name")
    if slash and isinstance(name, str) and 1 <= len(name) <= 32 and not is_slash_name(name):
        form.error("name", *NAME_BAD)
    _check_localizations(form, "name_localizations", 32)
    for locale, value in _translations(form.data, "name").items():
        if slash and isinstance(value, str) and 1 <= len(value) <= 32 and not is_slash_name(value):
            form.problems.add((*form.path, "name_localizations", locale), *NAME_BAD)


def _translations(data: Json, key: str) -> Json:
    found = data.get(f"{key}_localizations")
    return found if isinstance(found, dict) else {}


def _check_localizations(form: Form, key: str, longest: int) -> None:
    inner = form.child(key)
    if inner is None:
        return
    for locale in inner.data:
        if locale not in LOCALES:
            inner.error(str(locale), "BASE_TYPE_CHOICES", "Locale is not known.")
        inner.text(locale, shortest=1, longest=longest, required=True)


def _check_numbers(form: Form, key: str, allowed: tuple[int, ...]) -> list[int] | None:
    if form.data.get(key) is None:
        return None
    values = form.array(key, fewest=1, most=len(allowed))
    for index, value in enumerate(values):
        if value not in allowed or isinstance(value, bool):
            form.problems.add(
                (*form.path, key, index), "BASE_TYPE_CHOICES", f"Value must be one of {allowed}."
            )
    return values


def _check_options(form: Form, kind: int) -> list[Json]:
    if kind != CHAT_INPUT:
        if form.data.get("options"):
            form.error("options", "APPLICATION_COMMAND_CONTEXT_MENU_OPTIONS_CANNOT_BE_SET", "Not for menus")
        return []
    return _check_option_list(form, depth=0)


def _check_option_list(form: Form, *, depth: int) -> list[Json]:
    names: set[str] = set()
    seen_optional = False
    children = form.children("options", most=OPTIONS_MAX)
    nested = [one.data.get("type") in (SUBCOMMAND, GROUP) for one in children]
    checked = []
    for child in children:
        allowed = range(SUBCOMMAND if depth < 2 else STRING, ATTACHMENT + 1)
        kind = child.choice("type", allowed)
        child.text("name", shortest=1, longest=32, required=True)
        child.text("description", shortest=1, longest=100, required=True)
        _check_name(child, slash=True)
        _check_localizations(child, "description_localizations", 100)
        name = str(child.data.get("name"))
        if name in names:
            child.error("name", "APPLICATION_COMMAND_OPTIONS_NAME_DUPLICATE", "Option name must be unique")
        names.add(name)
        if kind in (SUBCOMMAND, GROUP):
            if depth and kind == GROUP:
                child.error("type", "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", "Groups do not nest")
            inner = _check_option_list(child, depth=2 if kind == SUBCOMMAND else 1)
            checked.append({**child.data, "options": inner})
            continue
        required = child.boolean("required")
        if required and seen_optional:
            child.error(
                None,
                "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID",
                "Required options must be placed before non-required options",
            )
        seen_optional = seen_optional or not required
        _check_plain_option(child, kind)
        checked.append({**child.data, "required": required})
    if any(nested) and not all(nested):
        form.error(
            "options", "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", "Sub-command and option types mixed"
        )
    return checked


def _check_plain_option(form: Form, kind: int | None) -> None:
    takes_choices = kind in (STRING, INTEGER, NUMBER)
    autocompletes = form.boolean("autocomplete")
    choices = form.children("choices", most=CHOICES_MAX)
    if choices and (not takes_choices or autocompletes):
        form.error("choices", "APPLICATION_COMMAND_OPTIONS_CHOICES_INVALID", "Choices are not possible here")
    if autocompletes and not takes_choices:
        form.error("autocomplete", "APPLICATION_COMMAND_OPTIONS_AUTOCOMPLETE_INVALID", "Not for this type")
    seen: set[str] = set()
    for choice in choices:
        check_choice(choice, kind, seen)
    _check_lengths(form, kind)
    _check_bounds(form, kind)


def _check_lengths(form: Form, kind: int | None) -> None:
    given = any(form.data.get(key) is not None for key in ("min_length", "max_length"))
    if given and kind != STRING:
        form.error("min_length", "APPLICATION_COMMAND_OPTIONS_LENGTH_INVALID", "Only for strings")
        return
    fewest = form.integer("min_length", lowest=0, highest=6000, default=0) or 0
    most = form.integer("max_length", lowest=1, highest=6000, default=6000) or 6000
    if fewest > most:
        form.error("min_length", "APPLICATION_COMMAND_OPTIONS_LENGTH_INVALID", "min_length above max_length")


def _check_bounds(form: Form, kind: int | None) -> None:
    bounds = {key: form.data[key] for key in ("min_value", "max_value") if form.data.get(key) is not None}
    if bounds and kind not in (INTEGER, NUMBER):
        form.error("min_value", "APPLICATION_COMMAND_OPTIONS_VALUE_INVALID", "Only for numbers")
        return
    bad = [key for key, bound in bounds.items() if not is_number(bound, whole=kind == INTEGER)]
    for key in bad:
        form.error(key, "NUMBER_TYPE_COERCE", f'Value "{bounds[key]}" is not a number of this type.')
    if len(bounds) == 2 and not bad and bounds["min_value"] > bounds["max_value"]:
        form.error("min_value", "APPLICATION_COMMAND_OPTIONS_VALUE_INVALID", "min_value above max_value")


def is_number(value: Any, *, whole: bool = False) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= SAFE_NUMBER_MAX and (not whole or float(value).is_integer())


def check_choice(form: Form, kind: int | None, seen: set[str]) -> None:
    """One choice of an option or of an autocomplete answer."""
    name = form.text("name", shortest=1, longest=100, required=True)
    _check_localizations(form, "name_localizations", 100)
    if name in seen:
        form.error("name", "APPLICATION_COMMAND_OPTIONS_CHOICE_NAME_DUPLICATE", "Choice name must be unique")
    seen.add(str(name))
    if kind == STRING:
        form.text("value", longest=100, required=True)
    elif not is_number(form.data.get("value"), whole=kind == INTEGER):
        form.error("value", "NUMBER_TYPE_COERCE", f'Value "{form.data.get("value")}" is not a number.')


def _count_text(data: Json) -> list[int]:
    """Lengths that count against 8000: names, descriptions and string values, the longest translation of each."""
    lengths = []
    for key in ("name", "description"):
        texts = [data.get(key), *_translations(data, key).values()]
        lengths.append(max((len(one) for one in texts if isinstance(one, str)), default=0))
    if isinstance(data.get("value"), str):
        lengths.append(len(data["value"]))
    for key in ("options", "choices"):
        inner = data.get(key)
        for child in inner if isinstance(inner, list) else ():
            lengths += _count_text(child) if isinstance(child, dict) else []
    return lengths


def check_unique_names(forms: list[Form], problems: Problems) -> None:
    seen = set()
    for form in forms:
        key = (str(form.data.get("type") or CHAT_INPUT), str(form.data.get("name")))
        if key in seen:
            problems.add(
                (*form.path, "name"),
                "APPLICATION_COMMANDS_DUPLICATE_NAME",
                "Application command names must be unique",
            )
        seen.add(key)

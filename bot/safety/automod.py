"""A server's own AutoMod keyword rules, read from Discord's answer (pure).

Owns what such a rule says and which of its words ours can use. Must not know how rules are fetched, or when
they change. Stands between Discord's JSON and `words`, whose lists take the result. An answer of another shape
is an error, never "no rules": whoever asks keeps the words it had.

**Source**: Discord's developer documentation, resources/auto-moderation (2026-11-22), and its published
OpenAPI description: trigger 1 is a keyword rule; a keyword has 1 to 60 characters, a rule at most 1000 of
them, 100 allowed ones and 10 regular expressions; `*` at either end takes any letters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from bot.safety.words import IMPORTED_ALLOWED_MAX, IMPORTED_WORDS_MAX, WordInvalid, check_word

if TYPE_CHECKING:
    from collections.abc import Iterable

KEYWORD_TRIGGER = 1
# Discord allows far fewer; what is longer is not its answer.
RULES_READ_MAX = 100
TEXTS_READ_MAX = 1000
NAME_LENGTH_MAX = 100
SNOWFLAKE_DIGITS_MAX = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class KeywordRule:
    """One rule with keywords, as Discord has it; regular expressions are counted only."""

    id: int
    name: str
    enabled: bool
    keywords: tuple[str, ...]
    allow_list: tuple[str, ...]
    regex_count: int


class RulesUnreadable(ValueError):
    """Discord's answer is not a list of rules; `field` is the first that is wrong."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


def read_rules(payload: object) -> list[KeywordRule]:
    """The keyword rules among a server's AutoMod rules, enabled or not.

    **Raises** RulesUnreadable.
    """
    if not isinstance(payload, list) or len(payload) > RULES_READ_MAX:
        raise RulesUnreadable("rules")
    rules = [_read_object(rule, "rule") for rule in payload]
    return [_read_rule(rule) for rule in rules if rule.get("trigger_type") == KEYWORD_TRIGGER]


def words_of(rules: Iterable[KeywordRule]) -> tuple[tuple[str, ...], tuple[str, ...], int]:
    """The words and allowed words of the enabled rules, and how many entries cannot be used.

    Shape: in the order of the rules, without doubles. Not usable are regular expressions, entries without a
    letter, too long ones, and those beyond our limits. A word that one rule allows is allowed in all.
    """
    words: dict[str, None] = {}
    allowed: dict[str, None] = {}
    skipped = 0
    for rule in rules:
        if rule.enabled:
            skipped += rule.regex_count
            skipped += _take(rule.keywords, words, IMPORTED_WORDS_MAX)
            skipped += _take(rule.allow_list, allowed, IMPORTED_ALLOWED_MAX)
    return tuple(words), tuple(allowed), skipped


def _take(texts: tuple[str, ...], into: dict[str, None], count_max: int) -> int:
    """How many did not fit."""
    skipped = 0
    for text in texts:
        try:
            word = check_word(text)
        except WordInvalid:
            skipped += 1
            continue
        if word not in into and len(into) >= count_max:
            skipped += 1
        else:
            into.setdefault(word)
    return skipped


def _read_rule(rule: dict[str, object]) -> KeywordRule:
    metadata = _read_object(rule.get("trigger_metadata"), "trigger_metadata")
    name, enabled = rule.get("name"), rule.get("enabled")
    if not isinstance(name, str):
        raise RulesUnreadable("name")
    if not isinstance(enabled, bool):
        raise RulesUnreadable("enabled")
    return KeywordRule(
        id=_read_id(rule.get("id")),
        name="".join(letter if letter.isprintable() else " " for letter in name[:NAME_LENGTH_MAX]),
        enabled=enabled,
        keywords=_read_texts(metadata, "keyword_filter"),
        allow_list=_read_texts(metadata, "allow_list"),
        regex_count=len(_read_texts(metadata, "regex_patterns")),
    )


def _read_object(value: object, field: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise RulesUnreadable(field)
    # JSON's keys are text; others would only never be found.
    return cast("dict[str, object]", value)


def _read_id(value: object) -> int:
    if (
        isinstance(value, str)
        and value.isascii()
        and value.isdecimal()
        and len(value) <= SNOWFLAKE_DIGITS_MAX
    ):
        return int(value)
    raise RulesUnreadable("id")


def _read_texts(metadata: dict[str, object], field: str) -> tuple[str, ...]:
    """The field may be missing or null, which is an empty one."""
    value = metadata.get(field)
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > TEXTS_READ_MAX:
        raise RulesUnreadable(field)
    texts = tuple(text for text in value if isinstance(text, str))
    if len(texts) != len(value):
        raise RulesUnreadable(field)
    return texts

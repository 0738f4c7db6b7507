"""The texts: every key that code names exists, is filled completely, is used, and is short enough."""

from __future__ import annotations

import ast
import re
import string
from pathlib import Path

import pytest

from bot.caps.values import CREDIT_RULES, Rule
from bot.credits.values import DifferenceKind
from bot.i18n import Catalogue
from bot.jobs.outcomes import Failure

ROOT = Path(__file__).parents[2]
CATALOGUE = Catalogue.load()
KEYS = CATALOGUE.keys()
AREAS = {key.split(".")[0] for key in KEYS}
KEY = re.compile(r"[a-z]+\.[a-z_]+")
LENGTH_MAX = 300
# Calls whose first word is the name of an event, not a text.
LOG_CALLS = {"debug", "info", "warning", "error", "exception"}
# Every key that a refusal may name, and what fills it; that `decide` names no other is tested beside it.
PERIODS = ("day", "week", "month")
NUMBERS = {"limit", "left", "needed", "resets"}
HELD = {"held"}
VARIANTS = {"": NUMBERS, "_held": NUMBERS | HELD, "_over": NUMBERS}
_BY_PERIOD = {
    f"{rule}_{period}{variant}": needs | more
    for rule, more in (("channel_cap", set()), ("cap", set()), ("granted", {"granted"}))
    for period in PERIODS
    for variant, needs in VARIANTS.items()
}
_BY_LENGTH = {
    f"{rule}_{unit}{one}": {"resets"} if one else {"length", "resets"}
    for rule, units in (("tenure", ("hours", "days")), ("cooldown", ("seconds", "minutes", "hours")))
    for unit in units
    for one in ("", "_one")
}
REFUSALS: dict[str, set[str]] = {
    "stopped": set(),
    "blocked": {"until"},
    "blocked_for_good": set(),
    "blocked_role": {"role"},
    "channel": set(),
    "channel_only": set(),
    "queue": {"open", "running", "waiting"},
    "queue_running": {"open", "running"},
    "queue_running_one": set(),
    "words": {"word"},
    "words_all": set(),
    **{f"member_daily{variant}": needs for variant, needs in VARIANTS.items()},
    **{f"server_monthly{variant}": needs for variant, needs in VARIANTS.items()},
    **_BY_PERIOD,
    **_BY_LENGTH,
}
OF_REFUSALS = {f"failure.{key}" for key in REFUSALS}
FAILURES = {f"failure.{failure}" for failure in Failure} | OF_REFUSALS


def trees() -> list[ast.Module]:
    paths = sorted([*(ROOT / "bot").rglob("*.py"), *(ROOT / "cogs").rglob("*.py")])
    return [ast.parse(path.read_text("utf-8"), filename=str(path)) for path in paths]


def name_of(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def literals(node: ast.AST) -> set[str]:
    return {
        inner.value
        for inner in ast.walk(node)
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str)
    }


def is_log(call: ast.Call) -> bool:
    on = call.func.value if isinstance(call.func, ast.Attribute) else None
    return isinstance(on, ast.Name) and on.id == "log" and name_of(call) in LOG_CALLS


def is_event_of_a_job(call: ast.Call) -> bool:
    return name_of(call) in {"advance", "advance_job", "take_job", "tell", "tell_failed_round"}


def named_keys() -> set[str]:
    """Every literal that looks like a key, outside the names of events."""
    found: set[str] = set()
    for tree in trees():
        events = {
            text
            for call in ast.walk(tree)
            if isinstance(call, ast.Call) and (is_log(call) or is_event_of_a_job(call))
            for text in literals(call)
        }
        found |= {
            text for text in literals(tree) - events if KEY.fullmatch(text) and text.split(".")[0] in AREAS
        }
    return found


def text_calls() -> list[tuple[str, set[str]]]:
    """(key, names of its parameters) of each call that fills a text and names both."""
    found = []
    for tree in trees():
        for call in ast.walk(tree):
            if not isinstance(call, ast.Call) or is_log(call) or is_event_of_a_job(call):
                continue
            keys = {text for arg in call.args for text in literals(arg) if text in KEYS}
            names = {keyword.arg for keyword in call.keywords}
            if name_of(call) in {"text", "AppError", "SourceRefused", "CannotPost"} and None not in names:
                # A call inside is met by itself.
                inner = [arg for arg in call.args if not isinstance(arg, ast.Call)]
                own = {text for arg in inner for text in literals(arg)}
                found += [(key, {str(name) for name in names}) for key in keys & own]
    return found


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_key_that_code_names_exists() -> None:
    named = named_keys()
    assert len(named) > 60
    assert sorted(named - KEYS - set(DifferenceKind)) == []


def test_every_text_is_used() -> None:
    """A text that nothing shows is deleted."""
    assert sorted(KEYS - named_keys() - FAILURES) == []


def test_every_failure_has_a_text() -> None:
    assert {key for key in KEYS if key.startswith("failure.")} == FAILURES


def test_every_call_fills_every_placeholder_and_no_other() -> None:
    calls = text_calls()
    assert len(calls) > 50
    for key, names in calls:
        assert names == placeholders(CATALOGUE.text("en", key)), key


def test_only_refusals_need_numbers_in_a_failure() -> None:
    for key in FAILURES:
        needs = placeholders(CATALOGUE.text("en", key))
        assert needs == REFUSALS.get(key.removeprefix("failure."), set()), key


def test_every_rule_has_a_text_that_names_it() -> None:
    for rule in Rule:
        assert any(key.startswith(rule.value) for key in REFUSALS), rule


@pytest.mark.parametrize("rule", sorted(CREDIT_RULES))
def test_a_limit_reached_by_held_credits_says_that_they_are_held(rule: Rule) -> None:
    told = {
        key: placeholders(CATALOGUE.text("en", f"failure.{key}")) for key in REFUSALS if key.startswith(rule)
    }
    assert len(told) in {3, 9}
    for key, needs in told.items():
        assert ("held" in needs) == key.endswith("_held")


def test_every_refusal_says_that_nothing_was_charged() -> None:
    for key in OF_REFUSALS:
        assert CATALOGUE.text("en", key).endswith("Nothing was charged."), key


@pytest.mark.parametrize("language", CATALOGUE.languages())
def test_texts_are_short_and_fill_the_same_places_in_every_language(language: str) -> None:
    assert CATALOGUE.keys(language) <= KEYS
    for key in CATALOGUE.keys(language):
        text = CATALOGUE.text(language, key)
        assert 0 < len(text) <= LENGTH_MAX, key
        assert placeholders(text) == placeholders(CATALOGUE.text("en", key)), key
        assert "@everyone" not in text


def test_a_refusal_of_a_source_or_an_option_says_that_nothing_was_charged() -> None:
    told = [key for key in KEYS if key.split(".")[0] in {"place", "input"}]
    assert told
    assert [key for key in told if "Nothing was charged" not in CATALOGUE.text("en", key)] == []


def test_a_locale_finds_its_language_and_falls_back_on_english() -> None:
    catalogue = Catalogue({"en": {"a.b": "hello {name}", "a.c": "bye"}, "ko": {"a.b": "안녕 {name}"}})
    assert catalogue.text("ko", "a.b", name="x") == "안녕 x"
    assert catalogue.text("en-US", "a.b", name="x") == "hello x"
    assert catalogue.text("ko", "a.c") == "bye"
    assert catalogue.text("pt-BR", "a.b", name="x") == "hello x"
    assert catalogue.languages() == ["en", "ko"]
    with pytest.raises(KeyError):
        catalogue.text("ko", "a.unknown")


def test_a_parameter_is_never_read_as_a_pattern() -> None:
    catalogue = Catalogue({"en": {"a.b": "hello {name}"}})
    assert catalogue.text("en", "a.b", name="{name} {0} {}") == "hello {name} {0} {}"

"""A server's AutoMod rules: read as Discord sends them, refused in any other shape, used as far as possible."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.safety.automod import KeywordRule, RulesUnreadable, read_rules, words_of
from bot.safety.words import IMPORTED_ALLOWED_MAX, IMPORTED_WORDS_MAX, WordAction, WordFilter, WordList


def rule_json(**changes: object) -> dict[str, object]:
    """As Discord's documentation shows one, with what a request for all rules answers besides."""
    return {
        "id": "969707018069872670",
        "guild_id": "613425648685547541",
        "name": "Keyword Filter 1",
        "creator_id": "423457898095789043",
        "trigger_type": 1,
        "event_type": 1,
        "actions": [{"type": 1, "metadata": {"custom_message": "Please keep it friendly"}}],
        "trigger_metadata": {
            "keyword_filter": ["cat*", "*dog", "*ana*", "i like c++", "바보"],
            "regex_patterns": ["(b|c)at", "^(?:[0-9]{1,3}\\.){3}[0-9]{1,3}$"],
            "allow_list": ["catalogue"],
        },
        "enabled": True,
        "exempt_roles": ["323456789123456789"],
        "exempt_channels": [],
    } | changes


def rule(
    *keywords: str, allow: tuple[str, ...] = (), enabled: bool = True, regex_count: int = 0
) -> KeywordRule:
    return KeywordRule(
        id=1, name="rule", enabled=enabled, keywords=keywords, allow_list=allow, regex_count=regex_count
    )


def test_keyword_rules_are_read_and_others_passed_over() -> None:
    others = [
        rule_json(trigger_type=4, trigger_metadata={"presets": [1], "allow_list": []}),
        rule_json(trigger_type=3, trigger_metadata={}),
        rule_json(trigger_type=5, trigger_metadata={"mention_total_limit": 5}),
        rule_json(trigger_type="new", trigger_metadata=None),
    ]
    assert read_rules([*others, rule_json()]) == [
        KeywordRule(
            id=969707018069872670,
            name="Keyword Filter 1",
            enabled=True,
            keywords=("cat*", "*dog", "*ana*", "i like c++", "바보"),
            allow_list=("catalogue",),
            regex_count=2,
        )
    ]
    assert read_rules([]) == []


@pytest.mark.parametrize(
    "metadata", [{}, {"keyword_filter": None, "regex_patterns": None, "allow_list": None}]
)
def test_a_missing_list_is_an_empty_one(metadata: dict[str, object]) -> None:
    [read] = read_rules([rule_json(trigger_metadata=metadata, enabled=False)])
    assert (read.keywords, read.allow_list, read.regex_count, read.enabled) == ((), (), 0, False)


def test_a_name_is_cut_and_made_printable() -> None:
    [read] = read_rules([rule_json(name="No\ud800\nwords" + "!" * 200)])
    assert read.name == "No  words" + "!" * 91


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        *(("rules", "rules"), (None, "rules"), ({"message": "Missing Access"}, "rules"), ([1], "rule")),
        ([rule_json(trigger_type=3)] * 101, "rules"),
        ([rule_json(id="1" * 21)], "id"),
        ([rule_json(id="²")], "id"),
        ([rule_json(id=1)], "id"),
        ([rule_json(name=None)], "name"),
        ([rule_json(enabled=1)], "enabled"),
        ([rule_json(trigger_metadata=None)], "trigger_metadata"),
        ([rule_json(trigger_metadata={"keyword_filter": "bad"})], "keyword_filter"),
        ([rule_json(trigger_metadata={"keyword_filter": ["bad"] * 1001})], "keyword_filter"),
        ([rule_json(trigger_metadata={"allow_list": [None]})], "allow_list"),
        ([rule_json(trigger_metadata={"regex_patterns": [{}]})], "regex_patterns"),
    ],
)
def test_an_answer_of_another_shape_is_an_error_and_never_no_rules(payload: object, field: str) -> None:
    with pytest.raises(RulesUnreadable) as unreadable:
        read_rules(payload)
    assert unreadable.value.field == field


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(sorted(rule_json())), json_values, max_size=3))
def test_whatever_stands_in_a_rule_raises_only_value_errors(changes: dict[str, object]) -> None:
    with contextlib.suppress(RulesUnreadable):
        words_of(read_rules([rule_json(**changes)]))


@given(json_values)
def test_whatever_discord_answers_raises_only_value_errors(payload: object) -> None:
    with contextlib.suppress(RulesUnreadable):
        words_of(read_rules(payload))


def test_wildcards_keep_their_meaning_in_a_word_list() -> None:
    words, allowed, skipped = words_of(read_rules([rule_json()]))
    assert (words, allowed, skipped) == (
        ("cat*", "*dog", "*ana*", "i like c++", "바보"),
        ("catalogue",),
        2,
    )
    filter_ = WordFilter.build([WordList(name="AutoMod", action=WordAction.REFUSE, words=words)], allowed)
    prompt = "cats scat catalogue hotdog dogs banana 바보야"
    assert [prompt[match.start : match.end] for match in filter_.check(prompt).refused] == [
        *("cats", "hotdog", "banana", "바보야")
    ]


def test_rules_are_joined_without_doubles_and_disabled_ones_left_out() -> None:
    rules = [rule("bad", "worse", allow=("bad dog",)), rule("off", enabled=False), rule("worse", "worst")]
    assert words_of(rules) == (("bad", "worse", "worst"), ("bad dog",), 0)


def test_what_cannot_be_used_is_counted() -> None:
    """A double beyond the limit is no loss."""
    assert words_of([rule("bad", "*", "🍆", "a" * 61, "b\x00d", regex_count=3)]) == (("bad",), (), 7)
    many = tuple(f"word{number}" for number in range(IMPORTED_WORDS_MAX + 5))
    words, allowed, skipped = words_of([rule(*many, "word0", allow=many)])
    assert (len(words), len(allowed)) == (IMPORTED_WORDS_MAX, IMPORTED_ALLOWED_MAX)
    assert skipped == 5 + len(many) - IMPORTED_ALLOWED_MAX

"""Banned words as moderators type them: tidied for storing, read from a window, bounded."""

from __future__ import annotations

import unicodedata

import pytest

from bot.safety.words import (
    ALLOWED_WORDS_MAX,
    LISTS_MAX,
    WORD_LENGTH_MAX,
    WORDS_PER_LIST_MAX,
    WordAction,
    WordFilter,
    WordInvalid,
    WordList,
    WordProblem,
    check_word,
    parse_words,
)


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        *(
            ("  Bad   dog ", "Bad dog"),
            ("**bad**", "*bad*"),
            ("bad *", "bad"),
            ("* bad", "bad"),
            ("b\u200bad", "bad"),
        ),
        *(
            ("cafe\u0301", "café"),
            ("f*ck", "f*ck"),
            (unicodedata.normalize("NFD", "바보"), "바보"),
            ("a" * 60, "a" * 60),
        ),
    ],
)
def test_a_word_is_tidied_for_storing(typed: str, stored: str) -> None:
    assert check_word(typed) == stored
    assert check_word(stored) == stored


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        *(
            ("", "empty"),
            (" \u200b ", "empty"),
            ("a" * (WORD_LENGTH_MAX + 1), "too_long"),
            ("*", "no_letters"),
        ),
        *(
            ("* *", "no_letters"),
            ("?!", "no_letters"),
            ("🍆", "no_letters"),
            ("b\x00ad", "control_character"),
            ("b\ud800d", "control_character"),
        ),
    ],
)
def test_what_cannot_be_a_word_is_refused_with_the_reason(typed: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as invalid:
        check_word(typed)
    assert isinstance(invalid.value, WordInvalid)
    assert invalid.value.problem == problem
    assert len(invalid.value.word) <= WORD_LENGTH_MAX


def test_a_window_is_read_line_by_line_and_between_commas() -> None:
    typed = "bad, Bad dog\r\n바보， BAD、*cat*,, \n\nbád"
    assert parse_words(typed) == ["bad", "Bad dog", "바보", "*cat*", "bád"]
    assert parse_words(" \n, ") == []


def test_a_window_with_too_many_words_or_a_wrong_one_is_refused() -> None:
    assert len(parse_words("\n".join(f"word{number}" for number in range(WORDS_PER_LIST_MAX)))) == 500
    with pytest.raises(WordInvalid) as invalid:
        parse_words("\n".join(f"word{number}" for number in range(WORDS_PER_LIST_MAX + 1)))
    assert invalid.value.problem is WordProblem.TOO_MANY
    with pytest.raises(WordInvalid) as invalid:
        parse_words("bad, ???, good")
    assert (invalid.value.problem, invalid.value.word) == (WordProblem.NO_LETTERS, "???")


def test_limits_hold_when_a_filter_is_built() -> None:
    few = WordList(name="few", action=WordAction.DROP, words=("bad",))
    many = WordList(name="many", action=WordAction.DROP, words=("bad",) * (WORDS_PER_LIST_MAX + 1))
    for lists, allowed in (
        ([few] * (LISTS_MAX + 1), ()),
        ([many], ()),
        ([few], ("bad",) * (ALLOWED_WORDS_MAX + 1)),
    ):
        with pytest.raises(WordInvalid) as invalid:
            WordFilter.build(lists, allowed)
        assert invalid.value.problem is WordProblem.TOO_MANY

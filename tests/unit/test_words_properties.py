"""What holds for banned words whatever is typed."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from bot.safety.words import (
    WordAction,
    WordFilter,
    WordInvalid,
    WordList,
    WordVerdict,
    check_word,
    parse_words,
)

WORDS = ("bad", "ass*", "*ugly*", "*gun", "bad dog", "café", "바보", "나쁜 곰", "ㅅㅂ", "馬鹿")
INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
FINALS = ("", *"ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ")
# Pieces of listed words and of ways around them, so that most examples come near a match.
PIECES = st.sampled_from(
    [
        *"bad ugly 바보곰ㅂㅏㅗㅅ馬鹿.,-_*'\n",
        *WORDS,
        *("\u200b", "\u0301", "\u1107", "\u1161", "ß", "😀", "\u3164", "나쁜 곰은"),
    ]
)
PROMPTS = st.text(max_size=60) | st.lists(PIECES, max_size=40).map("".join)
INVISIBLE = st.sampled_from(
    ["", "\u200b", "\u200d", "\u00ad", "\u2060", "\ufe0f", "\u202e", "\u034f", "\x01"]
)
SEPARATORS = st.sampled_from([" ", ".", "-", "_", "*", "😀", " \u200b", "…", "\u3164", "  "])


def check(prompt: str, action: WordAction = WordAction.REFUSE, words: tuple[str, ...] = WORDS) -> WordVerdict:
    return WordFilter.build([WordList(name="words", action=action, words=words)], ("good*",)).check(prompt)


@given(PROMPTS, st.sampled_from(WordAction))
def test_places_lie_within_the_prompt_and_in_order(prompt: str, action: WordAction) -> None:
    verdict = check(prompt, action)
    for matches in (verdict.refused, verdict.dropped):
        assert all(0 <= match.start < match.end <= len(prompt) for match in matches)
        assert list(matches) == sorted(matches, key=lambda match: (match.start, match.end))
    assert verdict.dropped or verdict.prompt == prompt


@given(PROMPTS)
def test_nothing_to_drop_is_left_after_a_drop(prompt: str) -> None:
    verdict = check(prompt, WordAction.DROP)
    if not verdict.refused:
        assert check(verdict.prompt, WordAction.DROP) == WordVerdict(
            refused=(), dropped=(), prompt=verdict.prompt
        )
    assert len(verdict.prompt) <= len(prompt)


@given(st.sampled_from(["bad", "café", "바보", "ㅅㅂ", "馬鹿"]), st.data())
def test_invisible_characters_hide_no_word(word: str, data: st.DataObject) -> None:
    spelling = "".join(letter + data.draw(INVISIBLE) for letter in word)
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        prompt = unicodedata.normalize(form, spelling.upper())
        matches = check(f"x1 {prompt} x2", words=(word,)).refused
        assert [match.word for match in matches] == [word]
        assert (matches[0].start, matches[0].end) == (3, 3 + len(prompt))


@given(st.sampled_from(["bad", "café", "바보", "ㅅㅂ"]), st.data())
def test_separated_letters_hide_no_word(word: str, data: st.DataObject) -> None:
    spelling = "".join(letter + data.draw(SEPARATORS) for letter in word[:-1]) + word[-1]
    assert [match.word for match in check(f"big {spelling} cat", words=(word,)).refused] == [word]


@given(st.text(alphabet="ㄱㄴㄷㄹㅁㅂㅅㅇㅏㅗㅣㅐ", min_size=1, max_size=8))
def test_a_word_listed_in_jamo_matches_itself(word: str) -> None:
    assert check(f"a1 {word} b2", words=(word,)).refused


@given(st.text(alphabet=st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3), min_size=1, max_size=6))
def test_a_word_typed_out_in_jamo_is_the_composed_one(word: str) -> None:
    """All 11,172 syllables, since a keyboard needs no more than these keys to tell them apart."""
    typed = "".join(
        INITIALS[code // 588] + VOWELS[code % 588 // 28] + FINALS[code % 28]
        for code in (ord(syllable) - 0xAC00 for syllable in word)
    )
    for prompt in (typed, " ".join(typed), unicodedata.normalize("NFD", word)):
        assert check(f"a1 {prompt} b2", words=(word,)).refused


@given(st.text(max_size=70))
def test_a_stored_word_stays_as_it_is_and_matches_itself(text: str) -> None:
    try:
        word = check_word(text)
    except WordInvalid:
        return
    assert check_word(word) == word
    assert check(word.strip("*"), words=(word,)).refused


@given(st.text(max_size=200))
def test_what_is_typed_into_a_window_is_read_or_refused(text: str) -> None:
    try:
        words = parse_words(text)
    except WordInvalid:
        return
    assert parse_words("\n".join(words)) == words

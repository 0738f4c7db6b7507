"""Words listed with signs, as AutoMod's rules often are: found with their signs, and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.safety.word_tokens import read_tokens
from bot.safety.words import WordAction, WordFilter, WordList, check_word


def build(*words: str, action: WordAction = WordAction.REFUSE, allowed: tuple[str, ...] = ()) -> WordFilter:
    return WordFilter.build([WordList(name="house", action=action, words=words)], allowed)


def found(prompt: str, *words: str, allowed: tuple[str, ...] = ()) -> list[str]:
    return [prompt[match.start : match.end] for match in build(*words, allowed=allowed).check(prompt).refused]


@pytest.mark.parametrize(
    ("listed", "prompt"),
    [
        *(("a$$", "a dog"), ("$hit", "a hit song"), ("c++", "vitamin c"), ("18+", "18 lanterns")),
        *(("<3", "3 cats"), (":D", "a d"), ("@everyone", "everyone dances"), ("a**hole", "a hole")),
        *(("sh!t", "sh t"), ("R&B", "r b"), ("a$$", "a$$$"), ("$hit", "bull$hit")),
    ],
)
def test_the_letters_alone_are_another_word(listed: str, prompt: str) -> None:
    assert found(prompt, listed) == []


@pytest.mark.parametrize(
    ("listed", "prompt", "hits"),
    [
        ("a$$", "kiss my A$$! a ass, (a$$) **a$$** text:a$$", ["A$$", "a$$", "a$$", "a$$"]),
        ("a$$", "Ａ＄＄ a\u200b$\u200b$ 🔥a$$🔥", ["Ａ＄＄", "a\u200b$\u200b$", "a$$"]),
        ("$hit", "$hit, $HIT: #$hit", ["$hit", "$HIT"]),
        ("$hit", "$hit$ and \u200b$\u200bhit", ["$hit", "\u200b$\u200bhit"]),
        ("c++", "C++ or c++,", ["C++", "c++"]),
        ("sh!t", "sh!t SH!T!", ["sh!t", "SH!T"]),
        ("*$hit*", "bull$hitter", ["bull$hitter"]),
        ("a$$*", "a$$hole a$$", ["a$$hole", "a$$"]),
        ("bad a$$", "a bad-a$$ dog", ["bad-a$$"]),
        ("<3", "i <3 it", ["<3"]),
        ("bad", "bad$ #bad b@d <bad>", ["bad", "bad", "bad"]),
    ],
)
def test_a_word_is_found_with_the_signs_it_is_listed_with(listed: str, prompt: str, hits: list[str]) -> None:
    assert found(prompt, listed) == hits


def test_what_only_punctuates_is_no_part_of_a_listed_word() -> None:
    for listed in ("bad!", "(bad)", '"bad"', "bad.", "bad:"):
        assert found("a bad dog", listed) == ["bad"], listed


def test_signs_are_dropped_with_their_word_and_allowed_with_it() -> None:
    assert build("a$$", action=WordAction.DROP).check("my a$$ dog").prompt == "my dog"
    assert build("a$$", action=WordAction.DROP).check("a$$").prompt == ""
    assert found("c++ c c#", "c", allowed=("c++",)) == ["c", "c"]
    assert found("a$$", "a$$", allowed=("a",)) == ["a$$"]


@given(st.text(alphabet="ab 가$@#&%+=!<:;|*", min_size=1, max_size=12))
def test_a_word_with_signs_matches_itself(text: str) -> None:
    if not read_tokens(text):
        return
    word = check_word(text)
    assert found(f"x1 {word.strip('*')} x2", word)

"""Banned words: found however they are spelled, in English and Korean, and nowhere else."""

from __future__ import annotations

import unicodedata

import pytest

from bot.safety.word_tokens import read_tokens
from bot.safety.words import (
    PROMPT_LENGTH_MAX,
    WordAction,
    WordFilter,
    WordList,
)


def build(
    *words: str, action: WordAction = WordAction.REFUSE, allowed: tuple[str, ...] = (), name: str = "house"
) -> WordFilter:
    return WordFilter.build([WordList(name=name, action=action, words=words)], allowed)


def found(prompt: str, *words: str, allowed: tuple[str, ...] = ()) -> list[str]:
    """What the filter points at in the prompt."""
    return [prompt[match.start : match.end] for match in build(*words, allowed=allowed).check(prompt).refused]


def drop(prompt: str, *words: str, allowed: tuple[str, ...] = ()) -> str:
    verdict = build(*words, action=WordAction.DROP, allowed=allowed).check(prompt)
    assert verdict.refused == ()
    return verdict.prompt


@pytest.mark.parametrize(
    "spelling",
    [
        *(
            "bad",
            "BAD",
            "Bad",
            "ＢＡＤ",
            "ｂａｄ",
            "ⓑⓐⓓ",
            "𝐛𝐚𝐝",
            "🅱🅰🅳",
            "🇧🇦🇩",
            "ʙᴀᴅ",
            "bád",
            "b̶a̶d̶",
            "bäd",
            "b\u0489ad",
        ),
        *(
            "b\u200bad",
            "b\u200da\u2060d",
            "b\u00adad",
            "ba\ufe0fd",
            "\u202eb\u2066ad",
            "b\u034fad",
            "b\x00ad",
        ),
        *("b a d", "b.a.d", "b-a-d", "b_a_d", "b*a*d", "B  A  D", "b😀a😀d", "b\n a\t d", "b\u3164a\u2800d"),
        *("bаd", "bɑd", "b\u064ead", "b\U000e0041ad", "ba\u1160d"),
    ],
)
def test_a_word_is_found_however_it_is_spelled(spelling: str) -> None:
    prompt = f"my {spelling} dog"
    hits = found(prompt, "bad")
    assert len(hits) == 1
    assert prompt.index(hits[0]) in {3, 4}
    assert hits[0].rstrip() == spelling.lstrip("\u202e")


@pytest.mark.parametrize(
    ("listed", "prompt"),
    [
        *(("ass", "a class of glass"), ("ass", "assassin"), ("ass", "glass skin"), ("ass", "ass1")),
        *(("ma", "I am a dog"), ("bad", "a b ad"), ("bad", "ba d"), ("bad", "baad"), ("bad", "baadd")),
        *(("bad", "b a d g e"), ("don", "don't"), ("can", "I can't"), ("aid", "a i d e")),
        *(("bad", "b4d"), ("bad", ""), ("bad", "   "), ("bad", "😀")),
    ],
)
def test_ordinary_text_is_let_through(listed: str, prompt: str) -> None:
    assert found(prompt, listed) == []


@pytest.mark.parametrize(
    ("listed", "prompt", "hits"),
    [
        ("ass", "bad-ass, ass! (ass) my_ass", ["ass", "ass", "ass", "ass"]),
        ("dog", "the dog's tail, the dog’s nose, 'dog'", ["dog's", "dog’s", "dog"]),
        ("café", "cafe\u0301 CAFE Café", ["cafe\u0301", "CAFE", "Café"]),
        ("straße", "STRASSE straße", ["STRASSE", "straße"]),
        ("istanbul", "İSTANBUL ıstanbul", ["İSTANBUL", "ıstanbul"]),
        ("don't", "DON’T", ["DON’T"]),
        ("сука", "СУКА", ["СУКА"]),
        ("馬鹿", "この馬鹿野郎", ["馬鹿"]),
        ("バガ", "バカ ﾊﾞｶﾞ バガボンド", ["ﾊﾞｶﾞ"]),
        ("हिन्दी", "यह हिन्दी है", ["हिन्दी"]),
    ],
)
def test_words_end_where_a_reader_sees_them_end(listed: str, prompt: str, hits: list[str]) -> None:
    assert found(prompt, listed) == hits


@pytest.mark.parametrize(
    ("prompt", "hit"),
    [
        *(("a b a d dog", "b a d"), ("b a d a dog", "b a d"), ("I b a d", "b a d"), ("a b a d I", "b a d")),
        *(("it's b a d", "b a d"), ("(b)(a)(d)", "b)(a)(d"), ("B. A. D.", "B. A. D")),
    ],
)
def test_one_letter_words_beside_a_spelled_word_do_not_hide_it(prompt: str, hit: str) -> None:
    assert found(prompt, "bad") == [hit]


@pytest.mark.parametrize(
    "spelling",
    [
        *(
            "바보",
            unicodedata.normalize("NFD", "바보"),
            "ㅂㅏㅂㅗ",
            "ㅂ ㅏ ㅂ ㅗ",
            "바 보",
            "바.보",
            "ㅂㅏ ㅂㅗ",
        ),
        *("바ㅂㅗ", "ㅂㅏ보", "바\u200b보", "ﾲￂﾲￌ", "㉥ㅏ보", "ᄇ\u200bᅡ보"),
        *(
            "바보는",
            "바보가",
            "바보를",
            "바보의",
            "바보에게",
            "바보와",
            "바보도",
            "바보만",
            "바보야",
            "바보들",
            "바보님",
        ),
        *(
            "바보들은",
            "바보님들이",
            "바보입니다",
            "바보예요",
            "바보로",
            "바보처럼",
            "바보같은",
            "ㅂㅏㅂㅗㄴㅡㄴ",
        ),
    ],
)
def test_a_korean_word_is_found_composed_in_jamo_and_with_its_particle(spelling: str) -> None:
    assert found(f"귀여운 {spelling} 그림", "바보") == [spelling]
    assert found(f"귀여운 {spelling}ㅋㅋㅋ", "바보") == [spelling]
    assert found(f"cute{spelling}girl", "바보") == [spelling]


@pytest.mark.parametrize(
    ("listed", "prompt"),
    [
        *(
            ("바보", "바보상자"),
            ("바보", "왕바보"),
            ("바보", "바보은"),
            ("사", "사과"),
            ("나", "나이"),
            ("바", "바다"),
        ),
        *(("가고", "각오"), ("시발", "시 발표"), ("바보", "ㅂㅏㅂㅛ"), ("개", "개나리"), ("개", "무지개")),
    ],
)
def test_a_longer_korean_word_is_another_word(listed: str, prompt: str) -> None:
    assert found(prompt, listed) == []


@pytest.mark.parametrize(
    ("listed", "prompt", "hit"),
    [
        *(
            ("곰", "곰은", "곰은"),
            ("곰", "곰이랑", "곰이랑"),
            ("물", "물로", "물로"),
            ("곰", "곰으로", "곰으로"),
        ),
        *(("없다", "ㅇㅓㅂㅅㄷㅏ", "ㅇㅓㅂㅅㄷㅏ"), ("안녕", "ㅇ ㅏ ㄴ ㄴ ㅕ ㅇ", "ㅇ ㅏ ㄴ ㄴ ㅕ ㅇ")),
        *(
            ("왜", "ㅇㅗㅐ", "ㅇㅗㅐ"),
            ("몫", "ㅁㅗㄳ", "ㅁㅗㄳ"),
            ("ㅅㅂ", "ㅅㅂㅋㅋ", "ㅅㅂ"),
            ("ㅅㅂ", "ㅅ ㅂ", "ㅅ ㅂ"),
        ),
        *(("바보", "이 바 보 는", "바 보 는"), ("들", "들", "들"), ("ㅗㅗ", "ㅗㅗ", "ㅗㅗ")),
    ],
)
def test_korean_is_read_as_it_is_typed(listed: str, prompt: str, hit: str) -> None:
    assert found(prompt, listed) == [hit]


@pytest.mark.parametrize(
    ("listed", "prompt", "hits"),
    [
        ("bad dog", "a BAD,  dog and a bad-dog and b a d dog", ["BAD,  dog", "bad-dog", "b a d dog"]),
        ("bad dog", "bad big dog, dog bad, bad dogs, bad", []),
        ("나쁜 바보", "나쁜 바보는 나쁜바보", ["나쁜 바보는"]),
        ("very bad dog", "very bad cat very bad dog", ["very bad dog"]),
    ],
)
def test_a_phrase_is_found_across_spaces_and_punctuation(listed: str, prompt: str, hits: list[str]) -> None:
    assert found(prompt, listed) == hits


@pytest.mark.parametrize(
    ("listed", "prompt", "hits"),
    [
        ("cat*", "cat Catch scat", ["cat", "Catch"]),
        ("*cat", "cat Catch scat", ["cat", "scat"]),
        ("*cat*", "cat Catch scat scats", ["cat", "Catch", "scat", "scats"]),
        ("*바보", "왕바보는 바보상자", ["왕바보는"]),
        ("바보*", "왕바보는 바보상자", ["바보상자"]),
        ("*좆*", "개좆같네", ["개좆같네"]),
        ("bad dog*", "bad doggy, bad cat", ["bad doggy"]),
        ("*bad dog", "superbad dog, bad cat", ["superbad dog"]),
        ("*바보 곰", "왕바보 곰은 왕바보는 곰", ["왕바보 곰은"]),
        ("*ass", "glass pass ss", ["glass", "pass"]),
        ("*bad dog*", "superbad doggy, bad cat", ["superbad doggy"]),
        ("cat*", "c a t c h", ["c a t c h"]),
    ],
)
def test_a_wildcard_opens_its_side_of_the_word(listed: str, prompt: str, hits: list[str]) -> None:
    assert found(prompt, listed) == hits


def test_an_allowed_word_that_covers_the_match_wins() -> None:
    assert found("a bad dog, a bad cat", "bad", allowed=("bad dog",)) == ["bad"]
    assert found("고양이는 고양을", "고양", allowed=("고양이",)) == ["고양을"]
    assert found("바보는", "바보", allowed=("바보",)) == []
    assert found("class, grass, ass", "*ass", allowed=("class", "gra*")) == ["ass"]
    assert found("bad dog", "bad dog", allowed=("bad", "dog")) == ["bad dog"]


def test_an_allowed_word_is_compared_with_its_accents() -> None:
    """Otherwise nobody could allow the year where the other word is listed."""
    assert found("feliz año, ANO, AN\u0303O", "ano", allowed=("año",)) == ["ANO"]
    assert found("café cafe", "café", allowed=("cafe",)) == ["café"]


def test_a_match_names_the_list_and_the_word_as_listed() -> None:
    """A word in several lists counts once, for a list that refuses before one that drops."""
    lists = [
        WordList(name="brands", action=WordAction.DROP, words=("Bad", "dog")),
        WordList(name="rude", action=WordAction.REFUSE, words=("Bád", "bad", "BAD")),
        WordList(name="pets", action=WordAction.DROP, words=("dog",)),
    ]
    verdict = WordFilter.build(lists, ()).check("so bad dog")
    assert [(match.list_name, match.word, match.start, match.end) for match in verdict.refused] == [
        ("rude", "Bád", 3, 6)
    ]
    assert [(match.list_name, match.word) for match in verdict.dropped] == [("brands", "dog")]


@pytest.mark.parametrize(
    ("prompt", "left"),
    [
        *(("a bad dog", "a dog"), ("bad dog", "dog"), ("a dog, bad", "a dog,"), ("a dog bad", "a dog")),
        *(
            ("a dog bad, big", "a dog, big"),
            ("bad bad  bad dog", "dog"),
            ("bad", ""),
            ("a (bad) dog", "a () dog"),
        ),
        *(("a\n\nbad\n\ndog  here", "a\n\ndog  here"), ("b\u0301ad\u0301 dog", "dog"), ("개bad곰", "개 곰")),
        *(("no such  word ", "no such  word "), ("  b a d dog's", "dog's"), ("dog (big bad)", "dog (big)")),
    ],
)
def test_a_dropped_word_is_cut_with_the_spaces_around_it(prompt: str, left: str) -> None:
    assert drop(prompt, "bad") == left


def test_of_words_that_begin_at_one_place_the_longest_is_reported() -> None:
    matches = build("bad", "bad dog", "dog", "ba*").check("a bad dog").refused
    assert [(match.word, match.start, match.end) for match in matches] == [("bad dog", 2, 9), ("dog", 6, 9)]
    assert [match.word for match in build("ba*", "bad", "*ad").check("bad").refused] == ["*ad"]


def test_hostile_lists_and_prompts_give_few_matches() -> None:
    """Words that all match at each place: the answer grows with the prompt alone."""
    words = [f"*{'a' * length}*" for length in range(1, 50)] + ["a " * length for length in range(1, 30)]
    for prompt in ("a" * PROMPT_LENGTH_MAX, "a " * (PROMPT_LENGTH_MAX // 2)):
        assert 0 < len(build(*words).check(prompt).refused) <= PROMPT_LENGTH_MAX


def test_many_spellings_of_one_allowed_word_cost_no_more_than_one() -> None:
    """A moderator's list must not make a prompt expensive: other servers wait behind it."""
    accents = [chr(0x300 + place) for place in range(22)]
    allowed = [f"a{first}{second}" for first in accents for second in accents]
    filter_ = build("a", allowed=tuple(allowed))
    assert found("ba a", "a", allowed=tuple(allowed)) == ["a"]
    assert found(f"{allowed[0]} {allowed[-1]} a", "a", allowed=tuple(allowed)) == ["a"]
    assert filter_._index is not None
    tokens = read_tokens("a " * 500)
    assert sum(1 for _ in filter_._index.find(tokens)) == 2 * len(tokens)


def test_a_particle_goes_with_its_word() -> None:
    assert drop("바보는 그림을 그린다", "바보") == "그림을 그린다"


def test_nothing_is_touched_where_nothing_was_dropped() -> None:
    prompt = "  a  b\u200bad   dog "
    assert drop(prompt, "cat") is prompt
    assert build().check(prompt).prompt is prompt


def test_a_word_that_appears_by_a_drop_is_found_too() -> None:
    lists = [
        WordList(name="soft", action=WordAction.DROP, words=("fluffy",)),
        WordList(name="hard", action=WordAction.REFUSE, words=("bad",)),
    ]
    verdict = WordFilter.build(lists, ()).check("b fluffy a d")
    assert [(match.word, match.start, match.end) for match in verdict.refused] == [("bad", 0, 12)]
    assert drop("b bad a d, a dog", "bad") == ", a dog"


def test_a_prompt_that_hides_a_word_again_and_again_is_refused() -> None:
    nested = {depth: "bad " * depth + "dog " * depth + "house" for depth in (4, 5, 6)}
    filter_ = build("bad dog", action=WordAction.DROP)
    assert drop(nested[4], "bad dog") == "house"
    assert [match.word for match in filter_.check(nested[5]).refused] == ["bad dog"]
    assert [match.word for match in filter_.check(nested[6]).refused] == ["bad dog"]


def test_an_entry_without_letters_matches_nothing() -> None:
    assert found("!!! * 😀", "!!!", "*", "😀") == []

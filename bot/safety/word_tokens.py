"""Text as the words a reader would see in it, each with its place in the original (pure).

Owns what counts as the same letter, what separates words and which Korean endings belong to a word. Must not
know lists or what follows from a match. Stands below `words`, which reads lists and prompts through it alike.

Letters are compared after NFKD and casefold: full-width, circled and accented letters are their plain ones,
what cannot be seen is nothing, everything that is neither letter nor digit separates. **Source** of the
properties: the Unicode Character Database in `unicodedata`; Hangul arithmetic: The Unicode Standard, 3.12.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from unicodedata import category, normalize

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FOLD_CACHE_CHARACTERS = 8192

# Letters that look like a Latin one in most typefaces, after casefold. Both sides are read through it, so a
# listed Cyrillic word still matches itself. Digits for letters are not among them: "4x4" is no word.
_LOOK_ALIKES = dict(zip("аеорсухіѕјһԁԛԝѵαορινκυıɑɡ", "aeopcyxisjhdqwvaopivkuiag", strict=True))
# Small capitals, which Unicode does not decompose either.
_LOOK_ALIKES |= dict(zip("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnoprstuvwyz", strict=True))
# Letters as flags' halves and in filled circles and squares, which Unicode does not decompose.
for _first in (0x1F1E6, 0x1F150, 0x1F170):
    _LOOK_ALIKES.update({chr(_first + place): chr(ord("a") + place) for place in range(26)})
_APOSTROPHES = "'\u2018\u2019\u02bc\u2032"
# They are letters to Unicode, and a blank to the eye.
_BLANK_LETTERS = "\u115f\u3164\uffa0"
# Accents that fit any letter, and selectors. Marks of other blocks are vowels of their scripts, and stay.
_IGNORED_MARKS = re.compile(
    "[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe00-\ufe2f\u1160\u17b4\u17b5\u180b-\u180f"
    "\U000e0000-\U000e0fff]"
)
_MARK = r"[^\w ']"
_KEPT_MARK = re.compile(_MARK)
_STOLEN_MARKS = re.compile(rf"(?<=[a-z0-9가-힣]){_MARK}+")

_JAMO = "[\u1100-\u11ff]"
_LOOSE_JAMO = re.compile(_JAMO)
_CONJOINED = re.compile("[\u1100-\u1112][\u1161-\u1175][\u11a8-\u11c2]?")
# As they are typed, in the order of the standard's tables.
_VOWEL_KEYS = "ㅏ ㅐ ㅑ ㅒ ㅓ ㅔ ㅕ ㅖ ㅗ ㅗㅏ ㅗㅐ ㅗㅣ ㅛ ㅜ ㅜㅓ ㅜㅔ ㅜㅣ ㅠ ㅡ ㅡㅣ ㅣ"
_FINAL_KEYS = (
    "ㄱ ㄲ ㄱㅅ ㄴ ㄴㅈ ㄴㅎ ㄷ ㄹ ㄹㄱ ㄹㅁ ㄹㅂ ㄹㅅ ㄹㅌ ㄹㅍ ㄹㅎ ㅁ ㅂ ㅂㅅ ㅅ ㅆ ㅇ ㅈ ㅊ ㅋ ㅌ ㅍ ㅎ"
)
_VOWELS = {normalize("NFKD", keys): place for place, keys in enumerate(_VOWEL_KEYS.split())}
_VOWELS |= {chr(0x1161 + place): place for place in range(21)}
_FINALS = {normalize("NFKD", keys): place for place, keys in enumerate(_FINAL_KEYS.split(), 1)}
# As one letter each: some decompose to finals, some to initials of old Korean.
_FINAL_LETTERS = "ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"
_FINALS |= {normalize("NFKD", letter): place for place, letter in enumerate(_FINAL_LETTERS, 1)}
_FINALS |= {chr(0x11A7 + place): place for place in range(1, 28)}


def _one_of(keys: dict[str, int]) -> str:
    return "|".join(sorted(keys, key=len, reverse=True))


# A syllable typed out letter by letter. A consonant before a vowel begins the next one, as on a keyboard, and
# the laughter behind a word is no part of it.
_NO_VOWEL = "(?![\u1161-\u1175])"
_TYPED_OUT = re.compile(
    f"([\u1100-\u1112])({_one_of(_VOWELS)})"
    f"(?:(?!([\u110f\u1112])\\3{_NO_VOWEL})({_one_of(_FINALS)}){_NO_VOWEL})?"
)

# Scripts written without spaces: each letter is a word, so that a listed one is found anywhere.
_EACH = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3041-\u3096\u309d-\u309f\u3400-\u9fff"
_EACH += "\U00020000-\U0003ffff"
_KATAKANA = "\u30a1-\u30fa\u30fc-\u30ff"
_OTHER = rf"[^ '가-힣\u1100-\u11ff{_EACH}{_KATAKANA}]"
_WORD = re.compile(
    # "don't" is no "don", while "dog's" is "dog" with its ending.
    rf"({_OTHER}+(?:(?<=n)'t(?!{_OTHER}))?)(?:'s(?!{_OTHER}))?|[가-힣]+"
    # A letter again and again is laughter or tears, apart from what stands before it.
    rf"|({_JAMO})\2+|(?:({_JAMO})(?!\3))+|(?:[{_KATAKANA}]{_MARK}*)+|[{_EACH}]{_MARK}*"
)
_SPELLED = re.compile(f"[^{_EACH}]")
# Words of one letter, which may stand before or behind a word that is spelled out.
_ONE_LETTER_WORDS = frozenset("ai이그저너나왜참")

_AFTER_ANY = (
    "의 에 에는 에도 에서 에서는 에서도 에게 에게는 에게서 한테 한테는 께 도 만 만은 만의 까지 까지도 부터 처럼"
    " 보다 마다 조차 밖에 하고 같은 같이 입니다"
)
_AFTER_CONSONANT = "은 이 을 과 아 이야 이랑 으로 으로는 이다 이고 이라고 이라는 이에요"
_AFTER_VOWEL = "는 가 를 와 야 랑 로 로는 라고 라는 예요"
_FITS: dict[str, str] = (
    dict.fromkeys(_AFTER_ANY.split(), "any")
    | dict.fromkeys(_AFTER_CONSONANT.split(), "consonant")
    | dict.fromkeys(_AFTER_VOWEL.split(), "vowel")
)
_PLURALS = ("님들", "들", "님")
_PLURALS_LAST = "들님"
# By their last letter, since most words of a prompt have none.
_ENDINGS: dict[str, list[tuple[str, str]]] = {letter: [] for letter in _PLURALS_LAST}
for _ending, _fits in _FITS.items():
    _ENDINGS.setdefault(_ending[-1], []).append((_ending, _fits))
_FINAL_RIEUL = 8


class Token(NamedTuple):
    """A word: how it is compared, and its place in the original."""

    key: str
    start: int
    end: int


class _Letters(NamedTuple):
    """Folded text; each of its characters comes from `starts` up to `ends` of the original."""

    text: str
    starts: Sequence[int]
    ends: Sequence[int]


def read_tokens(text: str) -> list[Token]:
    """The words in order; an ending that goes with a word lies within its place."""
    return _split(_fold_all(text))


def read_spelled(tokens: list[Token]) -> list[list[Token]]:
    """The same words with runs of single letters ("b a d") taken as one, in each way a reader might.

    Shape: empty without such a run; else up to four readings, since "a" or "I" may stand beside the word.
    """
    runs: list[tuple[int, int]] = []
    first = None
    for place, token in enumerate([*tokens, Token("  ", 0, 0)]):
        if len(token.key) == 1 and _SPELLED.match(token.key):
            first = place if first is None else first
        elif first is not None:
            if place - first > 1:
                runs.append((first, place))
            first = None
    readings: list[list[Token]] = []
    if not runs:
        return readings
    for before, behind in ((0, 0), (1, 0), (0, 1), (1, 1)):
        reading = _join(tokens, runs, before=before, behind=behind)
        if reading != tokens and reading not in readings:
            readings.append(reading)
    return readings


def find_stems(key: str) -> list[str]:
    """What a Korean word is without a particle, plural or honorific; nothing for other scripts."""
    if key[-1] not in _ENDINGS or not "가" <= key[0] <= "힣":
        return []
    stems = [
        key.removesuffix(ending)
        for ending, fits in _ENDINGS.get(key[-1], ())
        if key.endswith(ending) and key != ending and _agrees(key[-len(ending) - 1], ending, fits)
    ]
    stems += [
        stem.removesuffix(plural)
        for stem in (key, *stems)
        if stem[-1] in _PLURALS_LAST
        for plural in _PLURALS
        if stem.endswith(plural) and stem != plural
    ]
    return stems


def list_marks(text: str) -> tuple[str, ...]:
    """The accents in order: what the comparison of words leaves out."""
    if text.isascii():
        return ()
    return tuple(character for character in normalize("NFKD", text) if "\u0300" <= character <= "\u036e")


def _agrees(before: str, ending: str, fits: str) -> bool:
    """Particles agree with the sound before them, which tells "바보는" from a longer word."""
    final = (ord(before) - 0xAC00) % 28
    if ending.startswith("로") and final == _FINAL_RIEUL:
        return True
    return fits in {"any", "consonant" if final else "vowel"}


def _join(tokens: list[Token], runs: list[tuple[int, int]], *, before: int, behind: int) -> list[Token]:
    joined: list[Token] = []
    last = 0
    for first, stop in runs:
        start = first + (before if tokens[first].key in _ONE_LETTER_WORDS else 0)
        end = stop - (behind if tokens[stop - 1].key in _ONE_LETTER_WORDS else 0)
        if end - start < 2:
            continue
        run = tokens[start:end]
        text = "".join(token.key for token in run)
        joined += tokens[last:start]
        joined += _split(_Letters(text, [token.start for token in run], [token.end for token in run]))
        last = end
    return joined + tokens[last:]


def _split(letters: _Letters) -> list[Token]:
    text, starts, ends = _rewrite(letters, _LOOSE_JAMO, _TYPED_OUT, _compose)
    return [
        Token(match[1] or match[0], starts[match.start()], ends[match.end() - 1])
        for match in _WORD.finditer(text)
    ]


def _fold_all(text: str) -> _Letters:
    whole = _Letters(text, range(len(text)), range(1, len(text) + 1))
    whole = _rewrite(whole, _LOOSE_JAMO, _CONJOINED, lambda match: normalize("NFC", match[0]))
    folded = [_fold(character) for character in whole.text]
    joined = "".join(folded)
    if "" in folded or len(joined) != len(folded):
        starts: list[int] = []
        ends: list[int] = []
        for part, start, end in zip(folded, whole.starts, whole.ends, strict=True):
            starts += [start] * len(part)
            ends += [end] * len(part)
            if not part and ends:
                # What cannot be seen goes with the letter before it.
                ends[-1] = end
        whole = _Letters(joined, starts, ends)
    else:
        whole = whole._replace(text=joined)
    return _rewrite(whole, _KEPT_MARK, _STOLEN_MARKS, lambda _: "")


@lru_cache(maxsize=FOLD_CACHE_CHARACTERS)
def _fold(character: str) -> str:
    """The letters it stands for, a space for what separates, nothing for what cannot be seen."""
    if "가" <= character <= "힣":
        return character
    if character in _BLANK_LETTERS:
        return " "
    return "".join(map(_fold_plain, normalize("NFKD", normalize("NFKD", character).casefold())))


def _fold_plain(character: str) -> str:
    character = _LOOK_ALIKES.get(character, character)
    kind = category(character)
    if character in _APOSTROPHES:
        return "'"
    if kind in {"Cf", "Me"} or (kind == "Cc" and not character.isspace()) or _IGNORED_MARKS.match(character):
        return ""
    return character if kind[0] in "LNM" else " "


def _rewrite(
    letters: _Letters, hint: re.Pattern[str], pattern: re.Pattern[str], make: Callable[[re.Match[str]], str]
) -> _Letters:
    """Each match becomes the character or nothing that `make` answers, in the place of the whole.

    Shape: `hint` is a quick sign without which there can be no match.
    """
    if hint.search(letters.text) is None:
        return letters
    text = ""
    starts: list[int] = []
    ends: list[int] = []
    last = 0
    for match in pattern.finditer(letters.text):
        first, stop = match.span()
        starts += letters.starts[last:first]
        ends += letters.ends[last:first]
        made = make(match)
        text += letters.text[last:first] + made
        if made:
            starts.append(letters.starts[first])
            ends.append(letters.ends[stop - 1])
        else:
            ends[-1] = letters.ends[stop - 1]
        last = stop
    return _Letters(
        text + letters.text[last:], [*starts, *letters.starts[last:]], [*ends, *letters.ends[last:]]
    )


def _compose(match: re.Match[str]) -> str:
    initial, vowel, final = ord(match[1]) - 0x1100, _VOWELS[match[2]], _FINALS.get(match[4] or "", 0)
    return chr(0xAC00 + (initial * 21 + vowel) * 28 + final)

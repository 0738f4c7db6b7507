"""A server's banned words, found in a prompt however they are spelled (pure).

Owns the values of a word list, what a moderator may list, and the filter. Must not know where lists are kept
or what is said to the member. Stands before a job is taken: a refused prompt never reaches kvid, and words to
drop are cut from it. `word_tokens` decides what a word is.

Accents are ignored: a listed "bad" finds "bád", a listed "café" finds "cafe". Allowed words are compared with
their accents, so "año" can be allowed where "ano" is listed. Repeated letters are not collapsed, and digits
stand for no letters. A word listed with signs ("a$$", "c++") is found only with them. Letters kept apart
("b a d", "바 보") are read as a word only where each stands alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from typing import TYPE_CHECKING, Self
from unicodedata import category, normalize

from bot.safety.word_index import Pattern, PatternIndex
from bot.safety.word_signs import read_signed
from bot.safety.word_tokens import list_marks, read_spelled, read_tokens

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

LISTS_MAX = 10
WORDS_PER_LIST_MAX = 500
ALLOWED_WORDS_MAX = 500
# Discord's own bounds for what a server's AutoMod rules may list: six keyword rules of a thousand words, and
# a hundred allowed ones each, rounded up.
IMPORTED_WORDS_MAX = 6_000
IMPORTED_ALLOWED_MAX = 1_000
WORD_LENGTH_MAX = 60
# What the filter is measured with; a longer prompt is read to its end as well, in proportion.
PROMPT_LENGTH_MAX = 1000
# Cutting a word may bring the halves of another together.
DROP_ROUNDS_MAX = 4

_CLOSING = ",.;:!?)]}\u3001\u3002"


class WordAction(StrEnum):
    REFUSE = "refuse"
    DROP = "drop"


class WordProblem(StrEnum):
    EMPTY = "empty"
    TOO_LONG = "too_long"
    NO_LETTERS = "no_letters"
    CONTROL_CHARACTER = "control_character"
    TOO_MANY = "too_many"


class WordInvalid(ValueError):
    """A word that cannot be listed; `word` is its beginning."""

    def __init__(self, problem: WordProblem, word: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.word = word[:WORD_LENGTH_MAX]


@dataclass(frozen=True, slots=True, kw_only=True)
class WordList:
    """Words as moderators typed them.

    Shape: a word may be a phrase; `*` at its start or end stands for any letters, as in Discord's AutoMod.
    """

    name: str
    action: WordAction
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WordMatch:
    """A listed word, and its place in the original prompt with the ending that goes with it."""

    list_name: str
    word: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WordVerdict:
    """What was found, in the order of the prompt, and the prompt without the dropped words.

    Shape: of words that begin at one place the longest counts, for each action. `prompt` is the input itself
    where nothing was dropped, and may be empty where all was.
    """

    refused: tuple[WordMatch, ...]
    dropped: tuple[WordMatch, ...]
    prompt: str


def check_word(text: str) -> str:
    """The word as it is stored: composed, without surplus spaces, wildcards and invisible characters.

    **Raises** WordInvalid.
    """
    # Half of a surrogate pair comes out of JSON, and no database takes it.
    if any(category(character) in {"Cc", "Cs"} and not character.isspace() for character in text):
        raise WordInvalid(WordProblem.CONTROL_CHARACTER)
    visible = "".join(character for character in text if category(character) != "Cf")
    word = normalize("NFC", " ".join(visible.split()))
    # A wildcard that stands alone would open the word beside it.
    word = re.sub(r"^(?:\*+ )+|(?: \*+)+$", "", word)
    word = re.sub(r"^\*+|\*+$", "*", word)
    if not word:
        raise WordInvalid(WordProblem.EMPTY)
    if len(word) > WORD_LENGTH_MAX:
        raise WordInvalid(WordProblem.TOO_LONG, word)
    if not read_tokens(word):
        raise WordInvalid(WordProblem.NO_LETTERS, word)
    return word


def parse_words(text: str) -> list[str]:
    """What a moderator typed, one a line or between commas, in order and without doubles.

    **Raises** WordInvalid for the first word that cannot be listed, or for too many.
    """
    words: dict[str, str] = {}
    for part in re.split("[\n\r,\uff0c\u3001]", text):
        if part.strip():
            word = check_word(part)
            words.setdefault(normalize("NFKC", word).casefold(), word)
            if len(words) > WORDS_PER_LIST_MAX:
                raise WordInvalid(WordProblem.TOO_MANY)
    return list(words.values())


class WordFilter:
    """The lists of one server, compiled; immutable and safe to share."""

    __slots__ = ("_index", "_lists", "_signed")

    def __init__(self, lists: tuple[WordList, ...], index: PatternIndex | None, *, signed: bool) -> None:
        self._lists = lists
        self._index = index
        # Whether any word has signs.
        self._signed = signed

    @classmethod
    def build(
        cls,
        lists: Sequence[WordList],
        allowed: Collection[str],
        *,
        imported: WordList | None = None,
        imported_allowed: Collection[str] = (),
    ) -> Self:
        """Compile; entries without any letter are passed over, and a word in two lists belongs to one.

        Shape: to the first that refuses, else to the first. What is `imported` was typed elsewhere, counts
        as the last list, and has bounds of its own. Takes up to half a second with all lists full.

        **Raises** WordInvalid above `LISTS_MAX`, `WORDS_PER_LIST_MAX` or `ALLOWED_WORDS_MAX`, and for what is
        imported above `IMPORTED_WORDS_MAX` or `IMPORTED_ALLOWED_MAX`.
        """
        if (
            len(lists) > LISTS_MAX
            or len(allowed) > ALLOWED_WORDS_MAX
            or any(len(words.words) > WORDS_PER_LIST_MAX for words in lists)
            or (imported is not None and len(imported.words) > IMPORTED_WORDS_MAX)
            or len(imported_allowed) > IMPORTED_ALLOWED_MAX
        ):
            raise WordInvalid(WordProblem.TOO_MANY)
        if imported is not None:
            lists = [*lists, imported]
        patterns: dict[object, Pattern] = {}
        listed = [(word, owner) for owner, words in enumerate(lists) for word in words.words]
        listed.sort(key=lambda entry: lists[entry[1]].action is WordAction.DROP)
        for word, owner in [*listed, *((word, None) for word in (*allowed, *imported_allowed))]:
            pattern = _compile(word, owner)
            # Spellings that read the same are one pattern, so that the work for a prompt stays bounded.
            same = (pattern.keys, pattern.open_start, pattern.open_end, owner is None)
            if pattern.keys:
                patterns.setdefault(same, pattern).marks.update(pattern.marks)
        index = PatternIndex(list(patterns.values())) if listed else None
        signed = any(pattern.signed for pattern in patterns.values())
        return cls(tuple(lists), index, signed=signed)

    @property
    def word_count(self) -> int:
        """How many words are listed; 0: every prompt passes."""
        return sum(len(words.words) for words in self._lists)

    def check(self, prompt: str) -> WordVerdict:
        """What is refused and what is dropped; never raises.

        Shape: words that appear only once others were dropped count too. A prompt that still has one after
        `DROP_ROUNDS_MAX` rounds was made for it, and is refused by it.
        """
        text = prompt
        places: Sequence[int] = range(len(prompt))
        refused: dict[WordMatch, None] = {}
        dropped: dict[WordMatch, None] = {}
        for left in reversed(range(DROP_ROUNDS_MAX + 1)):
            cuts: list[tuple[int, int]] = []
            for pattern, owner, start, end in self._find(text):
                match = WordMatch(
                    list_name=owner.name, word=pattern.word, start=places[start], end=places[end - 1] + 1
                )
                if owner.action is WordAction.REFUSE or not left:
                    refused.setdefault(match)
                else:
                    dropped.setdefault(match)
                    cuts.append((start, end))
            if not cuts:
                break
            text, places = _cut(text, places, cuts)
        return WordVerdict(refused=_in_order(refused), dropped=_in_order(dropped), prompt=text)

    def _find(self, text: str) -> list[tuple[Pattern, WordList, int, int]]:
        """Listed words that no allowed one covers, in the order of the text; at each place the longest."""
        if self._index is None:
            return []
        tokens = read_tokens(text)
        readings = [tokens, *read_spelled(tokens), *(read_signed(text, tokens) if self._signed else ())]
        hits = {hit for reading in readings for hit in self._index.find(reading)}
        if not hits:
            return []
        # How far the allowed words reach that begin here or earlier.
        reach = [0] * (len(text) + 1)
        for pattern, start, end in hits:
            if pattern.owner is None and list_marks(text[start:end]) in pattern.marks:
                reach[start] = max(reach[start], end)
        reach = list(accumulate(reach, max))
        best: dict[tuple[int, WordAction], tuple[int, int, str, Pattern]] = {}
        for pattern, start, end in hits:
            if pattern.owner is not None and reach[start] < end:
                at = (start, self._lists[pattern.owner].action)
                hit = (-end, pattern.owner, pattern.word, pattern)
                best[at] = min(best.get(at, hit), hit, key=lambda hit: hit[:3])
        return sorted(
            ((pattern, self._lists[owner], at[0], -end) for at, (end, owner, _, pattern) in best.items()),
            key=lambda hit: (hit[2], hit[3]),
        )


def _compile(word: str, owner: int | None) -> Pattern:
    tokens = read_tokens(word)
    signed = read_signed(word, tokens)
    return Pattern(
        word=word,
        owner=owner,
        keys=tuple(token.key for token in (signed[0] if signed else tokens)),
        signed=bool(signed),
        open_start=word.startswith("*"),
        open_end=word.endswith("*"),
        marks={list_marks(word)},
    )


def _in_order(matches: dict[WordMatch, None]) -> tuple[WordMatch, ...]:
    return tuple(sorted(matches, key=lambda match: (match.start, match.end)))


def _cut(text: str, places: Sequence[int], cuts: list[tuple[int, int]]) -> tuple[str, list[int]]:
    """The text without the cuts, with the spaces around them tidied, and where each character stood."""
    out: list[str] = []
    kept: list[int] = []
    gone = {place for start, end in cuts for place in range(start, end)}
    after_cut = False
    for place, character in enumerate(text):
        if place in gone:
            after_cut = True
            continue
        if after_cut and character.isspace() and (not out or out[-1].isspace()):
            continue
        if after_cut and "".join(out).isspace():
            out, kept = [], []
        if after_cut and out and character in _CLOSING:
            while out and out[-1].isspace():
                del out[-1], kept[-1]
        elif after_cut and out and character.isalnum() and out[-1].isalnum():
            # Two words that only the dropped one kept apart.
            out.append(" ")
            kept.append(places[place - 1])
        out.append(character)
        kept.append(places[place])
        after_cut = False
    while after_cut and out and out[-1].isspace():
        del out[-1], kept[-1]
    return "".join(out), kept

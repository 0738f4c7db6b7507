"""Compiled words, found by the keys of a text's words (pure).

Owns the index alone: each word of a prompt costs a few look-ups, for one list or ten. Must not know lists,
actions or spelling. Stands between `words`, which fills and asks it, and `word_tokens`, whose keys it compares.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.safety.word_tokens import Token, find_stems

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

# By the two letters at the side where a key must agree: how long the keys are.
_Lengths = dict[str, set[int]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pattern:
    """A listed word, compiled.

    Shape: `owner` is the place of its list, None for an allowed word; an open side takes any letters. `marks`
    has the accents of every spelling that reads the same; `signed` when the keys have signs.
    """

    word: str
    owner: int | None
    keys: tuple[str, ...]
    signed: bool
    open_start: bool
    open_end: bool
    marks: set[tuple[str, ...]]


class _Node:
    """What may follow in a phrase: listed words end here, open ones with any letters behind, or go on."""

    __slots__ = ("after", "ends", "open_ends", "open_lengths")

    def __init__(self) -> None:
        self.after: dict[str, _Node] = {}
        self.ends: dict[str, list[Pattern]] = {}
        self.open_ends: dict[str, list[Pattern]] = {}
        self.open_lengths: _Lengths = {}

    def add(self, pattern: Pattern, keys: tuple[str, ...]) -> None:
        node = self
        for key in keys[:-1]:
            node = node.after.setdefault(key, _Node())
        if pattern.open_end:
            node.open_lengths.setdefault(keys[-1][:2], set()).add(len(keys[-1]))
        (node.open_ends if pattern.open_end else node.ends).setdefault(keys[-1], []).append(pattern)

    def walk(self, tokens: list[Token], forms: list[list[str]], place: int) -> Iterator[tuple[Pattern, int]]:
        """Patterns that match from `place` on, each with where its last word ends."""
        node: _Node | None = self
        while node is not None and place < len(tokens):
            key, _, end = tokens[place]
            for form in forms[place]:
                for pattern in node.ends.get(form, ()):
                    yield pattern, end
            if node.open_lengths:
                for length in _list_lengths(node.open_lengths, key[:2], key[:1]):
                    for pattern in node.open_ends.get(key[:length], ()):
                        yield pattern, end
            node = node.after.get(key)
            place += 1


class PatternIndex:
    """All patterns, looked up by whole words or by their first or last two letters."""

    __slots__ = (
        "_anywhere",
        "_anywhere_lengths",
        "_behind",
        "_behind_lengths",
        "_letters",
        "_root",
        "_starts",
    )

    def __init__(self, patterns: list[Pattern]) -> None:
        self._root = _Node()
        # What a word that ends with the key matches, and the node it reaches: "*foo", and "*foo bar".
        self._behind: dict[str, tuple[list[Pattern], _Node]] = {}
        self._behind_lengths: _Lengths = {}
        self._anywhere: dict[str, list[Pattern]] = {}
        self._anywhere_lengths: _Lengths = {}
        for pattern in patterns:
            self._add(pattern)
        self._starts = self._root.ends.keys() | self._root.after.keys()
        self._letters = {key for key in self._anywhere if len(key) == 1}

    def _add(self, pattern: Pattern) -> None:
        first, *others = pattern.keys
        if not pattern.open_start:
            self._root.add(pattern, pattern.keys)
        elif pattern.open_end and not others:
            self._anywhere_lengths.setdefault(first[:2], set()).add(len(first))
            self._anywhere.setdefault(first, []).append(pattern)
        else:
            self._behind_lengths.setdefault(first[-2:], set()).add(len(first))
            whole, node = self._behind.setdefault(first, ([], _Node()))
            if others:
                node.add(pattern, tuple(others))
            else:
                whole.append(pattern)

    def find(self, tokens: list[Token]) -> Iterator[tuple[Pattern, int, int]]:
        """Patterns with the start and end of what they match; the same one may come twice."""
        forms = [[token.key, *find_stems(token.key)] for token in tokens]
        root, opens = self._root, self._root.open_lengths
        for place, (key, start, end) in enumerate(tokens):
            # Most words of a prompt are in no list: a walk is begun only where one can match.
            if not self._starts.isdisjoint(forms[place]) or key[:2] in opens or key[:1] in opens:
                for pattern, last in root.walk(tokens, forms, place):
                    yield pattern, start, last
            if self._behind:
                for pattern, last in self._find_behind(tokens, forms, place):
                    yield pattern, start, last
            if self._anywhere:
                for inside in self._list_inside(key):
                    for pattern in self._anywhere[inside]:
                        yield pattern, start, end

    def _find_behind(
        self, tokens: list[Token], forms: list[list[str]], place: int
    ) -> Iterator[tuple[Pattern, int]]:
        for form in forms[place]:
            for length in _list_lengths(self._behind_lengths, form[-2:], form[-1:]):
                # A length beyond the word's cuts nothing off; what it finds again counts once.
                if behind := self._behind.get(form[-length:]):
                    for pattern in behind[0]:
                        yield pattern, tokens[place].end
                    # The word as it stands: within a phrase only the last word has an ending.
                    if form is forms[place][0]:
                        yield from behind[1].walk(tokens, forms, place + 1)

    def _list_inside(self, key: str) -> set[str]:
        """The keys of open words somewhere in this one."""
        lengths = self._anywhere_lengths
        found = {
            key[place : place + length]
            for place in range(len(key) - 1)
            if (pair := key[place : place + 2]) in lengths
            for length in lengths[pair]
        }
        return (found & self._anywhere.keys() if found else found) | self._letters.intersection(key)


def _list_lengths(lengths: _Lengths, two: str, one: str) -> Collection[int]:
    """How long the keys are that share these two letters, or are the one."""
    found = lengths.get(two, ())
    return (*found, 1) if one != two and one in lengths else found

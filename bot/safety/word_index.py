"""Compiled words, found by the keys of a text's words (pure).

Owns the index alone: a prompt costs the same for one list or ten, whatever is listed. Must not know lists,
actions or spelling. Stands between `words`, which fills and asks it, and `word_tokens`, whose keys it compares.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.safety.word_tokens import Token, find_stems

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pattern:
    """A listed word, compiled.

    Shape: `owner` is the place of its list, None for an allowed word; an open side takes any letters.
    """

    word: str
    owner: int | None
    keys: tuple[str, ...]
    open_start: bool
    open_end: bool
    marks: tuple[str, ...]


class _Node:
    """What may follow in a phrase: listed words end here, open ones with any letters behind, or go on."""

    __slots__ = ("after", "ends", "open_ends", "open_lengths")

    def __init__(self) -> None:
        self.after: dict[str, _Node] = {}
        self.ends: dict[str, list[Pattern]] = {}
        self.open_ends: dict[str, list[Pattern]] = {}
        self.open_lengths: set[int] = set()

    def add(self, pattern: Pattern, keys: tuple[str, ...]) -> None:
        node = self
        for key in keys[:-1]:
            node = node.after.setdefault(key, _Node())
        if pattern.open_end:
            node.open_lengths.add(len(keys[-1]))
        (node.open_ends if pattern.open_end else node.ends).setdefault(keys[-1], []).append(pattern)

    def walk(self, tokens: list[Token], forms: list[list[str]], place: int) -> Iterator[tuple[Pattern, int]]:
        """Patterns that match from `place` on, each with where its last word ends."""
        node: _Node | None = self
        while node is not None and place < len(tokens):
            key, end = tokens[place].key, tokens[place].end
            for form in forms[place]:
                for pattern in node.ends.get(form, ()):
                    yield pattern, end
            for length in node.open_lengths:
                for pattern in node.open_ends.get(key[:length], ()):
                    yield pattern, end
            node = node.after.get(key)
            place += 1


class PatternIndex:
    """All patterns, found by keys of their words, so that a prompt costs the same for one list or ten."""

    __slots__ = ("_anywhere", "_anywhere_lengths", "_behind", "_behind_lengths", "_root")

    def __init__(self, patterns: list[Pattern]) -> None:
        self._root = _Node()
        # The nodes reached by a word that ends with the key: "*foo", and "*foo bar".
        self._behind: dict[str, tuple[list[Pattern], _Node]] = {}
        self._anywhere: dict[str, list[Pattern]] = {}
        for pattern in patterns:
            self._add(pattern)
        self._behind_lengths = {len(key) for key in self._behind}
        self._anywhere_lengths: dict[str, set[int]] = {}
        for key in self._anywhere:
            self._anywhere_lengths.setdefault(key[:2], set()).add(len(key))

    def _add(self, pattern: Pattern) -> None:
        first, *others = pattern.keys
        if not pattern.open_start:
            self._root.add(pattern, pattern.keys)
        elif others:
            self._behind.setdefault(first, ([], _Node()))[1].add(pattern, tuple(others))
        elif pattern.open_end:
            self._anywhere.setdefault(first, []).append(pattern)
        else:
            self._behind.setdefault(first, ([], _Node()))[0].append(pattern)

    def find(self, tokens: list[Token]) -> Iterator[tuple[Pattern, int, int]]:
        """Patterns with the start and end of what they match."""
        forms = [[token.key, *find_stems(token.key)] for token in tokens]
        for place, token in enumerate(tokens):
            for pattern, end in self._root.walk(tokens, forms, place):
                yield pattern, token.start, end
            for form in forms[place] if self._behind else ():
                for length in self._behind_lengths:
                    # A longer key than the word is the word itself, and found once by its own length.
                    if length <= len(form) and (behind := self._behind.get(form[-length:])):
                        yield from ((pattern, token.start, token.end) for pattern in behind[0])
                        for pattern, end in behind[1].walk(tokens, forms, place + 1):
                            yield pattern, token.start, end
            for key in self._list_inside(token.key) if self._anywhere else ():
                yield from ((pattern, token.start, token.end) for pattern in self._anywhere[key])

    def _list_inside(self, key: str) -> set[str]:
        lengths = self._anywhere_lengths
        return {
            key[place : place + length]
            for place in range(len(key))
            for beginning in {key[place : place + 1], key[place : place + 2]}
            for length in lengths.get(beginning, ())
        } & self._anywhere.keys()

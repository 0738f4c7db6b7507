"""What moderators type into the panel's windows, read strictly (pure).

A number is read only where nobody could read it otherwise; everything else is a clear refusal, never a guess.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from zlib import crc32

from bot.caps.values import CREDITS_MAX, Cap
from bot.errors import AppError
from bot.safety.words import WORDS_PER_LIST_MAX, WordInvalid, WordProblem, parse_words
from cogs._panel_format import DAY_S, HOUR_S, MINUTE_S
from cogs._render import escape, number
from db.enums import BalancePeriod

# Fields of all windows. `typed` is quoted back when it is refused.
TYPED, PERIOD, UNIT = "typed", "period", "unit"
UNLIMITED = "unlimited"
PERIODS = (BalancePeriod.DAY, BalancePeriod.WEEK, BalancePeriod.MONTH)
UNIT_LENGTHS = {"second": 1, "minute": MINUTE_S, "hour": HOUR_S, "day": DAY_S}
DIGITS_MAX = 9
_GROUPED = re.compile(r"[0-9]{1,3}([,\u202f])[0-9]{3}(?:\1[0-9]{3})*")
SHOWN_MAX = 40
NAME_MAX = 40
# A refused text is quoted whole beside the reason, within the 4000 characters of a message.
WORDS_TYPED_MAX = 3_600
WORDS_SHOWN_MAX = 3_000
WORD_PROBLEM_KEYS = {
    WordProblem.EMPTY: "panelwords.no_letters",
    WordProblem.NO_LETTERS: "panelwords.no_letters",
    WordProblem.TOO_LONG: "panelwords.too_long",
    WordProblem.CONTROL_CHARACTER: "panelwords.control",
    WordProblem.TOO_MANY: "panelwords.too_many",
}

Values = dict[str, list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class BadWord:
    """The first word that cannot be listed."""

    key: str
    word: str


def first(values: Values, name: str) -> str:
    return (values.get(name) or [""])[0]


def read_number(typed: str, *, least: int, most: int) -> int:
    """A whole number in plain digits. **Raises** AppError saying what is possible."""
    shown = typed.strip()
    # With a comma, or as the panel itself writes thousands.
    grouped = _GROUPED.fullmatch(shown)
    digits = shown.replace(grouped[1], "") if grouped else shown
    if digits.isascii() and digits.isdigit() and len(digits) <= DIGITS_MAX and least <= int(digits) <= most:
        return int(digits)
    raise AppError("panel.number", typed=escape(shown, SHOWN_MAX), least=least, most=number(most))


def read_amount(values: Values, *, most: int = CREDITS_MAX) -> int | None:
    """Credits, or None for an empty field or "unlimited"."""
    typed = first(values, TYPED).strip()
    if not typed or typed.casefold() == UNLIMITED:
        return None
    return read_number(typed, least=0, most=most)


def read_cap(values: Values) -> Cap | None:
    """A cap; None for an empty field. "unlimited" is a cap without an end."""
    period = _read_period(first(values, PERIOD))
    if not first(values, TYPED).strip():
        return None
    return Cap(credits=read_amount(values), period=period)


def _read_period(chosen: str) -> BalancePeriod:
    return next((period for period in PERIODS if period.value == chosen), BalancePeriod.DAY)


def read_length(values: Values, *, most_s: int) -> int:
    """A length of time in seconds; an empty field is none."""
    typed = first(values, TYPED).strip()
    unit_s = UNIT_LENGTHS.get(first(values, UNIT), 1)
    return read_number(typed, least=0, most=most_s // unit_s) * unit_s if typed else 0


def read_name(values: Values) -> str:
    """The name of a word list. **Raises** AppError for none."""
    name = " ".join(first(values, TYPED).split())[:NAME_MAX]
    if not name or not escape(name):
        raise AppError("panelwords.no_name")
    return name


def read_words(
    typed: str, before: tuple[str, ...] = (), after: tuple[str, ...] = ()
) -> tuple[str, ...] | BadWord:
    """Words as they are stored, put between those of a list that were not shown."""
    try:
        parse_words(typed)
        read = parse_words("\n".join([*before, typed, *after]))
    except WordInvalid as error:
        return BadWord(key=WORD_PROBLEM_KEYS[error.problem], word=error.word)
    if len(read) > WORDS_PER_LIST_MAX:
        return BadWord(key=WORD_PROBLEM_KEYS[WordProblem.TOO_MANY], word="")
    return tuple(read)


# --- which list, which page of it ---


def key_of(name: str) -> str:
    """What stands for a word list's name in a custom_id."""
    return f"{crc32(name.encode('utf-8', 'replace')):08x}"


def digest_of(words: tuple[str, ...]) -> str:
    """Tells whether words are still those that a window was filled with."""
    return f"{crc32(chr(10).join(words).encode('utf-8', 'replace')):08x}"


def split_pages(words: tuple[str, ...]) -> list[tuple[int, int]]:
    """Ranges of words that fit into one window each; at least one."""
    pages: list[tuple[int, int]] = []
    start = length = 0
    for place, word in enumerate(words):
        if length + len(word) + 1 > WORDS_SHOWN_MAX:
            pages.append((start, place))
            start, length = place, 0
        length += len(word) + 1
    return [*pages, (start, len(words))]

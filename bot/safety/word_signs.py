"""Signs that belong to a word, such as those of "a$$", "sh!t", "c++" or "<3" (pure).

Owns which signs do, and where. Must not know lists. Stands between `word_tokens`, for which every sign only
separates, and `words`: by letters alone the listed "a$$" would be every "a".
"""

from __future__ import annotations

import re

from bot.safety.word_tokens import Token

# Not those that only punctuate: "bad!" and "(bad)" are "bad", and stars at an end are wildcards or bold type.
_BEHIND = "$€£¥₩¢@#&%+="
_BEFORE = _BEHIND + "!<:;"
_BETWEEN = _BEHIND + "!|*"
_WIDE = {ord(sign): chr(ord(sign) + 0xFEE0) for sign in _BEFORE + _BETWEEN if sign.isascii()}
_WIDE |= {ord("£"): "￡", ord("¥"): "￥", ord("₩"): "￦", ord("¢"): "￠"}
_PLAIN = {ord(wide): chr(sign) for sign, wide in _WIDE.items()}
_UNSEEN = "\u00ad\u200b-\u200f\u2060-\u2064\ufe00-\ufe0f\ufeff"


def _run_of(signs: str) -> re.Pattern[str]:
    every = f"[{re.escape(signs + signs.translate(_WIDE))}]"
    return re.compile(f"[{_UNSEEN}]*(?:{every}[{_UNSEEN}]*)+")


_RUN_BEHIND, _RUN_BEFORE, _RUN_BETWEEN = _run_of(_BEHIND), _run_of(_BEFORE), _run_of(_BETWEEN)
_UNSEEN_RUN = re.compile(f"[{_UNSEEN}]+")


def read_signed(text: str, tokens: list[Token]) -> list[list[Token]]:
    """The words of a text with the signs that touch them, in each way a reader might take them.

    Shape: empty where no sign touches a word; else the first reading takes all, the others leave out those
    before, behind, or both. Words with nothing but signs between them are one.
    """
    joined, between = _join(text, tokens)
    ends = [0, *(token.end for token in joined)]
    starts = [*(token.start for token in joined), len(text)]
    gaps = [text[end:start] for end, start in zip(ends, starts, strict=True)]
    # Backwards, since only what ends at the word counts.
    before = [_find_run(_RUN_BEFORE, gap[::-1])[::-1] for gap in gaps[:-1]]
    behind = [_find_run(_RUN_BEHIND, gap) for gap in gaps[1:]]
    if not between and not any(before) and not any(behind):
        return []
    readings: list[list[Token]] = []
    for with_before, with_behind in ((True, True), (False, True), (True, False), (False, False)):
        reading = [
            _extend(token, first if with_before else "", last if with_behind else "")
            for token, first, last in zip(joined, before, behind, strict=True)
        ]
        if reading not in readings:
            readings.append(reading)
    return readings


def _join(text: str, tokens: list[Token]) -> tuple[list[Token], bool]:
    """The words, those with only signs between them as one; whether there were any."""
    joined: list[Token] = []
    keys: list[str] = []
    for token in tokens:
        gap = text[joined[-1].end : token.start] if joined else ""
        if gap and _RUN_BETWEEN.fullmatch(gap):
            keys += [_clean(gap), token.key]
            joined[-1] = Token("", joined[-1].start, token.end)
        else:
            if joined:
                joined[-1] = joined[-1]._replace(key="".join(keys))
            keys = [token.key]
            joined.append(token)
    if joined:
        joined[-1] = joined[-1]._replace(key="".join(keys))
    return joined, len(joined) < len(tokens)


def _extend(token: Token, before: str, behind: str) -> Token:
    if not before and not behind:
        return token
    key = _clean(before) + token.key + _clean(behind)
    return Token(key, token.start - len(before), token.end + len(behind))


def _find_run(pattern: re.Pattern[str], gap: str) -> str:
    match = pattern.match(gap)
    return match[0] if match else ""


def _clean(signs: str) -> str:
    return _UNSEEN_RUN.sub("", signs.translate(_PLAIN))

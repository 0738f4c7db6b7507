"""Tables as CSV files that spreadsheets open rightly and cannot be attacked through (pure).

Owns the form of every cell. Must not know which tables exist, Discord or any language.

One rule for readers: a cell that begins with an apostrophe is text, and the text follows it. It stands
before what a spreadsheet would take for a formula, and before ids, which it would round to 15 digits.
**Source**: OWASP "CSV Injection" (owasp.org/www-community/attacks/CSV_Injection).
"""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum

# Discord takes 10 MiB from a bot without boosts; the form around the file needs a little.
EXPORT_BYTES_MAX = 8 * 1024 * 1024
# Excel cuts a longer cell silently.
CELL_CHARACTERS_MAX = 32_767
# Spreadsheets keep 15 digits of a number; a Discord id has 17 to 19.
EXACT_NUMBER_BELOW = 10**15

_BYTE_ORDER_MARK = "\ufeff"
_APOSTROPHE = "'"
_FORMULA_STARTS = ("=", "+", "-", "@")
# A spreadsheet set to another list separator cuts cells at that sign, quoted or not.
_FORMULA_AFTER_SEPARATOR = re.compile(r"""([;|][\s"']*)(?=[=+\-@＝＋－＠﹢﹣﹦﹫])""")
_LOOKS_LIKE_NUMBER = re.compile(r"\s*[\d.,]*\d[\d.,]*\s*(?:[eE][+-]?\d+)?\s*", re.ASCII)
# Marks that reorder what is read, and the byte order mark; joiners stay, emoji need them.
_UNSEEN = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0xFEFF])


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """Shape: `rows` are in the file besides its header; `left_out` more did not fit."""

    data: bytes
    rows: int
    left_out: int


def write_csv(
    header: Sequence[str], rows: Iterable[Sequence[object]], *, bytes_max: int = EXPORT_BYTES_MAX
) -> Export:
    """A table as a CSV file; what comes after the first row that does not fit is counted and left out.

    Shape: UTF-8 with a byte order mark (Excel guesses wrongly without), commas, CRLF, one line a row.
    Times are ISO 8601 in UTC, None is an empty cell, mappings and lists are JSON.
    Raises: ValueError for a row of another length than the header or a time without a zone, TypeError for
    a value of another kind.
    """
    data = bytearray(_BYTE_ORDER_MARK.encode())
    data += _write_row(header)
    written, waiting = 0, iter(rows)
    for row in waiting:
        if len(row) != len(header):
            raise ValueError(len(row))
        line = _write_row(row)
        if len(data) + len(line) > bytes_max:
            return Export(data=bytes(data), rows=written, left_out=1 + sum(1 for _ in waiting))
        data += line
        written += 1
    return Export(data=bytes(data), rows=written, left_out=0)


def _write_row(cells: Sequence[object]) -> bytes:
    line = io.StringIO(newline="")
    csv.writer(line, lineterminator="\r\n").writerow([render_cell(cell) for cell in cells])
    return line.getvalue().encode()


def render_cell(value: object) -> str:
    """One value as the text of its cell, before quoting.

    Raises: ValueError for a time without a zone, TypeError for a kind of value that has no form here.
    """
    match value:
        case None:
            return ""
        case Enum():
            return render_cell(value.value)
        case bool():
            return "true" if value else "false"
        case int():
            return str(value) if abs(value) < EXACT_NUMBER_BELOW else f"{_APOSTROPHE}{value}"
        case float() | Decimal():
            return str(value)
        case str():
            return _render_text(value)
        case datetime():
            return _render_time(value)
        case date():
            return value.isoformat()
        case Mapping() | list() | tuple():
            text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_render_json)
            return _render_text(text)
        case _:
            raise TypeError(type(value).__name__)


def _render_time(value: datetime) -> str:
    if value.utcoffset() is None:
        raise ValueError(value)
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _render_json(value: object) -> str:
    return _render_time(value) if isinstance(value, datetime) else str(value)


def _render_text(text: str) -> str:
    # A lone surrogate cannot be written as UTF-8.
    clean = text.encode("utf-8", "replace").decode()
    if not clean.isprintable():
        clean = "".join(" " if unicodedata.category(sign) in {"Cc", "Zl", "Zp"} else sign for sign in clean)
    clean = _FORMULA_AFTER_SEPARATOR.sub(rf"\1{_APOSTROPHE}", clean.translate(_UNSEEN).strip())
    if len(clean) >= CELL_CHARACTERS_MAX:
        clean = clean[: CELL_CHARACTERS_MAX - 2] + "…"
    # Full-width signs start formulas in East Asian spreadsheets.
    first = unicodedata.normalize("NFKC", clean[:1])
    if first.startswith((*_FORMULA_STARTS, _APOSTROPHE)) or _LOOKS_LIKE_NUMBER.fullmatch(clean):
        return _APOSTROPHE + clean
    return clean

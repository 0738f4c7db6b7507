"""Type: fitting a prompt onto a poster in a bold and a light face that both know Hangul.

Owns the fonts, wrapping and hierarchy. Knows no scenes. A character neither face has is replaced or left out.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from PIL import Image, ImageDraw, ImageFilter, ImageFont

if TYPE_CHECKING:
    from sandbox.kvid.pictures.moods import Colour

Face = Literal["bold", "light"]
FONTS = Path(__file__).resolve().parent.parent / "fonts"
FILES: dict[Face, str] = {"bold": "NanumSquareEB.ttf", "light": "NanumSquareL.ttf"}
SMALLEST_PX = 9
HEADLINE_CHARACTERS = 34
CHARACTERS_READ, CHARACTERS_SHOWN = 2_000, 400  # a prompt may be far longer than a poster can say
_MISSING = "\uffff"
# A headline does not end in one of these.
_LOOSE_ENDS = frozenset(
    (
        "a",
        "an",
        "the",
        "in",
        "on",
        "at",
        "of",
        "with",
        "and",
        "or",
        "for",
        "to",
        "from",
        "by",
        "wearing",
        "holding",
    )
)


@lru_cache(maxsize=64)
def load_font(face: Face, size_px: int) -> ImageFont.FreeTypeFont:
    # The basic layout engine draws the same everywhere; the other one depends on what the machine has installed.
    return ImageFont.truetype(FONTS / FILES[face], size_px, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=8_192)
def _has_glyph(character: str) -> bool:
    font = load_font("bold", 32)
    drawn, missing = font.getmask(character), font.getmask(_MISSING)
    return drawn.size != missing.size or bytes(drawn) != bytes(missing)


def clean(text: str) -> str:
    """Only what the fonts can show, in single spaces."""
    kept = []
    for character in unicodedata.normalize("NFC", text):
        if character.isspace():
            kept.append(" ")
        elif not character.isprintable():
            continue
        elif _has_glyph(character):
            kept.append(character)
        else:
            plain = unicodedata.normalize("NFKD", character)
            kept.extend(
                part
                for part in plain
                if not unicodedata.combining(part) and part.isprintable() and _has_glyph(part)
            )
    return re.sub(r" {2,}", " ", "".join(kept)).strip()


def split_prompt(prompt: str) -> tuple[str, str]:
    """Headline and the rest: the first clause, or as many first words as make a headline."""
    text = clean(prompt[:CHARACTERS_READ])[:CHARACTERS_SHOWN]
    clause = re.split(r"(?<=[^\d])[,.;:!?](?:\s|$)|\s[-–—|/]\s|[。，、]", text, maxsplit=1)[0].strip()
    if 0 < len(clause) <= HEADLINE_CHARACTERS:
        return clause, text[len(clause) :].strip(" ,.;:!?-–—|/。，、")
    words, taken = text.split(" "), ""
    while words and len(f"{taken} {words[0]}".strip()) <= HEADLINE_CHARACTERS - 6:
        taken = f"{taken} {words.pop(0)}".strip()
    while " " in taken and taken.rsplit(" ", 1)[1].casefold() in _LOOSE_ENDS:
        taken, last = taken.rsplit(" ", 1)
        words.insert(0, last)
    if not taken:
        return text[:HEADLINE_CHARACTERS], text[HEADLINE_CHARACTERS:]
    return taken, " ".join(words)


def wrap(text: str, font: ImageFont.FreeTypeFont, width: float, lines_max: int) -> tuple[list[str], bool]:
    """Lines no wider than `width`, and whether everything fitted; what does not fit ends in an ellipsis."""
    lines: list[str] = []
    line = ""
    rest = [piece for word in text.split(" ") for piece in _break_word(word, font, width)]
    for word in rest:
        longer = f"{line} {word}".strip()
        if font.getlength(longer) <= width:
            line = longer
            continue
        if len(lines) + 1 == lines_max:
            return [*lines, _end(line, font, width)], False
        lines.append(line)
        line = word
    return [*lines, line] if line else lines, True


def _break_word(word: str, font: ImageFont.FreeTypeFont, width: float) -> list[str]:
    if font.getlength(word) <= width:
        return [word]
    pieces, piece, taken = [], "", 0.0
    for character in word:
        step = font.getlength(character)
        if piece and taken + step > width:
            pieces.append(piece)
            piece, taken = "", 0.0
        piece += character
        taken += step
    return [*pieces, piece]


def _end(line: str, font: ImageFont.FreeTypeFont, width: float) -> str:
    while line and font.getlength(f"{line}…") > width:
        line = line[:-1]
    return f"{line.rstrip(' ,.;:')}…"


def _fit_headline(
    text: str, width: float, size_px: int, lines_max: int
) -> tuple[ImageFont.FreeTypeFont, list[str]]:
    for size in range(size_px, max(SMALLEST_PX, size_px // 3), -max(1, size_px // 16)):
        font = load_font("bold", size)
        lines, fits = wrap(text, font, width, lines_max)
        # A word cut in two is worse than a smaller size.
        if fits and all(font.getlength(word) <= width for word in text.split(" ")):
            return font, _balance(text, font, width, len(lines))
    font = load_font("bold", max(SMALLEST_PX, size_px // 3))
    return font, wrap(text, font, width, lines_max)[0]


def _balance(text: str, font: ImageFont.FreeTypeFont, width: float, count: int) -> list[str]:
    """The same number of lines, as even as they get: no lonely last word."""
    best = wrap(text, font, width, count)[0]
    for share in range(95, 45, -5):
        lines, fits = wrap(text, font, width * share / 100, count)
        if not fits or any(font.getlength(word) > width * share / 100 for word in text.split(" ")):
            break
        best = lines
    return best


def set_poster(
    image: Image.Image, prompt: str, credit: str, colours: tuple[Colour, Colour], *, centred: bool
) -> None:
    """Headline, a short rule, the rest of the prompt and the credit line, standing on the bottom margin.

    Shape: `colours` is (ink, accent).
    """
    ink, accent = colours
    unit = (image.width * image.height) ** 0.5
    margin = image.width * 0.07
    width = image.width - 2 * margin if image.width <= image.height * 1.2 else image.width * 0.62
    headline, rest = split_prompt(prompt)
    if headline.isascii():
        headline = headline.upper()
    big, lines = _fit_headline(headline, width, max(15, round(unit * 0.064)), 2)
    small = load_font("light", max(SMALLEST_PX + 2, round(unit * 0.0235)))
    tiny = load_font("light", max(SMALLEST_PX, round(unit * 0.0135)))
    body = wrap(rest, small, width * 0.94, 3)[0] if rest else []
    rows: list[tuple[str, ImageFont.FreeTypeFont, Colour, float]] = [
        (line, big, ink, big.size * 1.14) for line in lines
    ]
    rows.append(("", big, accent, small.size * 1.3))
    rows += [(line, small, ink, small.size * 1.45) for line in body]
    rows.append((clean(credit), tiny, accent, tiny.size * 2.4))
    y = image.height - margin * 0.85 - sum(row[3] for row in rows)
    shadow = Image.new("L", image.size, 0)
    placed = []
    for text, font, colour, advance in rows:
        x = (image.width - font.getlength(text)) / 2 if centred else margin
        offset = advance - font.size * 1.15 if font is tiny else 0
        placed.append((text, font, colour, x, y + offset))
        if text:
            ImageDraw.Draw(shadow).text((x, y + offset), text, font=font, fill=150)
        y += advance
    if sum(ink) > 380:
        image.paste((0, 0, 0), mask=shadow.filter(ImageFilter.GaussianBlur(unit * 0.008)))
    draw = ImageDraw.Draw(image)
    for text, font, colour, x, row_y in placed:
        if text:
            draw.text((x, row_y), text, font=font, fill=colour)
            continue
        length, thick = unit * 0.07, max(2, round(unit * 0.0035))
        left = (image.width - length) / 2 if centred else x
        top = row_y + small.size * 0.45
        draw.rectangle((left, top, left + length, top + thick), fill=colour)

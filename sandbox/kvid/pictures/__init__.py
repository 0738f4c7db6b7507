"""The painter: bytes of a picture for a generation, a size and a seed. Same input, same bytes.

Owns everything that is drawn. Pure apart from reading its own fonts: no HTTP, no jobs, no clock.
"""

from __future__ import annotations

from io import BytesIO
from random import Random
from typing import TYPE_CHECKING

from PIL import Image, ImageOps

if TYPE_CHECKING:
    from sandbox.kvid.contract import Generation

__all__ = ["draw_edit", "draw_picture", "find_size"]


def draw_picture(
    generation: Generation, size: tuple[int, int], seed: int, number: int, *, quick: bool
) -> bytes:
    random = Random(f"{seed}/{number}/{generation!r}")
    return _encode(_plain(size, random), generation.output_format)


def draw_edit(
    generation: Generation,
    sources: tuple[bytes, ...],
    size: tuple[int, int],
    seed: int,
    number: int,
    *,
    quick: bool,
) -> bytes:
    random = Random(f"{seed}/{number}/{generation!r}")
    with Image.open(BytesIO(sources[0])) as source:
        fitted = ImageOps.fit(source.convert("RGB"), size)
    return _encode(Image.blend(fitted, _plain(size, random), 0.4), generation.output_format)


def find_size(source: bytes) -> tuple[int, int]:
    return (1024, 1024)


def _plain(size: tuple[int, int], random: Random) -> Image.Image:
    first, second = ([random.randrange(256) for _ in range(3)] for _ in range(2))
    colours = Image.new("RGB", (1, 2))
    colours.putpixel((0, 0), tuple(first))
    colours.putpixel((0, 1), tuple(second))
    return colours.resize(size, Image.Resampling.BICUBIC)


def _encode(image: Image.Image, output_format: str) -> bytes:
    out = BytesIO()
    image.save(out, format=output_format.upper(), quality=90)
    return out.getvalue()

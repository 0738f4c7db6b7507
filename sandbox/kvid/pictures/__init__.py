"""The painter: bytes of a picture for a generation, a size and a seed. Same input, same bytes.

Owns everything that is drawn. Pure apart from reading its own fonts: no HTTP, no jobs, no clock.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from hashlib import sha256
from io import BytesIO
from random import Random
from typing import TYPE_CHECKING

from PIL import Image

from sandbox.kvid.pictures.edits import open_source, paint_edit
from sandbox.kvid.pictures.light import build_gradient
from sandbox.kvid.pictures.scenes import paint_poster

if TYPE_CHECKING:
    from sandbox.kvid.contract import Generation

__all__ = ["draw_picture", "draw_prepared", "draw_quick", "find_size"]

JPEG_QUALITY = 90
PREPARED_SIZES_MAX = 64
PREPARED_COLOUR = (122, 156, 240)
PNG_EFFORT = 3  # more would cost half a second for a tenth of the bytes


def draw_picture(
    generation: Generation, sources: tuple[bytes, ...], size: tuple[int, int], seed: int, number: int
) -> bytes:
    """Repeatable: the same arguments give the same bytes."""
    random = _choose_chance(generation, sources, seed, number)
    credit = f"KVID LOCAL   ·   SEED {seed}   ·   {size[0]} × {size[1]}"
    if sources:
        image = paint_edit(sources, generation.prompt, credit, size, random)
    else:
        image = paint_poster(generation.prompt, credit, size, random)
    return encode(image, generation.output_format)


def draw_quick(
    generation: Generation, sources: tuple[bytes, ...], size: tuple[int, int], seed: int, number: int
) -> bytes:
    """A plain gradient, for load tests that should not measure the painter."""
    random = _choose_chance(generation, sources, seed, number)
    top, bottom = ((random.randrange(256), random.randrange(256), random.randrange(256)) for _ in range(2))
    return encode(build_gradient(size, (top, bottom)), generation.output_format)


@lru_cache(maxsize=PREPARED_SIZES_MAX)
def draw_prepared(size: tuple[int, int], output_format: str) -> bytes:
    """The one small flat picture of a size and format, drawn once: for runs of thousands of jobs."""
    return encode(Image.new("RGB", size, PREPARED_COLOUR), output_format)


def _choose_chance(generation: Generation, sources: tuple[bytes, ...], seed: int, number: int) -> Random:
    """Everything that was asked decides; of a source, what it shows and not where it lay."""
    asked = replace(generation, seed=seed, source_urls=())
    shown = "/".join(sha256(source).hexdigest() for source in sources)
    return Random(f"{number}/{asked!r}/{shown}")


def encode(image: Image.Image, output_format: str) -> bytes:
    out = BytesIO()
    if output_format == "jpeg":
        image.save(out, format="JPEG", quality=JPEG_QUALITY)
    else:
        image.save(out, format="PNG", compress_level=PNG_EFFORT)
    return out.getvalue()


def find_size(source: bytes, longest: int, shortest: int, step: int) -> tuple[int, int]:
    """The source's shape at the contract's largest size, in whole steps."""
    image = open_source(source)
    scale = longest / max(image.size)
    width, height = (min(longest, max(shortest, round(side * scale / step) * step)) for side in image.size)
    return width, height

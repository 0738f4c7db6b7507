"""Light and air: gradients, beams, glows, bokeh, falling things, grain and vignette.

Owns everything soft. Knows no figures and no words; scenes call it before and after they place their shapes.
Soft light is painted at a quarter of the size and enlarged: nobody sees the difference, and it costs a sixteenth.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

from PIL import Image, ImageChops, ImageDraw, ImageFilter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from sandbox.kvid.pictures.moods import Colour

Point = tuple[float, float]
Size = tuple[int, int]
WHITE: Colour = (255, 255, 255)
SOFT = 4  # soft layers are this many times smaller than the picture


def build_gradient(size: Size, stops: Sequence[Colour]) -> Image.Image:
    column = Image.new("RGB", (1, len(stops)))
    column.putdata(list(stops))
    return column.resize(size, Image.Resampling.BICUBIC)


@lru_cache(maxsize=8)
def _disc(power: float) -> Image.Image:
    """A round light: 255 in the middle, 0 at the rim."""
    return Image.radial_gradient("L").point(
        [
            round(255 * max(0.0, 1 - distance / 181) ** power) if distance < 181 else 0
            for distance in range(256)
        ]
    )


@lru_cache(maxsize=1)
def _hard_disc() -> Image.Image:
    disc = Image.new("L", (128, 128), 0)
    draw = ImageDraw.Draw(disc)
    draw.ellipse((2, 2, 125, 125), fill=215)
    draw.ellipse((9, 9, 118, 118), fill=150)
    return disc.filter(ImageFilter.GaussianBlur(2))


def _lay(
    image: Image.Image, mask: Image.Image, centre: Point, colour: Colour, *, screen: bool = True
) -> None:
    left, top = round(centre[0] - mask.width / 2), round(centre[1] - mask.height / 2)
    box = (
        max(left, 0),
        max(top, 0),
        min(left + mask.width, image.width),
        min(top + mask.height, image.height),
    )
    if box[0] >= box[2] or box[1] >= box[3]:
        return
    part = mask.crop((box[0] - left, box[1] - top, box[2] - left, box[3] - top))
    solid = Image.new("RGB", part.size, colour)
    image.paste(ImageChops.screen(image.crop(box), solid) if screen else solid, box, part)


def add_glow(image: Image.Image, centre: Point, radius: float, colour: Colour, strength: float = 1.0) -> None:
    side = max(2, round(radius * 2))
    mask = _disc(2.2).resize((side, side), Image.Resampling.BILINEAR)
    if strength < 1:
        mask = mask.point([round(value * strength) for value in range(256)])
    _lay(image, mask, centre, colour)


class SoftLight:
    """A small layer that collects beams and glows, then lights the picture once."""

    def __init__(self, size: Size) -> None:
        self._size = size
        self._layer = Image.new("RGB", (max(size[0] // SOFT, 1), max(size[1] // SOFT, 1)))

    def glow(self, centre: Point, radius: float, colour: Colour, strength: float = 1.0) -> None:
        add_glow(self._layer, (centre[0] / SOFT, centre[1] / SOFT), radius / SOFT, colour, strength)

    def beam(self, source: Point, angle: float, spread: float, reach: float, colour: Colour) -> None:
        """Units: angles in radians from straight down; lengths in pixels of the picture."""
        x, y, far = source[0] / SOFT, source[1] / SOFT, reach / SOFT
        mask = Image.new("L", self._layer.size, 0)
        draw = ImageDraw.Draw(mask)
        for share, level in ((1.0, 60), (0.62, 105), (0.28, 165)):
            ends = [
                (x + far * math.sin(a), y + far * math.cos(a))
                for a in (angle - spread * share, angle + spread * share)
            ]
            draw.polygon([(x - share, y), (x + share, y), ends[1], ends[0]], fill=level)
        mask = mask.filter(ImageFilter.GaussianBlur(max(1.0, far * spread * 0.05)))
        fade = Image.new("L", self._layer.size, 0)
        side = max(2, round(far * 2))
        fade.paste(_disc(1.15).resize((side, side)), (round(x - far), round(y - far)))
        _lay(
            self._layer,
            ImageChops.multiply(mask, fade),
            (self._layer.width / 2, self._layer.height / 2),
            colour,
        )

    def shine_on(self, image: Image.Image, blur: float = 0.0) -> None:
        layer = self._layer.filter(ImageFilter.GaussianBlur(blur)) if blur else self._layer
        image.paste(ImageChops.screen(image, layer.resize(self._size, Image.Resampling.BICUBIC)))


def add_bokeh(
    image: Image.Image, random: Random, colours: Sequence[Colour], count: int, band: tuple[float, float]
) -> None:
    """Out-of-focus lights between two heights (shares of the picture)."""
    unit = math.sqrt(image.width * image.height)
    for _ in range(count):
        side = max(
            4, round(unit * random.choice((0.012, 0.018, 0.026, 0.04, 0.06)) * random.uniform(0.8, 1.3))
        )
        level = random.uniform(0.12, 0.5) * (0.6 if side > unit * 0.04 else 1)
        mask = _hard_disc().resize((side, side), Image.Resampling.LANCZOS)
        mask = mask.point([round(value * level) for value in range(256)])
        where = random.uniform(0, image.width), random.uniform(*band) * image.height
        _lay(image, mask, where, random.choice(colours))


def add_sparkles(
    image: Image.Image, random: Random, colour: Colour, count: int, band: tuple[float, float] = (0, 0.8)
) -> None:
    """Four-pointed stars with a soft heart."""
    unit = math.sqrt(image.width * image.height)
    for _ in range(count):
        x, y = random.uniform(0, image.width), random.uniform(*band) * image.height
        arm = unit * random.choice((0.006, 0.009, 0.014, 0.024)) * random.uniform(0.7, 1.3)
        side = max(6, round(arm * 2)) * 3
        star = Image.new("L", (side, side), 0)
        middle, thin = side / 2, side * 0.035
        ImageDraw.Draw(star).polygon(
            [
                (middle, 0), (middle + thin, middle - thin), (side, middle), (middle + thin, middle + thin),
                (middle, side), (middle - thin, middle + thin), (0, middle), (middle - thin, middle - thin),
            ],
            fill=round(random.uniform(130, 255)),
        )  # fmt: skip
        add_glow(image, (x, y), arm * 1.4, colour, 0.5)
        _lay(image, star.reduce(3), (x, y), WHITE)


def add_confetti(image: Image.Image, random: Random, colours: Sequence[Colour], count: int) -> None:
    unit = math.sqrt(image.width * image.height)
    for _ in range(count):
        depth = random.choice((0.5, 0.8, 1.0, 1.8))
        width, height = unit * 0.011 * depth, unit * 0.006 * depth * random.uniform(0.4, 1.3)
        angle, side = random.uniform(0, math.tau), max(4, round(width * 1.6)) * 3
        corners = []
        for along, across in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
            dx, dy = along * width * 1.5, across * height * 1.5
            corners.append((
                side / 2 + dx * math.cos(angle) - dy * math.sin(angle),
                side / 2 + dx * math.sin(angle) + dy * math.cos(angle),
            ))  # fmt: skip
        piece = Image.new("L", (side, side), 0)
        ImageDraw.Draw(piece).polygon(corners, fill=round(random.uniform(120, 235)))
        if depth > 1:
            piece = piece.filter(ImageFilter.GaussianBlur(side * 0.06))
        where = random.uniform(0, image.width), random.uniform(0, 0.85) ** 1.2 * image.height
        _lay(image, piece.reduce(3), where, random.choice(colours), screen=False)


def add_snow(image: Image.Image, random: Random, count: int) -> None:
    unit = math.sqrt(image.width * image.height)
    for _ in range(count):
        radius = unit * random.choice((0.002, 0.003, 0.004, 0.006, 0.011)) * random.uniform(0.7, 1.4)
        side = max(3, round(radius * 2.6))
        level = random.uniform(0.5, 0.95)
        flake = _disc(1.2).resize((side, side)).point([round(value * level) for value in range(256)])
        where = random.uniform(0, image.width), random.uniform(0, image.height)
        _lay(image, flake, where, WHITE, screen=False)


def add_rain(image: Image.Image, random: Random, count: int) -> None:
    layer = Image.new("L", image.size, 0)
    draw = ImageDraw.Draw(layer)
    unit = math.sqrt(image.width * image.height)
    for _ in range(count):
        x, y = random.uniform(-0.1, 1.1) * image.width, random.uniform(-0.1, 1) * image.height
        length = unit * random.uniform(0.03, 0.09)
        draw.line(
            (x, y, x - length * 0.16, y + length),
            fill=random.randrange(30, 105),
            width=max(1, round(unit / 700)),
        )
    _lay(
        image,
        layer.filter(ImageFilter.GaussianBlur(0.6)),
        (image.width / 2, image.height / 2),
        (220, 232, 255),
    )


def finish(image: Image.Image, random: Random, *, grain: float = 1.0, vignette: float = 0.5) -> Image.Image:
    """The last pass: darker corners and film grain."""
    # The radial gradient runs from 0 in the middle to 255 at the sides; corners lie beyond it and are cut off.
    edge = Image.radial_gradient("L").resize((round(image.width * 1.5), round(image.height * 1.5)))
    left, top = (edge.width - image.width) // 2, (edge.height - image.height) // 2
    edge = edge.crop((left, top, left + image.width, top + image.height)).point(
        [round(255 * (1 - vignette * (value / 255) ** 2.6)) for value in range(256)]
    )
    image = ImageChops.multiply(image, Image.merge("RGB", (edge, edge, edge)))
    noise = Image.frombytes("L", image.size, random.randbytes(image.width * image.height))
    noise = noise.filter(ImageFilter.GaussianBlur(0.55)).point(
        [round(128 + (value - 128) * 0.13 * grain) for value in range(256)]
    )
    return ImageChops.overlay(image, Image.merge("RGB", (noise, noise, noise)))

"""A portrait bust in flat planes: hair, face with closed eyes, neck and shoulders, lit in the mood's two colours.

Owns the face. Lengths are in face heights around the face's middle, y downwards; scenes say where and how large.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from sandbox.kvid.pictures.light import add_glow
from sandbox.kvid.pictures.moods import mix

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from sandbox.kvid.pictures.light import Point
    from sandbox.kvid.pictures.moods import Colour, Mood

WHITE: Colour = (255, 255, 255)
SKIN: Colour = (255, 222, 206)
SCALE = 2

_FACE = (
    (0, -0.5),
    (0.2, -0.47),
    (0.325, -0.3),
    (0.352, -0.04),
    (0.325, 0.16),
    (0.25, 0.33),
    (0.13, 0.455),
    (0, 0.505),
)
_NECK = ((0.145, 0.2), (0.15, 0.62), (0.24, 0.78), (0.62, 0.93), (0.86, 1.12), (0.98, 1.6), (0.98, 2.6))
_CROWN = ((0, -0.69), (0.2, -0.655), (0.36, -0.53), (0.45, -0.3))
_BACK_HAIR: dict[str, tuple[Point, ...]] = {
    "long": (*_CROWN, (0.49, 0.0), (0.53, 0.45), (0.6, 0.9), (0.5, 1.35), (0.2, 1.2)),
    "wave": (
        *_CROWN,
        (0.53, 0.0),
        (0.5, 0.3),
        (0.64, 0.6),
        (0.58, 0.88),
        (0.72, 1.15),
        (0.5, 1.3),
        (0.2, 1.1),
    ),
    "bob": (*_CROWN, (0.52, 0.0), (0.54, 0.3), (0.46, 0.5), (0.25, 0.46)),
    "up": (*_CROWN, (0.43, -0.1), (0.36, 0.15), (0.2, 0.3)),
}
_BUN = ((0, -0.98), (0.16, -0.93), (0.23, -0.78), (0.17, -0.64), (0, -0.6))
_FRINGE: dict[str, tuple[tuple[Point, ...], ...]] = {
    "curtain": (
        ((0.05, -0.5), (-0.08, -0.34), (-0.22, -0.16), (-0.31, 0.1), (-0.37, 0.3), (-0.44, 0.05), (-0.46, -0.28),
         (-0.36, -0.53), (-0.18, -0.66), (0.02, -0.68)),
        ((0.03, -0.5), (0.14, -0.36), (0.25, -0.18), (0.32, 0.08), (0.37, 0.28), (0.45, 0.05), (0.46, -0.28),
         (0.36, -0.53), (0.2, -0.655), (0.02, -0.68)),
    ),
    "full": (
        ((-0.36, 0.12), (-0.31, -0.12), (-0.18, -0.15), (0.0, -0.17), (0.18, -0.15), (0.31, -0.12), (0.36, 0.12),
         (0.45, -0.1), (0.44, -0.34), (0.35, -0.54), (0.2, -0.655), (0, -0.69), (-0.2, -0.655), (-0.35, -0.54),
         (-0.44, -0.34), (-0.45, -0.1)),
    ),
    "swept": (
        ((0.26, -0.5), (0.08, -0.36), (-0.14, -0.24), (-0.3, -0.06), (-0.36, 0.16), (-0.45, -0.06), (-0.45, -0.3),
         (-0.34, -0.54), (-0.16, -0.66), (0.08, -0.68)),
        ((0.2, -0.52), (0.31, -0.3), (0.35, -0.02), (0.4, 0.12), (0.46, -0.1), (0.45, -0.32), (0.35, -0.54),
         (0.2, -0.655), (0.05, -0.68)),
    ),
}  # fmt: skip


def _mirror(half: Sequence[Point]) -> list[Point]:
    return [*half, *((-x, y) for x, y in reversed(half) if x)]


def _smooth(points: Sequence[Point], steps: int = 8) -> list[Point]:
    """A closed curve through the points (Catmull-Rom)."""
    curve = []
    count = len(points)
    for index in range(count):
        before, start, end, after = (points[(index + shift) % count] for shift in (-1, 0, 1, 2))
        for step in range(steps):
            t = step / steps
            curve.append(tuple(
                0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t * t + (3 * b - a - 3 * c + d) * t**3)
                for a, b, c, d in zip(before, start, end, after, strict=True)
            ))  # fmt: skip
    return [(point[0], point[1]) for point in curve]


class _Easel:
    """Places face coordinates on the picture, a little tilted."""

    def __init__(self, image: Image.Image, centre: Point, face: float, tilt: float) -> None:
        self.image, self.centre, self.face = image, centre, face
        self._sine, self._cosine = math.sin(tilt), math.cos(tilt)

    def place(self, point: Point) -> Point:
        x, y = point
        # The neck stands upright; only what is above the chin tilts.
        weight = min(1.0, max(0.0, (1.0 - y) / 0.6))
        sine, cosine = self._sine * weight, 1 + (self._cosine - 1) * weight
        return self.centre[0] + (x * cosine - y * sine) * self.face, self.centre[1] + (
            x * sine + y * cosine
        ) * self.face

    def mask(self, *shapes: Sequence[Point], smooth: bool = True, soft: float = 0.0) -> Image.Image:
        curves = [[self.place(point) for point in (_smooth(shape) if smooth else shape)] for shape in shapes]
        room = math.ceil(soft * self.face * 3)
        left = max(0, math.floor(min(x for curve in curves for x, _ in curve)) - room)
        top = max(0, math.floor(min(y for curve in curves for _, y in curve)) - room)
        right = min(self.image.width, math.ceil(max(x for curve in curves for x, _ in curve)) + 1 + room)
        bottom = min(self.image.height, math.ceil(max(y for curve in curves for _, y in curve)) + 1 + room)
        mask = Image.new("L", self.image.size, 0)
        if left < right and top < bottom:
            part = Image.new("L", ((right - left) * SCALE, (bottom - top) * SCALE), 0)
            draw = ImageDraw.Draw(part)
            for curve in curves:
                draw.polygon([((x - left) * SCALE, (y - top) * SCALE) for x, y in curve], fill=255)
            part = part.reduce(SCALE)
            mask.paste(part.filter(ImageFilter.GaussianBlur(soft * self.face)) if soft else part, (left, top))
        return mask

    def stroke(self, points: Sequence[Point], width: float, colour: Colour) -> None:
        """A line that swells in the middle and is thin at both ends."""
        count = len(points)
        upper, lower = [], []
        for index, (x, y) in enumerate(points):
            swell = width * math.sin(math.pi * (index + 0.5) / count) + 0.0015
            upper.append((x, y - swell))
            lower.append((x, y + swell))
        mask = self.mask([*upper, *reversed(lower)], smooth=False)
        box = mask.getbbox()
        if box:
            self.image.paste(colour, box, mask.crop(box))


def draw_bust(image: Image.Image, mood: Mood, random: Random, centre: Point, face: float) -> None:
    """`face` is the height of the face in pixels."""
    easel = _Easel(image, centre, face, random.choice((-1, 1)) * random.uniform(0.04, 0.13))
    hair_colour = mix(mood.shade, mood.named[0] if mood.named else mood.second, random.uniform(0.28, 0.5))
    skin = _light_skin(mood)
    cut = random.choice(tuple(_BACK_HAIR))
    back = easel.mask(_mirror(_BACK_HAIR[cut]))
    if cut == "up":
        back = ImageChops.lighter(back, easel.mask(_mirror(_BUN)))
    image.paste(
        _grade(image.size, mix(hair_colour, mood.shade, 0.45), mix(mood.shade, mood.second, 0.15)), mask=back
    )
    neck = easel.mask(_mirror(_NECK), smooth=False, soft=0.012)
    neck = neck.point([min(255, max(0, (value - 128) * 4 + 128)) for value in range(256)])
    image.paste(_grade(image.size, skin[0], mix(skin[1], mood.shade, 0.2)), mask=neck)
    under_chin = easel.mask([(-0.3, 0.3), (0.3, 0.3), (0.17, 0.62), (0, 0.68), (-0.17, 0.62)], soft=0.035)
    image.paste(mix(skin[1], mood.shade, 0.34), mask=ImageChops.multiply(under_chin, neck))
    _draw_top(easel, mood, neck)
    face_mask = easel.mask(_mirror(_FACE))
    image.paste(_grade(image.size, skin[0], skin[1]), mask=face_mask)
    _draw_makeup(easel, mood, face_mask)
    _draw_features(easel, mood)
    fringe_shapes = _FRINGE[random.choice(tuple(_FRINGE))]
    cast = ImageChops.offset(easel.mask(*fringe_shapes, soft=0.03), 0, round(face * 0.03))
    image.paste(
        mix(skin[1], mood.shade, 0.4),
        mask=ImageChops.multiply(cast.point([v * 6 // 10 for v in range(256)]), face_mask),
    )
    fringe = easel.mask(*fringe_shapes)
    image.paste(_grade(image.size, hair_colour, mix(hair_colour, mood.shade, 0.5)), mask=fringe)
    hair = ImageChops.lighter(fringe, ImageChops.subtract(back, ImageChops.lighter(face_mask, neck)))
    _draw_strands(easel, mood, hair, random)
    _rim(image, mood, ImageChops.lighter(ImageChops.lighter(back, neck), face_mask), face)


def _light_skin(mood: Mood) -> tuple[Colour, Colour]:
    if mood.is_light:
        return mix(SKIN, WHITE, 0.25), mix(SKIN, mood.first, 0.22)
    return mix(mix(SKIN, mood.first, 0.2), WHITE, 0.1), mix(mix(SKIN, mood.second, 0.42), mood.shade, 0.22)


def _grade(size: tuple[int, int], left: Colour, right: Colour) -> Image.Image:
    row = Image.new("RGB", (4, 1))
    row.putdata([left, mix(left, right, 0.25), mix(left, right, 0.75), right])
    return row.resize(size, Image.Resampling.BICUBIC)


def _draw_top(easel: _Easel, mood: Mood, neck: Image.Image) -> None:
    """An off-the-shoulder stage top with a shining seam."""
    line = [(-1.1, 1.12), (-0.6, 1.2), (0, 1.32), (0.6, 1.2), (1.1, 1.12)]
    top = ImageChops.multiply(easel.mask([*line, (1.2, 3.0), (-1.2, 3.0)], smooth=False), neck)
    tone = mix(mood.shade, mood.first, 0.45)
    easel.image.paste(_grade(easel.image.size, tone, mix(mood.shade, mood.second, 0.3)), mask=top)
    easel.stroke([(-0.85, 1.16), *line[1:-1], (0.85, 1.16)], 0.012, mix(mood.first, WHITE, 0.5))


def _draw_makeup(easel: _Easel, mood: Mood, face_mask: Image.Image) -> None:
    painted = easel.image.copy()
    for side in (-1, 1):
        add_glow(
            painted,
            easel.place((side * 0.2, 0.13)),
            easel.face * 0.15,
            mix((255, 90, 110), mood.first, 0.4),
            0.4,
        )
        shadow = easel.mask(
            [(side * 0.07, -0.0), (side * 0.16, -0.085), (side * 0.28, -0.06), (side * 0.25, 0.03)], soft=0.02
        )
        painted.paste(mix(mood.first, mood.second, 0.3), mask=shadow.point([v * 6 // 10 for v in range(256)]))
        add_glow(painted, easel.place((side * 0.19, 0.065)), easel.face * 0.06, WHITE, 0.4)
    nose = easel.mask([(-0.012, -0.05), (0.012, -0.05), (0.028, 0.16), (-0.004, 0.17)], soft=0.012)
    painted.paste(WHITE, mask=nose.point([v * 3 // 10 for v in range(256)]))
    easel.image.paste(painted, mask=face_mask)


def _draw_features(easel: _Easel, mood: Mood) -> None:
    ink = mix(mood.shade, (30, 16, 24), 0.6)
    for side in (-1, 1):
        lid = [
            (side * (0.075 + 0.18 * t), 0.015 + 0.045 * math.sin(math.pi * (0.1 + t * 0.85)) - 0.02 * t)
            for t in _spread(13)
        ]
        easel.stroke(lid, 0.0085, ink)
        for t in (0.45, 0.6, 0.75, 0.88, 1.0):
            x, y = lid[round(t * 12)]
            easel.stroke(
                [(x, y), (x + side * 0.012 * t, y + 0.02), (x + side * 0.04 * t, y + 0.032)], 0.003, ink
            )
        brow = [
            (side * (0.07 + 0.2 * t), -0.105 - 0.035 * math.sin(math.pi * (0.15 + 0.75 * t)) + 0.015 * t)
            for t in _spread(9)
        ]
        easel.stroke(brow, 0.011, mix(ink, SKIN, 0.2))
        nostril = [(side * 0.022, 0.188), (side * 0.036, 0.193), (side * 0.046, 0.186)]
        easel.stroke(nostril, 0.003, mix(ink, SKIN, 0.45))
    rouge = mix((222, 48, 84), mood.first, 0.35)
    upper = [
        (-0.1, 0.29),
        (-0.045, 0.268),
        (-0.015, 0.258),
        (0, 0.266),
        (0.015, 0.258),
        (0.045, 0.268),
        (0.1, 0.29),
        (0, 0.3),
    ]
    lower = [(-0.095, 0.291), (0, 0.302), (0.095, 0.291), (0.055, 0.333), (0, 0.345), (-0.055, 0.333)]
    easel.image.paste(mix(rouge, mood.shade, 0.25), mask=easel.mask(upper))
    easel.image.paste(rouge, mask=easel.mask(lower))
    add_glow(easel.image, easel.place((-0.02, 0.322)), easel.face * 0.03, WHITE, 0.6)


def _spread(count: int) -> list[float]:
    return [index / (count - 1) for index in range(count)]


def _draw_strands(easel: _Easel, mood: Mood, hair: Image.Image, random: Random) -> None:
    """Fine light lines that follow the fall of the hair."""
    lines = Image.new("L", easel.image.size, 0)
    draw = ImageDraw.Draw(lines)
    for _ in range(46):
        side = random.choice((-1, 1))
        out = random.uniform(0.1, 0.52)
        path = [
            (side * out * math.sin(math.pi * min(1.0, 0.08 + t * 0.62)) ** 0.8, -0.64 + 1.9 * t + 0.1 * out)
            for t in _spread(14)
        ]
        draw.line(
            [easel.place(point) for point in path],
            fill=random.randrange(35, 120),
            width=max(1, round(easel.face / 260)),
        )
    lines = ImageChops.multiply(lines.filter(ImageFilter.GaussianBlur(easel.face / 420)), hair)
    easel.image.paste(mix(mood.first, WHITE, 0.35), mask=lines)


def _rim(image: Image.Image, mood: Mood, whole: Image.Image, face: float) -> None:
    small = whole.reduce(4)
    for direction, colour in ((1, mood.first), (-1, mood.second)):
        bright = mix(colour, WHITE, 0.35)
        wide = _graze(small, direction, face * 0.05 / 4).point([value * 2 // 5 for value in range(256)])
        image.paste(bright, mask=wide.resize(image.size, Image.Resampling.BILINEAR))
        image.paste(
            bright,
            mask=_graze(whole, direction, face * 0.012).point([value * 5 // 6 for value in range(256)]),
        )


def _graze(whole: Image.Image, direction: int, distance: float) -> Image.Image:
    moved = ImageChops.offset(whole, round(direction * distance), round(distance * 0.5))
    return ImageChops.subtract(whole, moved.filter(ImageFilter.GaussianBlur(distance * 0.6)))

"""Where a scene happens: a concert stage, a city at night, a beach, a forest.

Owns what stands behind the performers. Knows no figures and no type; each backdrop paints into the sky it is given.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFilter

from sandbox.kvid.pictures.light import SoftLight, add_glow, build_gradient
from sandbox.kvid.pictures.moods import mix

if TYPE_CHECKING:
    from random import Random

    from sandbox.kvid.pictures.light import Point
    from sandbox.kvid.pictures.moods import Colour, Mood

WHITE: Colour = (255, 255, 255)


def paint_backdrop(image: Image.Image, mood: Mood, random: Random, middle: Point) -> None:
    """`middle` is what the light should gather around, in pixels."""
    if mood.place == "city":
        _paint_city(image, mood, random, middle)
    elif mood.place == "beach":
        _paint_beach(image, mood, middle)
    elif mood.place == "forest":
        _paint_forest(image, mood, random, middle)
    else:
        _paint_stage(image, mood, random, middle)


def _paint_stage(image: Image.Image, mood: Mood, random: Random, middle: Point) -> None:
    width, height = image.size
    unit = math.sqrt(width * height)
    _paint_ring(image, mood, random, middle, unit)
    soft = SoftLight(image.size)
    strong = 0.35 if mood.is_light else 0.8
    soft.glow((middle[0], middle[1]), unit * 0.62, mood.first, strong * 0.75)
    soft.glow((middle[0] - width * 0.3, height * 0.75), unit * 0.5, mood.second, strong * 0.6)
    lamps = random.choice((5, 6, 7))
    for index in range(lamps):
        x = width * (index + 0.5) / lamps
        aim = math.atan2(middle[0] + random.uniform(-0.35, 0.35) * width - x, height * 0.9)
        colour = (mood.first, mood.second, mix(mood.first, WHITE, 0.5))[index % 3]
        colour = mix(colour, (0, 0, 0), 0.55 if mood.is_light else 0.12)
        soft.beam((x, -0.03 * height), aim, random.uniform(0.05, 0.11), height * 1.15, colour)
        if not mood.is_light:
            soft.glow((x, 0), unit * 0.07, WHITE, 0.8)
    soft.shine_on(image)
    _paint_floor(image, mood, 0.8)


def _paint_ring(image: Image.Image, mood: Mood, random: Random, middle: Point, unit: float) -> None:
    """A round stage light behind the performer, the poster's still point."""
    radius = unit * random.uniform(0.27, 0.33)
    side = round(radius * 2.6)
    ring = Image.new("L", (side, side), 0)
    draw = ImageDraw.Draw(ring)
    edge, thick = side / 2 - radius, max(2.0, unit * 0.006)
    draw.ellipse((edge, edge, side - edge, side - edge), outline=255, width=round(thick))
    inner = edge + unit * 0.03
    draw.ellipse((inner, inner, side - inner, side - inner), outline=110, width=max(1, round(thick * 0.3)))
    halo = ring.filter(ImageFilter.GaussianBlur(unit * 0.016)).point(
        [min(255, value * 3) for value in range(256)]
    )
    corner = round(middle[0] - side / 2), round(middle[1] - side / 2)
    colour = mix(mood.first, WHITE, 0.75 if mood.is_light else 0.2)
    image.paste(Image.new("RGB", ring.size, colour), corner, halo)
    image.paste(
        Image.new("RGB", ring.size, mix(colour, WHITE, 0.75)),
        corner,
        ring.filter(ImageFilter.GaussianBlur(1)),
    )


def _paint_floor(image: Image.Image, mood: Mood, horizon: float) -> None:
    """The lower part mirrors what stands above it, darker and blurred."""
    width, height = image.size
    top = round(height * horizon)
    depth = height - top
    mirror = image.crop((0, max(0, top - depth * 2), width, top)).transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    mirror = mirror.resize((max(1, width // 8), max(1, depth // 4))).filter(ImageFilter.GaussianBlur(2))
    mirror = Image.blend(mirror.resize((width, depth)), Image.new("RGB", (width, depth), mood.shade), 0.45)
    image.paste(mirror, (0, top))


def _paint_city(image: Image.Image, mood: Mood, random: Random, middle: Point) -> None:
    width, height = image.size
    unit = math.sqrt(width * height)
    add_glow(image, (middle[0], middle[1] * 0.8), unit * 0.5, mood.first, 0.7)
    moon = unit * 0.055
    x, y = width * random.choice((0.18, 0.8)), height * 0.16
    add_glow(image, (x, y), moon * 3, mix(mood.second, WHITE, 0.5), 0.7)
    ImageDraw.Draw(image).ellipse(
        (x - moon, y - moon, x + moon, y + moon), fill=mix(mood.second, WHITE, 0.85)
    )
    for layer, (low, high) in enumerate(((0.3, 0.5), (0.2, 0.42), (0.12, 0.3))):
        tone = mix(mood.sky[2], mood.shade, (0.35, 0.65, 0.88)[layer])
        _paint_towers(image, mood, random, tone, (low * height, high * height))
        haze = SoftLight(image.size)
        haze.glow((width / 2, height * 0.8), unit * 0.6, mood.first, 0.22)
        haze.shine_on(image)
    _paint_floor(image, mood, 0.82)


def _paint_towers(
    image: Image.Image, mood: Mood, random: Random, tone: Colour, rise: tuple[float, float]
) -> None:
    draw = ImageDraw.Draw(image)
    width, base = image.width, image.height * 0.83
    unit = math.sqrt(image.width * image.height)
    lamps = (mix(mood.first, WHITE, 0.35), mix(mood.second, WHITE, 0.35), (255, 226, 170))
    x = -0.02 * width
    while x < width:
        broad = unit * random.uniform(0.05, 0.1)
        top = base - random.uniform(*rise)
        draw.rectangle((x, top, x + broad, base), fill=tone)
        if random.random() < 0.25:
            draw.line(
                (x + broad / 2, top, x + broad / 2, top - unit * 0.05),
                fill=tone,
                width=max(1, round(unit / 400)),
            )
        step, pane = unit * 0.017, max(1.0, unit * 0.006)
        for row in range(int((base - top) / step) - 1):
            for column in range(max(1, int(broad / step) - 1)):
                if random.random() < 0.24:
                    left, upper = x + (column + 0.8) * step, top + (row + 0.8) * step
                    lit = mix(tone, random.choice(lamps), random.uniform(0.3, 0.95))
                    draw.rectangle((left, upper, left + pane, upper + pane * 1.3), fill=lit)
        x += broad * random.uniform(0.95, 1.25)


def _paint_beach(image: Image.Image, mood: Mood, middle: Point) -> None:
    width, height = image.size
    unit = math.sqrt(width * height)
    horizon = round(height * 0.62)
    warm = mix(mood.first, (255, 214, 150), 0.5)
    sun = middle[0], horizon - unit * 0.06
    soft = SoftLight(image.size)
    soft.glow(sun, unit * 0.7, warm, 0.95)
    soft.shine_on(image)
    radius = unit * 0.13
    ImageDraw.Draw(image).ellipse(
        (sun[0] - radius, sun[1] - radius, sun[0] + radius, sun[1] + radius), fill=mix(warm, WHITE, 0.7)
    )
    add_glow(image, sun, radius * 2.4, warm, 0.8)
    deep = mix(mood.second, mood.shade, 0.25 if mood.is_light else 0.6)
    sea = build_gradient((width, height - horizon), (mix(deep, warm, 0.55), deep, mix(deep, mood.shade, 0.6)))
    image.paste(sea, (0, horizon))
    draw = ImageDraw.Draw(image, "RGBA")
    rows = 34
    for row in range(rows):  # the sun's road on the water: short strokes, longer and rarer towards the viewer
        share = row / rows
        y = horizon + (height - horizon) * share**1.5
        for index in range(5):
            reach = unit * (0.04 + 0.2 * share) * math.sin(row * 12.9 + index * 4.7)
            length = unit * (0.015 + 0.05 * share) * (1 + math.sin(row * 3.3 + index * 8.1)) * 0.7
            alpha = round(190 * (1 - share) + 20)
            bright = (*mix(warm, WHITE, 0.5), alpha)
            draw.line(
                (sun[0] + reach - length, y, sun[0] + reach + length, y),
                fill=bright,
                width=max(1, round(unit / 420)),
            )


def _paint_forest(image: Image.Image, mood: Mood, random: Random, middle: Point) -> None:
    width, height = image.size
    unit = math.sqrt(width * height)
    soft = SoftLight(image.size)
    soft.glow((middle[0], middle[1]), unit * 0.6, mix(mood.first, WHITE, 0.2), 0.7)
    soft.shine_on(image)
    for layer in range(4):
        tone = mix(mood.sky[2], mood.shade, 0.2 + 0.25 * layer)
        draw = ImageDraw.Draw(image)
        base = height * (0.72 + 0.04 * layer)
        for _ in range(13 - 2 * layer):
            x = random.uniform(-0.05, 1.05) * width
            if layer > 1 and abs(x - middle[0]) < width * 0.2:
                continue  # a clearing for whoever stands there
            _paint_fir(
                draw,
                random,
                (x, base + unit * 0.03),
                unit * (0.3 + 0.13 * layer) * random.uniform(0.7, 1.2),
                tone,
            )
        draw.rectangle((0, base, width, height), fill=tone)
        if layer < 3:
            mist = SoftLight(image.size)
            mist.glow((middle[0], base), unit * 0.5, mix(mood.first, WHITE, 0.4), 0.28)
            mist.shine_on(image)
    rays = SoftLight(image.size)
    for angle in (-0.5, -0.28, -0.1, 0.12, 0.34):
        rays.beam(
            (middle[0] + unit * 0.3, -0.1 * height),
            angle - 0.3,
            0.05,
            height * 1.1,
            mix(mood.first, (0, 0, 0), 0.35),
        )
    rays.shine_on(image)


def _paint_fir(draw: ImageDraw.ImageDraw, random: Random, foot: Point, tall: float, tone: Colour) -> None:
    x, y = foot
    left: list[Point] = []
    right: list[Point] = []
    tiers = 9
    for tier in range(tiers):
        share = tier / tiers
        wide = tall * 0.19 * (0.12 + share) * random.uniform(0.85, 1.15)
        level = y - tall * (1 - share)
        left += [(x - wide * 0.35, level), (x - wide, level + tall * 0.075)]
        right += [(x + wide * 0.35, level), (x + wide, level + tall * 0.075)]
    draw.polygon(
        [(x, y - tall * 1.06), *right, (x + tall * 0.012, y), (x - tall * 0.012, y), *reversed(left)],
        fill=tone,
    )

"""Compositions: one performer, a portrait, a group, or light alone, each with its place, weather and type.

Owns where things stand. Calls the painters of `backdrops`, `figures`, `portrait`, `light` and `lettering`, in order.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from sandbox.kvid.pictures import light
from sandbox.kvid.pictures.backdrops import paint_backdrop
from sandbox.kvid.pictures.figures import POSES, draw_figure
from sandbox.kvid.pictures.lettering import set_poster
from sandbox.kvid.pictures.moods import mix, read_mood
from sandbox.kvid.pictures.portrait import draw_bust

if TYPE_CHECKING:
    from random import Random

    from sandbox.kvid.pictures.light import Point
    from sandbox.kvid.pictures.moods import Colour, Mood

WHITE: Colour = (255, 255, 255)


def paint_poster(prompt: str, credit: str, size: tuple[int, int], random: Random) -> Image.Image:
    mood = read_mood(prompt, random)
    image = light.build_gradient(size, mood.sky)
    if mood.composition == "light":
        _paint_silk(image, mood, random)
    elif mood.composition == "bust":
        _paint_portrait(image, mood, random)
    else:
        _paint_performance(image, mood, random)
    _paint_weather(image, mood, random)
    image = light.finish(image, random, vignette=0.12 if mood.is_light else 0.5)
    _shade_text(image, mood)
    ink = mood.shade if mood.is_light else mix(mood.first, WHITE, 0.92)
    accent = mix(mood.first, mood.shade, 0.45) if mood.is_light else mix(mood.first, WHITE, 0.35)
    wide = size[0] > size[1] * 1.2
    set_poster(image, prompt, credit, (ink, accent), centred=not wide and mood.composition != "light")
    return image


def _paint_performance(image: Image.Image, mood: Mood, random: Random) -> None:
    width, height = image.size
    wide = width > height * 1.2
    ground = height * (0.96 if wide else 0.84)
    middle = (width * (0.66 if wide else 0.5), height * (0.45 if wide else 0.4))
    paint_backdrop(image, mood, random, middle)
    tall = min(height * (0.84 if wide else 0.7), width * (0.95 if not wide else 1))
    poses = random.sample(POSES, len(POSES))
    if mood.composition == "solo":
        _cast_pool(image, mood, (middle[0], ground), tall)
        draw_figure(image, mood, random, (middle[0], ground), tall, poses[0])
    else:
        members = random.choice((3, 5, 5))
        tall *= 0.86
        step = min(width * (0.5 if wide else 0.82) / members, tall * 0.3)
        order = sorted(range(members), key=lambda index: -abs(index - members // 2))
        for index in order:
            away = abs(index - members // 2)
            foot = middle[0] + (index - members // 2) * step, ground - away * tall * 0.035
            _cast_pool(image, mood, foot, tall * 0.6)
            draw_figure(image, mood, random, foot, tall * (1 - 0.07 * away), poses[index % len(poses)])
    if mood.place == "stage":
        _paint_crowd(image, mood, random)
    light.add_bokeh(image, random, (mood.first, mood.second, WHITE), 16, (0.05, 0.75))


def _cast_pool(image: Image.Image, mood: Mood, foot: Point, tall: float) -> None:
    """The spot of light a performer stands in."""
    pool = Image.new("L", (round(tall * 0.7), round(tall * 0.09)), 0)
    ImageDraw.Draw(pool).ellipse((tall * 0.06, tall * 0.015, tall * 0.64, tall * 0.075), fill=150)
    pool = pool.filter(ImageFilter.GaussianBlur(tall * 0.012))
    corner = round(foot[0] - pool.width / 2), round(foot[1] - pool.height / 2)
    image.paste(Image.new("RGB", pool.size, mix(mood.first, WHITE, 0.4)), corner, pool)


def _paint_crowd(image: Image.Image, mood: Mood, random: Random) -> None:
    """Heads and raised hands along the lower edge, light sticks above them."""
    width, height = image.size
    unit = math.sqrt(width * height)
    top = round(height * 0.6)
    for row in range(2):
        crowd = Image.new("L", (width * 2, (height - top) * 2), 0)
        draw = ImageDraw.Draw(crowd)
        radius = unit * (0.026 + 0.012 * row)
        base = height * (0.865 + 0.065 * row)
        sticks: list[Point] = []
        x = -radius
        while x < width + radius:
            y = base + random.uniform(-0.5, 0.5) * radius
            _draw_fan(draw, (x * 2, (y - top) * 2), radius * 2)
            if random.random() < 0.42:
                hand = x + random.uniform(-0.6, 0.6) * radius, y - radius * random.uniform(2.2, 3.4)
                palm = hand[0] * 2, (hand[1] - top) * 2
                draw.line(
                    (x * 2 + radius * 1.4, (y + radius * 2 - top) * 2, *palm),
                    fill=255,
                    width=round(radius * 0.8),
                )
                draw.ellipse(_box(palm, radius * 0.55), fill=255)
                sticks.append(hand)
            x += radius * random.uniform(1.9, 2.7)
        tone = mix(mood.shade, mood.first, 0.12 - 0.05 * row)
        image.paste(tone, (0, top, width, height), crowd.reduce(2))
        for hand in sticks:
            _draw_stick(image, mood, random, hand, radius)


def _draw_fan(draw: ImageDraw.ImageDraw, centre: Point, radius: float) -> None:
    x, y = centre
    draw.ellipse((x - radius * 0.8, y - radius, x + radius * 0.8, y + radius), fill=255)
    draw.rounded_rectangle(
        (x - radius * 1.5, y + radius * 1.05, x + radius * 1.5, y + radius * 14), radius, fill=255
    )
    draw.rectangle((x - radius * 0.3, y + radius * 0.5, x + radius * 0.3, y + radius * 1.4), fill=255)


def _box(centre: Point, radius: float) -> tuple[float, float, float, float]:
    return centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius


def _draw_stick(image: Image.Image, mood: Mood, random: Random, hand: Point, radius: float) -> None:
    colour = random.choice((mood.first, mood.first, mood.second))
    angle = random.uniform(-0.35, 0.35)
    tip = hand[0] + math.sin(angle) * radius * 1.9, hand[1] - math.cos(angle) * radius * 1.9
    light.add_glow(image, tip, radius * 2.4, colour, 0.9)
    draw = ImageDraw.Draw(image)
    draw.line((*hand, *tip), fill=mix(mood.shade, WHITE, 0.35), width=max(1, round(radius * 0.22)))
    draw.ellipse(_box(tip, radius * 0.55), fill=mix(colour, WHITE, 0.7))


def _paint_portrait(image: Image.Image, mood: Mood, random: Random) -> None:
    width, height = image.size
    wide = width > height * 1.2
    face = min(height * (0.5 if wide else 0.41), width * 0.56)
    centre = width * (0.7 if wide else 0.5), height * (0.45 if wide else 0.37)
    if mood.place == "stage":
        soft = light.SoftLight(image.size)
        soft.glow(
            (centre[0] - face * 0.9, centre[1] - face * 0.5),
            face * 1.9,
            mood.first,
            0.5 if mood.is_light else 0.9,
        )
        soft.glow(
            (centre[0] + face, centre[1] + face * 0.3),
            face * 1.7,
            mood.second,
            0.4 if mood.is_light else 0.75,
        )
        soft.shine_on(image)
    else:
        paint_backdrop(image, mood, random, centre)
        image.paste(image.filter(ImageFilter.GaussianBlur(face * 0.022)))
    light.add_bokeh(image, random, (mood.first, mood.second, WHITE), 34, (0, 0.95))
    draw_bust(image, mood, random, centre, face)
    light.add_bokeh(image, random, (mood.first, mood.second), 6, (0.55, 1))


def _paint_silk(image: Image.Image, mood: Mood, random: Random) -> None:
    """Folded ribbons of light and glossy pearls."""
    width, height = image.size
    unit = math.sqrt(width * height)
    soft = light.SoftLight(image.size)
    soft.glow((width * 0.3, height * 0.3), unit * 0.7, mood.first, 0.7)
    soft.glow((width * 0.8, height * 0.62), unit * 0.6, mood.second, 0.6)
    soft.shine_on(image)
    for index in range(3):
        colour = (mood.first, mood.second, mix(mood.first, WHITE, 0.5))[index]
        _paint_ribbon(image, random, colour, height * (0.28 + 0.14 * index), unit, is_light=mood.is_light)
    light.add_bokeh(image, random, (mood.first, mood.second, WHITE), 18, (0, 1))
    for _ in range(random.choice((5, 6, 7))):
        radius = unit * random.choice((0.022, 0.035, 0.05, 0.085)) * random.uniform(0.85, 1.15)
        where = random.uniform(0.06, 0.94) * width, random.uniform(0.1, 0.66) * height
        _paint_pearl(image, random.choice((mood.first, mood.second)), where, radius)
    light.add_sparkles(image, random, mix(mood.first, WHITE, 0.4), 14)


def _paint_ribbon(
    image: Image.Image, random: Random, colour: Colour, level: float, unit: float, *, is_light: bool
) -> None:
    width = image.width
    waves = [
        (random.uniform(0.7, 1.9), random.uniform(0, math.tau), random.uniform(0.5, 1)) for _ in range(4)
    ]

    def curve(share: float) -> list[Point]:
        points = []
        for step in range(73):
            t = step / 72
            rise = sum(
                strength * math.sin(math.tau * pace * t * 0.75 + phase + share * (0.9 + 0.5 * order))
                for order, (pace, phase, strength) in enumerate(waves)
            )
            spread = math.sin(math.tau * 0.5 * t + waves[0][1]) * 0.13 + 0.06
            points.append(
                (
                    t * width,
                    level + (rise * 0.055 + (share - 0.5) * spread * 1.6) * unit + (t - 0.5) * unit * -0.15,
                )
            )
        return points

    threads = 56
    strands = Image.new("L", image.size, 0)
    veil = Image.new("L", image.size, 0)
    draw, fill = ImageDraw.Draw(strands), ImageDraw.Draw(veil)
    edges = [curve(index / threads) for index in range(threads + 1)]
    for index, (upper, lower) in enumerate(pairwise(edges)):
        share = index / threads
        tone = round(
            35 + 175 * math.sin(math.pi * share) ** 2 * (0.55 + 0.45 * math.sin(share * 9 + waves[1][1]))
        )
        fill.polygon([*upper, *reversed(lower)], fill=tone)
        draw.line(upper, fill=min(255, tone + 70), width=max(1, round(unit / 900)))
    veil = veil.filter(ImageFilter.GaussianBlur(unit * 0.004))
    bright = mix(colour, WHITE, 0.55 if is_light else 0.12)
    image.paste(ImageChops.screen(image, Image.new("RGB", image.size, bright)), mask=veil)
    image.paste(mix(colour, WHITE, 0.75), mask=strands.point([v * 45 // 100 for v in range(256)]))


def _paint_pearl(image: Image.Image, colour: Colour, centre: Point, radius: float) -> None:
    side = max(8, round(radius * 2))
    mask = Image.new("L", (side * 3, side * 3), 0)
    ImageDraw.Draw(mask).ellipse((3, 3, side * 3 - 4, side * 3 - 4), fill=255)
    ball = light.build_gradient(
        (side, side), (mix(colour, WHITE, 0.65), colour, mix(colour, (10, 6, 30), 0.6))
    )
    light.add_glow(ball, (side * 0.34, side * 0.27), side * 0.3, WHITE, 0.95)
    light.add_glow(ball, (side * 0.62, side * 0.9), side * 0.42, mix(colour, WHITE, 0.5), 0.7)
    light.add_glow(image, centre, radius * 2.1, colour, 0.5)
    image.paste(ball, (round(centre[0] - side / 2), round(centre[1] - side / 2)), mask.reduce(3))


def _paint_weather(image: Image.Image, mood: Mood, random: Random) -> None:
    if "snow" in mood.weather:
        light.add_snow(image, random, 150)
    if "rain" in mood.weather:
        light.add_rain(image, random, 260)
    if "confetti" in mood.weather or (mood.composition in {"solo", "group"} and random.random() < 0.4):
        light.add_confetti(image, random, (mood.first, mood.second, mix(mood.first, WHITE, 0.6)), 70)
    if "glitter" in mood.weather or mood.is_light:
        light.add_sparkles(image, random, mix(mood.first, WHITE, 0.4), 18)


def _shade_text(image: Image.Image, mood: Mood) -> None:
    """A veil under the type, so that it can be read on anything."""
    width, height = image.size
    veil = Image.new("L", (1, 6))
    veil.putdata([0, 0, 0, 60, 190, 225])
    tall = round(height * 0.52)
    tone = mix(mood.sky[1], WHITE, 0.45) if mood.is_light else mood.shade
    image.paste(
        Image.new("RGB", (width, tall), tone),
        (0, height - tall),
        veil.resize((width, tall), Image.Resampling.BICUBIC),
    )

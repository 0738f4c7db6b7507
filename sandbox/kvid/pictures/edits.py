"""Image-to-image: the source stays itself, in other colours, light, weather and a frame, as the prompt asks.

Owns reading and transforming sources. Borrows light and type from the posters.
"""

from __future__ import annotations

import re
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING

from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from sandbox.kvid.pictures import light
from sandbox.kvid.pictures.lettering import clean, load_font, wrap
from sandbox.kvid.pictures.moods import mix, read_mood

if TYPE_CHECKING:
    from random import Random

    from sandbox.kvid.pictures.moods import Colour, Mood

WHITE: Colour = (255, 255, 255)
_MONO = re.compile(r"black.and.white|monochrome|b&w|noir|흑백", re.IGNORECASE)
_NIGHT = re.compile(r"night|midnight|dark|밤|어둡|심야", re.IGNORECASE)
_FILM = re.compile(r"film|vintage|retro|polaroid|analog|필름|빈티지|레트로|폴라로이드", re.IGNORECASE)
_SOFT = re.compile(r"soft|dream|blur|pastel|glow|skin|몽환|파스텔|부드|피부|뽀샤시", re.IGNORECASE)


def open_source(data: bytes) -> Image.Image:
    """Upright and without transparency."""
    with Image.open(BytesIO(data), formats=("JPEG", "PNG", "WEBP")) as image:
        upright = ImageOps.exif_transpose(image)
        if upright.mode in {"RGBA", "LA", "PA", "P"}:
            upright = upright.convert("RGBA")
            ground = Image.new("RGBA", upright.size, (*WHITE, 255))
            upright = Image.alpha_composite(ground, upright)
        return upright.convert("RGB")


def paint_edit(
    sources: tuple[bytes, ...], prompt: str, credit: str, size: tuple[int, int], random: Random
) -> Image.Image:
    mood = read_mood(prompt, random)
    if _MONO.search(prompt):
        mood = replace(mood, first=(225, 225, 225), second=(150, 150, 150), shade=(16, 16, 16))
    elif len(mood.named) == 1:  # one colour was asked for; a poster adds its opposite, an edit should not
        mood = replace(mood, second=mix(mood.first, WHITE, 0.2))
    image = _arrange(sources, size)
    image = _grade(image, mood, prompt)
    if _SOFT.search(prompt):
        bloom = image.filter(ImageFilter.GaussianBlur(max(size) * 0.012))
        image = Image.blend(image, ImageChops.screen(image, bloom), 0.5)
    if "neon" in mood.weather:
        image = _outline(image, mood)
    _add_light(image, mood, random)
    image = light.finish(image, random, grain=1.5 if _FILM.search(prompt) else 0.8, vignette=0.4)
    return _frame(image, prompt, credit, mood, is_film=bool(_FILM.search(prompt)) or random.random() < 0.4)


def _arrange(sources: tuple[bytes, ...], size: tuple[int, int]) -> Image.Image:
    """One source fills the picture; several stand side by side."""
    image = Image.new("RGB", size, WHITE)
    gap = max(2, size[0] // 160) if len(sources) > 1 else 0
    panel = (size[0] - gap * (len(sources) - 1)) // len(sources)
    for index, source in enumerate(sources):
        left = index * (panel + gap)
        width = size[0] - left if index == len(sources) - 1 else panel
        # Faces are rarely in the lower part: when something must go, more goes below than above.
        image.paste(ImageOps.fit(open_source(source), (width, size[1]), centering=(0.5, 0.35)), (left, 0))
    return image


def _grade(image: Image.Image, mood: Mood, prompt: str) -> Image.Image:
    grey = ImageOps.autocontrast(image.convert("L"), cutoff=1)
    if _MONO.search(prompt):
        return Image.merge("RGB", (grey, grey, grey))
    low = mix(mood.shade, mood.second, 0.25)
    toned = ImageOps.colorize(
        grey, black=low, mid=mix(mood.first, mood.second, 0.3), white=mix(mood.first, WHITE, 0.74)
    )
    image = Image.blend(ImageEnhance.Contrast(image).enhance(1.08), toned, 0.68 if mood.named else 0.45)
    if _NIGHT.search(prompt) and "neon" not in mood.weather:  # neon brings its own night
        image = ImageChops.multiply(image, Image.new("RGB", image.size, (128, 136, 190)))
    if mood.is_light:
        image = Image.blend(image, Image.new("RGB", image.size, mix(mood.first, WHITE, 0.75)), 0.24)
    return image


def _outline(image: Image.Image, mood: Mood) -> Image.Image:
    edges = image.convert("L").filter(ImageFilter.GaussianBlur(1.2)).filter(ImageFilter.FIND_EDGES)
    edges = edges.point([min(255, max(0, value - 14) * 6) for value in range(256)])
    halo = edges.filter(ImageFilter.GaussianBlur(max(image.size) * 0.006)).point(
        [min(255, v * 2) for v in range(256)]
    )
    dark = ImageChops.multiply(image, Image.new("RGB", image.size, (176, 164, 205)))
    dark.paste(mood.first, mask=halo)
    dark.paste(mix(mood.second, WHITE, 0.5), mask=edges)
    return dark


def _add_light(image: Image.Image, mood: Mood, random: Random) -> None:
    width, height = image.size
    soft = light.SoftLight(image.size)
    for index in range(4):
        x = width * (0.12 + 0.25 * index)
        colour = mix((mood.first, mood.second)[index % 2], (0, 0, 0), 0.25)
        soft.beam(
            (x, -0.04 * height), random.uniform(-0.5, 0.5), random.uniform(0.05, 0.1), height * 0.95, colour
        )
    soft.glow((0, 0), width * 0.5, mood.first, 0.4)
    soft.glow((width, height * 0.6), width * 0.4, mood.second, 0.35)
    soft.shine_on(image)
    light.add_bokeh(image, random, (mood.first, mood.second, WHITE), 14, (0, 0.9))
    if "snow" in mood.weather:
        light.add_snow(image, random, 170)
    if "rain" in mood.weather:
        light.add_rain(image, random, 260)
    if "confetti" in mood.weather:
        light.add_confetti(image, random, (mood.first, mood.second, WHITE), 80)
    light.add_sparkles(
        image, random, mix(mood.first, WHITE, 0.5), 40 if "glitter" in mood.weather else 9, (0, 0.9)
    )


def _frame(image: Image.Image, prompt: str, credit: str, mood: Mood, *, is_film: bool) -> Image.Image:
    width, height = image.size
    unit = (width * height) ** 0.5
    foot = max(26, round(unit * 0.085))
    side = round(unit * (0.02 if is_film else 0.03))
    paper = (14, 13, 16) if is_film else mix(mood.first, WHITE, 0.93)
    ink = (255, 232, 205) if is_film else mood.shade
    head = foot if is_film else side
    framed = Image.new("RGB", image.size, paper)
    window = (side, head, width - side, height - foot)
    framed.paste(ImageOps.fit(image, (window[2] - window[0], window[3] - window[1])), window[:2])
    draw = ImageDraw.Draw(framed)
    if is_film:
        _punch(draw, (width, height), foot, unit)
    face = load_font("bold", max(10, round(unit * 0.027)))
    fine = load_font("light", max(9, round(unit * 0.014)))
    text = wrap(clean(prompt[:400]), face, width - 2 * side - (unit * 0.06 if is_film else 0), 1)[0]
    top = height - foot + (foot * 0.08 if is_film else foot * 0.2)
    left = side + (unit * 0.03 if is_film else 0)
    if is_film:
        top = height - foot * 0.52
    draw.text((left, top), text[0] if text else "", font=face, fill=ink)
    if not is_film:
        draw.text(
            (left, top + face.size * 1.3), clean(credit), font=fine, fill=mix(mood.first, mood.shade, 0.5)
        )
    else:
        draw.text((left, foot * 0.6), clean(credit), font=fine, fill=(255, 150, 60))
    return framed


def _punch(draw: ImageDraw.ImageDraw, size: tuple[int, int], foot: int, unit: float) -> None:
    """The holes along both edges of a strip of film."""
    width, height = size
    hole, pitch = unit * 0.018, unit * 0.042
    for index in range(int(width / pitch) + 1):
        x = (index + 0.5) * pitch - hole / 2
        for y in (foot * 0.14, height - foot * 0.92):
            draw.rounded_rectangle((x, y, x + hole, y + foot * 0.26), hole * 0.25, fill=(236, 232, 226))

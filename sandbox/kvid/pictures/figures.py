"""Performers as lit silhouettes: a skeleton, a pose, hair and clothes, drawn large and melted into one smooth shape.

Owns the human shape from head to toe. Lengths are in heads (a performer is eight heads tall, feet at 0); scenes say
where a figure stands and how tall it is in pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from sandbox.kvid.pictures.moods import mix

if TYPE_CHECKING:
    from random import Random

    from sandbox.kvid.pictures.light import Point
    from sandbox.kvid.pictures.moods import Mood

Limb = tuple[float, float]  # degrees from straight down, outwards: upper part, lower part
Outfit = Literal["skirt", "suit", "wide", "coat"]
Hair = Literal["long", "tail", "bob", "short", "twin"]

OUTFITS: tuple[Outfit, ...] = ("skirt", "suit", "wide", "coat")
HAIRS: tuple[Hair, ...] = ("long", "tail", "bob", "short", "twin")
HEADS = 8.0
MARGIN = 1.6  # heads of room around the body for raised arms and hair
SCALE = 2  # supersampling
SOFT = 4  # the wide light is found in a shape this much smaller


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    left_arm: Limb
    right_arm: Limb
    left_leg: Limb
    right_leg: Limb
    lean: float = 0.0
    sway: float = 0.0
    has_mic: bool = False


POSES: tuple[Pose, ...] = (
    # singing, free hand reaching up
    Pose(
        left_arm=(0, 0),
        right_arm=(152, 166),
        left_leg=(8, 4),
        right_leg=(13, 8),
        lean=4,
        sway=0.1,
        has_mic=True,
    ),
    # hand on the hip, weight on one leg
    Pose(left_arm=(44, -40), right_arm=(15, 9), left_leg=(2, 0), right_leg=(14, 5), lean=-3, sway=0.14),
    # singing, arm offered to the crowd
    Pose(left_arm=(0, 0), right_arm=(104, 122), left_leg=(10, 5), right_leg=(12, 7), lean=-4, has_mic=True),
    # both arms up
    Pose(left_arm=(150, 174), right_arm=(138, 160), left_leg=(6, 2), right_leg=(12, 6), lean=-2),
    # one long line from hand to hand
    Pose(left_arm=(46, 40), right_arm=(140, 148), left_leg=(20, 15), right_leg=(9, -3), lean=7, sway=0.12),
    # pointing at the sky, the other hand on the hip
    Pose(left_arm=(46, -42), right_arm=(160, 165), left_leg=(14, 8), right_leg=(4, 1), lean=4, sway=-0.12),
)


class _Ink:
    """Shapes in heads, drawn onto a mask."""

    def __init__(self, head: float) -> None:
        self.head = head * SCALE
        side = round((HEADS + 2 * MARGIN) * self.head)
        self.mask = Image.new("L", (round(7.6 * self.head), side), 0)
        self._draw = ImageDraw.Draw(self.mask)

    def place(self, point: Point) -> Point:
        return self.mask.width / 2 + point[0] * self.head, self.mask.height - (point[1] + 0.5) * self.head

    def disc(self, centre: Point, radius: float, height: float | None = None) -> None:
        x, y = self.place(centre)
        rx, ry = radius * self.head, (height or radius) * self.head
        self._draw.ellipse((x - rx, y - ry, x + rx, y + ry), fill=255)

    def shape(self, points: list[Point]) -> None:
        self._draw.polygon([self.place(point) for point in points], fill=255)

    def limb(self, start: Point, end: Point, first: float, last: float) -> None:
        length = math.dist(start, end) or 1.0
        nx, ny = (start[1] - end[1]) / length, (end[0] - start[0]) / length
        self.shape([
            (start[0] + nx * first, start[1] + ny * first), (end[0] + nx * last, end[1] + ny * last),
            (end[0] - nx * last, end[1] - ny * last), (start[0] - nx * first, start[1] - ny * first),
        ])  # fmt: skip
        self.disc(start, first)
        self.disc(end, last)

    def melt(self, softness: float) -> Image.Image:
        """Round every corner and join: blur, then keep what is more than half full."""
        melted = Image.new("L", (self.mask.width // SCALE, self.mask.height // SCALE), 0)
        box = self.mask.getbbox()
        if box is None:
            return melted
        room = round(softness * self.head * 3) // SCALE + 2
        left, top = (max(0, edge // SCALE - room) for edge in box[:2])
        right, bottom = (edge // SCALE + room for edge in box[2:])
        part = self.mask.crop((left * SCALE, top * SCALE, right * SCALE, bottom * SCALE))
        part = part.filter(ImageFilter.GaussianBlur(softness * self.head))
        sharp = part.point([min(255, max(0, (value - 128) * 6 + 128)) for value in range(256)])
        melted.paste(sharp.reduce(SCALE), (left, top))
        return melted


def _walk(start: Point, side: float, degrees: float, length: float) -> Point:
    angle = math.radians(degrees)
    return start[0] + side * math.sin(angle) * length, start[1] - math.cos(angle) * length


def draw_figure(
    image: Image.Image, mood: Mood, random: Random, foot: Point, height: float, pose: Pose
) -> None:
    """Stand one performer on `foot`, `height` pixels tall, lit by the mood's two colours."""
    outfit, hair = random.choice(OUTFITS), random.choice(HAIRS)
    head = height / HEADS
    body, clothes = _Ink(head), _Ink(head)
    hips = pose.sway, 4.3
    chest = hips[0] + math.sin(math.radians(pose.lean)) * 2.0, 6.35
    _draw_legs(body, clothes, hips, pose, outfit)
    _draw_torso(clothes, hips, chest, outfit)
    _draw_arms(body, clothes, chest, pose, outfit)
    crown = chest[0] + math.sin(math.radians(pose.lean * 1.6)) * 0.9, 7.42
    _draw_head(body, chest, crown, hair)
    flip = random.random() < 0.5
    shapes = [body.melt(0.035), clothes.melt(0.05)]
    if flip:
        shapes = [shape.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for shape in shapes]
    corner = round(foot[0] - shapes[0].width / 2), round(foot[1] - shapes[0].height + 0.5 * head)
    box = ImageChops.lighter(shapes[0], shapes[1]).getbbox()
    if box is None:
        return
    room = round(head)  # the grazing light needs air around the shape
    box = box[0] - room, box[1] - room, box[2] + room, box[3] + room
    shapes = [shape.crop(box) for shape in shapes]
    corner = corner[0] + box[0], corner[1] + box[1]
    _light(image, mood, random, (shapes[0], shapes[1]), corner)


def _draw_legs(body: _Ink, clothes: _Ink, hips: Point, pose: Pose, outfit: Outfit) -> None:
    for side, (thigh, shin) in ((-1.0, pose.left_leg), (1.0, pose.right_leg)):
        top = hips[0] + side * 0.27, hips[1] - 0.1
        knee = _walk(top, side, thigh, 2.05)
        ankle = _walk(knee, side, shin, 1.9)
        target = clothes if outfit in {"suit", "wide"} else body
        widths = (0.36, 0.36, 0.42) if outfit == "wide" else (0.33, 0.23, 0.19 if outfit == "suit" else 0.12)
        target.limb(top, knee, widths[0], widths[1])
        target.limb(knee, ankle, widths[1] * 0.96, widths[2])
        if outfit in {"skirt", "coat"}:
            calf = _walk(knee, side, shin, 0.6)
            body.limb(knee, calf, 0.23, 0.235)
            clothes.limb(_walk(knee, side, shin, 0.9), ankle, 0.22, 0.19)  # boots
        toe = ankle[0] + side * 0.34, ankle[1] - 0.32
        clothes.limb((ankle[0], ankle[1] - 0.22), toe, 0.17, 0.11)


def _draw_torso(clothes: _Ink, hips: Point, chest: Point, outfit: Outfit) -> None:
    x, low = chest[0], hips[0]
    waist = (x + low) / 2
    wide = 0.9 if outfit in {"suit", "coat"} else 0.72
    slim = 0.52 if outfit in {"suit", "coat"} else 0.39
    flare, hem = {"skirt": (1.02, 3.25), "coat": (1.0, 1.9), "suit": (0.64, 3.75), "wide": (0.55, 4.1)}[
        outfit
    ]
    clothes.shape([
        (x - 0.26, 6.6), (x - wide, 6.36), (x - wide * 0.8, 5.75), (waist - slim, 5.1), (low - 0.56, 4.5),
        (low - flare, hem), (low + flare * 0.4, hem - 0.1), (low + flare, hem + 0.08), (low + 0.56, 4.5),
        (waist + slim, 5.1), (x + wide * 0.8, 5.75), (x + wide, 6.36), (x + 0.26, 6.6),
    ])  # fmt: skip


def _draw_arms(body: _Ink, clothes: _Ink, chest: Point, pose: Pose, outfit: Outfit) -> None:
    for side, (upper, lower), is_mic in ((-1.0, pose.left_arm, pose.has_mic), (1.0, pose.right_arm, False)):
        shoulder = chest[0] + side * (0.72 if outfit in {"suit", "coat"} else 0.6), 6.26
        elbow = _walk(shoulder, side, upper, 1.35)
        wrist = _walk(elbow, side, lower, 1.15)
        if is_mic:  # the hand belongs in front of the mouth, wherever the arm says it is
            mouth = chest[0] + side * 0.34, 6.98
            elbow, wrist = (shoulder[0] + side * 0.62, 5.3), mouth
        sleeve = clothes if outfit in {"suit", "coat"} else body
        sleeve.limb(shoulder, elbow, 0.2, 0.15)
        sleeve.limb(elbow, wrist, 0.145, 0.1)
        clothes.disc(shoulder, 0.23)
        body.disc(wrist, 0.125)
        body.limb(wrist, _walk(wrist, side, lower if not is_mic else 170, 0.3), 0.11, 0.075)
        if is_mic:
            clothes.limb(
                (wrist[0] + side * 0.12, wrist[1] - 0.22), (wrist[0] - side * 0.14, wrist[1] + 0.2), 0.07, 0.1
            )


def _draw_head(body: _Ink, chest: Point, crown: Point, hair: Hair) -> None:
    x, y = crown
    body.limb((chest[0], 6.45), (x, y - 0.4), 0.2, 0.17)
    body.disc((x, y), 0.36, 0.46)
    body.shape([(x - 0.33, y - 0.1), (x - 0.13, y - 0.52), (x + 0.13, y - 0.52), (x + 0.33, y - 0.1)])
    body.disc((x, y + 0.12), 0.42, 0.44)
    if hair == "long":
        body.shape([
            (x - 0.43, y + 0.2), (x - 0.62, y - 1.5), (x - 0.3, y - 1.75),
            (x + 0.25, y - 1.7), (x + 0.6, y - 1.4), (x + 0.43, y + 0.2),
        ])  # fmt: skip
    elif hair == "tail":
        body.disc((x + 0.36, y + 0.36), 0.2)
        body.limb((x + 0.45, y + 0.34), (x + 0.92, y - 0.5), 0.2, 0.24)
        body.limb((x + 0.92, y - 0.5), (x + 1.02, y - 1.4), 0.24, 0.04)
    elif hair == "bob":
        body.shape([
            (x - 0.46, y + 0.2), (x - 0.56, y - 0.55), (x - 0.25, y - 0.5),
            (x + 0.25, y - 0.5), (x + 0.56, y - 0.55), (x + 0.46, y + 0.2),
        ])  # fmt: skip
    elif hair == "twin":
        for side in (-1.0, 1.0):
            body.disc((x + side * 0.42, y + 0.3), 0.19)
            body.limb((x + side * 0.5, y + 0.2), (x + side * 0.8, y - 0.7), 0.17, 0.2)
            body.limb((x + side * 0.8, y - 0.7), (x + side * 0.72, y - 1.4), 0.2, 0.03)
    else:
        for dx, dy in ((-0.3, 0.36), (-0.08, 0.52), (0.18, 0.5), (0.36, 0.34)):
            body.disc((x + dx, y + dy), 0.2)
        body.disc((x, y + 0.2), 0.45, 0.4)
        body.shape([(x - 0.44, y + 0.25), (x - 0.4, y - 0.2), (x + 0.4, y - 0.2), (x + 0.44, y + 0.25)])


def _light(
    image: Image.Image,
    mood: Mood,
    random: Random,
    shapes: tuple[Image.Image, Image.Image],
    corner: tuple[int, int],
) -> None:
    """Fill the shape and let one colour graze it from the left, the other from the right."""
    body, clothes = shapes
    glitters = random.random() < 0.6
    whole = ImageChops.lighter(body, clothes)
    paint = Image.new("RGB", whole.size, mood.shade)
    fabric = Image.new("RGB", whole.size, mix(mood.shade, mood.first, 0.09 if not mood.is_light else 0.3))
    paint.paste(fabric, mask=clothes)
    reach = max(1, whole.height // 170)
    if glitters:
        grains = Image.frombytes("L", clothes.size, random.randbytes(clothes.width * clothes.height))
        grains = grains.point([0] * 251 + [60, 110, 160, 210, 255])
        paint.paste(mix(mood.first, (255, 255, 255), 0.6), mask=ImageChops.multiply(grains, clothes))
    small = whole.reduce(SOFT)
    for direction, colour in ((1, mood.first), (-1, mood.second)):
        bright = mix(colour, (255, 255, 255), 0.3)
        wide = _graze(small, direction * reach * 7 / SOFT, reach * 5 / SOFT, 0.14)
        paint.paste(bright, mask=wide.resize(whole.size, Image.Resampling.BILINEAR))
        paint.paste(bright, mask=_graze(whole, direction * reach, reach * 0.6, 1.0))
    image.paste(paint, corner, whole)


def _graze(whole: Image.Image, distance: float, blur: float, level: float) -> Image.Image:
    """What light from one side touches: the shape without the shape's own blurred shadow."""
    moved = ImageChops.offset(whole, round(distance), round(abs(distance) * 0.6))
    rim = ImageChops.subtract(whole, moved.filter(ImageFilter.GaussianBlur(blur)))
    return rim.point([round(value * level) for value in range(256)]) if level < 1 else rim

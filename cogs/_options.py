"""The options of /imagine and /edit: what Discord offers, and the same checks behind it (pure).

A client may be forged, so everything Discord would not let a member type is checked here again.
**Source** of the ranges: kvid's contract.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from discord import app_commands

from bot.credits.rules import price_credits, size_for_aspect_ratio
from bot.errors import AppError
from bot.ids import SEED_MAX
from bot.jobs.service import Picture

if TYPE_CHECKING:
    from collections.abc import Collection

PROMPT_MAX = 1000
ASPECT_RATIOS = ("1:1", "4:3", "3:4", "3:2", "2:3", "16:9", "9:16")
SIZE_MIN, SIZE_MAX, SIZE_STEP = 256, 1024, 64
SIZES = tuple(range(SIZE_MIN, SIZE_MAX + 1, SIZE_STEP))
IMAGES_MAX = 4
STEPS = (20, 30, 40, 50)
GUIDANCES = (3.0, 5.0, 7.5, 10.0)
FORMATS = ("jpeg", "png")

_RATIO_NAMES = {
    "1:1": "1:1 square",
    "4:3": "4:3 landscape",
    "3:4": "3:4 portrait",
    "3:2": "3:2 photo, landscape",
    "2:3": "2:3 photo, portrait",
    "16:9": "16:9 wide",
    "9:16": "9:16 phone wallpaper",
}
RATIO_CHOICES: list[app_commands.Choice[str]] = [
    app_commands.Choice(
        name=f"{_RATIO_NAMES[ratio]} · {price_credits(*size_for_aspect_ratio(ratio))} credits", value=ratio
    )
    for ratio in ASPECT_RATIOS
]
# What one picture costs at most, for telling it before its size is known.
PICTURE_CREDITS_MAX = max(price_credits(*size_for_aspect_ratio(ratio)) for ratio in ASPECT_RATIOS)
SQUARE_CREDITS = price_credits(*size_for_aspect_ratio("1:1"))
SIZE_CHOICES: list[app_commands.Choice[int]] = [
    app_commands.Choice(name=f"{size} pixels", value=size) for size in SIZES
]
STEP_CHOICES: list[app_commands.Choice[int]] = [
    app_commands.Choice(name=name, value=steps)
    for steps, name in zip(STEPS, ("20 quick", "30", "40", "50 finest"), strict=True)
]
GUIDANCE_CHOICES: list[app_commands.Choice[float]] = [
    app_commands.Choice(name=name, value=guidance)
    for guidance, name in zip(GUIDANCES, ("3 free", "5", "7.5 balanced", "10 to the letter"), strict=True)
]
FORMAT_CHOICES: list[app_commands.Choice[str]] = [
    app_commands.Choice(name="JPEG, small", value="jpeg"),
    app_commands.Choice(name="PNG, lossless", value="png"),
]


def check_prompt(prompt: str | None) -> str:
    """The prompt in NFC, trimmed. **Raises** AppError when empty or above 1000 characters."""
    # Control characters mean nothing in a prompt, and PostgreSQL does not store a NUL.
    readable = "".join(c for c in prompt or "" if c in "\n\t" or unicodedata.category(c) not in {"Cc", "Cs"})
    clean = unicodedata.normalize("NFC", readable).strip()
    if not clean:
        raise AppError("input.prompt_empty")
    if len(clean) > PROMPT_MAX:
        raise AppError("input.prompt_long", length=len(clean), most=PROMPT_MAX)
    return clean


def check_picture(
    *,
    prompt: str,
    negative_prompt: str | None = None,
    aspect_ratio: str | None = None,
    width: int | None = None,
    height: int | None = None,
    images: int = 1,
    steps: int | None = None,
    guidance: float | None = None,
    seed: int | None = None,
    output_format: str = "jpeg",
) -> Picture:
    """Options as a checked Picture. **Raises** AppError naming the option that is wrong."""
    if aspect_ratio is not None and (width is not None or height is not None):
        raise AppError("input.size_both")
    if (width is None) != (height is None):
        raise AppError("input.size_half")
    if width is not None and (width not in SIZES or height not in SIZES):
        raise AppError("input.size_range")
    _check("aspect_ratio", aspect_ratio, ASPECT_RATIOS)
    _check("images", images, range(1, IMAGES_MAX + 1))
    _check("steps", steps, STEPS)
    _check("guidance", guidance, GUIDANCES)
    _check("format", output_format, FORMATS)
    if seed is not None and not 0 <= seed <= SEED_MAX:
        raise AppError("input.value", option="seed")
    return Picture(
        prompt=check_prompt(prompt),
        negative_prompt=check_prompt(negative_prompt)
        if negative_prompt and negative_prompt.strip()
        else None,
        aspect_ratio=aspect_ratio,
        width=width,
        height=height,
        image_count=images,
        steps=steps,
        guidance=guidance,
        seed=seed,
        output_format=output_format,
    )


def _check(option: str, value: object, allowed: Collection[object] | range) -> None:
    if value is not None and value not in allowed:
        raise AppError("input.value", option=option)


def nearest_ratio(width: int, height: int) -> str:
    """The offered aspect ratio closest to a picture's own, so that an edit is not squashed."""

    def distance(ratio: str) -> float:
        across, down = (int(part) for part in ratio.split(":"))
        wanted, given = across / down, width / height
        return max(wanted, given) / min(wanted, given)

    return min(ASPECT_RATIOS, key=distance)

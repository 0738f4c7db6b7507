"""The contract, read as rules: what a submit may say, what it costs, which errors exist.

Owns parsing, validation, sizes and prices. Pure: no I/O, no clock, no jobs.
The server hands it a decoded body and gets a `Generation` or an `ApiError`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

ImageType = Literal["text-to-image", "image-to-image"]
OutputFormat = Literal["jpeg", "png"]

SIDE_MIN, SIDE_MAX, SIDE_STEP = 256, 1024, 64
STEPS = (20, 30, 40, 50)
GUIDANCES = (3, 5, 7.5, 10)
IMAGES_MAX = 4
SOURCES_MAX = 4
TEXT_CHARACTERS_MAX = 10_000
URL_CHARACTERS_MAX = 4_096
SEED_MAX = 2**53 - 1  # the largest whole number every JSON reader keeps exact

PRICE_TABLE = {(512, 512): 2, (768, 512): 3, (768, 768): 4, (1024, 768): 6, (1024, 1024): 8}
# Source: the vendor's public price list, "about 7.5 credits per megapixel, rounded up" (read 2026-11).
CREDITS_PER_2_MEGAPIXELS = 15

# code -> (HTTP status, message). The first five are the contract's table; the rest are what later editions
# of the vendor's documentation add, or what the table leaves unsaid.
ERRORS = {
    "INVALID_PROMPT": (400, "The prompt is empty or invalid"),
    "INSUFFICIENT_CREDITS": (402, "Out of credits"),
    "SAFETY_CHECK_FAILED": (422, "The prompt was rejected by the safety filter"),
    "RATE_LIMITED": (429, "Too many requests"),
    "SERVER_ERROR": (500, "Internal error"),
    "MISSING_PARAMETERS": (400, "A required parameter is missing"),
    "INVALID_PARAMETERS": (400, "A parameter is invalid"),
    "UNAUTHORIZED": (401, "The api-key header is missing"),
    "FORBIDDEN": (403, "The api-key is not known"),
    "JOB_NOT_FOUND": (404, "No such job"),
    "JOB_NOT_COMPLETED": (400, "The job has not completed"),
    "JOB_FAILED": (400, "The job failed"),
    "NOT_FOUND": (404, "No such endpoint"),
    "METHOD_NOT_ALLOWED": (405, "This endpoint does not take that method"),
    "INSUFFICIENT_CREDIT": (402, "Out of credits"),
}

# `unsafe-test` exists for tests; the others are a plain sample of what a safety filter refuses.
UNSAFE_WORDS = ("unsafe-test", "nsfw", "nude", "naked", "gore", "나체", "누드", "고어물")
_UNSAFE = re.compile(
    "|".join(rf"\b{re.escape(w)}\b" if w.isascii() else re.escape(w) for w in UNSAFE_WORDS), re.IGNORECASE
)

_TEXT_FIELDS = frozenset({
    "prompt", "negative_prompt", "image_size", "aspect_ratio", "num_inference_steps", "guidance_scale", "seed",
    "num_images", "output_format", "enable_safety_checker", "product_id", "product_code", "email",
})  # fmt: skip
_EDIT_FIELDS = _TEXT_FIELDS | {"image_url", "image_urls"}
_CONTROL_CHARACTERS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_RATIO = re.compile(r"([1-9][0-9]{0,3}):([1-9][0-9]{0,3})")


class ApiError(Exception):
    """An answer with `success: false`."""

    def __init__(self, code: str, message: str | None = None, *, retry_after_s: int | None = None) -> None:
        self.code = code
        self.status, default = ERRORS[code]
        self.message = message or default
        self.retry_after_s = retry_after_s
        super().__init__(code, self.message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """A valid submit. `size` None means: follow the source picture's shape (an edit that names no size)."""

    image_type: ImageType
    prompt: str
    negative_prompt: str
    size: tuple[int, int] | None
    steps: int
    guidance: float
    seed: int | None
    num_images: int
    output_format: OutputFormat
    source_urls: tuple[str, ...]
    safety_checker: bool

    @property
    def credits_max(self) -> int:
        """What is set aside at submit: the exact price, or the dearest one when the size is not known yet."""
        return price_credits(self.size or (SIDE_MAX, SIDE_MAX), self.num_images)


def price_credits(size: tuple[int, int], num_images: int) -> int:
    width, height = max(size), min(size)
    listed = PRICE_TABLE.get((width, height))
    each = listed or math.ceil(CREDITS_PER_2_MEGAPIXELS * width * height / 2_000_000)
    return each * num_images


def build_size(ratio_width: int, ratio_height: int) -> tuple[int, int]:
    """Long side 1024, short side the nearest multiple of 64 that is allowed."""
    long, short = max(ratio_width, ratio_height), min(ratio_width, ratio_height)
    steps = (2 * SIDE_MAX * short + SIDE_STEP * long) // (2 * SIDE_STEP * long)
    side = min(max(steps * SIDE_STEP, SIDE_MIN), SIDE_MAX)
    return (SIDE_MAX, side) if ratio_width >= ratio_height else (side, SIDE_MAX)


def is_unsafe(prompt: str) -> bool:
    return _UNSAFE.search(prompt) is not None


def parse_submit(body: Any, image_type: ImageType) -> Generation:
    """Raises: ApiError with the first thing that is wrong."""
    if not isinstance(body, dict):
        raise ApiError("INVALID_PARAMETERS", "The body must be a JSON object")
    unknown = sorted(set(body) - (_EDIT_FIELDS if image_type == "image-to-image" else _TEXT_FIELDS))
    if unknown:  # the real service may ignore these; here a misspelt parameter should not pass unnoticed
        raise ApiError("INVALID_PARAMETERS", f"Unknown parameter for {image_type}: {unknown[0][:64]!r}")
    return Generation(
        image_type=image_type,
        prompt=_parse_prompt(body.get("prompt")),
        negative_prompt=_parse_negative_prompt(body.get("negative_prompt", "")),
        size=_parse_size(body, image_type),
        steps=int(_parse_choice(body, "num_inference_steps", STEPS, default=30, whole=True)),
        guidance=_parse_choice(body, "guidance_scale", GUIDANCES, default=7.5, whole=False),
        seed=_parse_whole(body, "seed", 0, SEED_MAX) if "seed" in body else None,
        num_images=_parse_whole(body, "num_images", 1, IMAGES_MAX) if "num_images" in body else 1,
        output_format=_parse_format(body.get("output_format", "jpeg")),
        source_urls=_parse_sources(body) if image_type == "image-to-image" else (),
        safety_checker=_parse_flag(body, "enable_safety_checker"),
    )


def _parse_prompt(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ApiError("INVALID_PROMPT", "prompt must be a text that is not empty")
    if len(value) > TEXT_CHARACTERS_MAX:
        raise ApiError("INVALID_PROMPT", f"prompt must have at most {TEXT_CHARACTERS_MAX} characters")
    if _CONTROL_CHARACTERS.search(value):
        raise ApiError("INVALID_PROMPT", "prompt must not contain control characters")
    return value


def _parse_negative_prompt(value: Any) -> str:
    if not isinstance(value, str) or len(value) > TEXT_CHARACTERS_MAX or _CONTROL_CHARACTERS.search(value):
        raise ApiError(
            "INVALID_PARAMETERS",
            f"negative_prompt must be a text of at most {TEXT_CHARACTERS_MAX} characters",
        )
    return value


def _parse_size(body: dict[str, Any], image_type: ImageType) -> tuple[int, int] | None:
    if "image_size" in body and "aspect_ratio" in body:
        raise ApiError("INVALID_PARAMETERS", "image_size and aspect_ratio are alternatives; send one of them")
    if "image_size" in body:
        return _parse_image_size(body["image_size"])
    if "aspect_ratio" in body:
        value = body["aspect_ratio"]
        match = _RATIO.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise ApiError("INVALID_PARAMETERS", "aspect_ratio must look like 16:9")
        return build_size(int(match[1]), int(match[2]))
    return None if image_type == "image-to-image" else (SIDE_MAX, SIDE_MAX)


def _parse_image_size(value: Any) -> tuple[int, int]:
    if not isinstance(value, dict) or set(value) != {"width", "height"}:
        raise ApiError("INVALID_PARAMETERS", "image_size must be an object with width and height")
    return _parse_whole(value, "width", SIDE_MIN, SIDE_MAX), _parse_whole(value, "height", SIDE_MIN, SIDE_MAX)


def _parse_whole(body: dict[str, Any], name: str, minimum: int, maximum: int) -> int:
    value = body[name]
    if type(value) is not int or not minimum <= value <= maximum:
        raise ApiError("INVALID_PARAMETERS", f"{name} must be a whole number from {minimum} to {maximum}")
    return value


def _parse_choice(
    body: dict[str, Any], name: str, allowed: tuple[float, ...], *, default: float, whole: bool
) -> float:
    value = body.get(name, default)
    accepted = type(value) is int or (type(value) is float and not whole)
    if not accepted or value not in allowed:
        raise ApiError("INVALID_PARAMETERS", f"{name} must be one of {', '.join(map(str, allowed))}")
    return float(value)


def _parse_format(value: Any) -> OutputFormat:
    if value == "jpeg":
        return "jpeg"
    if value == "png":
        return "png"
    raise ApiError("INVALID_PARAMETERS", "output_format must be jpeg or png")


def _parse_flag(body: dict[str, Any], name: str) -> bool:
    value = body.get(name, True)
    if not isinstance(value, bool):
        raise ApiError("INVALID_PARAMETERS", f"{name} must be true or false")
    return value


def _parse_sources(body: dict[str, Any]) -> tuple[str, ...]:
    if "image_url" in body and "image_urls" in body:
        raise ApiError("INVALID_PARAMETERS", "image_url and image_urls are alternatives; send one of them")
    if "image_url" in body:
        return (_parse_source(body["image_url"]),)
    if "image_urls" not in body:
        raise ApiError("MISSING_PARAMETERS", "image_url or image_urls is required")
    value = body["image_urls"]
    if not isinstance(value, list) or not 1 <= len(value) <= SOURCES_MAX:
        raise ApiError("INVALID_PARAMETERS", f"image_urls must be a list of 1 to {SOURCES_MAX} addresses")
    return tuple(_parse_source(item) for item in value)


def _parse_source(value: Any) -> str:
    problem = "A source image must be an http or https address"
    if not isinstance(value, str) or len(value) > URL_CHARACTERS_MAX:
        raise ApiError("INVALID_PARAMETERS", problem)
    try:
        parts = urlsplit(value)
        host = parts.hostname
    except ValueError as error:
        raise ApiError("INVALID_PARAMETERS", problem) from error
    if parts.scheme not in {"http", "https"} or not host:
        raise ApiError("INVALID_PARAMETERS", problem)
    return value

"""Makes pictures fit where they are to be posted: saved again, else made smaller, else only linked (pure).

Knows Pillow and numbers of bytes, not Discord's answers. Runs for seconds: call it in a thread, once at a time.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Literal

from PIL import Image

from bot.kvid.model import DownloadedImage

if TYPE_CHECKING:
    from collections.abc import Sequence

MIB = 1024 * 1024
# What is decoded takes a few bytes a pixel. kvid's pictures have one million.
PIXELS_MAX = 16_000_000
FORMATS = ("JPEG", "PNG", "WEBP")
# Tried in this order: quality, and the share of width and height.
STEPS: tuple[tuple[int, float], ...] = (
    *((92, 1.0), (85, 1.0), (75, 1.0)),
    *((85, 0.75), (80, 0.5), (75, 0.35)),
)


class Fit(Enum):
    """What became of a result's pictures on their way to Discord."""

    AS_IS = "as_is"
    SAVED_AGAIN = "saved_again"
    SMALLER = "smaller"
    LINKED = "linked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """Units: bytes, of one file and of all of a message."""

    file_bytes_max: int
    total_bytes_max: int


# Discord's own limits since September 2026, with room for the form around the files; then what it took before,
# in case a place is narrower than its limits say. Source: platform notes 0 and 1.
LIMITS = (
    Limit(file_bytes_max=20 * MIB, total_bytes_max=24 * MIB),
    Limit(file_bytes_max=8 * MIB, total_bytes_max=8 * MIB),
    Limit(file_bytes_max=2 * MIB, total_bytes_max=2 * MIB),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """The pictures of one message as they are posted; none where they are only linked."""

    images: tuple[DownloadedImage, ...]
    fit: Fit

    @property
    def size_bytes(self) -> int:
        return sum(len(image.data) for image in self.images)


LINKS = Parcel(images=(), fit=Fit.LINKED)


def fits(images: Sequence[DownloadedImage], limit: Limit) -> bool:
    sizes = [len(image.data) for image in images]
    return max(sizes, default=0) <= limit.file_bytes_max and sum(sizes) <= limit.total_bytes_max


def fit_images(images: Sequence[DownloadedImage], limit: Limit) -> Parcel | None:
    """The pictures within `limit`, changed no more than that needs; None where no step is enough."""
    if fits(images, limit):
        return Parcel(images=tuple(images), fit=Fit.AS_IS)
    bytes_max = min(limit.file_bytes_max, limit.total_bytes_max // len(images))
    fitted, fit = [], Fit.SAVED_AGAIN
    for image in images:
        if len(image.data) <= bytes_max:
            fitted.append(image)
            continue
        found = _fit_image(image.data, bytes_max)
        if found is None:
            return None
        encoded, scale = found
        fitted.append(encoded)
        fit = fit if scale == 1.0 else Fit.SMALLER
    return Parcel(images=tuple(fitted), fit=fit)


def _fit_image(data: bytes, bytes_max: int) -> tuple[DownloadedImage, float] | None:
    picture = _open(data)
    if picture is None:
        return None
    with picture:
        kind: Literal["JPEG", "WEBP"] = "WEBP" if _has_alpha(picture) else "JPEG"
        flat = picture.convert("RGBA" if kind == "WEBP" else "RGB")
    for quality, scale in STEPS:
        encoded = _encode(flat, kind, quality, scale)
        if len(encoded) <= bytes_max:
            content_type: Literal["image/jpeg", "image/webp"] = (
                "image/jpeg" if kind == "JPEG" else "image/webp"
            )
            return DownloadedImage(data=encoded, content_type=content_type), scale
    return None


def _open(data: bytes) -> Image.Image | None:
    """The decoded picture; None for what is none, is damaged, or would take too much memory."""
    try:
        with warnings.catch_warnings():
            # Pillow warns about very large pictures; the limit below answers for that.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(data), formats=FORMATS)
        if picture.width * picture.height > PIXELS_MAX:
            picture.close()
            return None
        picture.load()
    except Exception:  # noqa: BLE001 - Pillow raises anything for a damaged file; it is linked instead
        return None
    return picture


def _has_alpha(picture: Image.Image) -> bool:
    return picture.mode in {"RGBA", "LA", "PA"} or "transparency" in picture.info


def _encode(picture: Image.Image, kind: str, quality: int, scale: float) -> bytes:
    if scale != 1.0:
        size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    out = io.BytesIO()
    picture.save(out, kind, quality=quality)
    return out.getvalue()

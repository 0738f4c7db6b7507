"""Whether the bytes a member gave are a picture that kvid takes (pure).

JPEG, PNG or WebP by content, never by name. Nothing is decoded: the header is read and the rest is checked
for damage, so a small file that claims huge dimensions costs nothing. **Source** of the formats: kvid's
contract; the limits are ours.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

from bot.errors import SourceRefused

SOURCE_BYTES_MAX = 20 * 1024 * 1024
SOURCE_PIXELS_MAX = 40_000_000
# A whole JPEG has its end marker among the last bytes; some cameras append a little of their own.
JPEG_END = b"\xff\xd9"
JPEG_TAIL_BYTES = 65_536
FORMATS = ("JPEG", "PNG", "WEBP")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceImage:
    format: str
    width: int
    height: int


def check_source_bytes(size_bytes: int) -> None:
    """**Raises** SourceRefused above 20 MiB."""
    if size_bytes > SOURCE_BYTES_MAX:
        # One decimal, rounded up, so that a file just above the limit is never called "20.0".
        raise SourceRefused("source.too_large", size=-(-size_bytes * 10 // (1024 * 1024)) / 10)


def inspect_source(data: bytes) -> SourceImage:
    """Format and size (pixels) of a picture; **Raises** SourceRefused with the reason."""
    check_source_bytes(len(data))
    try:
        with warnings.catch_warnings():
            # Pillow warns about very large pictures; the limit below answers for that.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                found = SourceImage(format=image.format or "", width=image.width, height=image.height)
                _check_pixels(found)
                if image.format == "JPEG":
                    _check_jpeg_end(data)
                else:
                    image.verify()
    except UnidentifiedImageError:
        raise SourceRefused("source.not_image") from None
    except Image.DecompressionBombError:
        raise SourceRefused("source.too_many_pixels", megapixels="more than 178") from None
    except SourceRefused:
        raise
    except Exception as error:
        raise SourceRefused("source.broken") from error
    return found


def _check_jpeg_end(data: bytes) -> None:
    """Pillow checks a JPEG only by decoding it, which for a progressive one takes hundreds of megabytes."""
    if JPEG_END not in data[-JPEG_TAIL_BYTES:]:
        raise SourceRefused("source.broken")


def _check_pixels(image: SourceImage) -> None:
    pixels = image.width * image.height
    if pixels > SOURCE_PIXELS_MAX:
        raise SourceRefused("source.too_many_pixels", megapixels=-(-pixels // 1_000_000))

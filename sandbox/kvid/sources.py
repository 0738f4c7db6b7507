"""Fetching the source pictures of an edit.

Owns the limits on what is fetched. Knows no jobs; `works` turns its errors into failed jobs.
"""

from __future__ import annotations

import asyncio
from io import BytesIO
from typing import TYPE_CHECKING

import aiohttp
from PIL import Image

if TYPE_CHECKING:
    from sandbox.kvid.settings import KvidSettings

CHUNK_BYTES = 64 * 1024
REDIRECTS_MAX = 3


class SourceError(Exception):
    """The source picture cannot be used; the text becomes the job's error_message."""


async def fetch_source(session: aiohttp.ClientSession, address: str, settings: KvidSettings) -> bytes:
    """Raises: SourceError."""
    try:
        async with (
            asyncio.timeout(settings.source_timeout_s),
            session.get(address, max_redirects=REDIRECTS_MAX) as response,
        ):
            if response.status != 200:
                raise SourceError(f"The source image could not be fetched: HTTP {response.status}")
            data = await _read(response, settings.source_bytes_max)
    except TimeoutError as error:
        raise SourceError("The source image could not be fetched in time") from error
    except (aiohttp.ClientError, ValueError) as error:
        raise SourceError("The source image could not be fetched") from error
    _check(data, settings.source_pixels_max)
    return data


async def _read(response: aiohttp.ClientResponse, bytes_max: int) -> bytes:
    data = bytearray()
    async for chunk in response.content.iter_chunked(CHUNK_BYTES):
        data += chunk
        if len(data) > bytes_max:
            raise SourceError("The source image is too large")
    return bytes(data)


def _check(data: bytes, pixels_max: int) -> None:
    known = data.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")) or (
        data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    )
    if not known:
        raise SourceError("The source image must be JPEG, PNG or WebP")
    try:
        with Image.open(BytesIO(data), formats=("JPEG", "PNG", "WEBP")) as image:
            pixels = image.width * image.height
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise SourceError("The source image cannot be read") from error
    if pixels > pixels_max:
        raise SourceError("The source image has too many pixels")

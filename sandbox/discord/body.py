"""Owns the reading of request bodies: JSON or multipart with `payload_json` and `files[n]`, within limits.

Everything read here is hostile. Nothing here knows what a body means.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from sandbox.discord.errors import ApiError, entity_too_large, invalid_field
from sandbox.discord.forms import length_problem

FILES_MAX = 10
FILE_FIELD = re.compile(r"files\[(\d{1,3})\]|file(\d{0,3})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    index: int
    filename: str
    content_type: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """Shape: `value` is the decoded JSON (None when the body was empty), `files` by the n of `files[n]`."""

    value: Any = None
    files: dict[int, Upload] = field(default_factory=dict)

    def as_object(self) -> dict[str, Any]:
        if self.value is None:
            return {}
        if not isinstance(self.value, dict):
            raise malformed_json()
        return self.value


def malformed_json() -> ApiError:
    return ApiError(400, 50109, "The request body contains invalid JSON.")


def parse_json(text: str | bytes) -> Any:
    """Raises: ApiError 50109 for anything that is not JSON, or is nested beyond reason."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise malformed_json() from error


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


async def read_body(request: web.Request, *, request_bytes_max: int, file_bytes_max: int) -> Body:
    """Read the whole body.

    Raises: ApiError 40005 when the request or a file is too large, 50109 for bad JSON, 50035 for too many files.
    """
    if (request.content_length or 0) > request_bytes_max:
        raise entity_too_large()
    if not request.content_type.startswith("multipart/"):
        raw = await _read_limited(request, request_bytes_max)
        return Body(value=parse_json(raw) if raw.strip() else None)
    value: Any = None
    files: dict[int, Upload] = {}
    left = request_bytes_max
    try:
        reader = await request.multipart()
        while (part := await reader.next()) is not None:
            if not isinstance(part, BodyPartReader):
                raise malformed_json()
            data = await _read_part(part, left)
            left -= len(data)
            match = FILE_FIELD.fullmatch(part.name or "")
            if part.name == "payload_json":
                value = parse_json(data)
            elif match:
                if len(data) > file_bytes_max:
                    raise entity_too_large()
                index = int(match.group(1) or match.group(2) or 0)
                files[index] = Upload(
                    index=index,
                    filename=part.filename or "unknown",
                    content_type=part.headers.get("Content-Type", "application/octet-stream"),
                    data=data,
                )
    except (ValueError, HttpProcessingError) as error:  # aiohttp's words for a broken multipart frame
        raise malformed_json() from error
    if len(files) > FILES_MAX:
        raise invalid_field(("files",), *length_problem(0, FILES_MAX))
    return Body(value=value, files=files)


async def _read_part(part: BodyPartReader, limit: int) -> bytes:
    data = bytearray()
    while chunk := await part.read_chunk(64 * 1024):
        data += chunk
        if len(data) > limit:
            raise entity_too_large()
    return bytes(data)


async def _read_limited(request: web.Request, limit: int) -> bytes:
    data = bytearray()
    async for chunk in request.content.iter_chunked(64 * 1024):
        data += chunk
        if len(data) > limit:
            raise entity_too_large()
    return bytes(data)

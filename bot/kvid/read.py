"""Single fields of kvid's answers, read with tolerance.

Owns what each field may look like and the bounds that make hostile ones harmless. Pure, and total: any JSON
value gives a usable value or None, never an exception. Stands below `wire`, which knows their meaning.
"""

import json
import math
import re
from datetime import UTC, datetime
from typing import Any, NoReturn

from bot.kvid.addresses import is_web_url
from bot.kvid.model import JobStatus, ResultImage

EXCERPT_CHARS_MAX = 160
# A prompt of one letter is no secret, and striking it out would leave nothing to read.
SECRET_CHARS_MIN = 4
RESULT_IMAGES_MAX = 16
IMAGE_SIDE_PX_READ_MAX = 65_535
CREDITS_READ_MAX = 1_000_000
ESTIMATE_S_MAX = 86_400.0
BYTES_READ_MAX = 2**40

_CODE = re.compile(r"[A-Z][A-Z0-9_]{1,63}", re.ASCII)
_JOB_ID = re.compile(r"[!-~]{1,200}")
_ESTIMATE = re.compile(
    r"\s*([0-9]{1,6}(?:\.[0-9]{1,3})?)\s*s?(?:\s*[-~\u2013]\s*([0-9]{1,6}(?:\.[0-9]{1,3})?))?\s*"
    r"(?:s|secs?|seconds?)?\s*",
    re.ASCII | re.IGNORECASE,
)
# Answers echo the prompt; an excerpt ends in logs, where prompts do not belong.
_ECHOED_PROMPT = re.compile(r'("(?:negative_)?prompt"\s*:\s*)"(?:[^"\\]|\\.)*"?', re.DOTALL)


def json_object(body: bytes) -> dict[str, Any] | None:
    """The JSON object in these bytes, None for anything else."""
    try:
        # RecursionError: thousands of nested brackets. ValueError covers bad UTF-8 and over-long integers.
        payload = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None
    return payload if isinstance(payload, dict) else None


def _refuse_constant(name: str) -> NoReturn:
    # NaN and Infinity are Python's extension of JSON, and poison every comparison after.
    raise ValueError(name)


def error_code_and_message(payload: dict[str, Any]) -> tuple[str | None, str | None]:
    """What an error body says.

    Shape: code and message of `{"error": {"code", "message"}}`, `{"code", "message"}` or `{"error": "CODE"}`.
    """
    error = payload.get("error")
    source = error if isinstance(error, dict) else payload
    candidates = (source.get("code"), error)
    code = next((text for text in candidates if isinstance(text, str) and _CODE.fullmatch(text)), None)
    messages = (source.get("message"), error, code)
    return code, next((text for text in messages if isinstance(text, str) and text), None)


def excerpt(text: str | bytes, *, secrets: tuple[str, ...] = (), chars_max: int = EXCERPT_CHARS_MAX) -> str:
    """A short, printable, single-line piece without secrets and echoed prompts."""
    plain = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    # Secrets go before any cut, or half of one could remain; the window keeps the rest of the work small.
    for secret in (text for text in secrets if len(text) >= SECRET_CHARS_MIN):
        for form in (secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]):
            plain = plain.replace(form, "***")
    window = _ECHOED_PROMPT.sub(r'\1"***"', plain[: 64 * chars_max])
    cleaned = "".join(character if character.isprintable() else " " for character in window)
    cut = " ".join(cleaned.split())
    return cut if len(cut) <= chars_max else f"{cut[: chars_max - 1]}\u2026"


def message(value: Any, *, secrets: tuple[str, ...]) -> str | None:
    """A sentence for operators."""
    return excerpt(value, secrets=secrets) or None if isinstance(value, str) else None


def job_id(value: Any) -> str | None:
    """A job's id: printable ASCII without spaces."""
    return value if isinstance(value, str) and _JOB_ID.fullmatch(value) else None


def job_status(value: Any) -> JobStatus:
    """The status; any word that is not known is UNKNOWN."""
    word = value.strip().lower() if isinstance(value, str) else ""
    if word == "cancelled":
        return JobStatus.CANCELED
    try:
        return JobStatus(word)
    except ValueError:
        return JobStatus.UNKNOWN


def estimated_time_s(value: Any) -> tuple[float, float] | None:
    """(lowest, highest) seconds out of "10s", "10-20s" or a plain number."""
    match = _ESTIMATE.fullmatch(str(value)) if isinstance(value, str | int | float) else None
    if match is None:
        return None
    low = float(match[1])
    high = float(match[2]) if match[2] else low
    return (min(low, high), max(low, high)) if max(low, high) <= ESTIMATE_S_MAX else None


def moment(value: Any) -> datetime | None:
    """An aware UTC time out of ISO 8601; without a zone it is taken as UTC."""
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(value)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def credits_used(value: Any) -> int | None:
    """Whole credits; a fraction is rounded up, as kvid's price is."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return math.ceil(value) if 0 <= value <= CREDITS_READ_MAX else None


def result_images(data: dict[str, Any]) -> tuple[ResultImage, ...]:
    """The pictures, in order, out of `images`, `result_urls` or `result_url`; empty where none is usable.

    A list counts only as a whole: with one unusable entry, or too many, the picture count would be a lie.
    """
    result_url = data.get("result_url")
    for entries in (data.get("images"), data.get("result_urls"), [result_url]):
        if not isinstance(entries, list) or not 1 <= len(entries) <= RESULT_IMAGES_MAX:
            continue
        images = [_result_image(entry, data, alone=len(entries) == 1) for entry in entries]
        known = tuple(image for image in images if image is not None)
        if len(known) == len(images):
            return known
    return ()


def _result_image(entry: Any, data: dict[str, Any], *, alone: bool) -> ResultImage | None:
    own: dict[str, Any] = entry if isinstance(entry, dict) else {"url": entry}
    url = own.get("url")
    if not isinstance(url, str) or not is_web_url(url):
        return None
    # Pictures of one job share size and format; the byte size at the top can only be meant for a single one.
    size = own.get("size", data.get("size") if alone else None)
    kind = own.get("type", own.get("content_type", data.get("type")))
    return ResultImage(
        url=url,
        width=_whole(own.get("width", data.get("width")), IMAGE_SIDE_PX_READ_MAX),
        height=_whole(own.get("height", data.get("height")), IMAGE_SIDE_PX_READ_MAX),
        size_bytes=_whole(size, BYTES_READ_MAX),
        content_type=excerpt(kind, chars_max=64) or None if isinstance(kind, str) else None,
    )


def _whole(value: Any, highest: int) -> int | None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and 1 <= value <= highest else None

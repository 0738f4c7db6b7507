"""The values that go to kvid and come back.

Owns their shapes and the limits the contract sets on what may be sent: a request that exists may be sent.
Must not know how they travel. Stands below `wire`, which turns them into bytes and back.

Source: shared contract `kvid-image-api.txt`, sections "Parameters" and 1 to 3.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, TypeAlias

from bot.kvid.addresses import is_web_url
from bot.kvid.errors import InvalidFieldError

IMAGE_SIDE_PX_MIN = 256
IMAGE_SIDE_PX_MAX = 1024
STEPS_OFFERED: tuple[int, ...] = (20, 30, 40, 50)
GUIDANCE_OFFERED: tuple[float, ...] = (3.0, 5.0, 7.5, 10.0)
OUTPUT_FORMATS_OFFERED: tuple[str, ...] = ("jpeg", "png")
# The contract sets no bound; later editions say 1-4 (kvid-api-notes.md).
IMAGE_COUNT_MAX = 4
# The next three are ours: no request may grow without end, and JSON numbers are exact up to 2**53 - 1.
PROMPT_CHARS_MAX = 10_000
SOURCE_COUNT_MAX = 10
SEED_MAX = 2**53 - 1

_ASPECT_RATIO = re.compile(r"[1-9][0-9]?:[1-9][0-9]?", re.ASCII)

ContentType: TypeAlias = Literal["image/jpeg", "image/png", "image/webp"]
OutputFormat: TypeAlias = Literal["jpeg", "png"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSize:
    """An exact size.

    Units: pixels, 256 to 1024 each; multiples of 64 are recommended, not required.
    Raises: InvalidFieldError.
    """

    width: int
    height: int

    def __post_init__(self) -> None:
        for field in ("width", "height"):
            side = getattr(self, field)
            _ensure(_is_whole(side) and IMAGE_SIDE_PX_MIN <= side <= IMAGE_SIDE_PX_MAX, field, "out_of_range")


@dataclass(frozen=True, slots=True, kw_only=True)
class TextToImage:
    """A picture to be made from words; None leaves a parameter to kvid.

    Shape: prompts are kept in Unicode NFC; a blank negative prompt becomes None.
    Raises: InvalidFieldError.
    """

    prompt: str
    negative_prompt: str | None = None
    size: ImageSize | None = None
    aspect_ratio: str | None = None
    steps: int | None = None
    guidance: float | None = None
    seed: int | None = None
    image_count: int | None = None
    output_format: OutputFormat | None = None
    safety_checker: bool | None = None

    def __post_init__(self) -> None:
        _settle_common(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageToImage:
    """One or more pictures to be changed by words; otherwise like TextToImage.

    Shape: `source_urls` has 1 to SOURCE_COUNT_MAX absolute http(s) addresses.
    Raises: InvalidFieldError.
    """

    prompt: str
    source_urls: tuple[str, ...]
    negative_prompt: str | None = None
    size: ImageSize | None = None
    aspect_ratio: str | None = None
    steps: int | None = None
    guidance: float | None = None
    seed: int | None = None
    image_count: int | None = None
    output_format: OutputFormat | None = None
    safety_checker: bool | None = None

    def __post_init__(self) -> None:
        _settle_common(self)
        object.__setattr__(self, "source_urls", tuple(self.source_urls))
        _ensure(1 <= len(self.source_urls) <= SOURCE_COUNT_MAX, "source_urls", "out_of_range")
        _ensure(all(map(is_web_url, self.source_urls)), "source_urls", "malformed")


GenerationRequest: TypeAlias = TextToImage | ImageToImage


class JobStatus(StrEnum):
    """kvid's own states of a job; UNKNOWN is any other word and means: still running."""

    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmittedJob:
    """What an accepted submit says.

    Units: `estimated_time_s` is (lowest, highest) in seconds, None where kvid gave none that can be read.
    """

    job_id: str
    status: JobStatus
    estimated_time_s: tuple[float, float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport:
    """How far a job is; `raw_status` is kvid's own word, `error_message` is for operators."""

    job_id: str
    status: JobStatus
    raw_status: str
    error_message: str | None
    created_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultImage:
    """One picture of a result; what kvid does not say, or says absurdly, is None.

    Units: width and height in pixels.
    """

    url: str
    width: int | None
    height: int | None
    size_bytes: int | None
    content_type: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """A completed job: at least one picture, in kvid's order.

    Units: `used_credit` in whole kvid credits (a fraction is rounded up), None where not reported.
    """

    job_id: str
    images: tuple[ResultImage, ...]
    used_credit: int | None
    created_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadedImage:
    """A picture's bytes; the content type is what the bytes say, not what the server said."""

    data: bytes
    content_type: ContentType


def _settle_common(request: GenerationRequest) -> None:
    object.__setattr__(request, "prompt", _settle_text(request.prompt, "prompt"))
    _ensure(bool(request.prompt.strip()), "prompt", "empty")
    if request.negative_prompt is not None:
        negative = _settle_text(request.negative_prompt, "negative_prompt")
        object.__setattr__(request, "negative_prompt", negative if negative.strip() else None)
    _ensure(request.size is None or request.aspect_ratio is None, "aspect_ratio", "exclusive")
    _ensure(
        request.aspect_ratio is None or bool(_ASPECT_RATIO.fullmatch(request.aspect_ratio)),
        "aspect_ratio",
        "malformed",
    )
    _ensure(request.steps is None or request.steps in STEPS_OFFERED, "steps", "not_offered")
    _ensure(request.guidance is None or request.guidance in GUIDANCE_OFFERED, "guidance", "not_offered")
    _ensure(
        request.output_format is None or request.output_format in OUTPUT_FORMATS_OFFERED,
        "output_format",
        "not_offered",
    )
    for field, lowest, highest in (("seed", -SEED_MAX, SEED_MAX), ("image_count", 1, IMAGE_COUNT_MAX)):
        number = getattr(request, field)
        _ensure(number is None or (_is_whole(number) and lowest <= number <= highest), field, "out_of_range")


def _settle_text(text: str, field: str) -> str:
    # A lone surrogate has no UTF-8 form, so it could not be sent.
    _ensure(not any("\ud800" <= character <= "\udfff" for character in text), field, "not_text")
    settled = unicodedata.normalize("NFC", text)
    _ensure(len(settled) <= PROMPT_CHARS_MAX, field, "too_long")
    return settled


def _is_whole(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool)


def _ensure(holds: bool, field: str, problem: str) -> None:  # noqa: FBT001 - reads as a sentence at each call
    if not holds:
        raise InvalidFieldError(field=field, problem=problem)

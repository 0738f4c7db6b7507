"""Bytes of kvid's API: requests are built here, answers are read here.

Owns the paths, names and shapes of the contract and every tolerated deviation from it.
Pure: it must not know how bytes travel, what time it is, or who asked. Stands between `client` and `model`.
Whatever the answer holds, parsing returns a value or raises a KvidError.

Source: shared contract `kvid-image-api.txt`; tolerated deviations from `kvid-api-notes.md`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from bot.kvid import read
from bot.kvid.errors import (
    KvidAccountEmpty,
    KvidError,
    KvidInvalidParameters,
    KvidInvalidPrompt,
    KvidJobFailed,
    KvidJobNotCompleted,
    KvidJobNotFound,
    KvidProtocolError,
    KvidRateLimited,
    KvidSafetyRefused,
    KvidServerError,
    KvidUnauthorized,
    KvidUnreachable,
)
from bot.kvid.model import (
    ContentType,
    GenerationRequest,
    ImageToImage,
    JobResult,
    JobStatus,
    StatusReport,
    SubmittedJob,
)
from bot.kvid.retry import parse_retry_after_s

ERROR_BY_CODE: Mapping[str, type[KvidError]] = {
    "INVALID_PROMPT": KvidInvalidPrompt,
    "MISSING_PARAMETERS": KvidInvalidParameters,
    "INVALID_PARAMETERS": KvidInvalidParameters,
    "INSUFFICIENT_CREDITS": KvidAccountEmpty,
    "INSUFFICIENT_CREDIT": KvidAccountEmpty,
    "SAFETY_CHECK_FAILED": KvidSafetyRefused,
    "RATE_LIMITED": KvidRateLimited,
    "SERVER_ERROR": KvidServerError,
    "JOB_NOT_FOUND": KvidJobNotFound,
    "JOB_NOT_COMPLETED": KvidJobNotCompleted,
    "JOB_FAILED": KvidJobFailed,
}
ERROR_BY_HTTP_STATUS: Mapping[int, type[KvidError]] = {
    400: KvidInvalidParameters,
    401: KvidUnauthorized,
    402: KvidAccountEmpty,
    403: KvidUnauthorized,
    404: KvidJobNotFound,
    422: KvidSafetyRefused,
    429: KvidRateLimited,
}
# A submit that ends in one of these was not accepted, even where the answer came with a 2xx status.
_REFUSALS = (
    KvidInvalidPrompt,
    KvidInvalidParameters,
    KvidAccountEmpty,
    KvidSafetyRefused,
    KvidRateLimited,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WireRequest:
    """One API call, ready to be sent; key and prompt stay out of its repr."""

    method: str
    target: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One complete answer; `secrets` are texts that no excerpt of it may show."""

    http_status: int
    body: bytes = field(repr=False)
    retry_after: str | None = None
    date: str | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False)


def build_submit(request: GenerationRequest, *, api_key: str, product_code: str | None) -> WireRequest:
    """Ask for pictures.

    Source: contract, sections "Endpoints", 1 and "Parameters"; `product_code` from the notes, "who pays".
    """
    kind = "image-to-image" if isinstance(request, ImageToImage) else "text-to-image"
    size = request.size
    parameters: dict[str, Any] = {
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt,
        "image_size": None if size is None else {"width": size.width, "height": size.height},
        "aspect_ratio": request.aspect_ratio,
        "num_inference_steps": request.steps,
        "guidance_scale": request.guidance,
        "seed": request.seed,
        "num_images": request.image_count,
        "output_format": request.output_format,
        "enable_safety_checker": request.safety_checker,
        "product_code": product_code,
    }
    if isinstance(request, ImageToImage):
        several = len(request.source_urls) > 1
        parameters["image_urls" if several else "image_url"] = (
            list(request.source_urls) if several else request.source_urls[0]
        )
    sent = {name: value for name, value in parameters.items() if value is not None}
    return WireRequest(
        method="POST",
        target=f"/ai/generation/{kind}/generate-async",
        headers={"api-key": api_key, "Accept": "application/json", "Content-Type": "application/json"},
        body=json.dumps(sent, ensure_ascii=False, separators=(",", ":")).encode(),
    )


def build_status(job_id: str, *, api_key: str) -> WireRequest:
    """Ask how far a job is.

    Source: contract, section 2.
    """
    return _build_question("status", job_id, api_key)


def build_result(job_id: str, *, api_key: str) -> WireRequest:
    """Ask for a completed job's pictures.

    Source: contract, section 3.
    """
    return _build_question("result", job_id, api_key)


def _build_question(name: str, job_id: str, api_key: str) -> WireRequest:
    return WireRequest(
        method="GET",
        target=f"/ai/generation/{name}?{urlencode({'jobId': job_id})}",
        headers={"api-key": api_key, "Accept": "application/json"},
        body=None,
    )


def parse_submit(answer: Answer) -> SubmittedJob:
    """The accepted job.

    Raises: KvidError; `is_outcome_unknown` tells whether it is a refusal.
    Source: contract, section 1, "Response".
    """
    data = _read_data(answer)
    job_id = read.job_id(data.get("job_id"))
    if job_id is None:
        raise _protocol_error(answer)
    return SubmittedJob(
        job_id=job_id,
        # The job's id is what matters here; a missing status says no more than an unknown one.
        status=read.job_status(data.get("status")),
        estimated_time_s=read.estimated_time_s(data.get("estimated_time")),
    )


def parse_status(answer: Answer, *, job_id: str) -> StatusReport:
    """How far the job is.

    Raises: KvidError.
    Source: contract, section 2, "Response"; `canceled` and `error_message` from the notes.
    """
    data = _read_data(answer)
    _ensure_same_job(data, job_id, answer)
    raw_status = data.get("status")
    if not isinstance(raw_status, str) or not raw_status.strip():
        raise _protocol_error(answer)
    return StatusReport(
        job_id=job_id,
        status=read.job_status(raw_status),
        raw_status=read.excerpt(raw_status, secrets=answer.secrets, chars_max=40),
        error_message=read.message(data.get("error_message"), secrets=answer.secrets),
        created_at=read.moment(data.get("created_at")),
    )


def parse_result(answer: Answer, *, job_id: str) -> JobResult:
    """The completed job's pictures.

    Raises: KvidError; KvidJobNotCompleted and KvidJobFailed also where a 2xx answer names such a status.
    Source: contract, section 3, "Response"; several pictures from the notes.
    """
    data = _read_data(answer)
    _ensure_same_job(data, job_id, answer)
    status = JobStatus.COMPLETED if data.get("status") is None else read.job_status(data["status"])
    if status in {JobStatus.FAILED, JobStatus.CANCELED}:
        reason = read.message(data.get("error_message"), secrets=answer.secrets) or status.value
        raise KvidJobFailed(http_status=answer.http_status, excerpt=reason)
    if status is not JobStatus.COMPLETED:
        raise KvidJobNotCompleted(http_status=answer.http_status, excerpt=status.value)
    images = read.result_images(data)
    if not images:
        raise _protocol_error(answer)
    return JobResult(
        job_id=job_id,
        images=images,
        used_credit=read.credits_used(data.get("used_credit")),
        created_at=read.moment(data.get("created_at")),
    )


def is_outcome_unknown(error: KvidError) -> bool:
    """Whether kvid may have accepted the submit that ended in this error.

    Shape: False only for a request that never left, for a 4xx, and for a refusal by name in a 2xx answer.
    """
    if isinstance(error, KvidUnreachable):
        return error.request_sent
    status = error.http_status or 0
    refused = 400 <= status < 500 or (200 <= status < 300 and isinstance(error, _REFUSALS))
    return not refused


def sniff_content_type(data: bytes) -> ContentType | None:
    """What kind of image these bytes begin, None for anything else.

    Source: JPEG ITU T.81 B.1.1.3 (SOI, then a marker), PNG specification section 5.2,
    RFC 9649 section 2.4 (WebP).
    """
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return None


def _read_data(answer: Answer) -> dict[str, Any]:
    """The object that matters: inside `{"success": true, "data": ...}`, or bare."""
    payload = read.json_object(answer.body)
    if not 200 <= answer.http_status < 300:
        raise _build_error(answer, payload)
    if payload is None:
        raise _protocol_error(answer)
    # A bare job may carry an `error` of its own; without a job, it is the answer's.
    is_error = payload.get("error") and not {"data", "job_id"} & payload.keys()
    if payload.get("success") is False or is_error:
        raise _build_error(answer, payload)
    data = payload.get("data", payload)
    if not isinstance(data, dict):
        raise _protocol_error(answer)
    return data


def _build_error(answer: Answer, payload: dict[str, Any] | None) -> KvidError:
    """Source: contract, "Error handling"; the five forms of an error body from the notes."""
    code, message = read.error_code_and_message(payload or {})
    if answer.http_status == 402:
        kind: type[KvidError] | None = KvidAccountEmpty
    else:
        kind = ERROR_BY_CODE.get(code or "") or ERROR_BY_HTTP_STATUS.get(answer.http_status)
    if kind is KvidJobNotFound and payload is None and answer.body.strip():
        # A web page instead of an error object is some server in front of kvid: it cannot know a job is lost.
        kind = KvidProtocolError
    if kind is None:
        kind = KvidServerError if answer.http_status >= 500 else KvidProtocolError
    return kind(
        code=code,
        http_status=answer.http_status,
        retry_after_s=parse_retry_after_s(answer.retry_after, answer.date),
        excerpt=read.excerpt(message or answer.body, secrets=answer.secrets),
    )


def _ensure_same_job(data: dict[str, Any], job_id: str, answer: Answer) -> None:
    if data.get("job_id", job_id) != job_id:
        raise _protocol_error(answer)


def _protocol_error(answer: Answer) -> KvidProtocolError:
    return KvidProtocolError(
        http_status=answer.http_status, excerpt=read.excerpt(answer.body, secrets=answer.secrets)
    )

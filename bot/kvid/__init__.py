"""An async client for kvid's image API, importable alone.

Owns everything about kvid's API: shapes, errors, retries, connections. Must not know Discord, the database or
anything else of this project. Whoever runs jobs stands above it.
"""

from bot.kvid.client import KvidClient
from bot.kvid.errors import (
    DownloadProblem,
    InvalidFieldError,
    KvidAccountEmpty,
    KvidDownloadError,
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
    DownloadedImage,
    GenerationRequest,
    ImageSize,
    ImageToImage,
    JobResult,
    JobStatus,
    OutputFormat,
    ResultImage,
    StatusReport,
    SubmittedJob,
    TextToImage,
)
from bot.kvid.retry import RetryPolicy

__all__ = [
    "ContentType",
    "DownloadProblem",
    "DownloadedImage",
    "GenerationRequest",
    "ImageSize",
    "ImageToImage",
    "InvalidFieldError",
    "JobResult",
    "JobStatus",
    "KvidAccountEmpty",
    "KvidClient",
    "KvidDownloadError",
    "KvidError",
    "KvidInvalidParameters",
    "KvidInvalidPrompt",
    "KvidJobFailed",
    "KvidJobNotCompleted",
    "KvidJobNotFound",
    "KvidProtocolError",
    "KvidRateLimited",
    "KvidSafetyRefused",
    "KvidServerError",
    "KvidUnauthorized",
    "KvidUnreachable",
    "OutputFormat",
    "ResultImage",
    "RetryPolicy",
    "StatusReport",
    "SubmittedJob",
    "TextToImage",
]

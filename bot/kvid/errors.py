"""What can go wrong at kvid, as data.

Owns the error classes of the contract, of its liberal readings and of the network below them.
Must not know who asked or how a failure is told to anybody: it carries codes and numbers, never sentences.
Stands at the bottom of the package: `wire` and `transport` raise these, `retry` judges them, callers map
them once.

Source: shared contract `kvid-image-api.txt`, section "Error handling"; later codes from `kvid-api-notes.md`.
"""

from enum import StrEnum


class InvalidFieldError(ValueError):
    """A value that the contract does not allow, found before anything was sent.

    Shape: `field` is the name of the constructor's argument, `problem` a short stable word
    (`empty`, `too_long`, `not_text`, `out_of_range`, `not_offered`, `exclusive`, `malformed`).
    The refused value itself is not kept: it may be a secret or a prompt.
    """

    def __init__(self, *, field: str, problem: str) -> None:
        super().__init__(field, problem)
        self.field = field
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.field}: {self.problem}"


class KvidError(Exception):
    """Anything that kvid, or the way to kvid, refused or broke.

    Shape: `code` as kvid wrote it, `http_status` of the answer, both None where there was none;
    `excerpt` is cleaned, cut short and free of the key and the prompt.
    Units: `retry_after_s` in seconds, as the server asked.

    `outcome_unknown` is True on a submit that kvid may have accepted although no usable answer came back:
    such a submit must not be sent again blindly.
    """

    def __init__(
        self,
        *,
        code: str | None = None,
        http_status: int | None = None,
        retry_after_s: float | None = None,
        excerpt: str = "",
        outcome_unknown: bool = False,
    ) -> None:
        super().__init__()
        self.code = code
        self.http_status = http_status
        self.retry_after_s = retry_after_s
        self.excerpt = excerpt
        self.outcome_unknown = outcome_unknown

    def __str__(self) -> str:
        shown = {
            "code": self.code,
            "http_status": self.http_status,
            "retry_after_s": self.retry_after_s,
            "outcome_unknown": self.outcome_unknown or None,
            "excerpt": self.excerpt or None,
        }
        return " ".join(f"{name}={value!r}" for name, value in shown.items() if value is not None)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self})"


class KvidInvalidPrompt(KvidError):
    """The prompt is empty or not acceptable (INVALID_PROMPT)."""


class KvidInvalidParameters(KvidError):
    """Another parameter is missing or wrong (MISSING_PARAMETERS, INVALID_PARAMETERS, any other 400)."""


class KvidAccountEmpty(KvidError):
    """Our own kvid account has no credits left (INSUFFICIENT_CREDITS, INSUFFICIENT_CREDIT, any 402)."""


class KvidSafetyRefused(KvidError):
    """The safety filter refused the prompt (SAFETY_CHECK_FAILED)."""


class KvidRateLimited(KvidError):
    """Too many requests (RATE_LIMITED, any 429)."""


class KvidServerError(KvidError):
    """kvid itself failed (SERVER_ERROR, any 5xx)."""


class KvidUnauthorized(KvidError):
    """The key is refused (401, 403)."""


class KvidJobNotFound(KvidError):
    """kvid does not know the job (JOB_NOT_FOUND)."""


class KvidJobNotCompleted(KvidError):
    """The result was asked for while the job still runs (JOB_NOT_COMPLETED)."""


class KvidJobFailed(KvidError):
    """The job whose result was asked for failed or was cancelled (JOB_FAILED); `excerpt` has the reason."""


class KvidUnreachable(KvidError):
    """No complete answer: connection refused, reset or timed out.

    `request_sent` is False only when it is certain that no byte of the request reached kvid.
    """

    def __init__(self, *, request_sent: bool, excerpt: str = "") -> None:
        super().__init__(excerpt=excerpt)
        self.request_sent = request_sent


class KvidProtocolError(KvidError):
    """An answer that makes no sense: malformed JSON, HTML, an empty body, a wrong shape, a wrong job."""


class DownloadProblem(StrEnum):
    ADDRESS_REFUSED = "address_refused"
    REDIRECT_REFUSED = "redirect_refused"
    HTTP_STATUS = "http_status"
    TOO_LARGE = "too_large"
    WRONG_BYTES = "wrong_bytes"


class KvidDownloadError(KvidError):
    """A result's file could not be fetched as an image; `problem` says which rule it broke."""

    def __init__(
        self,
        *,
        problem: DownloadProblem,
        http_status: int | None = None,
        retry_after_s: float | None = None,
        excerpt: str = "",
    ) -> None:
        super().__init__(http_status=http_status, retry_after_s=retry_after_s, excerpt=excerpt)
        self.problem = problem

    def __str__(self) -> str:
        return f"problem={self.problem.value!r} {super().__str__()}".rstrip()

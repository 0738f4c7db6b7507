"""Whatever arrives is read or refused as a KvidError."""

import json
from contextlib import suppress

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bot.kvid import JobResult, KvidError
from bot.kvid.wire import Answer, parse_result, parse_status, parse_submit

# A busy machine is no reason to fail.
RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
# Lone surrogates and control characters too.
TEXT = st.text(st.characters(codec=None, categories=None), max_size=30)
WORDS = st.sampled_from(
    ["queued", "completed", "failed", "canceled", "JOB_FAILED", "10-20s", "https://a.example/1.png", "j"]
)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | TEXT | WORDS | st.just(10**400)
)
KEYS = (
    st.sampled_from(["success", "data", "error", "code", "message", "job_id", "status", "estimated_time"])
    | st.sampled_from(["error_message", "created_at", "images", "result_urls", "result_url", "used_credit"])
    | st.sampled_from(["url", "width", "height", "size", "type"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=10,
)
STATUSES = st.sampled_from([200, 201, 204, 302, 400, 401, 402, 403, 404, 418, 422, 429, 500, 503, 599])


def read_every_way(
    http_status: int, body: bytes, retry_after: str | None = None, date: str | None = None
) -> None:
    answer = Answer(
        http_status=http_status, body=body, retry_after=retry_after, date=date, secrets=("completed",)
    )
    with suppress(KvidError):
        parse_submit(answer)
    with suppress(KvidError):
        parse_status(answer, job_id="j")
    with suppress(KvidError):
        result = parse_result(answer, job_id="j")
        assert isinstance(result, JobResult)
        assert result.images


@RELAXED
@given(
    http_status=STATUSES, body=st.binary(max_size=200), retry_after=st.none() | TEXT, date=st.none() | TEXT
)
@example(http_status=200, body=b"[" * 100_000, retry_after=None, date=None)
@example(http_status=200, body=b"9" * 100_000, retry_after=None, date=None)
@example(http_status=200, body=b'{"a":' * 100_000, retry_after=None, date=None)
@example(http_status=429, body=b"", retry_after="Tue, 21 Apr 99999 10:00:00 GMT", date="0")
def test_arbitrary_bytes_are_parsed_or_refused(
    http_status: int, body: bytes, retry_after: str | None, date: str | None
) -> None:
    read_every_way(http_status, body, retry_after, date)


@RELAXED
@given(http_status=STATUSES, value=VALUES)
def test_arbitrary_json_is_parsed_or_refused(http_status: int, value: object) -> None:
    try:
        body = json.dumps(value).encode()
    except ValueError:  # integers too long to be written are too long to be read: covered above
        return
    read_every_way(http_status, body)


@RELAXED
@given(http_status=STATUSES, data=st.dictionaries(KEYS, VALUES, min_size=2, max_size=8))
def test_arbitrary_fields_of_a_job_are_parsed_or_refused(http_status: int, data: dict[str, object]) -> None:
    read_every_way(http_status, json.dumps({"success": True, "data": {"job_id": "j", **data}}).encode())

from itertools import pairwise

import pytest

from bot.kvid import (
    DownloadProblem,
    KvidDownloadError,
    KvidError,
    KvidJobNotFound,
    KvidProtocolError,
    KvidRateLimited,
    KvidServerError,
    KvidUnreachable,
    RetryPolicy,
)
from bot.kvid.retry import decide_wait_s, is_repeatable, parse_retry_after_s

POLICY = RetryPolicy(
    attempts_max=6, total_s_max=60.0, backoff_s_base=0.5, backoff_s_max=4.0, retry_after_s_max=20.0
)
SERVER_ERROR = KvidServerError(http_status=500, code="SERVER_ERROR")


def decide(
    error: KvidError, *, attempt: int = 1, elapsed_s: float = 0.0, chance: float = 0.5
) -> float | None:
    return decide_wait_s(
        POLICY, error=error, attempt=attempt, elapsed_s=elapsed_s, is_submit=False, chance=chance
    )


def test_the_wait_doubles_up_to_its_limit_and_is_a_random_part_of_that() -> None:
    waits = [decide(SERVER_ERROR, attempt=attempt, chance=1.0) for attempt in range(1, 6)]
    assert waits == [0.5, 1.0, 2.0, 4.0, 4.0]
    assert decide(SERVER_ERROR, attempt=3, chance=0.0) == 0.0
    grown = [wait for wait in waits if wait is not None]
    assert all(earlier <= later for earlier, later in pairwise(grown))


def test_the_last_attempt_is_the_last() -> None:
    assert decide(SERVER_ERROR, attempt=5) is not None
    assert decide(SERVER_ERROR, attempt=6) is None


def test_no_try_begins_after_the_total_time() -> None:
    assert decide(SERVER_ERROR, elapsed_s=59.75) == 0.25
    assert decide(SERVER_ERROR, elapsed_s=59.76) is None


def test_retry_after_is_waited_out_and_a_longer_one_is_left_to_the_caller() -> None:
    assert decide(KvidRateLimited(http_status=429, retry_after_s=20.0), chance=0.5) == 20.25
    assert decide(KvidRateLimited(http_status=429, retry_after_s=20.1)) is None


@pytest.mark.parametrize(
    ("error", "question", "submit"),
    [
        (KvidUnreachable(request_sent=False), True, True),
        (KvidUnreachable(request_sent=True), True, False),
        (KvidRateLimited(http_status=429, code="RATE_LIMITED"), True, True),
        (KvidRateLimited(http_status=429), True, False),
        (KvidRateLimited(http_status=200, code="RATE_LIMITED"), False, False),
        (SERVER_ERROR, True, False),
        (KvidServerError(http_status=503), True, False),
        (KvidProtocolError(http_status=200), False, False),
        (KvidProtocolError(), False, False),
        (KvidJobNotFound(http_status=404), False, False),
        (KvidDownloadError(problem=DownloadProblem.HTTP_STATUS, http_status=503), True, False),
        (KvidDownloadError(problem=DownloadProblem.HTTP_STATUS, http_status=404), False, False),
        (KvidDownloadError(problem=DownloadProblem.TOO_LARGE), False, False),
    ],
)
def test_a_submit_is_repeated_only_when_it_was_certainly_not_accepted(
    *, error: KvidError, question: bool, submit: bool
) -> None:
    assert is_repeatable(error, is_submit=False) is question
    assert is_repeatable(error, is_submit=True) is submit


DATE = "Tue, 21 Apr 2026 10:00:00 GMT"


@pytest.mark.parametrize(
    ("header", "date", "wait_s"),
    [
        (None, DATE, None),
        ("0", None, 0.0),
        (" 12 ", None, 12.0),
        ("1.5", None, 1.5),
        ("Tue, 21 Apr 2026 10:01:30 GMT", DATE, 90.0),
        ("Tue, 21 Apr 2026 09:00:00 GMT", DATE, 0.0),
        ("Tue, 21 Apr 2026 10:01:30 GMT", None, None),
        ("Tue, 21 Apr 2026 10:01:30 GMT", "yesterday", None),
        ("Tue, 21 Apr 2026 10:01:30 -0000", DATE, None),
        ("-3", None, None),
        ("1e9", DATE, None),
        ("9" * 400, DATE, None),
        ("nan", DATE, None),
        ("", DATE, None),
        ("\u0661", DATE, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(
    header: str | None, date: str | None, wait_s: float | None
) -> None:
    assert parse_retry_after_s(header, date) == wait_s

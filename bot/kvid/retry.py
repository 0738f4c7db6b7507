"""Whether a failed request is sent again, and when.

Owns that decision alone. Pure: chance and time are given to it, and it never sleeps.
Stands beside `client`, which asks it after each failure.
"""

import email.utils
import re
from dataclasses import dataclass

from bot.kvid.errors import KvidError, KvidUnreachable

_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How long one call may go on.

    Units: seconds. `attempts_max` counts the first try; `total_s_max` counts everything from its start to the
    start of the last try. A Retry-After above `retry_after_s_max` ends the call: its caller can wait better.
    """

    attempts_max: int = 4
    total_s_max: float = 45.0
    backoff_s_base: float = 0.5
    backoff_s_max: float = 8.0
    retry_after_s_max: float = 20.0


def decide_wait_s(
    policy: RetryPolicy, *, error: KvidError, attempt: int, elapsed_s: float, is_submit: bool, chance: float
) -> float | None:
    """How long to wait before the next try, or None to give up.

    Shape: `attempt` is the number of tries made (from 1); `chance` is in [0, 1).
    """
    if attempt >= policy.attempts_max or not is_repeatable(error, is_submit=is_submit):
        return None
    if error.retry_after_s is None:
        # Full jitter: members who failed together do not come back together.
        wait_s = chance * min(policy.backoff_s_max, policy.backoff_s_base * 2 ** (attempt - 1))
    elif error.retry_after_s <= policy.retry_after_s_max:
        wait_s = error.retry_after_s + chance * policy.backoff_s_base
    else:
        return None
    return wait_s if elapsed_s + wait_s <= policy.total_s_max else None


def is_repeatable(error: KvidError, *, is_submit: bool) -> bool:
    """Whether the same request may be sent again.

    A submit costs credits and has no idempotency key, so it is repeated only when the first was certainly not
    accepted: it never left, or kvid itself answered RATE_LIMITED (a 429 of some proxy proves nothing).
    """
    if isinstance(error, KvidUnreachable):
        return not is_submit or not error.request_sent
    if is_submit:
        return error.http_status == 429 and error.code == "RATE_LIMITED"
    return error.http_status is not None and (error.http_status == 429 or error.http_status >= 500)


def parse_retry_after_s(retry_after: str | None, date: str | None) -> float | None:
    """The wait that a Retry-After header asks for, None where there is none that can be read.

    Shape: seconds or an HTTP date; the latter counts from the answer's own Date header, so that a difference
    between the two clocks does no harm.
    Source: RFC 9110, section 10.2.3 (Retry-After) and 6.6.1 (Date).
    """
    if retry_after is None:
        return None
    if _SECONDS.fullmatch(retry_after.strip()):
        return float(retry_after)
    try:
        # The subtraction also fails, with TypeError, when one of the two dates has no zone.
        wait = email.utils.parsedate_to_datetime(retry_after) - email.utils.parsedate_to_datetime(date or "")
    except (TypeError, ValueError, OverflowError):
        return None
    return max(0.0, wait.total_seconds())

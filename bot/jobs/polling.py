"""When to ask kvid about a job again (pure).

A check costs a request, a late check costs the member waiting time. So the first check comes shortly
before the job is expected, checks around the expected end are close together, and the gap grows with
the age of a job that is late (the balance of expected lag against the price of a check).
"""

from __future__ import annotations

FIRST_CHECK_SHARE = 0.7
GAP_SHARE = 0.12
GAP_MIN_S = 0.4
GAP_MAX_S = 10.0
ESTIMATE_DEFAULT_S = 10.0
# kvid's estimate is taken with a grain of salt: asking early is cheap, waiting for a day is not.
FIRST_CHECK_MAX_S = 20.0
DEADLINE_MIN_S = 300.0
DEADLINE_MAX_S = 900.0
DEADLINE_FACTOR = 10.0
# What took so long lately may take so long again; kvid has to end some time all the same.
HISTORY_FACTOR = 2.0
DEADLINE_BY_HISTORY_MAX_S = 1800.0


def next_poll_delay_s(*, age_s: float, estimated_s: float | None) -> float:
    """Seconds to wait before the next check of a job submitted `age_s` ago."""
    estimate_s = estimated_s or ESTIMATE_DEFAULT_S
    first_s = min(FIRST_CHECK_SHARE * estimate_s, FIRST_CHECK_MAX_S)
    if age_s < first_s:
        return max(GAP_MIN_S, first_s - age_s)
    return min(GAP_MAX_S, max(GAP_MIN_S, GAP_SHARE * max(age_s, first_s)))


def deadline_s(estimated_s: float | None, history_s: float | None = None) -> float:
    """The age at which a job that kvid still calls unfinished is given up.

    Shape: `history_s` is what all but a few jobs like it took lately; it can only put the deadline off.
    """
    by_estimate_s = DEADLINE_FACTOR * (estimated_s or ESTIMATE_DEFAULT_S)
    bounded_s = min(DEADLINE_MAX_S, max(DEADLINE_MIN_S, by_estimate_s))
    return max(bounded_s, min(DEADLINE_BY_HISTORY_MAX_S, HISTORY_FACTOR * (history_s or 0.0)))

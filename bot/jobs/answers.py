"""What questions about a job at kvid brought, and what went wrong between them (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.jobs.outcomes import Failure, Outcome, decide_wait_outcome, describe, failed
from bot.jobs.recovery import Said
from bot.kvid.errors import KvidError, KvidProtocolError

if TYPE_CHECKING:
    from bot.kvid.model import JobResult

RETRY_AFTER_MAX_S = 60.0
# Answers in a row that make no sense, until a job is called off.
NONSENSE_MAX = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What one question about a job brought."""

    said: Said
    result: JobResult | None = None
    outcome: Outcome | None = None
    detail: str = "deadline"


@dataclass(slots=True)
class Faults:
    """What went wrong in a row while asking about one job."""

    in_a_row: int = 0
    nonsense_in_a_row: int = 0
    retry_after_s: float = 0.0

    def count(self, error: KvidError) -> None:
        self.in_a_row += 1
        self.nonsense_in_a_row = self.nonsense_in_a_row + 1 if isinstance(error, KvidProtocolError) else 0
        self.retry_after_s = min(error.retry_after_s or 0.0, RETRY_AFTER_MAX_S)

    def forget(self) -> None:
        self.in_a_row = self.nonsense_in_a_row = 0
        self.retry_after_s = 0.0

    def stretch_s(self, delay_s: float) -> float:
        """The wait before the next question: longer after faults, and at least what kvid asked for."""
        return max(delay_s * min(self.in_a_row + 1, 4), self.retry_after_s)


def hear_failure(error: KvidError, faults: Faults) -> Heard:
    """What an error that was counted says of the job: its end, or nothing."""
    outcome = decide_wait_outcome(error)
    if outcome is not None:
        return Heard(said=Said.OVER, outcome=outcome, detail=describe(error))
    if faults.nonsense_in_a_row >= NONSENSE_MAX:
        return Heard(said=Said.OVER, outcome=failed(Failure.PROTOCOL), detail=describe(error))
    return Heard(said=Said.UNHEARD)

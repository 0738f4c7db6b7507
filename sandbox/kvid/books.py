"""The local kvid's own books: its account, its jobs, and what each of them cost.

Owns job states and money. Knows no HTTP, no drawing and no waiting: `works` moves jobs along, `server`
reads them. Credits are set aside at submit and charged at completion; a job that fails or is cancelled costs nothing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from sandbox.kvid.contract import ApiError

if TYPE_CHECKING:
    from random import Random

    from sandbox.kvid.contract import Generation
    from sandbox.kvid.faults import Fault

JobStatus = Literal["queued", "processing", "completed", "failed", "canceled"]
_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    name: str
    width: int
    height: int
    content_type: str
    size_bytes: int


@dataclass(slots=True, kw_only=True)
class Job:
    """One submitted job. Changed only by `Books`, but for the counts of who asked for it."""

    number: int
    job_id: str
    generation: Generation
    parameters: dict[str, Any]
    created_at: datetime
    seed: int
    held_credits: int
    fault: Fault | None = None
    status: JobStatus = "queued"
    charged_credits: int = 0
    used_credit: int | None = None
    error_message: str | None = None
    forgotten: bool = False
    pictures: tuple[Picture, ...] = ()
    started_at: datetime | None = None
    ended_at: datetime | None = None
    status_asks: int = 0
    result_asks: int = 0
    downloads: int = 0

    @property
    def is_over(self) -> bool:
        return self.status in {"completed", "failed", "canceled"}


class Books:
    def __init__(self, *, balance_credits: int, jobs_kept_max: int, picture_bytes_kept_max: int) -> None:
        self.balance_credits = balance_credits
        self.submits = 0
        self.held_credits = 0
        self.charged_credits = 0
        self.faults: Counter[str] = Counter()
        self.requests: Counter[str] = Counter()
        self._jobs: dict[str, Job] = {}
        self._jobs_kept_max = jobs_kept_max
        self._pictures: dict[str, tuple[Job, Picture, bytes]] = {}
        self._picture_bytes = 0
        self._picture_bytes_kept_max = picture_bytes_kept_max

    @property
    def jobs_kept(self) -> int:
        return len(self._jobs)

    def list_jobs(self, *, after: int, limit: int) -> list[Job]:
        """The jobs with numbers above `after`, in the order of their submits."""
        return list(islice((job for job in self._jobs.values() if job.number > after), limit))

    def accept(
        self, generation: Generation, parameters: dict[str, Any], random: Random, fault: Fault | None
    ) -> Job:
        """Raises: ApiError INSUFFICIENT_CREDITS."""
        if self.balance_credits - self.held_credits < generation.credits_max:
            raise ApiError("INSUFFICIENT_CREDITS")
        self.submits += 1
        now = datetime.now(UTC)
        # The number makes ids unique, the random letters make them look like the contract's.
        tail = "".join(random.choices(_ALPHABET, k=5)) + f"{self.submits % 10_000:04d}"
        job = Job(
            number=self.submits,
            job_id=f"img_{int(now.timestamp() * 1000)}_{tail}",
            generation=generation,
            parameters=parameters,
            created_at=now,
            seed=random.getrandbits(32) if generation.seed is None else generation.seed,
            held_credits=generation.credits_max,
            fault=fault,
        )
        self._jobs[job.job_id] = job
        self.held_credits += job.held_credits
        self._forget_old_jobs()
        return job

    def get_job(self, job_id: str) -> Job:
        """Raises: ApiError JOB_NOT_FOUND."""
        job = self._jobs.get(job_id)
        if job is None or job.forgotten:
            raise ApiError("JOB_NOT_FOUND")
        return job

    def forget(self, job: Job) -> None:
        """From now on nobody can ask for the job; it still goes on, and costs what it costs."""
        job.forgotten = True

    def find_picture(self, name: str) -> tuple[Job, Picture, bytes] | None:
        return self._pictures.get(name)

    def start(self, job: Job) -> None:
        job.status = "processing"
        job.started_at = datetime.now(UTC)

    def complete(
        self,
        job: Job,
        pictures: list[tuple[Picture, bytes]],
        used_credit: int | None,
        charged: int,
    ) -> None:
        self._end(job, "completed")
        job.pictures = tuple(picture for picture, _ in pictures)
        job.used_credit = used_credit
        job.charged_credits = charged
        self.charged_credits += charged
        self.balance_credits -= charged
        for picture, data in pictures:
            self._pictures[picture.name] = (job, picture, data)
            self._picture_bytes += picture.size_bytes
        self._forget_old_pictures()

    def fail(self, job: Job, error_message: str) -> None:
        self._end(job, "failed")
        job.error_message = error_message

    def cancel(self, job: Job, error_message: str) -> None:
        self._end(job, "canceled")
        job.error_message = error_message

    def _end(self, job: Job, status: JobStatus) -> None:
        job.status = status
        self.held_credits -= job.held_credits
        job.held_credits = 0
        job.ended_at = datetime.now(UTC)

    def _forget_old_jobs(self) -> None:
        for job in list(islice(self._jobs.values(), max(0, len(self._jobs) - self._jobs_kept_max))):
            if job.is_over:
                del self._jobs[job.job_id]

    def _forget_old_pictures(self) -> None:
        while self._picture_bytes > self._picture_bytes_kept_max and len(self._pictures) > 1:
            name = next(iter(self._pictures))
            self._picture_bytes -= self._pictures.pop(name)[1].size_bytes

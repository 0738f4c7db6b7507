"""Jobs and ledger calls with everything a test does not care about filled in."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING

from bot.credits import ledger
from bot.credits.values import Limits
from db.enums import DeliveryMode, JobKind, Surface
from db.queries import jobs
from db.values import Job

if TYPE_CHECKING:
    from sqlalchemy import Connection

NOW = datetime(2026, 3, 14, 15, 9, 26, 535897, tzinfo=UTC)
HOUR = timedelta(hours=1)
UNLIMITED = Limits()
USER, GUILD = 111_111_111_111_111_111, 222_222_222_222_222_222

_numbers = count(1)


def build_job(**changes: object) -> Job:
    """A fresh job with an id and a request of its own."""
    number = next(_numbers)
    job = Job(
        id=f"{number:020x}",
        request_id=10**18 + number,
        kind=JobKind.TEXT_TO_IMAGE,
        surface=Surface.INTERACTION,
        delivery=DeliveryMode.CHANNEL,
        user_id=USER,
        guild_id=GUILD,
        channel_id=333_333_333_333_333_333,
        locale="en-US",
        private=False,
        prompt="a stage at night, 무대",
        image_count=1,
        seed=2**31 - 1,
        output_format="jpeg",
        reserved_credits=8,
        nonce=f"{number:020x}",
        created_at=NOW,
        updated_at=NOW,
    )
    return replace(job, **changes)  # type: ignore[arg-type]


def store_job(c: Connection, **changes: object) -> Job:
    stored = jobs.insert_job(c, build_job(**changes))
    assert stored is not None
    return stored


def reserve_for(
    c: Connection,
    job: Job,
    *,
    limits: Limits = UNLIMITED,
    now: datetime = NOW,
    transfer_id: str | None = None,
) -> None:
    ledger.reserve(
        c,
        transfer_id=transfer_id or f"reserve-{job.id}",
        job_id=job.id,
        user_id=job.user_id,
        guild_id=job.guild_id,
        amount_credits=job.reserved_credits,
        limits=limits,
        now=now,
    )


def store_reserved(
    c: Connection, *, limits: Limits = UNLIMITED, now: datetime = NOW, **changes: object
) -> Job:
    job = store_job(c, created_at=now, updated_at=now, **changes)
    reserve_for(c, job, limits=limits, now=now)
    return job

"""Jobs and ledger calls with everything a test does not care about filled in."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING

from bot.caps.admission import Admission
from bot.caps.policies import Policies
from bot.caps.values import Approval, Asker, OperatorLimits
from bot.clock import SystemClock
from bot.credits import ledger, rules
from bot.credits.values import Reservation, Settled
from db.enums import BalancePeriod, BalanceScope, DeliveryMode, JobKind, Surface
from db.queries import balances as balance_queries
from db.queries import jobs
from db.values import CreditGrant, Job, KeyLimit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from bot.caps.values import Refusal
    from db.engine import Database

NOW = datetime(2026, 3, 14, 15, 9, 26, 535897, tzinfo=UTC)
HOUR = timedelta(hours=1)
USER, GUILD = 111_111_111_111_111_111, 222_222_222_222_222_222
CHANNEL = 333_333_333_333_333_333
MEMBER_DAY = (BalanceScope.MEMBER, BalancePeriod.DAY)
SERVER_MONTH = (BalanceScope.SERVER, BalancePeriod.MONTH)
Limits = dict[tuple[BalanceScope, BalancePeriod], int]

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
        channel_id=CHANNEL,
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


def build_reservation(
    job: Job,
    *,
    limits: Mapping[tuple[BalanceScope, BalancePeriod], int] | None = None,
    parts: Sequence[tuple[str, int]] = (),
    now: datetime = NOW,
    transfer_id: str | None = None,
) -> Reservation:
    """What holding a job's credits needs, in a server whose days are UTC's."""
    channel_id = job.channel_id if job.guild_id is not None else None
    keys = rules.balance_keys(
        user_id=job.user_id,
        guild_id=job.guild_id,
        channel_id=channel_id,
        local_date=now.date(),
        utc_date=now.date(),
    )
    return Reservation(
        transfer_id=transfer_id or f"reserve-{job.id}",
        job_id=job.id,
        user_id=job.user_id,
        guild_id=job.guild_id,
        channel_id=channel_id,
        amount_credits=job.reserved_credits,
        counted=tuple(
            KeyLimit(key=key, limit_credits=(limits or {}).get((key.scope, key.period))) for key in keys
        ),
        parts=tuple(parts),
        local_date=now.date(),
        now=now,
    )


def reserve_for(
    c: Connection,
    job: Job,
    *,
    limits: Mapping[tuple[BalanceScope, BalancePeriod], int] | None = None,
    parts: Sequence[tuple[str, int]] = (),
    now: datetime = NOW,
    transfer_id: str | None = None,
) -> None:
    """Hold a job's credits by the ledger alone, without asking any rule."""
    reservation = build_reservation(job, limits=limits, parts=parts, now=now, transfer_id=transfer_id)
    balance_queries.ensure_balances(c, [one.key for one in reservation.counted])
    ledger.reserve(c, reservation)


def store_reserved(
    c: Connection,
    *,
    limits: Mapping[tuple[BalanceScope, BalancePeriod], int] | None = None,
    parts: Sequence[tuple[str, int]] = (),
    now: datetime = NOW,
    **changes: object,
) -> Job:
    job = store_job(c, created_at=now, updated_at=now, **changes)
    reserve_for(c, job, limits=limits, parts=parts, now=now)
    return job


def settle(
    c: Connection, job: Job, used: int, *, tolerance: int = 0, now: datetime = NOW, transfer_id: str = ""
) -> Settled:
    """Charge a job that holds its credits; by an id of its own, or by the job's."""
    return ledger.settle(
        c,
        transfer_id=transfer_id or f"settle-{job.id}",
        job_id=job.id,
        used_credits=used,
        tolerance_credits=tolerance,
        now=now,
    )


def build_admission(database: Database, operator: OperatorLimits | None = None) -> Admission:
    """The one decision, in servers without settings of their own: their days are UTC's."""
    return Admission(Policies(database, SystemClock()), operator or OperatorLimits())


def admit(
    c: Connection, admission: Admission, *, now: datetime = NOW, **changes: object
) -> tuple[Job, Approval | Refusal]:
    """Store a job, ask the rules, and hold its credits if they allow it, as the job service does."""
    job = store_job(c, created_at=now, updated_at=now, **changes)
    asker = Asker(
        user_id=job.user_id,
        guild_id=job.guild_id,
        channel_id=job.channel_id if job.guild_id is not None else None,
    )
    ruling = admission.look(c, asker, prompt=job.prompt, amount_credits=job.reserved_credits, now=now)
    if isinstance(ruling.answer, Approval):
        admission.hold(c, ruling, job)
    return job, ruling.answer


def build_grant(grant_id: str, amount_credits: int, **changes: object) -> CreditGrant:
    grant = CreditGrant(
        id=grant_id,
        guild_id=GUILD,
        user_id=USER,
        amount_credits=amount_credits,
        granted_by=USER + 9,
        reason="for the test",
        created_at=NOW,
    )
    return replace(grant, **changes)  # type: ignore[arg-type]

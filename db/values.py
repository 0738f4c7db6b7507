"""What queries return: frozen values, detached from any connection.

Owns the shape of a job and of a balance's key. Must not know SQL, services or Discord.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypedDict

from db.enums import (
    BalancePeriod,
    BalanceScope,
    DeliveryMode,
    JobKind,
    JobState,
    Surface,
    TransferKind,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class JobImage:
    """One finished picture, where kvid keeps it."""

    url: str
    width: int
    height: int
    content_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One request for pictures, from its acceptance to its end.

    Shape: `number` is the place in the queue, given by the database (0 before); `request_id` is the
    interaction or message that asked, one job each; `epoch` rises with every take.
    """

    id: str
    request_id: int
    kind: JobKind
    surface: Surface
    delivery: DeliveryMode
    user_id: int
    channel_id: int
    locale: str
    private: bool
    prompt: str
    image_count: int
    seed: int
    output_format: str
    reserved_credits: int
    nonce: str
    created_at: datetime
    updated_at: datetime
    number: int = 0
    epoch: int = 0
    state: JobState = JobState.RESERVED
    guild_id: int | None = None
    negative_prompt: str | None = None
    aspect_ratio: str | None = None
    width: int | None = None
    height: int | None = None
    steps: int | None = None
    guidance: float | None = None
    source_url: str | None = None
    source_channel_id: int | None = None
    source_message_id: int | None = None
    source_attachment_id: int | None = None
    parent_job_id: str | None = None
    parent_image_index: int | None = None
    application_id: int | None = None
    interaction_token: str | None = field(default=None, repr=False)
    interaction_expires_at: datetime | None = None
    request_message_id: int | None = None
    card_message_id: int | None = None
    used_credits: int | None = None
    kvid_job_id: str | None = None
    estimated_s: float | None = None
    results: tuple[JobImage, ...] = ()
    message_id: int | None = None
    failure: str | None = None
    failure_detail: str | None = None
    submitted_at: datetime | None = None
    finished_at: datetime | None = None


class JobChanges(TypedDict, total=False):
    """The columns that a step may write beside the state."""

    seed: int
    width: int | None
    height: int | None
    channel_id: int
    delivery: DeliveryMode
    source_url: str | None
    application_id: int | None
    interaction_token: str | None
    interaction_expires_at: datetime | None
    request_message_id: int | None
    card_message_id: int | None
    used_credits: int | None
    kvid_job_id: str | None
    estimated_s: float | None
    results: tuple[JobImage, ...]
    nonce: str
    message_id: int | None
    failure: str | None
    failure_detail: str | None
    submitted_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent:
    id: int
    job_id: str
    at: datetime
    name: str
    state: JobState
    detail: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One line of the ledger.

    Units: whole credits. `amount_credits` is what a reserve holds, what a settle charges, what a void gives
    back; `reported_credits` is what kvid said a settled job cost.
    """

    id: str
    kind: TransferKind
    job_id: str
    user_id: int
    amount_credits: int
    reserved_at: datetime
    created_at: datetime
    guild_id: int | None = None
    reservation_id: str | None = None
    reported_credits: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class BalanceKey:
    """Whose credits, counted over which UTC period.

    Shape: sorts in the one order in which balance rows are locked; `period_start` of EVER is 1970-01-01.
    """

    scope: BalanceScope
    owner_id: int
    period: BalancePeriod
    period_start: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    key: BalanceKey
    held_credits: int
    used_credits: int

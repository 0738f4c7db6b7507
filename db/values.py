"""What queries return: frozen values, detached from any connection.

Owns the shape of a job, of a line of the ledger, and of what moderators decided. Must not know SQL,
services or Discord.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from db.enums import (
    AuditAction,
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
    from datetime import date

FOREVER = datetime(9999, 12, 31, tzinfo=UTC)


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
    interaction or message that asked, one job each; `epoch` rises with every take; `running_max` is how many
    of its member's jobs may be at kvid together. `admitted_at`: it left the line for a place at kvid.
    `hidden_at`: a moderator took the picture away, for good.
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
    running_max: int = 3
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
    admitted_at: datetime | None = None
    submitted_at: datetime | None = None
    finished_at: datetime | None = None
    hidden_at: datetime | None = None


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
    admitted_at: datetime | None
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

    Units: whole credits. `amount_credits` is what a reserve holds, a settle charges, a void or a refund gives
    back, a grant adds, and what a gift, an expiry or a correction takes from one grant; a reset forgives it.
    `granted_credits` is the part of a reserve, settle or refund that granted credits cover.
    `reported_credits` is what kvid said a settled job cost.
    Shape: `local_date` is the day in the server's time zone at which a reserve counts; `limits` are a receipt,
    of the limits a reserve was held under or of what was forgiven before a refund; `source_id` links the grant
    a gift made to that gift.
    """

    id: str
    kind: TransferKind
    user_id: int
    amount_credits: int
    local_date: date
    reserved_at: datetime
    created_at: datetime
    job_id: str | None = None
    guild_id: int | None = None
    channel_id: int | None = None
    reservation_id: str | None = None
    grant_id: str | None = None
    source_id: str | None = None
    granted_credits: int = 0
    reported_credits: int | None = None
    period: BalancePeriod | None = None
    limits: tuple[Mapping[str, object], ...] = ()
    actor_id: int | None = None
    other_user_id: int | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferPart:
    """How much of a reserve, settle or refund one grant covers; `position` is the order of use."""

    transfer_id: str
    grant_id: str
    position: int
    amount_credits: int


# The next three are tuples: each decision makes, sorts and looks up a dozen, for which a dataclass runs Python.


class BalanceKey(NamedTuple):
    """Whose credits, counted over which period.

    Shape: sorts in the one order in which balance rows are locked; `guild_id` is 0 for what counts over all
    servers; `owner_id` is the channel's, the member's or the server's id; `period_start` of EVER is 1970-01-01.
    """

    scope: BalanceScope
    guild_id: int
    owner_id: int
    period: BalancePeriod
    period_start: date


class Balance(NamedTuple):
    """Running sums of one key.

    Units: whole credits. `exempt_credits` is the part of held and used that no cap counts: it was granted, or
    a moderator forgave it. `held_jobs` counts open reservations.
    """

    key: BalanceKey
    held_credits: int = 0
    used_credits: int = 0
    exempt_credits: int = 0
    held_jobs: int = 0
    last_reserved_at: datetime | None = None

    @property
    def counted_credits(self) -> int:
        return self.held_credits + self.used_credits - self.exempt_credits


class KeyLimit(NamedTuple):
    """One balance that a reservation counts in, and what must hold of it; None: nothing.

    Shape: `rule` names whose limit it is. `limit_credits` bounds what is counted there together with the
    reservation, `jobs_max` its open reservations with this one, `quiet_since` is the latest time its last
    reservation may have.
    """

    key: BalanceKey
    rule: str | None = None
    limit_credits: int | None = None
    jobs_max: int | None = None
    quiet_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditGrant:
    """Credits that a moderator (or another member) gave to one member of one server, and what became of them.

    Units: whole credits; `left_credits` may be spent. `expires_at` None: never.
    """

    id: str
    guild_id: int
    user_id: int
    amount_credits: int
    granted_by: int
    reason: str
    created_at: datetime
    held_credits: int = 0
    used_credits: int = 0
    removed_credits: int = 0
    expires_at: datetime | None = None
    role_grant_id: str | None = None

    @property
    def left_credits(self) -> int:
        return self.amount_credits - self.held_credits - self.used_credits - self.removed_credits


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleGrant:
    """Credits offered to every holder of a role; each gets them when they next use the bot before `open_until`."""

    id: str
    guild_id: int
    role_id: int
    amount_credits: int
    granted_by: int
    reason: str
    created_at: datetime
    open_until: datetime
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """What moderators decided about one member of one server.

    Shape: without `cap_period` the member has no cap of their own; with it, `cap_credits` None is unlimited.
    `blocked_until` of `FOREVER` is for good. `pass_until`: one picture may pass the server's word lists.
    """

    guild_id: int
    user_id: int
    cap_credits: int | None = None
    cap_period: BalancePeriod | None = None
    blocked_until: datetime | None = None
    block_reason: str | None = None
    pass_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One server's settings as stored; id 0 is the operator's own row.

    Shape: `policy` is the document of `bot.caps.values.Policy`; `version` rises with each change.
    """

    guild_id: int
    version: int
    policy: Mapping[str, object]
    left_at: datetime | None = None
    posted_entry_id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One act: who, when, about whom or what, before, after, why. Shape: `actor_id` 0 is the operator."""

    guild_id: int
    at: datetime
    actor_id: int
    action: AuditAction
    subject: str
    before: Mapping[str, object] | None = None
    after: Mapping[str, object] | None = None
    reason: str | None = None
    target_id: int | None = None
    id: int = 0

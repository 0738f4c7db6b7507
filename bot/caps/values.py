"""What a server's moderators set, who asks, and what the one decision answers.

Owns the shape of a server's policy, of the facts a decision needs, and the names of the rules. Must not know
the database's rows, Discord or any language.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from bot.safety.words import IMPORTED_ALLOWED_MAX, IMPORTED_WORDS_MAX, WordAction, WordList
from db.enums import BalancePeriod

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from db.values import Balance, BalanceKey, CreditGrant, KeyLimit, Membership, RoleGrant

CREDITS_MAX = 1_000_000
ENTRIES_MAX = 25
PLACES_MAX = 100
RUNNING_MAX, WAITING_MAX = 10, 50
COOLDOWN_S_MAX = 86_400
TENURE_S_MAX = 365 * 86_400
RETENTION_DAYS_MAX = 3_650

Snowflake = Annotated[int, Field(ge=1, lt=2**63)]
Amount = Annotated[int, Field(ge=0, le=CREDITS_MAX)]


def _check_cap_period(period: BalancePeriod) -> BalancePeriod:
    if period is BalancePeriod.EVER:
        raise ValueError("a cap counts per day, week or month")
    return period


CapPeriod = Annotated[BalancePeriod, AfterValidator(_check_cap_period)]


class Rule(StrEnum):
    """Why a request was refused, in the order in which the rules are asked."""

    STOPPED = "stopped"
    BLOCKED = "blocked"
    BLOCKED_ROLE = "blocked_role"
    CHANNEL = "channel"
    CHANNEL_CAP = "channel_cap"
    TENURE = "tenure"
    QUEUE = "queue"
    COOLDOWN = "cooldown"
    WORDS = "words"
    MEMBER_DAILY = "member_daily"
    SERVER_MONTHLY = "server_monthly"
    CAP = "cap"
    GRANTED = "granted"


# The rules whose refusal means too few credits, rather than no permission.
CREDIT_RULES = frozenset({Rule.CHANNEL_CAP, Rule.MEMBER_DAILY, Rule.SERVER_MONTHLY, Rule.CAP, Rule.GRANTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """So many credits per period; None is unlimited."""

    credits: Amount | None
    period: CapPeriod = BalancePeriod.DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class CapOf:
    """The cap of one role or one channel."""

    id: Snowflake
    cap: Cap


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Everything that the moderators of one server set.

    Shape: None and empty mean "not set". Places are channels and categories; where any is allowed, all
    others are not. `automod_words` and `automod_allowed` are what was last read of the server's own AutoMod
    rules. Units as suffixes; budgets are per month. `operator_budget_credits` is the operator's alone: it takes
    the place of the default budget of all servers.
    """

    time_zone: Annotated[str, Field(min_length=1, max_length=64)] = "UTC"
    member_cap: Cap | None = None
    role_caps: Annotated[tuple[CapOf, ...], Field(max_length=ENTRIES_MAX)] = ()
    channel_caps: Annotated[tuple[CapOf, ...], Field(max_length=ENTRIES_MAX)] = ()
    server_budget_credits: Amount | None = None
    operator_budget_credits: Amount | None = None
    running_max: Annotated[int, Field(ge=1, le=RUNNING_MAX)] = 3
    waiting_max: Annotated[int, Field(ge=0, le=WAITING_MAX)] = 10
    cooldown_s: Annotated[int, Field(ge=0, le=COOLDOWN_S_MAX)] = 0
    tenure_s: Annotated[int, Field(ge=0, le=TENURE_S_MAX)] = 0
    allowed_places: Annotated[tuple[Snowflake, ...], Field(max_length=PLACES_MAX)] = ()
    denied_places: Annotated[tuple[Snowflake, ...], Field(max_length=PLACES_MAX)] = ()
    blocked_roles: Annotated[tuple[Snowflake, ...], Field(max_length=ENTRIES_MAX)] = ()
    word_lists: Annotated[tuple[WordList, ...], Field(max_length=10)] = ()
    allowed_words: Annotated[tuple[str, ...], Field(max_length=500)] = ()
    automod_action: WordAction | None = None
    automod_words: Annotated[tuple[str, ...], Field(max_length=IMPORTED_WORDS_MAX)] = ()
    automod_allowed: Annotated[tuple[str, ...], Field(max_length=IMPORTED_ALLOWED_MAX)] = ()
    gifts_allowed: bool = False
    log_channel_id: Snowflake | None = None
    retention_days: Annotated[int, Field(ge=0, le=RETENTION_DAYS_MAX)] = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorLimits:
    """The operator's own bounds, above whatever moderators set; None is unlimited.

    Shape: a member's limit counts over all servers and direct messages per UTC day; a server's budget per
    month in its own time zone.
    """

    member_daily_credits: int | None = None
    server_monthly_credits: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks, and where, as Discord said it with the request.

    Shape: `channel_id` is the parent's for a thread; `locale` is the server's, for its first time zone.
    """

    user_id: int
    guild_id: int | None = None
    channel_id: int | None = None
    category_id: int | None = None
    role_ids: frozenset[int] = frozenset()
    joined_at: datetime | None = None
    locale: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What is stored about the asker at the moment of the decision.

    Shape: `grants` may be spent, soonest to expire first; `offers` are role grants not yet taken.
    """

    balances: Mapping[BalanceKey, Balance] = field(default_factory=dict)
    grants: tuple[CreditGrant, ...] = ()
    offers: tuple[RoleGrant, ...] = ()
    membership: Membership | None = None
    stopped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The first rule that says no, with the numbers and ids of its message.

    Shape: values are whole numbers, but for `word`, a text: credits, seconds, ids and unix timestamps.
    """

    rule: Rule
    key: str
    params: Mapping[str, int | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """What to hold, and how the job runs."""

    prompt: str
    running_max: int
    local_date: date
    counted: tuple[KeyLimit, ...]
    parts: tuple[tuple[str, int], ...] = ()
    uses_pass: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What a member may still spend here; None: no cap governs.

    Units: whole credits. `own`, `role_id`: where the cap comes from (the member's own, a role's, or the default).
    """

    cap: Cap | None = None
    own: bool = False
    role_id: int | None = None
    used_credits: int = 0
    left_credits: int | None = None
    resets_at: datetime | None = None

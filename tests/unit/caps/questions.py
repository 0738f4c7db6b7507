"""Questions for the one decision, with everything a test does not care about allowed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from bot.caps.limits import keys_of
from bot.caps.rules import Question
from bot.caps.values import Asker, Cap, CapOf, OperatorLimits, Policy, Rule, Snapshot
from bot.safety.words import WordAction, WordFilter, WordList
from db.enums import BalancePeriod, BalanceScope
from db.values import Balance, CreditGrant, Membership

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NOW = datetime(2026, 3, 14, 15, 9, 26, 535897, tzinfo=UTC)
USER, GUILD, CHANNEL, CATEGORY, ROLE = 1, 2, 3, 4, 5
ASKER = Asker(
    user_id=USER,
    guild_id=GUILD,
    channel_id=CHANNEL,
    category_id=CATEGORY,
    role_ids=frozenset({ROLE}),
    joined_at=NOW - timedelta(hours=1),
)
Where = tuple[BalanceScope, BalancePeriod]
HERE = (BalanceScope.MEMBERSHIP, BalancePeriod.EVER)
DAY, WEEK, MONTH = BalancePeriod.DAY, BalancePeriod.WEEK, BalancePeriod.MONTH
REFUSED_WORDS = WordList(name="refused", action=WordAction.REFUSE, words=("bad",))
DROPPED_WORDS = WordList(name="dropped", action=WordAction.DROP, words=("dull",))


def ask(
    *,
    policy: Policy | None = None,
    asker: Asker = ASKER,
    balances: Mapping[Where, Mapping[str, Any]] | None = None,
    grants: Iterable[CreditGrant] = (),
    membership: Membership | None = None,
    operator: OperatorLimits | None = None,
    stopped: bool = False,
    prompt: str = "a stage at night",
    amount_credits: int = 8,
    now: datetime = NOW,
) -> Question:
    """A question; `balances` are the fields of those that are not zero, by scope and period."""
    policy = policy or Policy()
    keys = {(key.scope, key.period): key for key in keys_of(asker, policy, now)}
    stored = [Balance(key=keys[where], **fields) for where, fields in (balances or {}).items()]
    return Question(
        asker=asker,
        prompt=prompt,
        amount_credits=amount_credits,
        policy=policy,
        operator=operator or OperatorLimits(),
        words=WordFilter.build(policy.word_lists, policy.allowed_words),
        snapshot=Snapshot(
            balances={one.key: one for one in stored},
            grants=tuple(grants),
            membership=membership,
            stopped=stopped,
        ),
        now=now,
    )


def granted(grant_id: str, amount_credits: int, **changes: object) -> CreditGrant:
    grant = CreditGrant(
        id=grant_id,
        guild_id=GUILD,
        user_id=USER,
        amount_credits=amount_credits,
        granted_by=9,
        reason="",
        created_at=NOW - timedelta(days=1),
    )
    return replace(grant, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """What a request must be, so that one rule says no; several together break several rules."""

    policy: Mapping[str, object] = field(default_factory=dict)
    balances: Mapping[Where, Mapping[str, object]] = field(default_factory=dict)
    membership: Mapping[str, object] = field(default_factory=dict)
    operator: Mapping[str, int] = field(default_factory=dict)
    grants: tuple[CreditGrant, ...] = ()
    stopped: bool = False
    prompt: str | None = None


_USED_CAP = Breach(
    policy={"member_cap": Cap(credits=10, period=DAY)},
    balances={(BalanceScope.MEMBERSHIP, DAY): {"used_credits": 5}},
)
BREACHES: dict[Rule, Breach] = {
    Rule.STOPPED: Breach(stopped=True),
    Rule.BLOCKED: Breach(membership={"blocked_until": NOW + timedelta(hours=1)}),
    Rule.BLOCKED_ROLE: Breach(policy={"blocked_roles": (ROLE,)}),
    Rule.CHANNEL: Breach(policy={"denied_places": (CHANNEL,)}),
    Rule.CHANNEL_CAP: Breach(policy={"channel_caps": (CapOf(id=CHANNEL, cap=Cap(credits=7)),)}),
    Rule.TENURE: Breach(policy={"tenure_s": 7200}),
    Rule.QUEUE: Breach(balances={HERE: {"held_jobs": 13}}),
    Rule.COOLDOWN: Breach(
        policy={"cooldown_s": 60}, balances={HERE: {"last_reserved_at": NOW - timedelta(seconds=10)}}
    ),
    Rule.WORDS: Breach(policy={"word_lists": (REFUSED_WORDS,)}, prompt="a bad stage"),
    Rule.MEMBER_DAILY: Breach(operator={"member_daily_credits": 7}),
    Rule.SERVER_MONTHLY: Breach(policy={"server_budget_credits": 7}),
    Rule.CAP: _USED_CAP,
    Rule.GRANTED: replace(_USED_CAP, grants=(granted("g", 2),)),
}


def break_rules(rules: Iterable[Rule], *, amount_credits: int = 8) -> Question:
    """A request that breaks each of these rules."""
    policy: dict[str, Any] = {}
    balances: dict[Where, dict[str, Any]] = {}
    membership: dict[str, Any] = {}
    operator: dict[str, int] = {}
    breaches = [BREACHES[rule] for rule in rules]
    for breach in breaches:
        policy |= breach.policy
        membership |= breach.membership
        operator |= breach.operator
        for where, fields in breach.balances.items():
            balances.setdefault(where, {}).update(fields)
    return ask(
        policy=Policy(**policy),
        balances=balances,
        grants=[grant for breach in breaches for grant in breach.grants],
        membership=Membership(guild_id=GUILD, user_id=USER, **membership) if membership else None,
        operator=OperatorLimits(**operator),
        stopped=any(breach.stopped for breach in breaches),
        prompt=next((breach.prompt for breach in breaches if breach.prompt), "a stage at night"),
        amount_credits=amount_credits,
    )

"""The one decision: may this member have this picture here and now, and from which credits? Pure.

Owns the order of the rules and what each compares. Must not read a clock, a setting or the database: the
caller gives a snapshot, and writes under the same limits, so that a faster rival is noticed.
"""

from __future__ import annotations

from datetime import UTC, timedelta
from functools import cached_property
from typing import TYPE_CHECKING
from unicodedata import category
from zoneinfo import ZoneInfo

from bot.caps.limits import budget_of, effective_cap, keys_of, spendable
from bot.caps.values import Allowance, Approval, Asker, Cap, OperatorLimits, Policy, Refusal, Rule, Snapshot
from bot.credits.rules import draw_grants, local_day, next_reset
from bot.safety.words import WORD_LENGTH_MAX
from db.enums import BalancePeriod, BalanceScope
from db.values import FOREVER, Balance, BalanceKey, KeyLimit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from bot.safety.words import WordFilter, WordVerdict

HOUR_S, DAY_S = 3_600, 86_400


class Question:
    """Everything a decision depends on, with the few values that several rules share.

    Shape: `keys` are those of `keys_of`, where the caller has them already.
    """

    def __init__(
        self,
        *,
        asker: Asker,
        prompt: str,
        amount_credits: int,
        policy: Policy,
        operator: OperatorLimits,
        words: WordFilter,
        snapshot: Snapshot,
        now: datetime,
        keys: Sequence[BalanceKey] = (),
    ) -> None:
        self.asker = asker
        self.prompt = prompt
        self.amount_credits = amount_credits
        self.policy = policy
        self.operator = operator
        self.words = words
        self.snapshot = snapshot
        self.now = now
        self.zone = ZoneInfo(policy.time_zone)
        self.local_date = local_day(now, self.zone)
        self.keys = keys or keys_of(asker, policy, now)
        self._keys = {(key.scope, key.period): key for key in self.keys}
        # The balance that counts all of this member's jobs here.
        own = BalanceScope.MEMBER if asker.guild_id is None else BalanceScope.MEMBERSHIP
        self.own_key = self._keys[own, BalancePeriod.EVER]

    @cached_property
    def verdict(self) -> WordVerdict:
        return self.words.check(self.prompt)

    @cached_property
    def governing(self) -> Allowance:
        """The cap that counts for this member, and where it comes from."""
        return effective_cap(self.policy, self.snapshot.membership, self.asker.role_ids)

    @cached_property
    def channel_cap(self) -> Cap | None:
        channel_id = self.asker.channel_id
        return next((entry.cap for entry in self.policy.channel_caps if entry.id == channel_id), None)

    def balance(self, key: BalanceKey) -> Balance:
        return self.snapshot.balances.get(key) or Balance(key=key)

    def find_key(self, scope: BalanceScope, period: BalancePeriod) -> BalanceKey | None:
        return self._keys.get((scope, period))


def decide(question: Question) -> Approval | Refusal:
    """Ask the rules in their order; the first that says no is the answer."""
    for rule in _RULES:
        refusal = rule(question)
        if refusal is not None:
            return refusal
    verdict = question.verdict
    uses_pass = bool(verdict.refused) or _is_nothing_left(verdict)
    parts = _find_parts(question)
    if isinstance(parts, Refusal):
        return parts
    return Approval(
        prompt=question.prompt if uses_pass else verdict.prompt.strip(),
        running_max=question.policy.running_max,
        local_date=question.local_date,
        counted=_build_limits(question),
        parts=parts,
        uses_pass=uses_pass,
    )


# --- who may ask at all ---


def _check_stop(question: Question) -> Refusal | None:
    return Refusal(rule=Rule.STOPPED, key="stopped") if question.snapshot.stopped else None


def check_block(question: Question) -> Refusal | None:
    """Whether a moderator keeps this member from making pictures here: for a time, for good, by a role."""
    membership = question.snapshot.membership
    until = membership.blocked_until if membership else None
    if until is not None and until > question.now:
        if until >= FOREVER:
            return Refusal(rule=Rule.BLOCKED, key="blocked_for_good")
        return Refusal(rule=Rule.BLOCKED, key="blocked", params={"until": _unix(until)})
    role = next((role for role in question.policy.blocked_roles if role in question.asker.role_ids), None)
    if role is not None:
        return Refusal(rule=Rule.BLOCKED_ROLE, key="blocked_role", params={"role": role})
    return None


def _check_place(question: Question) -> Refusal | None:
    asker, policy = question.asker, question.policy
    if asker.guild_id is None:
        return None
    here = {asker.channel_id, asker.category_id}
    if here & set(policy.denied_places):
        return Refusal(rule=Rule.CHANNEL, key="channel")
    if policy.allowed_places and not here & set(policy.allowed_places):
        # Which of them this member may see is not known here, so none is named.
        return Refusal(rule=Rule.CHANNEL, key="channel_only")
    return None


def _check_tenure(question: Question) -> Refusal | None:
    needed_s = question.policy.tenure_s
    if not needed_s or question.asker.guild_id is None:
        return None
    # Discord tells no time for guests: they have not been here long.
    joined_at = question.asker.joined_at or question.now
    allowed_at = joined_at + timedelta(seconds=needed_s)
    if allowed_at <= question.now:
        return None
    return _refuse_until(Rule.TENURE, -(-needed_s // HOUR_S) * HOUR_S, _unix(allowed_at))


# --- how many, how often ---


def _check_queue(question: Question) -> Refusal | None:
    policy = question.policy
    held = question.balance(question.own_key).held_jobs
    if held < policy.running_max + policy.waiting_max:
        return None
    alone = "queue_running" if held > 1 else "queue_running_one"
    return Refusal(
        rule=Rule.QUEUE,
        key="queue" if policy.waiting_max else alone,
        params={"running": policy.running_max, "waiting": policy.waiting_max, "open": held},
    )


def _check_cooldown(question: Question) -> Refusal | None:
    wait_s = question.policy.cooldown_s
    last = question.balance(question.own_key).last_reserved_at
    if not wait_s or last is None or question.asker.guild_id is None:
        return None
    again_at = last + timedelta(seconds=wait_s)
    if again_at <= question.now:
        return None
    return _refuse_until(Rule.COOLDOWN, wait_s, _unix(again_at) + 1)


def _refuse_until(rule: Rule, length_s: int, resets: int) -> Refusal:
    """A rule that is over after a time, which is said in the largest unit that it is whole in."""
    units = {"days": DAY_S, "hours": HOUR_S, "minutes": 60, "seconds": 1}
    if rule is Rule.COOLDOWN:
        del units["days"]
    unit, unit_s = next((name, one_s) for name, one_s in units.items() if length_s % one_s == 0)
    length = length_s // unit_s
    key = f"{rule}_{unit}_one" if length == 1 else f"{rule}_{unit}"
    return Refusal(rule=rule, key=key, params={"length": length, "resets": resets})


# --- what is asked for ---


def _check_words(question: Question) -> Refusal | None:
    membership = question.snapshot.membership
    if membership is not None and (membership.pass_until or question.now) > question.now:
        return None
    if question.verdict.refused:
        found = question.verdict.refused[0]
        # As it was typed: what the list says may have wildcards, or be spelled otherwise.
        return Refusal(
            rule=Rule.WORDS,
            key="words",
            params={"word": _show_word(question.prompt[found.start : found.end]) or found.word},
        )
    if _is_nothing_left(question.verdict):
        return Refusal(rule=Rule.WORDS, key="words_all")
    return None


def _show_word(typed: str) -> str:
    """A found word inside a line of ours: no backtick ends its quotation, nothing unseen turns the line around."""
    seen = "".join(character for character in typed.replace("`", " ") if category(character) != "Cf")
    return " ".join(seen.split())[:WORD_LENGTH_MAX]


def _is_nothing_left(verdict: WordVerdict) -> bool:
    """Whether a prompt is empty, or only marks are left of it without its dropped words."""
    ignored = "CPZ" if verdict.dropped else ""
    return all(character.isspace() or category(character)[0] in ignored for character in verdict.prompt)


# --- credits ---


def _check_channel_cap(question: Question) -> Refusal | None:
    cap = question.channel_cap
    if cap is None:
        return None
    key = question.find_key(BalanceScope.CHANNEL, cap.period)
    return _check_limit(question, key, Rule.CHANNEL_CAP, cap.credits, f"channel_cap_{cap.period}")


def _check_member_daily(question: Question) -> Refusal | None:
    key = question.find_key(BalanceScope.MEMBER, BalancePeriod.DAY)
    limit = question.operator.member_daily_credits
    return _check_limit(question, key, Rule.MEMBER_DAILY, limit, "member_daily")


def _check_server_budget(question: Question) -> Refusal | None:
    key = question.find_key(BalanceScope.SERVER, BalancePeriod.MONTH)
    return _check_limit(question, key, Rule.SERVER_MONTHLY, server_budget(question), "server_monthly")


def server_budget(question: Question) -> int | None:
    """The lower of the operator's and the moderators' budget; None is unlimited."""
    return budget_of(question.policy, question.operator)


def _check_limit(
    question: Question, key: BalanceKey | None, rule: Rule, limit: int | None, text_key: str
) -> Refusal | None:
    if key is None or limit is None:
        return None
    balance = question.balance(key)
    if limit - balance.counted_credits >= question.amount_credits:
        return None
    return Refusal(
        rule=rule,
        key=text_key + _variant(question, limit, balance),
        params=_build_numbers(question, key, limit, balance),
    )


def _variant(question: Question, most_credits: int, balance: Balance) -> str:
    """Which text: waiting does not help who asks for more than there ever is; held credits may come back."""
    if question.amount_credits > most_credits:
        return "_over"
    return "_held" if balance.held_credits else ""


def _build_numbers(question: Question, key: BalanceKey, limit: int, balance: Balance) -> dict[str, int | str]:
    zone = UTC if key.scope is BalanceScope.MEMBER else question.zone
    resets_at = next_reset(key.period, question.now, zone)
    return {
        "limit": limit,
        "left": min(limit, max(0, limit - balance.counted_credits)),
        "needed": question.amount_credits,
        "held": balance.held_credits,
        "resets": _unix(resets_at) if resets_at else 0,
    }


def _find_parts(question: Question) -> tuple[tuple[str, int], ...] | Refusal:
    """What granted credits must cover because the allowance does not, or why even they do not suffice."""
    cap = question.governing.cap
    key = question.find_key(BalanceScope.MEMBERSHIP, cap.period) if cap else None
    if cap is None or cap.credits is None or key is None:
        return ()
    balance = question.balance(key)
    left = min(question.amount_credits, max(0, cap.credits - balance.counted_credits))
    usable = spendable(question.snapshot.grants, question.now)
    parts = draw_grants(question.amount_credits - left, [(one.id, one.left_credits) for one in usable])
    if parts is not None:
        return parts
    numbers = _build_numbers(question, key, cap.credits, balance)
    granted = sum(grant.left_credits for grant in usable)
    variant = _variant(question, cap.credits + granted, balance)
    if granted:
        return Refusal(
            rule=Rule.GRANTED, key=f"granted_{cap.period}{variant}", params={**numbers, "granted": granted}
        )
    return Refusal(rule=Rule.CAP, key=f"cap_{cap.period}{variant}", params=numbers)


def find_allowance(question: Question) -> Allowance:
    """What is left of the member's cap now, for showing it."""
    found = question.governing
    cap = found.cap
    key = question.find_key(BalanceScope.MEMBERSHIP, cap.period) if cap else None
    if cap is None or cap.credits is None or key is None:
        return found
    counted = question.balance(key).counted_credits
    return Allowance(
        cap=cap,
        own=found.own,
        role_id=found.role_id,
        used_credits=max(0, counted),
        left_credits=min(cap.credits, max(0, cap.credits - counted)),
        resets_at=next_reset(cap.period, question.now, question.zone),
    )


# --- the same limits, for the write ---


def _build_limits(question: Question) -> tuple[KeyLimit, ...]:
    """What must still hold of each balance when the reservation is written."""
    policy, own_key = question.policy, question.own_key
    jobs_max = policy.running_max + policy.waiting_max
    wait_s = policy.cooldown_s if question.asker.guild_id is not None else 0
    quiet_since = question.now - timedelta(seconds=wait_s) if wait_s else None
    limits = _find_limits(question)
    counted = []
    for key in question.keys:
        rule, limit = limits.get((key.scope, key.period), (None, None))
        if key == own_key:
            counted.append(KeyLimit(key, rule, limit, jobs_max, quiet_since))
        else:
            counted.append(KeyLimit(key, rule, limit))
    return tuple(counted)


def _find_limits(
    question: Question,
) -> dict[tuple[BalanceScope, BalancePeriod], tuple[str | None, int | None]]:
    """Whose limit bounds the credits counted in which balances; those left out have none."""
    limits: dict[tuple[BalanceScope, BalancePeriod], tuple[str | None, int | None]] = {
        (BalanceScope.MEMBER, BalancePeriod.DAY): (
            Rule.MEMBER_DAILY,
            question.operator.member_daily_credits,
        ),
        (BalanceScope.SERVER, BalancePeriod.MONTH): (Rule.SERVER_MONTHLY, server_budget(question)),
    }
    for scope, rule, cap in (
        (BalanceScope.CHANNEL, Rule.CHANNEL_CAP, question.channel_cap),
        (BalanceScope.MEMBERSHIP, Rule.CAP, question.governing.cap),
    ):
        if cap is not None:
            limits[scope, cap.period] = (rule, cap.credits)
    return limits


def _unix(moment: datetime) -> int:
    return int(moment.timestamp())


_RULES: tuple[Callable[[Question], Refusal | None], ...] = (
    _check_stop,
    check_block,
    _check_place,
    _check_channel_cap,
    _check_tenure,
    _check_queue,
    _check_cooldown,
    _check_words,
    _check_member_daily,
    _check_server_budget,
)

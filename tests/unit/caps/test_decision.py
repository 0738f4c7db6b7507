"""The one decision: each rule at its edges, and all of them in their order."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.caps.rules import decide
from bot.caps.values import Approval, Asker, Cap, CapOf, OperatorLimits, Policy, Refusal, Rule
from db.enums import BalancePeriod, BalanceScope
from db.values import FOREVER, Membership
from tests.unit.caps.questions import (
    ASKER,
    BREACHES,
    CATEGORY,
    CHANNEL,
    DAY,
    DROPPED_WORDS,
    GUILD,
    HERE,
    MONTH,
    NOW,
    REFUSED_WORDS,
    ROLE,
    USER,
    WEEK,
    ask,
    break_rules,
)

SECOND, TINY = timedelta(seconds=1), timedelta(microseconds=1)
DIRECT = Asker(user_id=USER)
EVERYWHERE = (BalanceScope.MEMBER, HERE[1])


def refusal_of(**parts: Any) -> Refusal | None:
    answer = decide(ask(**parts))
    return answer if isinstance(answer, Refusal) else None


def rule_of(**parts: Any) -> Rule | None:
    refusal = refusal_of(**parts)
    return refusal.rule if refusal else None


# --- their order ---


def first_of(rules: set[Rule]) -> Rule:
    first = min(rules, key=list(Rule).index)
    # With any granted credits at all, the member is told of them too.
    return Rule.GRANTED if first is Rule.CAP and Rule.GRANTED in rules else first


def test_every_rule_can_be_broken() -> None:
    assert set(BREACHES) == set(Rule)
    assert isinstance(decide(break_rules(())), Approval)


@pytest.mark.parametrize("rule", Rule)
def test_a_request_that_breaks_a_rule_and_all_later_ones_is_refused_by_the_first(rule: Rule) -> None:
    later = set(list(Rule)[list(Rule).index(rule) :])
    answer = decide(break_rules(later))
    assert isinstance(answer, Refusal)
    assert answer.rule is first_of(later)
    alone = decide(break_rules({rule}))
    assert isinstance(alone, Refusal)
    assert alone.rule is rule


@pytest.mark.parametrize(("earlier", "later"), list(combinations(Rule, 2)))
def test_of_any_two_broken_rules_the_earlier_answers(earlier: Rule, later: Rule) -> None:
    answer = decide(break_rules({earlier, later}))
    assert isinstance(answer, Refusal)
    assert answer.rule is first_of({earlier, later})


@given(st.sets(st.sampled_from(list(Rule)), min_size=1))
def test_of_any_broken_rules_the_first_answers(rules: set[Rule]) -> None:
    answer = decide(break_rules(rules))
    assert isinstance(answer, Refusal)
    assert answer.rule is first_of(rules)


# --- who may ask ---


def membership(**changes: Any) -> Membership:
    return Membership(guild_id=GUILD, user_id=USER, **changes)


def test_a_block_ends_at_its_moment() -> None:
    assert rule_of(membership=membership(blocked_until=NOW + TINY)) is Rule.BLOCKED
    assert rule_of(membership=membership(blocked_until=NOW)) is None
    assert rule_of(membership=membership()) is None
    for_good = refusal_of(membership=membership(blocked_until=FOREVER))
    assert for_good == Refusal(rule=Rule.BLOCKED, key="blocked_for_good")


def test_the_first_blocked_role_that_is_held_is_named() -> None:
    refusal = refusal_of(
        policy=Policy(blocked_roles=(99, 6, ROLE)), asker=replace(ASKER, role_ids=frozenset({ROLE, 6}))
    )
    assert refusal == Refusal(rule=Rule.BLOCKED_ROLE, key="blocked_role", params={"role": 6})
    assert rule_of(policy=Policy(blocked_roles=(99,))) is None


@pytest.mark.parametrize(
    ("allowed", "denied", "key"),
    [
        ((), (), None),
        ((CHANNEL,), (), None),
        ((CATEGORY,), (), None),
        ((77, CATEGORY), (), None),
        ((77,), (), "channel_only"),
        ((), (CHANNEL,), "channel"),
        ((), (CATEGORY,), "channel"),
        ((), (77,), None),
        ((CHANNEL,), (CATEGORY,), "channel"),
        ((CATEGORY,), (CHANNEL,), "channel"),
    ],
)
def test_a_place_is_its_channel_or_its_category_and_a_denial_wins(
    allowed: tuple[int, ...], denied: tuple[int, ...], key: str | None
) -> None:
    refusal = refusal_of(policy=Policy(allowed_places=allowed, denied_places=denied))
    assert (refusal.key if refusal else None) == key


def test_the_time_on_the_server_is_over_at_its_second() -> None:
    policy = Policy(tenure_s=3600)
    joined = replace(ASKER, joined_at=NOW - timedelta(hours=1))
    assert rule_of(policy=policy, asker=joined) is None
    too_new = refusal_of(policy=policy, asker=replace(ASKER, joined_at=NOW - timedelta(hours=1) + SECOND))
    assert too_new is not None
    assert too_new.params == {"length": 1, "resets": int((NOW + SECOND).timestamp())}
    # A guest, of whom Discord tells no time, is as new as can be.
    assert rule_of(policy=policy, asker=replace(ASKER, joined_at=None)) is Rule.TENURE


def test_no_rule_of_a_server_counts_in_direct_messages() -> None:
    """Only the operator's stop, their limit per member, and the number of pictures on their way do."""
    fresh = replace(DIRECT, joined_at=NOW, role_ids=frozenset({ROLE}))
    policy = Policy(
        tenure_s=3600, cooldown_s=60, server_budget_credits=0, member_cap=Cap(credits=0), allowed_places=(77,)
    )
    assert rule_of(policy=policy, asker=fresh, balances={EVERYWHERE: {"last_reserved_at": NOW}}) is None
    assert rule_of(asker=DIRECT, stopped=True) is Rule.STOPPED
    assert rule_of(asker=DIRECT, operator=OperatorLimits(member_daily_credits=7)) is Rule.MEMBER_DAILY
    assert rule_of(asker=DIRECT, operator=OperatorLimits(server_monthly_credits=0)) is None
    assert rule_of(asker=DIRECT, balances={EVERYWHERE: {"held_jobs": 13}}) is Rule.QUEUE


# --- how many, how often ---


@pytest.mark.parametrize(("running", "waiting"), [(3, 10), (1, 0), (10, 50)])
def test_as_many_as_may_run_and_wait_are_taken_and_not_one_more(running: int, waiting: int) -> None:
    policy = Policy(running_max=running, waiting_max=waiting)
    most = running + waiting
    allowed = decide(ask(policy=policy, balances={HERE: {"held_jobs": most - 1}}))
    assert isinstance(allowed, Approval)
    assert allowed.running_max == running
    refusal = refusal_of(policy=policy, balances={HERE: {"held_jobs": most}})
    assert refusal is not None
    assert refusal.key == ("queue" if waiting else "queue_running_one")
    assert refusal.params == {"running": running, "waiting": waiting, "open": most}


def test_a_queue_counts_this_server_alone() -> None:
    assert rule_of(balances={EVERYWHERE: {"held_jobs": 50}}) is None


def test_a_cooldown_is_over_at_its_second_and_not_before() -> None:
    policy = Policy(cooldown_s=60)
    for last, rule in (
        (None, None),
        (NOW - timedelta(seconds=60), None),
        (NOW - timedelta(seconds=60) + TINY, Rule.COOLDOWN),
        (NOW, Rule.COOLDOWN),
        # Another machine's clock may be ahead.
        (NOW + SECOND, Rule.COOLDOWN),
    ):
        assert rule_of(policy=policy, balances={HERE: {"last_reserved_at": last}}) is rule
        assert rule_of(balances={HERE: {"last_reserved_at": last}}) is None


def test_a_cooldown_says_a_time_at_which_asking_again_works() -> None:
    policy = Policy(cooldown_s=60)
    balances = {HERE: {"last_reserved_at": NOW - timedelta(seconds=10)}}
    refusal = refusal_of(policy=policy, balances=balances)
    assert refusal is not None
    assert refusal.params["length"] == 1
    told = NOW + timedelta(seconds=float(refusal.params["resets"]) - NOW.timestamp())
    assert timedelta(seconds=50) <= told - NOW <= timedelta(seconds=51)
    assert rule_of(policy=policy, balances=balances, now=told) is None


# --- words ---


def test_a_listed_word_is_refused_and_named() -> None:
    refusal = refusal_of(policy=Policy(word_lists=(REFUSED_WORDS,)), prompt="so BAD, so bad")
    assert refusal == Refusal(rule=Rule.WORDS, key="words", params={"word": "BAD"})
    assert rule_of(policy=Policy(word_lists=(REFUSED_WORDS,)), prompt="badminton") is None
    assert rule_of(policy=Policy(word_lists=(REFUSED_WORDS,), allowed_words=("bad",)), prompt="bad") is None


def test_a_dropped_word_leaves_the_rest_and_nothing_left_is_refused() -> None:
    policy = Policy(word_lists=(DROPPED_WORDS,))
    answer = decide(ask(policy=policy, prompt="a dull stage"))
    assert isinstance(answer, Approval)
    assert (answer.prompt, answer.uses_pass) == ("a stage", False)
    for prompt in ("dull", " dull ", "dull, dull!", "«dull»"):
        assert refusal_of(policy=policy, prompt=prompt) == Refusal(rule=Rule.WORDS, key="words_all")
    for prompt in ("?!", "…", "dull 🎤", "dull 7"):
        assert rule_of(policy=policy, prompt=prompt) is None


def test_a_pass_lets_the_words_through_once_and_is_used_only_where_it_was_needed() -> None:
    policy = Policy(word_lists=(REFUSED_WORDS, DROPPED_WORDS))
    allowed = membership(pass_until=NOW + TINY)
    for prompt, kept, uses_pass in (
        ("a bad stage", "a bad stage", True),
        ("a bad dull stage", "a bad dull stage", True),
        ("dull", "dull", True),
        ("a dull stage", "a stage", False),
        ("a stage", "a stage", False),
    ):
        answer = decide(ask(policy=policy, membership=allowed, prompt=prompt))
        assert isinstance(answer, Approval)
        assert (answer.prompt, answer.uses_pass) == (kept, uses_pass)
    assert rule_of(policy=policy, membership=membership(pass_until=NOW), prompt="bad") is Rule.WORDS


# --- credits of a channel, a member's day, a server's month ---


@pytest.mark.parametrize("period", [DAY, WEEK, MONTH])
@pytest.mark.parametrize(
    ("used", "held", "fits"), [(0, 0, True), (2, 10, True), (3, 10, False), (13, 0, False)]
)
def test_a_channels_cap_counts_what_is_used_and_held_there(
    period: BalancePeriod, used: int, held: int, *, fits: bool
) -> None:
    policy = Policy(channel_caps=(CapOf(id=CHANNEL, cap=Cap(credits=20, period=period)),))
    counted = {(BalanceScope.CHANNEL, period): {"used_credits": used, "held_credits": held}}
    refusal = refusal_of(policy=policy, balances=counted)
    assert (refusal is None) == fits
    if refusal is not None:
        assert refusal.rule is Rule.CHANNEL_CAP
        assert refusal.key == f"channel_cap_{period}" + ("_held" if held else "")
        assert (refusal.params["left"], refusal.params["held"]) == (20 - used - held, held)


def test_a_channels_cap_is_that_channels_alone() -> None:
    policy = Policy(channel_caps=(CapOf(id=77, cap=Cap(credits=0)), CapOf(id=CATEGORY, cap=Cap(credits=0))))
    assert rule_of(policy=policy) is None
    unlimited = Policy(channel_caps=(CapOf(id=CHANNEL, cap=Cap(credits=None)),))
    assert rule_of(policy=unlimited, balances={(BalanceScope.CHANNEL, DAY): {"used_credits": 10**6}}) is None


@pytest.mark.parametrize(
    ("operators", "own", "governing"),
    [
        (None, None, None),
        (100, None, 100),
        (None, 100, 100),
        (50, 100, 50),
        (100, 50, 50),
        (0, None, 0),
        (9, 0, 0),
    ],
)
def test_a_servers_budget_is_the_lower_of_the_operators_and_its_own(
    operators: int | None, own: int | None, governing: int | None
) -> None:
    parts: dict[str, Any] = {
        "policy": Policy(server_budget_credits=own),
        "operator": OperatorLimits(server_monthly_credits=operators),
        "balances": {(BalanceScope.SERVER, MONTH): {"used_credits": max(0, (governing or 0) - 7)}},
    }
    refusal = refusal_of(**parts)
    assert (refusal is None) == (governing is None)
    if refusal is not None:
        assert (refusal.rule, refusal.params["limit"]) == (Rule.SERVER_MONTHLY, governing)
        assert refusal.params["left"] == min(7, governing or 0)
    if governing:
        assert rule_of(**parts, amount_credits=7 if governing >= 7 else 0) is None


def test_what_is_left_is_never_less_than_nothing_nor_more_than_the_limit() -> None:
    operator = OperatorLimits(member_daily_credits=10)
    for used, held, left in ((3, 4, 3), (10, 0, 0), (12, 0, 0)):
        refusal = refusal_of(
            operator=operator,
            balances={(BalanceScope.MEMBER, DAY): {"used_credits": used, "held_credits": held}},
        )
        assert refusal is not None
        assert refusal.params["left"] == left


def test_what_the_write_must_find_is_what_the_decision_saw() -> None:
    """Each limit that was asked about stands beside the balance it bounds, so that a faster rival is noticed."""
    policy = Policy(
        member_cap=Cap(credits=100, period=WEEK),
        channel_caps=(CapOf(id=CHANNEL, cap=Cap(credits=90, period=MONTH)),),
        server_budget_credits=80,
        cooldown_s=60,
        running_max=2,
        waiting_max=1,
    )
    answer = decide(ask(policy=policy, operator=OperatorLimits(member_daily_credits=70)))
    assert isinstance(answer, Approval)
    limits = {(one.key.scope, one.key.period): one for one in answer.counted}
    assert len(limits) == len(answer.counted) == 13
    assert {where: (one.rule, one.limit_credits) for where, one in limits.items() if one.rule} == {
        (BalanceScope.MEMBER, DAY): ("member_daily", 70),
        (BalanceScope.SERVER, MONTH): ("server_monthly", 80),
        (BalanceScope.CHANNEL, MONTH): ("channel_cap", 90),
        (BalanceScope.MEMBERSHIP, WEEK): ("cap", 100),
    }
    assert {where: (one.jobs_max, one.quiet_since) for where, one in limits.items() if one.jobs_max} == {
        HERE: (3, NOW - timedelta(seconds=60))
    }
    assert {where for where, one in limits.items() if one.quiet_since} == {HERE}

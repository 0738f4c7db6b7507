"""Which cap governs a member, what is left of it, and which granted credits bear the rest."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.caps.limits import effective_cap, spendable
from bot.caps.rules import decide, find_allowance
from bot.caps.values import Allowance, Approval, Asker, Cap, CapOf, Policy, Refusal, Rule
from db.enums import BalancePeriod, BalanceScope
from db.values import Membership
from tests.unit.caps.questions import DAY, GUILD, MONTH, NOW, USER, WEEK, ask, granted

UNLIMITED = Cap(credits=None)
DEFAULT = Cap(credits=20)
HOUR = timedelta(hours=1)


def own(cap: Cap) -> Membership:
    return Membership(guild_id=GUILD, user_id=USER, cap_credits=cap.credits, cap_period=cap.period)


@pytest.mark.parametrize(
    ("roles", "generous"),
    [
        ({11: Cap(credits=5), 12: Cap(credits=6)}, 12),
        ({11: Cap(credits=6), 12: Cap(credits=5)}, 11),
        # 8 a day, 49 a week (7 a day), 210 a month (7 a day).
        ({11: Cap(credits=8), 12: Cap(credits=49, period=WEEK), 13: Cap(credits=210, period=MONTH)}, 11),
        ({11: Cap(credits=8), 12: Cap(credits=57, period=WEEK), 13: Cap(credits=210, period=MONTH)}, 12),
        ({11: Cap(credits=8), 12: Cap(credits=56, period=WEEK), 13: Cap(credits=241, period=MONTH)}, 13),
        ({11: Cap(credits=10**6), 12: Cap(credits=None, period=MONTH)}, 12),
        ({11: Cap(credits=0), 12: Cap(credits=1, period=MONTH)}, 12),
    ],
)
def test_of_several_roles_the_most_generous_governs(roles: dict[int, Cap], generous: int) -> None:
    policy = Policy(
        member_cap=Cap(credits=10**6), role_caps=tuple(CapOf(id=i, cap=c) for i, c in roles.items())
    )
    assert effective_cap(policy, None, roles) == Allowance(cap=roles[generous], role_id=generous)
    assert effective_cap(policy, None, [11]) == Allowance(cap=roles[11], role_id=11)
    assert effective_cap(policy, None, [99]) == Allowance(cap=policy.member_cap)


@pytest.mark.parametrize("cap", [Cap(credits=0), Cap(credits=3, period=MONTH), UNLIMITED])
def test_a_members_own_cap_governs_whatever_their_roles_allow(cap: Cap) -> None:
    policy = Policy(member_cap=DEFAULT, role_caps=(CapOf(id=5, cap=UNLIMITED),))
    assert effective_cap(policy, own(cap), [5]) == Allowance(cap=cap, own=True)
    blocked_alone = Membership(guild_id=GUILD, user_id=USER, blocked_until=NOW)
    assert effective_cap(policy, blocked_alone, [5]) == Allowance(cap=UNLIMITED, role_id=5)


def test_without_any_cap_nothing_bounds_a_member() -> None:
    assert effective_cap(Policy(), None, [5]) == Allowance()
    assert isinstance(decide(ask(amount_credits=10**6)), Approval)


def parts_of(**parts: Any) -> tuple[tuple[str, int], ...]:
    answer = decide(ask(**parts))
    assert isinstance(answer, Approval)
    return answer.parts


def used(amount: int, period: BalancePeriod = DAY, **more: int) -> dict[Any, Any]:
    return {(BalanceScope.MEMBERSHIP, period): {"used_credits": amount, **more}}


@pytest.mark.parametrize("cap", [None, UNLIMITED])
def test_granted_credits_are_kept_where_no_cap_asks_for_them(cap: Cap | None) -> None:
    assert parts_of(policy=Policy(member_cap=cap), grants=[granted("g", 50)], balances=used(10**6)) == ()


@pytest.mark.parametrize(
    ("used_credits", "parts"),
    [
        (0, ()),
        (12, ()),
        (13, (("a", 1),)),
        (16, (("a", 3), ("b", 1))),
        (20, (("a", 3), ("b", 5))),
        # A cap that was lowered below what is used leaves no allowance, and no debt either.
        (500, (("a", 3), ("b", 5))),
    ],
)
def test_the_allowance_goes_first_and_then_the_grants_that_expire_soonest(
    used_credits: int, parts: tuple[tuple[str, int], ...]
) -> None:
    grants = [
        granted("never", 9),
        granted("b", 6, expires_at=NOW + 2 * HOUR),
        granted("over", 9, expires_at=NOW),
        granted("empty", 5, held_credits=1, used_credits=2, removed_credits=2, expires_at=NOW + HOUR),
        granted("a", 9, held_credits=1, used_credits=2, removed_credits=3, expires_at=NOW + HOUR),
    ]
    found = parts_of(policy=Policy(member_cap=DEFAULT), grants=grants, balances=used(used_credits))
    assert found == parts


def test_of_grants_that_expire_together_the_older_goes_first() -> None:
    older = granted("z", 5, created_at=NOW - 2 * HOUR)
    newer = granted("a", 5, created_at=NOW - HOUR)
    twin = replace(newer, id="b")
    assert [one.id for one in spendable([twin, newer, older], NOW)] == ["z", "a", "b"]


def test_what_was_granted_or_forgiven_is_not_counted() -> None:
    policy = Policy(member_cap=DEFAULT)
    assert parts_of(policy=policy, balances=used(20, exempt_credits=8)) == ()
    assert isinstance(decide(ask(policy=policy, balances=used(20, exempt_credits=7))), Refusal)


@pytest.mark.parametrize("period", [DAY, WEEK, MONTH])
def test_a_cap_counts_its_own_period_alone(period: BalancePeriod) -> None:
    policy = Policy(member_cap=Cap(credits=20, period=period))
    others = {
        (BalanceScope.MEMBERSHIP, other): {"used_credits": 1000}
        for other in BalancePeriod
        if other is not period
    }
    assert parts_of(policy=policy, balances=others) == ()
    refusal = decide(ask(policy=policy, balances=used(13, period, held_credits=2)))
    assert isinstance(refusal, Refusal)
    assert (refusal.rule, refusal.key) == (Rule.CAP, f"cap_{period}_held")


def test_too_few_granted_credits_are_told_beside_the_cap() -> None:
    grants = [granted("g", 3), granted("h", 4, used_credits=2), granted("over", 99, expires_at=NOW)]
    refusal = decide(ask(policy=Policy(member_cap=DEFAULT), grants=grants, balances=used(18)))
    assert isinstance(refusal, Refusal)
    assert (refusal.rule, refusal.key) == (Rule.GRANTED, "granted_day")
    assert (refusal.params["left"], refusal.params["granted"], refusal.params["needed"]) == (2, 5, 8)
    enough = decide(ask(policy=Policy(member_cap=DEFAULT), grants=grants, balances=used(17)))
    assert isinstance(enough, Approval)


def test_outside_a_server_no_cap_and_no_grant_counts() -> None:
    answer = decide(
        ask(asker=Asker(user_id=USER), policy=Policy(member_cap=Cap(credits=0)), grants=[granted("g", 9)])
    )
    assert isinstance(answer, Approval)
    assert answer.parts == ()


CREDITS = st.integers(0, 60)


@given(CREDITS, CREDITS, CREDITS, st.integers(1, 40), st.lists(st.integers(1, 20), max_size=4))
def test_a_request_fits_exactly_when_allowance_and_grants_together_suffice(
    limit: int, spent: int, held: int, amount: int, left: list[int]
) -> None:
    answer = decide(
        ask(
            policy=Policy(member_cap=Cap(credits=limit)),
            balances=used(spent, held_credits=held),
            grants=[granted(str(index), one) for index, one in enumerate(left)],
            amount_credits=amount,
        )
    )
    allowance = max(0, limit - spent - held)
    assert isinstance(answer, Approval) == (allowance + sum(left) >= amount)
    if isinstance(answer, Approval):
        assert sum(one for _, one in answer.parts) == max(0, amount - allowance)


# --- showing it ---


def test_an_allowance_is_shown_with_where_it_comes_from_and_when_it_starts_over() -> None:
    policy = Policy(member_cap=DEFAULT, role_caps=(CapOf(id=5, cap=Cap(credits=30, period=WEEK)),))
    shown = find_allowance(ask(policy=policy, balances=used(9, WEEK, held_credits=4, exempt_credits=3)))
    assert (shown.cap, shown.role_id, shown.own) == (Cap(credits=30, period=WEEK), 5, False)
    assert (shown.used_credits, shown.left_credits) == (10, 20)
    # NOW is a Saturday.
    assert shown.resets_at == NOW.replace(day=16, hour=0, minute=0, second=0, microsecond=0)
    mine = find_allowance(ask(policy=policy, membership=own(Cap(credits=7)), balances=used(9)))
    assert (mine.own, mine.used_credits, mine.left_credits) == (True, 9, 0)
    assert find_allowance(ask()) == Allowance()
    everything = find_allowance(ask(policy=Policy(member_cap=UNLIMITED), balances=used(9)))
    assert (everything.left_credits, everything.resets_at) == (None, None)


def test_forgiven_credits_never_show_more_than_the_cap() -> None:
    shown = find_allowance(ask(policy=Policy(member_cap=DEFAULT), balances=used(2, exempt_credits=9)))
    assert (shown.used_credits, shown.left_credits) == (0, 20)

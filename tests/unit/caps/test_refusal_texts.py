"""What a refused member reads: each key that the decision can name, in English, with its numbers in it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from bot.caps.rules import Question, decide
from bot.caps.values import Cap, CapOf, OperatorLimits, Policy, Refusal, Rule
from bot.i18n import Catalogue
from db.enums import BalanceScope
from db.values import FOREVER, Membership
from tests.unit.caps.questions import (
    ASKER,
    BREACHES,
    CHANNEL,
    DAY,
    DROPPED_WORDS,
    GUILD,
    HERE,
    MONTH,
    NOW,
    REFUSED_WORDS,
    USER,
    WEEK,
    ask,
    break_rules,
    granted,
)
from tests.unit.test_catalogue import REFUSALS

CATALOGUE = Catalogue.load()
# NOW is Saturday, 14 March 2026, at 15:09:26 UTC.
RESETS = {
    DAY: int(datetime(2026, 3, 15, tzinfo=UTC).timestamp()),
    WEEK: int(datetime(2026, 3, 16, tzinfo=UTC).timestamp()),
    MONTH: int(datetime(2026, 4, 1, tzinfo=UTC).timestamp()),
}
NAMES = {DAY: "today", WEEK: "this week", MONTH: "this month"}
UNTIL = int((NOW + timedelta(hours=1)).timestamp())


def told_by(question: Question) -> str:
    answer = decide(question)
    assert isinstance(answer, Refusal)
    return CATALOGUE.text("en-US", f"failure.{answer.key}", **answer.params)


def member(**changes: object) -> Membership:
    return replace(Membership(guild_id=GUILD, user_id=USER), **changes)  # type: ignore[arg-type]


CASES: dict[str, tuple[Question, str]] = {
    "stopped": (
        break_rules({Rule.STOPPED}),
        "The studio is closed by its operator for now. Please try again later.",
    ),
    "blocked": (
        break_rules({Rule.BLOCKED}),
        f"A moderator has paused you here until <t:{UNTIL}:f>, <t:{UNTIL}:R>.",
    ),
    "blocked_for_good": (
        ask(membership=member(blocked_until=FOREVER)),
        "A moderator has blocked you from making pictures here. Ask the moderators if you think this is a mistake.",
    ),
    "blocked_role": (
        break_rules({Rule.BLOCKED_ROLE}),
        "Members with the role <@&5> may not make pictures here. Ask a moderator if you think this is a mistake.",
    ),
    "channel": (
        break_rules({Rule.CHANNEL}),
        "Pictures are not made in this channel. Please try another one.",
    ),
    "channel_only": (
        ask(policy=Policy(allowed_places=(77, 78))),
        "Pictures are not made in this channel. The moderators chose others for them: please try one of those.",
    ),
    "queue": (
        break_rules({Rule.QUEUE}),
        (
            "You have 13 pictures on their way, and 3 being made plus 10 waiting is the most here. "
            "Please wait for one of them."
        ),
    ),
    "queue_running": (
        ask(policy=Policy(running_max=2, waiting_max=0), balances={HERE: {"held_jobs": 2}}),
        "You have 2 pictures being made, and 2 at once is the most here. Please wait for one of them.",
    ),
    "queue_running_one": (
        ask(policy=Policy(running_max=1, waiting_max=0), balances={HERE: {"held_jobs": 1}}),
        "A picture of yours is being made, and one at a time is the most here. Please wait for it.",
    ),
    "words": (
        break_rules({Rule.WORDS}),
        (
            "This server does not allow the word `bad` in prompts. Try another one; "
            "if that is a mistake, tell a moderator."
        ),
    ),
    "words_all": (
        ask(policy=Policy(word_lists=(DROPPED_WORDS,)), prompt="dull, dull"),
        "This server takes all of these words out of prompts, so nothing was left. Try other words.",
    ),
}


def build_numbers(
    scope: BalanceScope, policy: Policy, operator: OperatorLimits, period: object, held: int
) -> Question:
    """13 of a limit of 20 are used, and perhaps 4 held, where 8 are needed."""
    return ask(
        policy=policy,
        operator=operator,
        balances={(scope, period): {"used_credits": 13, "held_credits": held}},  # type: ignore[dict-item]
    )


def write_numbers(
    whose: str, period: object, held: int, *, used: int = 13, here: str = "", more: str = ""
) -> str:
    left = 20 - used - held
    on_their_way = f", with {held} held for pictures on their way" if held else ""
    name = NAMES[period]  # type: ignore[index]
    start = f"This needs 8 credits, and {whose} {left} of 20 left {name}{here}{on_their_way}{more}."
    return f"{start} It starts over <t:{RESETS[period]}:R>."  # type: ignore[index]


for _held in (0, 4):
    _suffix = "_held" if _held else ""
    CASES[f"member_daily{_suffix}"] = (
        build_numbers(BalanceScope.MEMBER, Policy(), OperatorLimits(member_daily_credits=20), DAY, _held),
        write_numbers("you have", DAY, _held),
    )
    CASES[f"server_monthly{_suffix}"] = (
        build_numbers(BalanceScope.SERVER, Policy(server_budget_credits=20), OperatorLimits(), MONTH, _held),
        write_numbers("this server has", MONTH, _held),
    )
for _period, _held in product(NAMES, (0, 4)):
    _suffix = f"_{_period}_held" if _held else f"_{_period}"
    _cap = Cap(credits=20, period=_period)
    CASES[f"channel_cap{_suffix}"] = (
        build_numbers(
            BalanceScope.CHANNEL,
            Policy(channel_caps=(CapOf(id=CHANNEL, cap=_cap),)),
            OperatorLimits(),
            _period,
            _held,
        ),
        write_numbers("this channel has", _period, _held),
    )
    _counted = {(BalanceScope.MEMBERSHIP, _period): {"used_credits": 13, "held_credits": _held}}
    CASES[f"cap{_suffix}"] = (
        ask(policy=Policy(member_cap=_cap), balances=_counted, amount_credits=8),
        write_numbers("you have", _period, _held, here=" in this server"),
    )
    CASES[f"granted{_suffix}"] = (
        ask(
            policy=Policy(member_cap=_cap),
            balances={(BalanceScope.MEMBERSHIP, _period): {"used_credits": 16, "held_credits": _held}},
            grants=[granted("g", 9, used_credits=7), granted("h", 1)],
        ),
        write_numbers("you have", _period, _held, used=16, here=" in this server", more=", and 3 granted"),
    )


def write_over(who: str, left: int, period: object) -> str:
    """What never fits may fit in part: what is left says how small it must be, and the reset until when."""
    start = f"{who} {left} left {NAMES[period]}. It starts over <t:{RESETS[period]}:R>."  # type: ignore[index]
    return f"{start} Choose a smaller size or fewer pictures, or ask a moderator."


CASES["member_daily_over"] = (
    ask(operator=OperatorLimits(member_daily_credits=7)),
    f"This needs 8 credits, more than the 7 you may use in a day. {write_over('You have', 7, DAY)}",
)
CASES["server_monthly_over"] = (
    ask(
        policy=Policy(server_budget_credits=7),
        balances={(BalanceScope.SERVER, MONTH): {"used_credits": 3, "held_credits": 2}},
    ),
    f"This needs 8 credits, more than the 7 this server may use in a month. {write_over('It has', 2, MONTH)}",
)
for _period in NAMES:
    _cap = Cap(credits=7, period=_period)
    _less = Cap(credits=4, period=_period)
    CASES[f"channel_cap_{_period}_over"] = (
        ask(policy=Policy(channel_caps=(CapOf(id=CHANNEL, cap=_cap),))),
        (
            f"This needs 8 credits, more than the 7 this channel may use in a {_period}. "
            f"{write_over('It has', 7, _period)}"
        ),
    )
    CASES[f"cap_{_period}_over"] = (
        ask(
            policy=Policy(member_cap=_cap),
            balances={(BalanceScope.MEMBERSHIP, _period): {"used_credits": 6}},
        ),
        (
            f"This needs 8 credits, more than the 7 you may use in a {_period} in this server. "
            f"{write_over('You have', 1, _period)}"
        ),
    )
    CASES[f"granted_{_period}_over"] = (
        ask(policy=Policy(member_cap=_less), grants=[granted("g", 3)]),
        (
            f"This needs 8 credits, more than the 4 you may use in a {_period} in this server "
            f"and your 3 granted together. {write_over('You have', 4, _period)}"
        ),
    )
LENGTHS = {
    "seconds": 45,
    "seconds_one": 1,
    "minutes": 600,
    "minutes_one": 60,
    "hours": 7_200,
    "hours_one": 3_600,
    "days": 172_800,
    "days_one": 86_400,
}
TOLD = {
    "seconds": "45 seconds",
    "seconds_one": "second",
    "minutes": "10 minutes",
    "minutes_one": "minute",
    "hours": "2 hours",
    "hours_one": "hour",
    "days": "2 days",
    "days_one": "day",
}
for _unit, _length_s in LENGTHS.items():
    _article = {"hours_one": "an ", "days_one": "a "}.get(_unit, "")
    if not _unit.startswith(("seconds", "minutes")):
        _ends = int((NOW + timedelta(seconds=_length_s)).timestamp())
        CASES[f"tenure_{_unit}"] = (
            ask(policy=Policy(tenure_s=_length_s), asker=replace(ASKER, joined_at=NOW)),
            (
                f"You can make pictures here <t:{_ends}:R>: this server asks its members to be here "
                f"for {_article}{TOLD[_unit]} first."
            ),
        )
    if not _unit.startswith("days"):
        _ends = int((NOW + timedelta(seconds=_length_s)).timestamp()) + 1
        CASES[f"cooldown_{_unit}"] = (
            ask(policy=Policy(cooldown_s=_length_s), balances={HERE: {"last_reserved_at": NOW}}),
            f"One picture every {TOLD[_unit]} here: you can ask again <t:{_ends}:R>.",
        )


@pytest.mark.parametrize("key", CASES)
def test_a_refusal_says_which_rule_its_value_what_is_left_and_when_it_starts_over(key: str) -> None:
    question, told = CASES[key]
    assert told_by(question) == f"{told} Nothing was charged."
    answer = decide(question)
    assert isinstance(answer, Refusal)
    assert answer.key == key
    assert set(answer.params) >= REFUSALS[key]


def test_one_credit_is_told_as_one_and_thousands_are_apart() -> None:
    cap = Policy(member_cap=Cap(credits=25_000))
    spent = {(BalanceScope.MEMBERSHIP, DAY): {"used_credits": 24_000, "held_credits": 1_000}}
    told = told_by(ask(policy=cap, balances=spent, amount_credits=1))
    assert told.startswith("This needs 1 credit, and you have 0 of 25\u202f000 left today")
    assert "with 1\u202f000 held" in told
    assert f"<t:{RESETS[DAY]}:R>" in told


@pytest.mark.parametrize(
    "typed", ["b\u200ba\u202ed", "`b`a`d", "b" + "\u200b" * 900 + "ad", "b" + " " * 900 + "a d"]
)
def test_a_found_word_is_shown_without_what_cannot_be_seen(typed: str) -> None:
    answer = decide(ask(policy=Policy(word_lists=(REFUSED_WORDS,)), prompt=f"a {typed} stage"))
    assert isinstance(answer, Refusal)
    assert str(answer.params["word"]).replace(" ", "") == "bad"


def test_every_text_of_a_refusal_is_among_the_cases() -> None:
    """So no text is left that no decision names, and every rule has one."""
    assert set(CASES) == set(REFUSALS)
    answers = [decide(question) for question, _ in CASES.values()]
    assert {answer.rule for answer in answers if isinstance(answer, Refusal)} == set(Rule) == set(BREACHES)


def test_a_reset_is_told_at_the_servers_own_midnight() -> None:
    policy = Policy(member_cap=Cap(credits=0), time_zone="Asia/Seoul")
    answer = decide(ask(policy=policy, asker=ASKER))
    assert isinstance(answer, Refusal)
    # In Seoul it is 00:09 on the 15th.
    assert answer.params["resets"] == int(datetime(2026, 3, 15, 15, tzinfo=UTC).timestamp())

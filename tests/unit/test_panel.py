"""The settings panel drawn from values: it says what is set, and stays within Discord's limits whatever is set."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from bot.caps.overview import Decided
from bot.caps.policies import check_policy
from bot.caps.values import (
    COOLDOWN_S_MAX,
    CREDITS_MAX,
    ENTRIES_MAX,
    PLACES_MAX,
    RETENTION_DAYS_MAX,
    RUNNING_MAX,
    TENURE_S_MAX,
    WAITING_MAX,
    Cap,
    CapOf,
    OperatorLimits,
    Policy,
)
from bot.i18n import Catalogue
from bot.safety.words import ALLOWED_WORDS_MAX, WORDS_PER_LIST_MAX, WordAction, WordList
from cogs import _panel_modals as modals
from cogs._panel import Focus, Names, Notice, Panel, Topic
from cogs._panel_input import NAME_MAX, WORDS_SHOWN_MAX, WORDS_TYPED_MAX, key_of, split_pages
from cogs._panel_more import render_panel
from cogs._panel_places import PAGE_MAX
from cogs._panel_words import OWN_LISTS_MAX
from db.enums import BalancePeriod
from db.values import FOREVER, Membership
from sandbox.discord.components import Checker
from sandbox.discord.errors import Problems
from sandbox.discord.forms import Form
from sandbox.discord.modals import check_modal
from tests.support.member import text_of, walk

if TYPE_CHECKING:
    from discord import ui

TEXT = partial(Catalogue.load().text, "en-US")
NOW = datetime(2026, 11, 23, 3, 12, tzinfo=UTC)
LONGEST_ID = 2**63 - 100
MONTH_MAX = Cap(credits=CREDITS_MAX, period=BalancePeriod.MONTH)


def ids(count: int) -> tuple[int, ...]:
    return tuple(LONGEST_ID - number for number in range(count))


def long_words(count: int) -> tuple[str, ...]:
    """Words of the greatest length, each of them needing all its escapes."""
    return tuple(f"{number:03}" + "_*" * 28 + "x" for number in range(count))


def member(user_id: int, **decided: Any) -> Membership:
    return Membership(guild_id=1, user_id=user_id, **decided)


FULL = check_policy(
    Policy(
        time_zone="America/Argentina/ComodRivadavia",
        member_cap=MONTH_MAX,
        role_caps=tuple(CapOf(id=one, cap=MONTH_MAX) for one in ids(ENTRIES_MAX)),
        channel_caps=tuple(CapOf(id=one, cap=MONTH_MAX) for one in ids(ENTRIES_MAX)),
        server_budget_credits=CREDITS_MAX,
        running_max=RUNNING_MAX,
        waiting_max=WAITING_MAX,
        cooldown_s=COOLDOWN_S_MAX - 1,
        tenure_s=TENURE_S_MAX - 1,
        allowed_places=ids(PLACES_MAX),
        denied_places=ids(PLACES_MAX),
        blocked_roles=ids(ENTRIES_MAX),
        word_lists=tuple(
            WordList(
                name=f"{number}" + "*" * (NAME_MAX - 1),
                action=WordAction.REFUSE,
                words=long_words(WORDS_PER_LIST_MAX),
            )
            for number in range(OWN_LISTS_MAX)
        ),
        allowed_words=long_words(ALLOWED_WORDS_MAX),
        automod_action=WordAction.DROP,
        automod_words=long_words(WORDS_PER_LIST_MAX),
        automod_allowed=(),
        gifts_allowed=True,
        log_channel_id=LONGEST_ID,
        retention_days=RETENTION_DAYS_MAX,
    )
)
CROWD = Decided(
    blocked=tuple(member(one, blocked_until=NOW + timedelta(days=1)) for one in ids(50)),
    capped=tuple(member(one, cap_credits=CREDITS_MAX, cap_period=BalancePeriod.MONTH) for one in ids(50)),
)
FULL_KEY = key_of(FULL.word_lists[0].name)
ALL_FOCUSES = [
    *(Focus(topic=topic) for topic in Topic),
    *(Focus(topic=Topic.PLACES, allowed_page=page, denied_page=page) for page in (1, 4, 5, 99)),
    *(Focus(topic=Topic.WORDS, list_key=FULL_KEY, asks=asks) for asks in ("", "delete", "clear")),
]
KNOWN = Names(roles={one: "r" * 100 for one in ids(200)}, channels={one: "c" * 100 for one in ids(200)})


def panel(policy: Policy, focus: Focus | None = None, **more: Any) -> Panel:
    return Panel(text=TEXT, policy=policy, now=NOW, focus=focus or Focus(), **more)


def to_message(view: ui.LayoutView) -> dict[str, Any]:
    return {"components": view.to_components()}  # type: ignore[no-untyped-call]  # discord.py has no types here


def shown(policy: Policy, topic: Topic, **more: Any) -> str:
    focus = more.pop("focus", Focus(topic=topic))
    return text_of(to_message(render_panel(panel(policy, focus, **more))))


def find_problems(message: dict[str, Any]) -> list[Any]:
    """What Discord would refuse of these components."""
    problems = Problems()
    forms = [Form(one, problems, ("components", place)) for place, one in enumerate(message["components"])]
    Checker(problems=problems, filenames=(), uses_v2=True).check(forms, ("components",))
    for select in (one for one in walk(message["components"]) if one.get("default_values")):
        assert len(select["default_values"]) <= select["max_values"] <= 25
    return list(problems.found)


@pytest.mark.parametrize(
    "names", [KNOWN, Names(roles={}, channels={}), Names()], ids=["known", "gone", "cold"]
)
@pytest.mark.parametrize("policy", [FULL, Policy()], ids=["full", "new"])
@pytest.mark.parametrize("focus", ALL_FOCUSES, ids=str)
async def test_no_setting_breaks_a_limit_of_discord(focus: Focus, policy: Policy, names: Names) -> None:
    """40 components, 4000 characters, 25 options, no more defaults than may be chosen: whatever is set."""
    limits = OperatorLimits(server_monthly_credits=CREDITS_MAX)
    notice = Notice(words="w" * 5000, entry_id=2**63 - 1)
    full = panel(policy, focus, names=names, decided=CROWD, operator=limits, notice=notice)
    message = to_message(render_panel(full))
    assert find_problems(message) == []

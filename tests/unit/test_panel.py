"""The settings panel drawn from values: it says what is set, and stays within Discord's limits whatever is set."""

from __future__ import annotations

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
from cogs._panel_input import (
    NAME_MAX,
    key_of,
    split_pages,
)
from cogs._panel_more import render_panel
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
        operator_budget_credits=CREDITS_MAX,
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
        automod_allowed=long_words(100),
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
KNOWN = Names(roles=dict.fromkeys(ids(200), "r" * 100), channels=dict.fromkeys(ids(200), "c" * 100))


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


def test_a_long_notice_ends_in_no_half_mention() -> None:
    mentions = ", ".join(f"<@&{one}>" for one in ids(100))
    drawn = text_of(to_message(render_panel(panel(Policy(), notice=Notice(words=f"added {mentions}")))))
    told = drawn[drawn.index("added ") :]
    assert told.count("<@&") == told.count(">")
    assert len(told) > 600


async def test_too_much_would_be_noticed() -> None:
    """The check can fail."""
    shown = to_message(render_panel(panel(Policy())))
    assert find_problems({"components": shown["components"] * 40})


# --- what a section says ---


async def test_a_new_server_reads_what_is_not_set() -> None:
    assert "**Default cap** · no cap" in shown(Policy(), Topic.CAPS)
    assert "**Pause between pictures** · none" in shown(Policy(), Topic.QUEUE)
    assert "**Only here** · everywhere" in shown(Policy(), Topic.PLACES)
    assert "**Word lists** · none" in shown(Policy(), Topic.WORDS)
    assert "**Log channel** · none" in shown(Policy(), Topic.MORE)


@pytest.mark.parametrize(
    ("own", "ceiling", "said"),
    [
        (None, None, "no budget"),
        (None, 900, "What counts is 900 credits a month"),
        (500, 900, "The most that my operator allows is 900 credits a month"),
        (1_000, 900, "What counts is 900 credits a month"),
        (500, None, "500 credits a month"),
    ],
)
async def test_the_budget_is_shown_with_the_ceiling_of_the_operator(
    own: int | None, ceiling: int | None, said: str
) -> None:
    limits = OperatorLimits(server_monthly_credits=ceiling)
    assert said in shown(Policy(server_budget_credits=own), Topic.CAPS, operator=limits)
    given = Policy(server_budget_credits=own, operator_budget_credits=ceiling)
    default = OperatorLimits(server_monthly_credits=None if ceiling is None else 5)
    assert said in shown(given, Topic.CAPS, operator=default)


async def test_the_present_local_time_stands_beside_the_time_zone() -> None:
    assert "12:12 now, Monday, 2026-11-23" in shown(Policy(time_zone="Asia/Seoul"), Topic.MORE)
    assert "22:12 now, Sunday, 2026-11-22" in shown(Policy(time_zone="America/New_York"), Topic.MORE)


async def test_names_that_are_not_known_yet_are_not_called_deleted() -> None:
    policy = Policy(role_caps=(CapOf(id=7, cap=Cap(credits=1)),), log_channel_id=8)
    assert "<@&7> · 1 credit a day" in shown(policy, Topic.CAPS)
    assert "<#8>" in shown(policy, Topic.MORE)
    gone = Names(roles={}, channels={})
    assert "deleted role · 1 credit a day" in shown(policy, Topic.CAPS, names=gone)
    assert "deleted channel" in shown(policy, Topic.MORE, names=gone)


async def test_blocked_members_are_listed_with_their_time() -> None:
    decided = Decided(
        blocked=(member(5, blocked_until=NOW + timedelta(hours=1)), member(6, blocked_until=FOREVER))
    )
    said = shown(Policy(), Topic.PLACES, decided=decided)
    assert f"<@5> until <t:{int(NOW.timestamp()) + 3600}:f>" in said
    assert "<@6> for good" in said


async def test_banned_words_are_shown_behind_a_spoiler_and_safely() -> None:
    one = WordList(name="*Rude*", action=WordAction.DROP, words=("fo||o", "@everyone"))
    focus = Focus(topic=Topic.WORDS, list_key=key_of(one.name))
    said = shown(Policy(word_lists=(one,)), Topic.WORDS, focus=focus)
    assert "||fo\\|\\|o, @\u2060everyone||" in said
    assert "**\\*Rude\\*** · 2 words" in said


# --- windows ---


async def test_windows_of_the_longest_values_are_within_the_limits_of_discord() -> None:
    words = FULL.word_lists[0].words
    start, end = max(split_pages(words), key=lambda page: page[1] - page[0])
    windows = [
        modals.cap_window(TEXT, "x" * 200, "y" * 200, MONTH_MAX, "role", LONGEST_ID),
        modals.budget_window(TEXT, CREDITS_MAX),
        modals.number_window(TEXT, "Pictures", "running", 3, least=1, most=RUNNING_MAX),
        modals.length_window(TEXT, "x", "y", "tenure", TENURE_S_MAX, ("hour", "day")),
        modals.length_window(TEXT, "x", "y", "cooldown", COOLDOWN_S_MAX - 1, ("second", "minute", "hour")),
        modals.name_window(TEXT, "x", "n" * NAME_MAX, "rename", FULL_KEY),
        modals.words_window(TEXT, "x" * 99, words[start:end], "edit", FULL_KEY, start, end, "0" * 8),
        modals.zone_window(TEXT, FULL.time_zone),
    ]
    for window in windows:
        problems = Problems()
        check_modal(Form(window.to_dict(), problems))
        assert not problems.found


def test_words_of_automod_that_can_no_longer_be_read_are_told_so_with_what_to_do() -> None:
    used = Policy(automod_action=WordAction.REFUSE, automod_words=("foo",))
    assert "I read them again whenever they change" in shown(used, Topic.WORDS)
    told = shown(used, Topic.WORDS, automod_refused=True)
    assert "I may not read them any more" in told
    assert "**Manage Server**" in told
    assert "I may not read" not in shown(Policy(), Topic.WORDS, automod_refused=True)


def test_a_log_channel_that_refuses_posts_is_told_in_words() -> None:
    chosen = Policy(log_channel_id=5)
    assert "Nothing is posted there now" not in shown(chosen, Topic.MORE)
    assert "Nothing is posted there now" in shown(chosen, Topic.MORE, log_closed=True)

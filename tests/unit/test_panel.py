"""The settings panel drawn from values: it says what is set, and stays within Discord's limits whatever is set."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from bot.caps.overview import Decided, Overtaken, revert
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
from bot.errors import AppError
from bot.i18n import Catalogue
from bot.safety.words import ALLOWED_WORDS_MAX, WORDS_PER_LIST_MAX, WordAction, WordList
from cogs import _panel_modals as modals
from cogs._panel import Focus, Names, Notice, Panel, Topic
from cogs._panel_acts_caps import put_cap
from cogs._panel_acts_more import read_zone
from cogs._panel_acts_places import put_places
from cogs._panel_format import describe_change
from cogs._panel_input import (
    NAME_MAX,
    WORDS_SHOWN_MAX,
    WORDS_TYPED_MAX,
    BadWord,
    key_of,
    read_cap,
    read_length,
    read_number,
    read_words,
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


# --- what a change did ---


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            {"member_cap": Cap(credits=10)},
            {"member_cap": Cap(credits=20)},
            "Default cap: 10 credits a day → **20 credits a day**",
        ),
        (
            {"cooldown_s": 90},
            {"cooldown_s": 7200},
            "Pause between pictures: 90 seconds → **2 hours**",
        ),
        ({"gifts_allowed": False}, {"gifts_allowed": True}, "Gifts between members: off → **on**"),
        (
            {"role_caps": (CapOf(id=7, cap=Cap(credits=1)), CapOf(id=8, cap=Cap(credits=2)))},
            {"role_caps": (CapOf(id=7, cap=Cap(credits=1)),)},
            "Cap of <@&8>: 2 credits a day → **no cap**",
        ),
        (
            {"denied_places": (1, 2)},
            {"denied_places": (2, 3)},
            "Never here: added <#3> · took out <#1>",
        ),
        ({"automod_words": ("a",)}, {"automod_words": ("b", "c")}, "AutoMod: 2 added, 1 taken out"),
    ],
)
def test_a_change_is_told_in_one_line(before: dict[str, Any], after: dict[str, Any], said: str) -> None:
    told = describe_change(TEXT, Names(), Policy(**before), Policy(**after))
    assert told.startswith("✅ ")
    assert said in told
    assert "\n" not in told


def test_every_setting_has_words_for_its_change() -> None:
    """Whatever of a full policy is set from nothing, there is a line for it, and no raw name of a field."""
    for one in fields(Policy):
        changed = replace(Policy(), **{one.name: getattr(FULL, one.name)})
        told = describe_change(TEXT, KNOWN, Policy(), changed)
        assert told, one.name
        assert one.name not in told
        assert "None" not in told


# --- what is typed ---


@pytest.mark.parametrize(
    ("typed", "amount"), [("20", 20), (" 20 ", 20), ("0", 0), ("1,000", 1_000), ("1000000", 1_000_000)]
)
def test_a_plain_number_is_read(typed: str, amount: int) -> None:
    assert read_number(typed, least=0, most=CREDITS_MAX) == amount


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "٣",
        "-5",
        "1e9",
        "1,00",
        "1.000",
        "1 000",
        "0x1",
        "²",
        "1000001",
        "9" * 5000,
        "１２",
        "1,000,00",
        "+3",
    ],
)
def test_a_number_that_can_be_misread_is_refused(typed: str) -> None:
    with pytest.raises(AppError) as refused:
        read_number(typed, least=0, most=CREDITS_MAX)
    assert refused.value.key == "panel.number"


@pytest.mark.parametrize(
    ("typed", "period", "cap"),
    [
        ("", "day", None),
        ("unlimited", "week", Cap(credits=None, period=BalancePeriod.WEEK)),
        (" Unlimited ", "day", Cap(credits=None)),
        ("5", "month", Cap(credits=5, period=BalancePeriod.MONTH)),
        ("5", "ever", Cap(credits=5)),
    ],
)
def test_a_cap_is_read_with_its_period(typed: str, period: str, cap: Cap | None) -> None:
    assert read_cap({"typed": [typed], "period": [period]}) == cap


def test_a_length_keeps_to_its_longest_in_every_unit() -> None:
    assert read_length({"typed": ["2"], "unit": ["minute"]}, most_s=COOLDOWN_S_MAX) == 120
    assert read_length({"typed": [""], "unit": ["day"]}, most_s=COOLDOWN_S_MAX) == 0
    with pytest.raises(AppError):
        read_length({"typed": ["25"], "unit": ["hour"]}, most_s=COOLDOWN_S_MAX)


@pytest.mark.parametrize(
    ("typed", "zone"),
    [("Asia/Seoul", "Asia/Seoul"), ("seoul", "Asia/Seoul"), ("new york", "America/New_York")],
)
def test_a_city_is_enough_for_a_time_zone(typed: str, zone: str) -> None:
    assert read_zone(typed) == zone


@pytest.mark.parametrize("typed", ["", "   ", "Atlantis", "e"])
def test_a_zone_that_is_none_or_several_is_refused(typed: str) -> None:
    with pytest.raises(AppError):
        read_zone(typed)


def test_pages_of_a_long_list_hold_every_word_once_and_fit_into_a_window() -> None:
    words = long_words(WORDS_PER_LIST_MAX)
    pages = split_pages(words)
    assert [word for start, end in pages for word in words[start:end]] == list(words)
    assert all(len("\n".join(words[start:end])) <= WORDS_SHOWN_MAX < WORDS_TYPED_MAX for start, end in pages)
    assert split_pages(()) == [(0, 0)]


def test_an_edited_page_stands_between_the_others_without_doubles() -> None:
    assert read_words("b, c", ("a",), ("d",)) == ("a", "b", "c", "d")
    assert read_words("a\nA", ("a",), ("d",)) == ("a", "d")
    full = tuple(f"w{number}" for number in range(WORDS_PER_LIST_MAX))
    refused = read_words("one more", full)
    assert isinstance(refused, BadWord)
    assert refused.key == "panelwords.too_many"


@pytest.mark.parametrize(
    ("typed", "key"),
    [("!!!", "no_letters"), ("x" * 61, "too_long"), ("a\x00b", "control"), ("ok\n\x07", "control")],
)
def test_a_word_that_cannot_be_listed_is_named(typed: str, key: str) -> None:
    refused = read_words(typed)
    assert isinstance(refused, BadWord)
    assert refused.key == f"panelwords.{key}"


# --- changing one of many ---


def test_choosing_places_adds_and_takes_out_only_what_was_touched() -> None:
    assert put_places((1, 2, 3), shown={1, 2}, chosen=(2, 9), most=100) == (2, 3, 9)
    assert put_places((), shown=(), chosen=(4, 4, 5), most=100) == (4, 5)
    assert put_places((7,), shown={1}, chosen=(1,), most=100) == (7,)
    with pytest.raises(AppError):
        put_places(tuple(range(100)), shown=(), chosen=(500,), most=100)


def test_a_cap_is_put_in_place_and_the_others_stay() -> None:
    one, two = (CapOf(id=number, cap=Cap(credits=number)) for number in (1, 2))
    assert put_cap((one, two), 1, Cap(credits=9)) == (CapOf(id=1, cap=Cap(credits=9)), two)
    assert put_cap((one, two), 1, None) == (two,)
    assert put_cap((one,), 2, Cap(credits=2)) == (one, two)
    with pytest.raises(AppError):
        put_cap(FULL.role_caps, 1, Cap(credits=1))
    assert len(put_cap(FULL.role_caps, FULL.role_caps[0].id, Cap(credits=1))) == ENTRIES_MAX


@pytest.mark.parametrize(
    ("now", "before", "after", "reverted"),
    [
        ({"a": 2, "b": 7}, {"a": 1}, {"a": 2}, {"a": 1, "b": 7}),
        ({"a": [1, 2, 9]}, {"a": [1]}, {"a": [1, 2]}, {"a": [1, 9]}),
        ({"a": [1, 9]}, {"a": [1, 2]}, {"a": [1]}, {"a": [1, 9, 2]}),
        (
            {"a": [{"id": 1, "x": 5}, {"id": 2, "x": 2}]},
            {"a": [{"id": 2, "x": 1}]},
            {"a": [{"id": 2, "x": 2}]},
            {"a": [{"id": 1, "x": 5}, {"id": 2, "x": 1}]},
        ),
    ],
)
def test_taking_a_change_back_keeps_what_others_changed(
    now: dict[str, Any], before: dict[str, Any], after: dict[str, Any], reverted: dict[str, Any]
) -> None:
    assert revert(now, before, after) == reverted


@pytest.mark.parametrize(
    ("now", "before", "after"),
    [
        ({"a": 3}, {"a": 1}, {"a": 2}),
        ({"a": [1]}, {"a": [1]}, {"a": [1, 2]}),
        ({"a": [{"id": 1, "x": 9}]}, {"a": [{"id": 1, "x": 1}]}, {"a": [{"id": 1, "x": 2}]}),
        ({"a": None}, {"a": [1]}, {"a": [2]}),
        ({"a": 1}, {"b": 1}, {"b": 2}),
    ],
)
def test_a_change_that_was_overtaken_is_not_taken_back(
    now: dict[str, Any], before: dict[str, Any], after: dict[str, Any]
) -> None:
    with pytest.raises(Overtaken):
        revert(now, before, after)


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

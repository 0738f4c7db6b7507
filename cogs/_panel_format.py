"""Settings in words: a cap, a length of time, a place, and what a change did (pure)."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from bot.caps.values import Cap, CapOf
from bot.safety.words import WordAction
from cogs._render import credits_text, escape, number, one_line
from db.enums import BalancePeriod

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from bot.caps.values import Policy
    from bot.safety.words import WordList
    from cogs._panel import Names
    from cogs._render import Text

NAMES_MAX = 10
NAME_SHOWN_MAX = 60
NAME_MAX = 100
# They join signs that are seen, and are none themselves.
JOINERS = "\u200c\u200d "
MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400
PERIOD_KEYS = {
    BalancePeriod.DAY: "panelunit.per_day",
    BalancePeriod.WEEK: "panelunit.per_week",
    BalancePeriod.MONTH: "panelunit.per_month",
}
# The largest first: a length is shown in the largest unit that it is a whole number of.
UNITS = (
    (DAY_S, "panelunit.day", "panelunit.days"),
    (HOUR_S, "panelunit.hour", "panelunit.hours"),
    (MINUTE_S, "panelunit.minute", "panelunit.minutes"),
    (1, "panelunit.second", "panelunit.seconds"),
)
ACTION_KEYS = {WordAction.REFUSE: "panelwords.refuses", WordAction.DROP: "panelwords.drops"}


def cap_text(text: Text, cap: Cap | None) -> str:
    if cap is None:
        return text("panelunit.no_cap")
    if cap.credits is None:
        return text("panelunit.unlimited")
    return text(PERIOD_KEYS[cap.period], credits=credits_text(text, cap.credits))


def length_text(text: Text, length_s: int) -> str:
    """A length of time; the panel says what none means."""
    unit_s, one, many = next(unit for unit in UNITS if length_s % unit[0] == 0)
    count = length_s // unit_s
    return text(one, n=count) if count == 1 else text(many, n=number(count))


def count_text(text: Text, count: int) -> str:
    """`1 word` or `12 words`."""
    return text("panelwords.one") if count == 1 else text("panelwords.many", n=count)


def role_text(text: Text, names: Names, role_id: int) -> str:
    return f"<@&{role_id}>" if names.has_role(role_id) else text("panel.deleted_role")


def channel_text(text: Text, names: Names, channel_id: int) -> str:
    if channel_id in names.categories and names.channels is not None:
        return text("panel.category", name=escape(names.channels[channel_id], NAME_SHOWN_MAX))
    return f"<#{channel_id}>" if names.has_channel(channel_id) else text("panel.deleted_channel")


def name_text(name: str) -> str:
    """A name for a label or a title, where Discord formats nothing; a question mark where none can be seen."""
    shown = one_line(name, NAME_MAX)
    return shown if shown.strip(JOINERS) else "?"


def join_some(text: Text, shown: Sequence[str], shown_max: int = NAMES_MAX) -> str:
    """The first of them, and how many more there are."""
    some = ", ".join(shown[:shown_max])
    left = len(shown) - shown_max
    return text("panel.and_more", some=some, n=left) if left > 0 else some


# --- what a change did ---


def describe_change(text: Text, names: Names, before: Policy, after: Policy) -> str:
    """One short line for each setting that is different."""
    lines: list[str] = []
    for one in fields(before):
        old, new = getattr(before, one.name), getattr(after, one.name)
        if old != new:
            lines += _describe(text, names, one.name, old, new)
    return "\n".join(lines)


def _describe(text: Text, names: Names, name: str, old: object, new: object) -> list[str]:
    def line(shown: str, was: str, becomes: str) -> str:
        return text("panel.changed", name=shown, before=was, after=becomes)

    if name == "word_lists":
        return list(_describe_lists(text, line, old, new))  # type: ignore[arg-type]  # fields of Policy
    if name in {"role_caps", "channel_caps"}:
        return _describe_caps(text, names, line, name, old, new)  # type: ignore[arg-type]  # fields of Policy
    if name in IMPORTED:
        return [_describe_imported(text, name, old, new)]  # type: ignore[arg-type]  # fields of Policy
    if name in SETS:
        return [_describe_set(text, names, name, old, new)]  # type: ignore[arg-type]  # fields of Policy
    return [line(text(NAME_KEYS[name]), *(value_text(text, names, name, value) for value in (old, new)))]


def value_text(text: Text, names: Names, name: str, value: object) -> str:
    """One plain setting."""
    match value:
        case bool():
            return text("panel.on" if value else "panel.off")
        case Cap():
            return cap_text(text, value)
        case WordAction():
            return text(ACTION_KEYS[value])
        case None:
            return text(NONE_KEYS.get(name, "panelunit.no_cap"))
        case int() if name == "log_channel_id":
            return channel_text(text, names, value)
        case int() if name in {"server_budget_credits", "operator_budget_credits"}:
            return text("panelunit.per_month", credits=credits_text(text, value))
        case int() if name in {"cooldown_s", "tenure_s"}:
            return length_text(text, value) if value else text("panel.none")
        case int() if name == "retention_days":
            return length_text(text, value * DAY_S)
        case _:
            return str(value)


def _describe_caps(
    text: Text,
    names: Names,
    line: Callable[[str, str, str], str],
    name: str,
    old: Iterable[CapOf],
    new: Iterable[CapOf],
) -> list[str]:
    shown = role_text if name == "role_caps" else channel_text
    was, becomes = ({entry.id: entry.cap for entry in entries} for entries in (old, new))
    return [
        line(
            text("panelcaps.cap_of", who=shown(text, names, one)),
            cap_text(text, was.get(one)),
            cap_text(text, becomes.get(one)),
        )
        for one in {**was, **becomes}
        if was.get(one) != becomes.get(one)
    ]


def _describe_set(
    text: Text, names: Names, name: str, old: Sequence[int | str], new: Sequence[int | str]
) -> str:
    added = [_entry_text(text, names, name, one) for one in new if one not in old]
    removed = [_entry_text(text, names, name, one) for one in old if one not in new]
    parts = [text("panel.added", what=join_some(text, added))] if added else []
    parts += [text("panel.removed", what=join_some(text, removed))] if removed else []
    return text("panel.changed_set", name=text(NAME_KEYS[name]), what=" · ".join(parts))


def _describe_imported(text: Text, name: str, old: Iterable[str], new: Iterable[str]) -> str:
    """How many only: these are not our words to show, and they may be thousands."""
    was, becomes = set(old), set(new)
    return text(
        "panelwords.list_changed",
        name=text(NAME_KEYS[name]),
        added=len(becomes - was),
        removed=len(was - becomes),
    )


def _entry_text(text: Text, names: Names, name: str, entry: int | str) -> str:
    if isinstance(entry, str):
        return escape(entry, NAME_SHOWN_MAX)
    return (role_text if name == "blocked_roles" else channel_text)(text, names, entry)


def _describe_lists(
    text: Text, line: Callable[[str, str, str], str], old: Iterable[WordList], new: Iterable[WordList]
) -> Iterable[str]:
    was: Mapping[str, WordList] = {one.name: one for one in old}
    becomes: Mapping[str, WordList] = {one.name: one for one in new}
    gone = [was[name] for name in was if name not in becomes]
    come = [becomes[name] for name in becomes if name not in was]
    if len(gone) == len(come) == 1:
        yield line(text("panelwords.name"), escape(gone[0].name), escape(come[0].name))
        return
    for one in gone:
        yield text("panelwords.list_deleted", name=escape(one.name), words=count_text(text, len(one.words)))
    for one in come:
        yield text("panelwords.list_created", name=escape(one.name), words=count_text(text, len(one.words)))
    for name in was:
        if name in becomes and was[name] != becomes[name]:
            yield from _describe_list(text, line, was[name], becomes[name])


def _describe_list(
    text: Text, line: Callable[[str, str, str], str], old: WordList, new: WordList
) -> Iterable[str]:
    name = text("panelwords.list_name", name=escape(old.name))
    if old.action is not new.action:
        yield line(name, text(ACTION_KEYS[old.action]), text(ACTION_KEYS[new.action]))
    if old.words != new.words:
        added, removed = set(new.words) - set(old.words), set(old.words) - set(new.words)
        yield text("panelwords.list_changed", name=name, added=len(added), removed=len(removed))


SETS = frozenset({"allowed_places", "denied_places", "blocked_roles", "allowed_words"})
IMPORTED = frozenset({"automod_words", "automod_allowed"})
NONE_KEYS = {
    "log_channel_id": "panel.none",
    "automod_action": "panelwords.unused",
    "server_budget_credits": "panelunit.no_budget",
    "operator_budget_credits": "panelunit.no_budget",
}
NAME_KEYS = {
    "member_cap": "panelname.member_cap",
    "server_budget_credits": "panelname.server_budget",
    "operator_budget_credits": "panelname.operator_budget",
    "running_max": "panelname.running",
    "waiting_max": "panelname.waiting",
    "cooldown_s": "panelname.cooldown",
    "tenure_s": "panelname.tenure",
    "allowed_places": "panelname.allowed_places",
    "denied_places": "panelname.denied_places",
    "blocked_roles": "panelname.blocked_roles",
    "allowed_words": "panelname.allowed_words",
    "automod_action": "panelname.automod",
    "automod_words": "panelname.automod_words",
    "automod_allowed": "panelname.automod_allowed",
    "gifts_allowed": "panelname.gifts",
    "log_channel_id": "panelname.log",
    "retention_days": "panelname.retention",
    "time_zone": "panelname.time_zone",
}

"""The section "Words" of the settings panel: lists, what is always allowed, and AutoMod (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import discord
from discord import ui

from bot.safety.words import LISTS_MAX, WordAction
from cogs._panel import build_id, button, option, row, rule, setting, words
from cogs._panel_format import count_text, name_text
from cogs._panel_input import digest_of, key_of, split_pages
from cogs._render import escape, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.safety.words import WordList
    from cogs._panel import Item, Panel
    from cogs._render import Text

# The words of the server's AutoMod rules are a list too.
OWN_LISTS_MAX = LISTS_MAX - 1
PREVIEW_MAX = 120
UNUSED = "unused"


def find_list(lists: Sequence[WordList], key: str) -> WordList | None:
    return next((one for one in lists if key_of(one.name) == key), None)


def words_items(panel: Panel) -> list[Item]:
    text, policy = panel.text, panel.policy
    open_list = find_list(policy.word_lists, panel.focus.list_key)
    return [
        words(text("panelwords.lists") if policy.word_lists else text("panelwords.lists_none")),
        *_choose_list(panel, open_list),
        *(_list_items(panel, open_list) if open_list is not None else []),
        rule(),
        *_allowed_items(panel),
        rule(),
        words(*_automod_lines(panel)),
        row(_automod_select(panel)),
    ]


def _choose_list(panel: Panel, chosen: WordList | None) -> list[Item]:
    text, lists = panel.text, panel.policy.word_lists
    new = row(
        button(
            text("panelwords.new"),
            "new",
            style=discord.ButtonStyle.primary if not lists else discord.ButtonStyle.secondary,
            disabled=len(lists) >= OWN_LISTS_MAX,
        )
    )
    if not lists:
        return [new]
    select: ui.Select[Any] = ui.Select(
        custom_id=build_id("list"),
        placeholder=text("panelwords.choose"),
        min_values=0,
        options=[
            option(name_text(one.name), key_of(one.name), _summary(text, one), chosen=one is chosen)
            for one in lists
        ],
    )
    return [row(select), new]


def _summary(text: Text, one: WordList) -> str:
    key = "panelwords.summary_refuses" if one.action is WordAction.REFUSE else "panelwords.summary_drops"
    return text(key, words=count_text(text, len(one.words)))


def _list_items(panel: Panel, one: WordList) -> list[Item]:
    text, key = panel.text, key_of(one.name)
    shown = text("panelwords.open", name=escape(one.name), summary=_summary(text, one))
    if panel.focus.asks == "delete":
        sure = button(text("panelwords.delete_sure"), "deleted", key, style=discord.ButtonStyle.danger)
        keep = button(text("panelwords.keep"), "open", key)
        return [
            words(
                shown,
                text("panelwords.delete_ask", name=escape(one.name), words=count_text(text, len(one.words))),
            ),
            row(sure, keep),
        ]
    pages = split_pages(one.words)
    other = WordAction.DROP if one.action is WordAction.REFUSE else WordAction.REFUSE
    switch = "panelwords.to_drop" if other is WordAction.DROP else "panelwords.to_refuse"
    buttons = [
        button(text("panelwords.rename"), "rename", key),
        button(text(switch), "action", key, other.value),
        button(text("panelwords.delete"), "delete", key, style=discord.ButtonStyle.danger),
    ]
    if len(pages) > 1:
        select = _page_select(text, build_id("editpage", key), one.words, pages)
        return [words(shown, _preview(text, one.words)), row(select), row(*buttons)]
    edit = button(text("panelwords.edit"), "edit", key, 0, style=discord.ButtonStyle.primary)
    return [words(shown, _preview(text, one.words)), row(edit, *buttons)]


def _page_select(
    text: Text, custom_id: str, listed: tuple[str, ...], pages: Sequence[tuple[int, int]]
) -> ui.Select[Any]:
    """Which part of a long list to edit."""
    return ui.Select(
        custom_id=custom_id,
        placeholder=text("panelwords.edit_choose"),
        min_values=0,
        options=[
            option(
                text("panelwords.edit_range", first=start + 1, last=end),
                str(place),
                one_line(f"{listed[start]} … {listed[end - 1]}", 100),
            )
            for place, (start, end) in enumerate(pages)
            if end > start
        ],
    )


def _preview(text: Text, listed: Sequence[str], *, hidden: bool = True) -> str:
    """The first words; banned ones are hidden until they are pressed, since nobody likes to read them."""
    if not listed:
        return text("panelwords.empty")
    shown: list[str] = []
    for word in listed:
        if sum(len(one) + 2 for one in shown) > PREVIEW_MAX:
            break
        shown.append(escape(word))
    left = len(listed) - len(shown)
    some = f"||{', '.join(shown)}||" if hidden else ", ".join(shown)
    return text("panel.and_more", some=some, n=left) if left else some


def _allowed_items(panel: Panel) -> list[Item]:
    text, allowed = panel.text, panel.policy.allowed_words
    shown = (
        f"{text('panelwords.allowed', n=len(allowed))}\n{_preview(text, allowed, hidden=False)}"
        if allowed
        else text("panelwords.allowed_none")
    )
    if panel.focus.asks == "clear" and allowed:
        sure = button(text("panelwords.clear_sure"), "cleared", style=discord.ButtonStyle.danger)
        keep = button(text("panelwords.keep"), "open", "")
        return [words(shown, text("panelwords.clear_ask", n=len(allowed))), row(sure, keep)]
    pages = split_pages(allowed)
    edit = [button(text("panelwords.edit"), "allow", 0)] if len(pages) == 1 else []
    clear = [button(text("panelwords.clear"), "clear")] if allowed else []
    if len(pages) > 1:
        select = _page_select(text, build_id("allowpage"), allowed, pages)
        return [words(shown), row(select), row(*clear)]
    if not clear:
        return [setting(shown, edit[0])]
    return [words(shown), row(*edit, *clear)]


def _automod_lines(panel: Panel) -> list[str]:
    text, policy = panel.text, panel.policy
    if policy.automod_action is None:
        return [text("panelwords.automod")]
    return [
        text("panelwords.automod_stale" if panel.automod_refused else "panelwords.automod"),
        text(
            "panelwords.automod_read",
            words=count_text(text, len(policy.automod_words)),
            allowed=len(policy.automod_allowed),
        ),
    ]


def _automod_select(panel: Panel) -> ui.Select[Any]:
    text, action = panel.text, panel.policy.automod_action
    return ui.Select(
        custom_id=build_id("automod"),
        options=[
            option(text("panelwords.automod_off"), UNUSED, chosen=action is None),
            option(
                text("panelwords.automod_refuse"),
                WordAction.REFUSE.value,
                chosen=action is WordAction.REFUSE,
            ),
            option(text("panelwords.automod_drop"), WordAction.DROP.value, chosen=action is WordAction.DROP),
        ],
    )


def digest_page(listed: tuple[str, ...], page: tuple[int, int]) -> str:
    return digest_of(listed[page[0] : page[1]])

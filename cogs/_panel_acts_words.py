"""What the parts of the section "Words" do."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from bot.answers import defer
from bot.automod import turn_off
from bot.errors import AppError
from bot.safety.words import WordAction, WordList
from cogs import _panel_modals as modals
from cogs._panel import Focus, Topic
from cogs._panel_format import name_text
from cogs._panel_input import (
    TYPED,
    BadWord,
    digest_of,
    first,
    key_of,
    read_name,
    read_words,
    split_pages,
)
from cogs._panel_words import OWN_LISTS_MAX, UNUSED, find_list
from cogs._render import escape

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bot.caps.values import Policy
    from cogs._panel_desk import Desk, Touch

WORDS = Focus(topic=Topic.WORDS)
SUBJECT_MAX = 64


class WordActs:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        desk.parts |= {
            "list": self.choose,
            "open": self.reopen,
            "new": self.ask_new,
            "edit": self.ask_words,
            "editpage": self.ask_words,
            "rename": self.ask_rename,
            "action": self.set_action,
            "delete": partial(self.ask_sure, "delete"),
            "deleted": self.delete,
            "allow": self.ask_allowed,
            "allowpage": self.ask_allowed,
            "clear": partial(self.ask_sure, "clear"),
            "cleared": self.clear,
            "automod": self.set_automod,
        }
        desk.windows |= {
            "new": self.create,
            "edit": partial(self._quoting, self.set_words),
            "rename": self.rename,
            "allow": partial(self._quoting, self.set_allowed),
        }

    # --- looking ---

    async def choose(self, touch: Touch) -> None:
        await self.desk.show(touch, _open(touch.chosen[0] if touch.chosen else ""))

    async def reopen(self, touch: Touch) -> None:
        await self.desk.show(touch, _open(touch.argument(0)))

    async def ask_sure(self, what: str, touch: Touch) -> None:
        key = touch.argument(0) if what == "delete" else ""
        await self.desk.show(touch, Focus(topic=Topic.WORDS, list_key=key, asks=what))

    # --- lists ---

    async def ask_new(self, touch: Touch) -> None:
        text = touch.text
        await touch.interaction.response.send_modal(
            modals.name_window(text, text("panelwords.new"), "", "new")
        )

    async def create(self, touch: Touch) -> None:
        name = read_name(touch.values)

        def change(policy: Policy) -> Policy:
            _check_name(policy, name)
            if len(policy.word_lists) >= OWN_LISTS_MAX:
                raise AppError("panelwords.lists_full", most=OWN_LISTS_MAX)
            new = WordList(name=name, action=WordAction.REFUSE, words=())
            return replace(policy, word_lists=(*policy.word_lists, new))

        await self.desk.change(touch, change, subject=_subject(name), focus=_open(key_of(name)))

    async def ask_rename(self, touch: Touch) -> None:
        found = await self._find(touch)
        title = touch.text("panelwords.rename")
        await touch.interaction.response.send_modal(
            modals.name_window(touch.text, title, found.name, "rename", touch.argument(0))
        )

    async def rename(self, touch: Touch) -> None:
        name, key = read_name(touch.values), touch.argument(0)

        def change(policy: Policy) -> Policy:
            found = _get_list(policy, key)
            if name != found.name:
                _check_name(policy, name)
            return _put_list(policy, found, replace(found, name=name))

        await self.desk.change(touch, change, subject=_subject(name), focus=_open(key_of(name)))

    async def set_action(self, touch: Touch) -> None:
        await defer(touch.interaction)
        found = await self._find(touch)
        key = touch.argument(0)
        action = WordAction.DROP if touch.argument(1) == WordAction.DROP else WordAction.REFUSE

        def change(policy: Policy) -> Policy:
            one = _get_list(policy, key)
            return _put_list(policy, one, replace(one, action=action))

        await self.desk.change(touch, change, subject=_subject(found.name), focus=_open(key))

    async def delete(self, touch: Touch) -> None:
        await defer(touch.interaction)
        found = await self._find(touch)
        key = touch.argument(0)

        def change(policy: Policy) -> Policy:
            return _put_list(policy, _get_list(policy, key), None)

        await self.desk.change(touch, change, subject=_subject(found.name), focus=WORDS)

    # --- words of a list ---

    async def ask_words(self, touch: Touch) -> None:
        key = touch.argument(0)
        page = touch.chosen[0] if touch.chosen else touch.argument(1) if len(touch.arguments) > 1 else None
        if page is None:
            await self.desk.show(touch, _open(key))
            return
        found = await self._find(touch)
        start, end = _page(found.words, page)
        title = touch.text("panelwords.words_title", name=name_text(found.name))
        await touch.interaction.response.send_modal(
            modals.words_window(
                touch.text,
                title,
                found.words[start:end],
                "edit",
                key,
                start,
                end,
                digest_of(found.words[start:end]),
            )
        )

    async def set_words(self, touch: Touch) -> None:
        found = await self._find(touch)
        key, start, end, digest = touch.argument(0), touch.number(1), touch.number(2), touch.argument(3)
        words = _read(touch, found.words[:start], found.words[end:])
        if digest_of(found.words[start:end]) != digest:
            raise AppError("panelwords.moved")

        def change(policy: Policy) -> Policy:
            one = _get_list(policy, key)
            if one.words != found.words:
                raise AppError("panelwords.moved")
            return _put_list(policy, one, replace(one, words=words))

        await self.desk.change(touch, change, subject=_subject(found.name), focus=_open(key))

    async def _quoting(self, act: Callable[[Touch], Awaitable[None]], touch: Touch) -> None:
        """Whatever refuses the words of a window: say it with the whole text, so that nothing typed is lost."""
        await defer(touch.interaction)
        try:
            await act(touch)
        except Exception as error:  # noqa: BLE001 - also where it is our fault, the words are the moderator's
            await self._quote(touch, self.desk.bot.explain(touch.interaction.locale, error))

    async def _quote(self, touch: Touch, reason: str) -> None:
        typed = first(touch.values, TYPED).replace("```", "'''")
        layout = self.desk.bot.delivery.layouts.text(f"{reason}\n```\n{typed}\n```")
        await touch.interaction.followup.send(view=layout, ephemeral=True)

    # --- allowed words ---

    async def ask_allowed(self, touch: Touch) -> None:
        page = touch.chosen[0] if touch.chosen else touch.arguments[0] if touch.arguments else None
        if page is None:
            await self.desk.show(touch, WORDS)
            return
        words = (await self.desk.policy(touch)).allowed_words
        start, end = _page(words, page)
        title = touch.text("panelname.allowed_words")
        await touch.interaction.response.send_modal(
            modals.words_window(
                touch.text, title, words[start:end], "allow", start, end, digest_of(words[start:end])
            )
        )

    async def set_allowed(self, touch: Touch) -> None:
        present = (await self.desk.policy(touch)).allowed_words
        start, end, digest = touch.number(0), touch.number(1), touch.argument(2)
        words = _read(touch, present[:start], present[end:])
        if digest_of(present[start:end]) != digest:
            raise AppError("panelwords.moved")

        def change(policy: Policy) -> Policy:
            if policy.allowed_words != present:
                raise AppError("panelwords.moved")
            return replace(policy, allowed_words=words)

        await self.desk.change(touch, change, subject="allowed_words", focus=WORDS)

    async def clear(self, touch: Touch) -> None:
        await self.desk.change(
            touch, lambda policy: replace(policy, allowed_words=()), subject="allowed_words", focus=WORDS
        )

    # --- AutoMod ---

    async def set_automod(self, touch: Touch) -> None:
        """Use the words of the server's own rules, read now, or forget them."""
        chosen = touch.chosen[0] if touch.chosen else UNUSED
        action = next((one for one in WordAction if one.value == chosen), None)
        if action is None:
            await self.desk.change(touch, turn_off, subject="automod_action", focus=WORDS)
            return
        await defer(touch.interaction)
        read = await self.desk.bot.automod.read(touch.moderator.guild_id)
        skipped = touch.text("panelwords.automod_skipped", n=read.skipped) if read.skipped else ""
        await self.desk.change(
            touch,
            lambda policy: read.turn_on(policy, action),
            subject="automod_action",
            focus=WORDS,
            also=skipped,
        )

    async def _find(self, touch: Touch) -> WordList:
        return _get_list(await self.desk.policy(touch), touch.argument(0))


def _open(key: str) -> Focus:
    return Focus(topic=Topic.WORDS, list_key=key)


def _read(touch: Touch, before: tuple[str, ...], after: tuple[str, ...]) -> tuple[str, ...]:
    """**Raises** AppError for a word that cannot be listed."""
    words = read_words(first(touch.values, TYPED), before, after)
    if isinstance(words, BadWord):
        raise AppError(words.key, word=escape(words.word))
    return words


def _subject(name: str) -> str:
    return f"word_lists:{name}"[:SUBJECT_MAX]


def _page(words: tuple[str, ...], page: str) -> tuple[int, int]:
    pages = split_pages(words)
    place = int(page) if page.isascii() and page.isdigit() and len(page) < 4 else len(pages)
    if place >= len(pages):
        raise AppError("panelwords.moved")
    return pages[place]


def _get_list(policy: Policy, key: str) -> WordList:
    """**Raises** AppError when it is gone: deleted or renamed meanwhile."""
    found = find_list(policy.word_lists, key)
    if found is None:
        raise AppError("panelwords.gone")
    return found


def _put_list(policy: Policy, old: WordList, new: WordList | None) -> Policy:
    lists = (new if one is old else one for one in policy.word_lists)
    return replace(policy, word_lists=tuple(one for one in lists if one is not None))


def _check_name(policy: Policy, name: str) -> None:
    """**Raises** AppError for a name that is taken, also by the custom_id's short form of it."""
    taken = {one.name.casefold() for one in policy.word_lists} | {
        key_of(one.name) for one in policy.word_lists
    }
    if name.casefold() in taken or key_of(name) in taken:
        raise AppError("panelwords.name_taken", name=escape(name))

"""What a moderator presses on a member's card: checked anew, done, and shown on the card in its place."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bot.answers import defer
from bot.caps.values import Cap
from bot.errors import AppError
from bot.people import fetch_role_ids
from cogs import _member_render, _member_views, _windows
from cogs._member_views import DAY_S, HOUR_S
from cogs._moderators import require_moderator
from cogs._render import credits_text, number
from cogs._windows import parse_count, parse_id, read_first, read_reason
from db.enums import BalancePeriod

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    import discord

    from bot.client import KvidBot
    from cogs._moderators import Moderator
    from cogs._render import Text

    Act = Callable[[Text, Moderator, int], Awaitable[str]]
    Submit = Callable[[Text, Moderator, int, _windows.Values], Awaitable[str]]


class MemberActs:
    def __init__(self, bot: KvidBot) -> None:
        self.bot = bot
        self._acts: dict[str, Act] = {
            "hour": lambda text, by, user_id: self.block(text, by, user_id, HOUR_S),
            "day": lambda text, by, user_id: self.block(text, by, user_id, DAY_S),
            "unblock": self.unblock,
            "pass": self.let_pass,
        }
        self._submits: dict[str, Submit] = {
            "forever": self._block_for_good,
            "grant": self._grant,
            "take": self._take,
            "cap": self._set_cap,
            "reset": self._reset,
        }

    def listen(self) -> None:
        self.bot.on_component(_member_views.PREFIX, self.press)
        for verb, submit in self._submits.items():
            self.bot.on_modal(f"{_member_views.PREFIX}:{verb}", self._build_submit(submit))

    async def press(self, interaction: discord.Interaction[Any], rest: str, _: list[str]) -> None:
        """A button: opens its window, or does what it says."""
        moderator = require_moderator(interaction)
        _windows.require_private(interaction)
        verb, user_id, shown = _read(rest)
        text = self.bot.texts(interaction.locale)
        if verb in self._submits:
            await interaction.response.send_modal(_build_window(text, verb, user_id, shown))
            return
        act = self._acts.get(verb)
        if act is None or shown:
            raise AppError("window.stale")
        await defer(interaction)
        said = await act(text, moderator, user_id)
        await self.show(interaction, moderator, user_id, said)

    def _build_submit(
        self, submit: Submit
    ) -> Callable[[discord.Interaction[Any], str, _windows.Values], Awaitable[None]]:
        async def handle(interaction: discord.Interaction[Any], rest: str, values: _windows.Values) -> None:
            moderator = require_moderator(interaction)
            _windows.require_private(interaction)
            user_id = parse_id(rest)
            await defer(interaction)
            said = await submit(self.bot.texts(interaction.locale), moderator, user_id, values)
            await self.show(interaction, moderator, user_id, said)

        return handle

    async def show(
        self,
        interaction: discord.Interaction[Any],
        moderator: Moderator,
        user_id: int,
        said: str | None = None,
        *,
        role_ids: frozenset[int] | None = None,
    ) -> None:
        """Draw the card anew in the answer that is due."""
        if role_ids is None:
            role_ids = await fetch_role_ids(self.bot, moderator.guild_id, user_id)
        history = await self.bot.caps.histories.find_member(
            moderator.guild_id, user_id, role_ids or frozenset(), moderator.locale
        )
        view = _member_views.member_layout(
            self.bot.texts(interaction.locale), history, said=said, roles_known=role_ids is not None
        )
        await interaction.edit_original_response(view=view)

    # --- acts; each answers what happened ---

    async def block(
        self, text: Text, by: Moderator, user_id: int, for_s: int | None, reason: str | None = None
    ) -> str:
        until = await self.bot.caps.members.block(
            by.guild_id, by.user_id, user_id, for_s=for_s, reason=reason
        )
        return text("member.did_block", who=f"<@{user_id}>", until=_member_render.until_text(text, until))

    async def unblock(self, text: Text, by: Moderator, user_id: int) -> str:
        was = await self.bot.caps.members.unblock(by.guild_id, by.user_id, user_id)
        return text("member.did_unblock" if was else "member.not_blocked", who=f"<@{user_id}>")

    async def let_pass(self, text: Text, by: Moderator, user_id: int) -> str:
        until = await self.bot.caps.members.let_pass(by.guild_id, by.user_id, user_id)
        return text("member.did_pass", who=f"<@{user_id}>", until=int(until.timestamp()))

    async def _block_for_good(self, text: Text, by: Moderator, user_id: int, values: _windows.Values) -> str:
        return await self.block(text, by, user_id, None, read_reason(values))

    async def _grant(self, text: Text, by: Moderator, user_id: int, values: _windows.Values) -> str:
        amount = _windows.parse_amount(read_first(values, _windows.AMOUNT_FIELD))
        ends = expiry_in(self.bot.clock.now(), _windows.parse_days(read_first(values, _windows.DAYS_FIELD)))
        await self.bot.caps.grants.grant(
            by.guild_id, by.user_id, user_id, amount, reason=read_reason(values) or "", expires_at=ends
        )
        return granted_text(text, user_id, amount, ends)

    async def _take(self, text: Text, by: Moderator, user_id: int, values: _windows.Values) -> str:
        amount = _windows.parse_amount(read_first(values, _windows.AMOUNT_FIELD))
        left = await self.bot.caps.grants.correct(
            by.guild_id, by.user_id, user_id, amount, reason=read_reason(values) or ""
        )
        return text(
            "member.did_take", who=f"<@{user_id}>", credits=credits_text(text, amount), left=number(left)
        )

    async def _set_cap(self, text: Text, by: Moderator, user_id: int, values: _windows.Values) -> str:
        cap = read_cap(values)
        await self.bot.caps.members.set_member_cap(by.guild_id, by.user_id, user_id, cap, read_reason(values))
        if cap is None:
            return text("member.did_no_cap", who=f"<@{user_id}>")
        return text("member.did_cap", who=f"<@{user_id}>", cap=_member_render.cap_text(text, cap))

    async def _reset(self, text: Text, by: Moderator, user_id: int, values: _windows.Values) -> str:
        role_ids = await fetch_role_ids(self.bot, by.guild_id, user_id)
        forgiven = await self.bot.caps.members.reset(
            by.guild_id, by.user_id, user_id, role_ids or (), read_reason(values)
        )
        if not forgiven:
            return text("member.nothing_used", who=f"<@{user_id}>")
        return text("member.did_reset", who=f"<@{user_id}>", credits=credits_text(text, forgiven))


def granted_text(text: Text, user_id: int, amount_credits: int, ends: datetime | None) -> str:
    return text(
        "member.did_grant",
        who=f"<@{user_id}>",
        credits=credits_text(text, amount_credits),
        until=_member_render.expiry_text(text, ends),
    )


def expiry_in(now: datetime, days: int | None) -> datetime | None:
    return now + timedelta(days=days) if days is not None else None


def read_cap(values: _windows.Values) -> Cap | None:
    """The cap that was chosen; None takes a member's own away. **Raises** AppError."""
    kind = read_first(values, _member_views.CAP_FIELD)
    if kind == _member_views.NO_CAP:
        return None
    if kind == _member_views.UNLIMITED:
        return Cap(credits=None)
    if kind not in _member_views.CAP_PERIODS:
        raise AppError("window.stale")
    amount = _windows.parse_amount(read_first(values, _windows.AMOUNT_FIELD), least=0)
    return Cap(credits=amount, period=BalancePeriod(kind))


def _read(rest: str) -> tuple[str, int, str]:
    """What the custom_id says behind its prefix, which may be forged. **Raises** AppError."""
    verb, _, rest = rest.partition(":")
    user_id, _, shown = rest.partition(":")
    return verb, parse_id(user_id), shown


def _build_window(text: Text, verb: str, user_id: int, shown: str) -> Any:
    """`shown` is what the card said the window is about, which may be forged. **Raises** AppError."""
    match verb:
        case "forever":
            return _member_views.block_window(text, user_id)
        case "grant":
            return _member_views.grant_window(text, user_id)
        case "take":
            return _member_views.take_window(text, user_id, parse_count(shown))
        case "reset":
            return _member_views.reset_window(text, user_id, parse_count(shown))
        case _:
            return _member_views.cap_window(text, user_id, _member_views.read_cap_id(shown))

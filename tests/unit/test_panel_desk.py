"""The desk of the settings panel with scripted settings: who may press, and what a refusal leaves."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import AsyncMock

import discord
import pytest

from bot.caps.overview import Decided
from bot.caps.policies import Changed
from bot.caps.values import PLACES_MAX, OperatorLimits, Policy
from bot.clock import SystemClock
from bot.discord_retry import Retry
from bot.errors import AppError
from bot.safety.words import WordAction, WordList
from cogs import _panel_desk
from cogs._panel import Focus, Panel, Topic
from cogs._panel_desk import names_of
from cogs._panel_input import digest_of, key_of
from cogs._panel_more import render_panel
from cogs._studio_panel import build_desk
from cogs._studio_reports import ReportCommands
from tests.support.member import text_of, walk
from tests.unit.test_panel import NOW, TEXT, to_message

if TYPE_CHECKING:
    from collections.abc import Callable

    from cogs._panel_desk import Desk

GUILD = 1
RUDE = WordList(name="Rude", action=WordAction.REFUSE, words=("foo", "bar"))
KEY, DIGEST = key_of("Rude"), digest_of(RUDE.words)
TYPED = "\n".join(f"word{number} *_" for number in range(250))


class ScriptedPolicies:
    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        # What another moderator does just before a change.
        self.meanwhile: Callable[[Policy], Policy] = lambda policy: policy
        self.slow = False

    async def find(self, _: int, __: str | None = None) -> Policy:
        if self.slow:
            await asyncio.sleep(30)
        return self.policy

    async def change(self, _: int, __: int, change: Callable[[Policy], Policy], **___: Any) -> Changed:
        self.policy = self.meanwhile(self.policy)
        self.policy = change(self.policy)
        return Changed(policy=self.policy, document={}, entry_id=7, version=2)


class House:
    def __init__(self, **settings: Any) -> None:
        self.policies = ScriptedPolicies(Policy(**settings))
        self.log_channel = SimpleNamespace(is_closed=lambda *_: False, try_again=lambda _: None)
        self.automod = SimpleNamespace(
            read=AsyncMock(side_effect=AppError("automod.not_allowed")),
            is_refused=lambda _: False,
            read_soon=lambda _: None,
        )
        self.guild: Any = None
        bot = SimpleNamespace(
            database=None,
            clock=SimpleNamespace(now=lambda: NOW),
            caps=SimpleNamespace(
                policies=self.policies, admission=SimpleNamespace(operator=OperatorLimits())
            ),
            texts=lambda _: TEXT,
            explain=lambda _, error: TEXT(error.key, **error.params),
            get_guild=lambda _: self.guild,
            log_channel=self.log_channel,
            automod=self.automod,
            delivery=SimpleNamespace(layouts=SimpleNamespace(text=lambda words: words)),
        )
        self.desk: Desk = build_desk(cast("Any", bot))
        self.desk.overview = cast("Any", SimpleNamespace(find_decided=AsyncMock(return_value=Decided())))

    def press(self, topic: Topic = Topic.CAPS, *, private: bool = True, kind: int = 2) -> Any:
        """A press on a panel that shows this section; `kind` 5 and more are selects."""
        shown = to_message(
            render_panel(Panel(text=TEXT, policy=self.policies.policy, now=NOW, focus=Focus(topic=topic)))
        )
        parts = [_part(one) for one in walk(shown["components"]) if one.get("type") == 3]
        done: list[bool] = []
        return SimpleNamespace(
            guild_id=GUILD,
            permissions=discord.Permissions(manage_guild=True),
            is_guild_integration=lambda: True,
            user=SimpleNamespace(id=5),
            guild_locale=None,
            locale=discord.Locale.american_english,
            type=discord.InteractionType.component,
            data={"component_type": kind},
            message=SimpleNamespace(flags=SimpleNamespace(ephemeral=private), components=parts),
            response=SimpleNamespace(
                is_done=lambda: bool(done),
                defer=AsyncMock(side_effect=lambda **_: done.append(True)),
                send_modal=AsyncMock(side_effect=lambda _: done.append(True)),
            ),
            followup=SimpleNamespace(send=AsyncMock()),
            edit_original_response=AsyncMock(),
            extras={},
            client=SimpleNamespace(retry=Retry(SystemClock())),
        )


def _part(payload: dict[str, Any]) -> discord.SelectMenu:
    return discord.SelectMenu(cast("Any", payload))


def redrawn(press: Any) -> str:
    """The panel as it was drawn last."""
    return text_of(to_message(press.edit_original_response.call_args.kwargs["view"]))


# --- a public message ---


@pytest.mark.parametrize("arrives", ["part", "window", "report"])
async def test_a_forged_press_on_a_public_message_changes_and_draws_nothing(arrives: str) -> None:
    house = House()
    press = house.press(private=False)
    arriving = {
        "part": lambda: house.desk.on_part(press, "gifts/on", []),
        "window": lambda: house.desk.on_window(press, "cap", {"typed": ["5"]}),
        "report": lambda: ReportCommands.choose_period(cast("Any", None), press, "period", ["today"]),
    }
    with pytest.raises(AppError) as refused:
        await arriving[arrives]()
    assert refused.value.key == "window.stale"
    assert house.policies.policy == Policy()
    press.edit_original_response.assert_not_called()


# --- what was typed ---


@pytest.mark.parametrize("when", ["before", "meanwhile"])
@pytest.mark.parametrize("other", [(), (replace(RUDE, name="Bad"),), (replace(RUDE, words=("x",)),)])
async def test_words_typed_into_a_list_that_another_moderator_changed_come_back_whole(
    when: str, other: tuple[WordList, ...]
) -> None:
    house = House(word_lists=(RUDE,))
    if when == "before":
        house.policies.policy = Policy(word_lists=other)
    else:
        house.policies.meanwhile = lambda _: Policy(word_lists=other)
    press = house.press()
    await house.desk.on_window(press, f"edit/{KEY}/0/2/{DIGEST}", {"typed": [TYPED]})
    assert f"```\n{TYPED}\n```" in press.followup.send.call_args.kwargs["view"]
    assert house.policies.policy.word_lists == other


async def test_allowed_words_that_changed_at_the_last_moment_come_back_whole() -> None:
    house = House()
    house.policies.meanwhile = lambda policy: replace(policy, allowed_words=("other",))
    press = house.press()
    await house.desk.on_window(press, f"allow/0/0/{digest_of(())}", {"typed": [TYPED]})
    assert f"```\n{TYPED}\n```" in press.followup.send.call_args.kwargs["view"]
    assert house.policies.policy.allowed_words == ("other",)


# --- a slow database ---


@pytest.mark.parametrize("part", ["cap", "running", "zone", "allow/0", f"edit/{KEY}/0", f"rename/{KEY}"])
async def test_a_window_that_cannot_be_filled_in_time_is_refused_kindly(
    part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_panel_desk, "WINDOW_S", 0.005)
    house = House(word_lists=(RUDE,))
    house.policies.slow = True
    with pytest.raises(AppError) as refused:
        await house.desk.on_part(house.press(), part, [])
    assert refused.value.key == "panel.slow"


@pytest.mark.parametrize("part", [f"action/{KEY}/drop", f"deleted/{KEY}"])
async def test_an_act_answers_before_it_reads(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    house = House(word_lists=(RUDE,))
    press = house.press(Topic.WORDS)
    answered: list[bool] = []
    find = house.policies.find

    async def noting(guild_id: int, locale: str | None = None) -> Policy:
        answered.append(press.response.is_done())
        return await find(guild_id, locale)

    monkeypatch.setattr(house.policies, "find", noting)
    await house.desk.on_part(press, part, [])
    assert answered
    assert all(answered)


# --- a refused choice ---


async def test_a_refused_choice_is_drawn_anew_with_the_reason() -> None:
    house = House()
    press = house.press(Topic.WORDS, kind=3)
    await house.desk.on_part(press, "automod", ["drop"])
    assert "I may not read this server's AutoMod rules" in redrawn(press)
    assert "Word lists" in redrawn(press)
    house = House(denied_places=tuple(range(10, 10 + PLACES_MAX)))
    press = house.press(Topic.PLACES, kind=8)
    await house.desk.on_part(press, "denied/0", ["7"])
    assert "That is too many" in redrawn(press)
    assert "Never here" in redrawn(press)
    house = House()
    channel = SimpleNamespace(permissions_for=lambda _: discord.Permissions.none())
    house.guild = SimpleNamespace(
        unavailable=True, me=None, get_channel=lambda _: channel, roles=[], channels=[], categories=[]
    )
    press = house.press(Topic.MORE, kind=8)
    await house.desk.on_part(press, "log", ["7"])
    assert "I may not write in <#7>" in redrawn(press)
    assert "Keep the record" in redrawn(press)


@pytest.mark.parametrize("junk", ["9" * 5000, str(2**63), "0", "x", "\u0663", "-1", "123456789012345678901"])
async def test_a_chosen_id_that_no_role_can_have_is_none(junk: str) -> None:
    house = House(blocked_roles=())
    await house.desk.on_part(house.press(Topic.PLACES, kind=6), "roles", [junk, "7"])
    assert house.policies.policy.blocked_roles == (7,)
    press = house.press(Topic.CAPS, kind=6)
    await house.desk.on_part(press, "role", [junk])
    press.response.send_modal.assert_not_called()


async def test_a_refused_button_leaves_the_panel_as_it_is() -> None:
    house = House()
    press = house.press(Topic.WORDS)
    with pytest.raises(AppError):
        await house.desk.on_part(press, f"rename/{KEY}", [])
    press.edit_original_response.assert_not_called()


# --- names ---


def test_names_that_cannot_be_seen_are_a_question_mark() -> None:
    house = House()
    named = [(1, "\u200b\u200d"), (2, "\u202e\u2066"), (3, "Fans\u202e\n")]
    house.guild = SimpleNamespace(
        unavailable=False,
        roles=[SimpleNamespace(id=one, name=name) for one, name in named],
        channels=[SimpleNamespace(id=one, name=name) for one, name in named],
        categories=[],
    )
    names = names_of(house.desk.bot, GUILD)
    assert names.roles == names.channels == {1: "?", 2: "?", 3: "Fans"}


async def test_a_list_whose_name_cannot_be_seen_has_a_title() -> None:
    blank = replace(RUDE, name="\u202e\u200d")
    house = House(word_lists=(blank,))
    press = house.press(Topic.WORDS)
    await house.desk.on_part(press, f"edit/{key_of(blank.name)}/0", [])
    assert press.response.send_modal.call_args.args[0].title == "Words of ?"

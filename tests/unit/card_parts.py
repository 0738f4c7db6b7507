"""What the tests of cards share: the cards of one process with a scripted Discord, and jobs to show."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import discord
import pytest
from discord import ui

from bot.cards import Cards
from bot.discord_retry import Retry
from db.enums import JobState, Surface
from tests.db.builders import build_job
from tests.service.doubles import START, MovedClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from db.values import Job

CARD, BOT, REQUEST = 42, 43, 9
USER, CHANNEL = 111_111_111_111_111_111, 333_333_333_333_333_333
IDLE_TURNS = 20


def refusal(status: int, code: int = 0) -> discord.HTTPException:
    kind = {404: discord.NotFound, 403: discord.Forbidden, 503: discord.DiscordServerError}
    response: Any = SimpleNamespace(status=status, reason="", headers={})
    return kind.get(status, discord.HTTPException)(response, {"code": code, "message": "no"})


def words_of(view: ui.LayoutView) -> str:
    parts: list[Any] = view.to_components()  # type: ignore[no-untyped-call]  # discord.py has no types here
    return "".join(part["content"] for part in parts)


def ours(*, button: str | None = None, words: str = "", reply_to: int | None = None) -> Any:
    """A message of ours as a channel's history shows it."""
    parts = [SimpleNamespace(children=[SimpleNamespace(custom_id=button)]), SimpleNamespace(content=words)]
    reference = None if reply_to is None else SimpleNamespace(message_id=reply_to)
    author = SimpleNamespace(id=BOT)
    return SimpleNamespace(id=88, author=author, components=parts, reference=reference)


def says(words: str) -> ui.LayoutView:
    view = ui.LayoutView(timeout=None)
    view.add_item(ui.TextDisplay(words))
    return view


class World:
    """The cards of one process, a clock that tests move, and a Discord that keeps what it is sent.

    Shape: `calls` are (second, what, words or id); `errors` by what, one for each call; `history` is what
    every channel answers with.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = MovedClock()
        self.history: list[Any] = []
        self.told: list[str] = []
        self.calls: list[tuple[float, str, object]] = []
        self.sent: list[dict[str, Any]] = []
        self.errors: dict[str, list[BaseException]] = defaultdict(list)
        self.remembered: list[tuple[str, int | None]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        monkeypatch.setattr(discord.Webhook, "partial", self._webhook)
        client: Any = SimpleNamespace(
            get_partial_messageable=self._channel,
            create_dm=self._direct,
            user_id=BOT,
            retry=Retry(self.clock, chance=lambda: 1.0),
        )
        self.client = client
        layouts: Any = SimpleNamespace(
            card=self._layout,
            failure=lambda job: says(f"failed {job.id}"),
            late=lambda job: says(f"{job.state} {job.id}"),
        )
        self.cards = Cards(client, self.clock, layouts)
        self.cards.messages.remember = self._remember
        self.cards.on_told = self._note_told

    @staticmethod
    def _layout(job: Job, place: int | None) -> ui.LayoutView:
        return says(job.state if place is None else f"{job.state} {place}")

    async def _call(self, what: str, detail: object) -> None:
        self.calls.append((self.clock.elapsed_s, what, detail))
        await self.gate.wait()
        if self.errors[what]:
            raise self.errors[what].pop(0)

    def _webhook(self, _id: int, token: str, *, client: object) -> Any:
        assert (token, client) == ("token", self.client)

        async def edit(message_id: int, *, view: ui.LayoutView) -> None:
            assert message_id == CARD
            await self._call("answer.edit", words_of(view))

        return SimpleNamespace(edit_message=edit)

    def _sender(self, what: str) -> Any:
        async def send(*, view: ui.LayoutView, **options: Any) -> Any:
            self.sent.append(options)
            await self._call(what, words_of(view))
            return SimpleNamespace(id=77)

        return send

    def _channel(self, channel_id: int, *, guild_id: int | None) -> Any:
        assert channel_id == CHANNEL
        assert guild_id is not None

        def message(message_id: int) -> Any:
            async def edit(*, view: ui.LayoutView, **_options: Any) -> None:
                await self._call("message.edit", words_of(view))

            async def delete() -> None:
                await self._call("message.delete", message_id)

            return SimpleNamespace(edit=edit, delete=delete)

        return SimpleNamespace(
            send=self._sender("channel.send"), get_partial_message=message, history=self._history
        )

    async def _direct(self, user: discord.Object) -> Any:
        assert user.id == USER
        await self._call("direct.open", user.id)
        return SimpleNamespace(send=self._sender("direct.send"), history=self._history)

    async def _history(self, **_options: Any) -> AsyncIterator[Any]:
        await self._call("history", None)
        for message in self.history:
            yield message

    async def _note_told(self, job_id: str) -> None:
        self.told.append(job_id)

    async def _remember(self, job_id: str, message_id: int | None) -> None:
        self.remembered.append((job_id, message_id))

    # --- time ---

    async def idle(self) -> None:
        for _ in range(IDLE_TURNS):
            await asyncio.sleep(0)

    async def pass_s(self, delay_s: float) -> None:
        await self.idle()
        over = asyncio.ensure_future(self.clock.sleep(delay_s))
        await self.idle()
        while not over.done():
            assert self.clock.move_on()
            await self.idle()

    # --- looking ---

    def seen(self, what: str = "answer.edit") -> list[object]:
        return [detail for _, name, detail in self.calls if name == what]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def job(**changes: object) -> Job:
    private = {
        "application_id": 1,
        "interaction_token": "token",
        "interaction_expires_at": START + timedelta(minutes=15),
        "card_message_id": CARD,
        "created_at": START,
    }
    return build_job(**(private | changes))


def at(before: Job, state: JobState, **changes: Any) -> Job:
    return replace(before, state=state, **changes)


def ended(before: Job, state: JobState = JobState.FAILED, failure: str | None = "render") -> Job:
    return at(before, state, failure=failure, finished_at=START)


def reply(**changes: object) -> Job:
    asked = {"surface": Surface.MESSAGE, "request_message_id": REQUEST, "created_at": START}
    return build_job(**(asked | changes))

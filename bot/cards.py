"""The progress cards of running jobs: edited only when their text changes, at most every 2.5 seconds each.

A card is the private answer to the interaction, or a short channel message where a reply asked. Whatever
happens between two edits is folded into the last one. The last word of a card is tried until it arrives, since
a member waits for it; anything before may be lost without harm. How it is said stands in `bot.card_messages`.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from bot.card_messages import CardMessages, CardPlace, answers_here, has_failed
from bot.discord_retry import DISCORD_ERRORS, LAST_WORD, ONCE, describe, may_pass
from bot.log import get_logger
from bot.tasks import TaskGroup, wait_for
from db.enums import JobState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bot.card_messages import CardLayouts
    from bot.client import KvidBot
    from bot.clock import Clock
    from db.values import Job

log = get_logger(__name__)

EDIT_INTERVAL_S = 2.5
# The first edit waits a moment too, so that a job which starts at once does not show as waiting.
FIRST_EDIT_S = 0.5
CARDS_MAX = 1000
ENDED_MAX = 1000


@dataclass(slots=True)
class _Card:
    shown_at: float
    place: CardPlace
    wanted: tuple[Job, int | None] | None = None
    shown: object = None
    closed: bool = False
    running: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def take(self) -> tuple[Job, int | None] | None:
        wanted, self.wanted = self.wanted, None
        return wanted


class Cards:
    def __init__(self, client: KvidBot, clock: Clock, layouts: CardLayouts) -> None:
        self._clock = clock
        self._layouts = layouts
        self._retry = client.retry
        self._cards: dict[str, _Card] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._tasks = TaskGroup("card", limit=CARDS_MAX)
        self._turns = count()
        self._hurry = asyncio.Event()
        self._started_at = clock.now()
        self.messages = CardMessages(client, clock, layouts)
        # Called once a member was told how their job failed.
        self.on_told: Callable[[str], Awaitable[None]] | None = None
        # Asked before and after an edit that is no last word, where other processes show the same jobs.
        self.find_job: Callable[[str], Awaitable[Job | None]] | None = None

    def show(self, job: Job, place: int | None) -> None:
        """Ask for the card of `job` to show its state; returns at once."""
        if job.finished_at is not None:
            self._remember_ended(job.id)
        elif job.id in self._ended:
            # From rows read just before the job ended: the card would fall back into the past.
            return
        card = self._card_of(job)
        if card is None or card.closed:
            if job.finished_at is not None:
                self._cards.pop(job.id, None)
            return
        card.wanted = (job, place)
        if not card.running:
            # A key of its own each time: of an edit that has just ended the group may not know yet.
            card.running = self._tasks.start(f"{job.id}:{next(self._turns)}", self._edit(job.id, card))

    def _card_of(self, job: Job) -> _Card | None:
        card = self._cards.get(job.id)
        if card is None and len(self._cards) >= CARDS_MAX:
            self._forget_one()
        if card is None and (len(self._cards) < CARDS_MAX or job.finished_at is not None):
            first_at = self._clock.monotonic() - EDIT_INTERVAL_S + FIRST_EDIT_S
            # Whoever is told of a cancellation need not be the process that sent the card, nor a later one.
            was_elsewhere = job.epoch > 1 or job.state is JobState.CANCELLED
            taken_over = was_elsewhere or job.created_at < self._started_at
            place = CardPlace(message_id=job.card_message_id, taken_over=taken_over)
            card = self._cards[job.id] = _Card(shown_at=first_at, place=place)
        return card

    def _forget_one(self) -> None:
        """Make room: a card that was shown here may have gone on in another process, whose last word it was."""
        idle = (job_id for job_id, card in self._cards.items() if not (card.running or card.closed))
        oldest = next(idle, None)
        if oldest is not None:
            del self._cards[oldest]

    def _remember_ended(self, job_id: str) -> None:
        self._ended[job_id] = None
        while len(self._ended) > ENDED_MAX:
            self._ended.popitem(last=False)

    async def close(self, job: Job) -> None:
        """Stop editing the card, because its message is about to become the result."""
        card = self._card_of(job)
        if card is not None:
            card.closed = True
            card.wanted = None
            async with card.lock:
                return

    def reopen(self, job: Job) -> None:
        """The result did not come after all; the card has its say again."""
        card = self._cards.get(job.id)
        if card is not None:
            card.closed = False

    async def stop(self, *, grace_s: float) -> None:
        """Show at once whatever is still to be shown, for at most `grace_s`."""
        self._hurry.set()
        await self._tasks.stop(grace_s=grace_s)

    async def _edit(self, job_id: str, card: _Card) -> None:
        try:
            await self._edit_while_wanted(job_id, card)
        finally:
            card.running = False

    async def _edit_while_wanted(self, job_id: str, card: _Card) -> None:
        while card.wanted is not None:
            wait_s = card.shown_at + EDIT_INTERVAL_S - self._clock.monotonic()
            if wait_s > 0:
                await wait_for(self._clock, self._hurry, wait_s)
            async with card.lock:
                # `close` may have taken the wish back while this slept.
                job, place = card.take() or (None, None)
                if job is None:
                    return
                may_have_passed = self.find_job is not None and job.finished_at is None
                if may_have_passed and not _is_current(await self._find(job.id), job, place):
                    continue
                is_sent = await self._show(job, place, card)
                if is_sent and may_have_passed:
                    self._follow(await self._find(job.id), card)
            if job.finished_at is not None:
                self._cards.pop(job_id, None)

    async def _find(self, job_id: str) -> Job | None:
        """The job as it is by now; None when that cannot be told."""
        if self.find_job is None:
            return None
        try:
            return await self.find_job(job_id)
        except Exception as error:  # noqa: BLE001 - what is not shown now is shown by a later edit
            log.warning("card.not_asked", job=job_id, error=repr(error))
            return None

    def _follow(self, found: Job | None, card: _Card) -> None:
        """Have the last word again: another process said it while this edit waited for its turn at Discord."""
        if found is None or found.finished_at is None or card.closed:
            return
        self._remember_ended(found.id)
        if answers_here(found) and found.state is JobState.DELIVERED:
            log.error("card.overtook_picture", job=found.id, message=found.message_id)
        if card.place.message_id is None:
            card.place = CardPlace(message_id=found.card_message_id, taken_over=True)
        card.wanted = (found, None)

    async def _show(self, job: Job, place: int | None, card: _Card) -> bool:
        """Whether anything may have reached Discord."""
        layout = self._layouts.card(job, place)
        content: object = layout.to_components()  # type: ignore[no-untyped-call]  # discord.py has no types here
        if content == card.shown or (answers_here(job) and job.state is JobState.DELIVERED):
            return False
        patience = ONCE if job.finished_at is None else LAST_WORD
        is_sent = True
        try:
            is_sent = await self._retry.call(
                "card", lambda: self.messages.write(job, layout, card.place), patience, hurry=self._hurry
            )
            card.shown = content
        except DISCORD_ERRORS as error:
            log.warning("card.edit_failed", job=job.id, error=describe(error))
            # Whoever called it off and closed the card needs no word.
            is_told = job.state is JobState.CANCELLED and not may_pass(error)
        else:
            is_told = has_failed(job) or job.state is JobState.CANCELLED
        if is_told:
            await self._note_told(job)
        card.shown_at = self._clock.monotonic()
        return is_sent

    async def _note_told(self, job: Job) -> None:
        if self.on_told is None:
            return
        try:
            await self.on_told(job.id)
        except Exception as error:  # noqa: BLE001 - the member knows; after a restart the same is said in the same place
            log.warning("card.not_noted", job=job.id, error=repr(error))


def _is_current(found: Job | None, job: Job, place: int | None) -> bool:
    """Whether the job still stands as shown: nobody else works on it, it has not ended or left its place."""
    if found is None or found.finished_at is not None or found.epoch != job.epoch:
        return False
    return place is None or found.admitted_at is None

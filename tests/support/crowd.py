"""A crowd of members at once: they use /imagine and /edit and reply to pictures, as the page would for them.

Each member has a few requests open at most and waits for the rest; all of them follow one feed of changes, and
nobody downloads a picture. What became of a request is told by the books of both local services, where its
prompt and its ids stand.
"""

from __future__ import annotations

import asyncio
import io
import random
import re
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from PIL import Image

from tests.support.member import SLASH, Member
from tests.support.wire import File, build_form, build_options

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.support.servers import Servers

IMAGINE, EDIT, REPLY = "imagine", "edit", "reply"
ENDS_SEEN = ("picture", "failure", "unanswered")
LOOK_S = 0.2
# A card that never had a button and has come to rest belongs to a refusal, or to a job that began at once.
REFUSED_AFTER_S = 15.0
RESULTS_KEPT_MAX = 20
_NUMBER = re.compile(r"number (\d+) please")
_ENDED = re.compile(r"v\d+:(why|again):")


@dataclass(slots=True, kw_only=True)
class Act:
    """One thing a member did, and what was seen of it.

    Units: times are those of `time.monotonic()`.
    Shape: `interaction_id` for a command, `message_id` for a reply, neither where the local Discord's own check
    refused it (`refused`). `ended` is picture, failure, refusal, unanswered (within Discord's three seconds), or
    None where patience ran out first.
    """

    number: int
    kind: str
    user_id: str
    channel_id: str
    prompt: str
    interaction_id: str | None = None
    message_id: str | None = None
    refused: str | None = None
    job_id: str | None = None
    result_id: str | None = None
    ended: str | None = None
    begun_at_s: float = 0.0
    ended_at_s: float = 0.0
    over: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    def end(self, how: str | None) -> None:
        """The first end counts, but what was only guessed gives way to what is seen."""
        if not self.over.is_set() or (self.ended not in ENDS_SEEN and how in ENDS_SEEN):
            self.ended, self.ended_at_s = how, time.monotonic()
            self.over.set()


class Crowd:
    """Guests of the grown world, and the hands to act as any of them.

    Units: `patience_s` is how long one request is waited for before its member goes on; of `at_once` that may
    act together, each rests for `pace_s` before the next.
    """

    def __init__(
        self,
        servers: Servers,
        world: dict[str, Any],
        commands: Sequence[dict[str, Any]],
        *,
        seed: int = 1,
        at_once: int = 16,
        open_max: int = 3,
        patience_s: float = 60.0,
        pace_s: float = 0.0,
    ) -> None:
        self.servers = servers
        self.world = world
        self.acts: list[Act] = []
        self._commands = {one["name"]: one["id"] for one in commands if one.get("type", SLASH) == SLASH}
        self._channels = {one["id"]: one["channel_ids"] for one in world["guilds"]}
        self._random = random.Random(seed)
        self._gate = asyncio.Semaphore(at_once)
        self._open_max = open_max
        self._patience_s = patience_s
        self._pace_s = pace_s
        self._results: dict[str, deque[str]] = {}
        self._by_interaction: dict[str, Act] = {}
        self._by_message: dict[str, Act] = {}
        self._speechless: dict[str, float] = {}
        self._picture = File("source.png", _build_picture(), "image/png")

    @classmethod
    async def gather(
        cls, servers: Servers, *, guilds: int, members: int, channels: int = 3, **more: Any
    ) -> Crowd:
        """Let the world grow and look at the commands of the bot, which is online already."""
        world = await servers.make_world(servers=guilds, members=members, channels=channels)
        state = await Member._state(servers, "")
        return cls(servers, world, state["commands"], **more)

    async def make(
        self, requests: int, *, edit_share: float = 0.1, reply_share: float = 0.2, **options: Any
    ) -> list[Act]:
        """So many requests over all members, in turn; returns when each is over, or waited for long enough.

        Shape: `options` go to every /imagine. A reply needs a picture in its channel and is an /imagine without one.
        """
        guests = self.world["users"]
        planned: dict[str, list[Act]] = {guest["id"]: [] for guest in guests}
        for turn in range(requests):
            guest = guests[turn % len(guests)]
            kind = self._random.choices(
                (EDIT, REPLY, IMAGINE), (edit_share, reply_share, 1 - edit_share - reply_share)
            )[0]
            act = self._plan(guest, kind)
            planned[guest["id"]].append(act)
        watching = asyncio.create_task(self._watch(), name="crowd-watch")
        try:
            async with asyncio.TaskGroup() as group:
                for acts in planned.values():
                    group.create_task(self._be_guest(acts, options))
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
        return [act for acts in planned.values() for act in acts]

    def _plan(self, guest: dict[str, Any], kind: str) -> Act:
        guild_id = self._random.choice(guest["guild_ids"])
        number = len(self.acts) + 1
        act = Act(
            number=number,
            kind=kind,
            user_id=guest["id"],
            channel_id=self._random.choice(self._channels[guild_id]),
            prompt=f"stage lights, number {number} please",
        )
        self.acts.append(act)
        return act

    async def _be_guest(self, acts: list[Act], options: dict[str, Any]) -> None:
        places = asyncio.Semaphore(self._open_max)
        async with asyncio.TaskGroup() as group:
            for act in acts:
                await places.acquire()
                async with self._gate:
                    await self._begin(act, options)
                    await asyncio.sleep(self._pace_s)
                group.create_task(self._wait(act, places.release))

    async def _begin(self, act: Act, options: dict[str, Any]) -> None:
        act.begun_at_s = time.monotonic()
        shown = self._results.get(act.channel_id)
        if act.kind == REPLY and not shown:
            act.kind = IMAGINE
        if act.kind == REPLY and shown:
            body = {"content": act.prompt, "reply_to": self._random.choice(shown), "ping": True}
            answer = await self._send(act, f"channels/{act.channel_id}/messages", body, [])
            if answer is not None:
                act.message_id = answer["id"]
                self._by_message[answer["id"]] = act
            return
        files: list[File] = []
        given = {"image": self._picture} if act.kind == EDIT else options
        body = {
            "type": 2,
            "channel_id": act.channel_id,
            "command_id": self._commands[act.kind],
            "options": build_options({"prompt": act.prompt, **given}, files),
            "locale": "en-US",
        }
        answer = await self._send(act, "interactions", body, files)
        if answer is not None:
            act.interaction_id = answer["interaction_id"]
            self._by_interaction[answer["interaction_id"]] = act

    async def _send(
        self, act: Act, path: str, body: dict[str, Any], files: list[File]
    ) -> dict[str, Any] | None:
        url = f"{self.servers.discord_url}/page/{path}?as={act.user_id}"
        payload: dict[str, Any] = {"data": build_form(body, files)} if files else {"json": body}
        async with self.servers.session.post(url, **payload) as answer:
            if answer.status >= 400:
                act.refused = await answer.text()
                act.end("refusal")
                return None
            taken: dict[str, Any] = await answer.json()
            return taken

    async def _wait(self, act: Act, release: Callable[[], None]) -> None:
        try:
            async with asyncio.timeout(self._patience_s):
                await act.over.wait()
        except TimeoutError:
            act.end(None)
        finally:
            release()

    async def _watch(self) -> None:
        """Follow the feed of changes until cancelled."""
        revision = failures = 0
        url = f"{self.servers.discord_url}/control/books/changes"
        while True:
            async with self.servers.session.get(
                f"{url}?after={revision}&after_failures={failures}"
            ) as answer:
                changed = await answer.json()
            failures += len(changed["failures"])
            for interaction_id in changed["failures"]:
                if interaction_id in self._by_interaction:
                    self._by_interaction[interaction_id].end("unanswered")
            for record in changed["messages"]:
                revision = record["revision"]
                self._look(record)
            for interaction_id, seen_at_s in list(self._speechless.items()):
                if time.monotonic() - seen_at_s > REFUSED_AFTER_S:
                    del self._speechless[interaction_id]
                    self._by_interaction[interaction_id].end("refusal")
            await asyncio.sleep(LOOK_S)

    def _look(self, record: dict[str, Any]) -> None:
        act = self._find(record)
        if act is None:
            return
        if record["custom_ids"]:
            act.job_id = record["custom_ids"][0].split(":")[2]
            self._speechless.pop(act.interaction_id or "", None)
        if record["attachments"] and record["deleted_at_s"] is None:
            is_new, act.result_id = act.result_id is None, record["id"]
            if is_new and record["ephemeral_to"] is None and record["interaction_id"] is None:
                results = self._results.setdefault(act.channel_id, deque(maxlen=RESULTS_KEPT_MAX))
                results.append(record["id"])
            act.end("picture")
        elif any(_ENDED.match(one) for one in record["custom_ids_now"]):
            act.end("failure")
        elif record["text"] and not record["custom_ids"] and act.interaction_id and not act.over.is_set():
            self._speechless[act.interaction_id] = time.monotonic()

    def _find(self, record: dict[str, Any]) -> Act | None:
        number = _NUMBER.search(record["text"])
        if number is not None and 0 < int(number[1]) <= len(self.acts):
            return self.acts[int(number[1]) - 1]
        return self._by_interaction.get(record["interaction_id"] or "") or self._by_message.get(
            record["reply_to"] or ""
        )


def _build_picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (256, 256), (230, 115, 159)).save(out, format="PNG")
    return out.getvalue()

"""Owns gateway sessions and the way of an event to them: shard, intents, sequence, replay buffer.

Frames and opcodes are the business of `gateway`; this room only decides who gets what.
Source: Discord developer docs, "Gateway" and "Gateway Events", read 2026-11-22.
"""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntFlag
from secrets import token_hex

from sandbox.discord.clock import Clock
from sandbox.discord.outbox import Outbox
from sandbox.discord.settings import DiscordSettings
from sandbox.discord.state import Json

REPLAY_MAX = 1000
SESSIONS_MAX = 64


class Intent(IntFlag):
    GUILDS = 1 << 0
    GUILD_MEMBERS = 1 << 1
    GUILD_PRESENCES = 1 << 8
    GUILD_MESSAGES = 1 << 9
    GUILD_MESSAGE_REACTIONS = 1 << 10
    GUILD_MESSAGE_TYPING = 1 << 11
    DIRECT_MESSAGES = 1 << 12
    DIRECT_MESSAGE_REACTIONS = 1 << 13
    DIRECT_MESSAGE_TYPING = 1 << 14
    MESSAGE_CONTENT = 1 << 15
    AUTO_MODERATION_CONFIGURATION = 1 << 20


ALL_INTENTS = (1 << 26) - 1


@dataclass(slots=True, kw_only=True, eq=False)
class Session:
    id: str = field(default_factory=lambda: token_hex(16))
    intents: int
    shard: int
    shard_count: int
    sequence: int = 0
    replay: deque[Json] = field(default_factory=lambda: deque(maxlen=REPLAY_MAX))
    outbox: Outbox | None = None
    lost_at_s: float | None = None

    def send_event(self, event: str, data: Json) -> None:
        """Number an event, remember it for a resume, and send it when connected."""
        self.sequence += 1
        frame: Json = {"op": 0, "t": event, "s": self.sequence, "d": data}
        self.replay.append(frame)
        if self.outbox is not None:
            self.outbox.send(frame)

    def serves(self, guild_id: str | None) -> bool:
        shard = (int(guild_id) >> 22) % self.shard_count if guild_id else 0
        return shard == self.shard


class Sessions:
    """All sessions that are connected or may still be resumed."""

    def __init__(self, settings: DiscordSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._by_id: dict[str, Session] = {}
        self.seen_login = False
        self.doubled: Counter[str] = Counter()

    def add(self, session: Session) -> None:
        self._drop_expired()
        while len(self._by_id) >= SESSIONS_MAX:
            self._by_id.pop(next(iter(self._by_id)))
        self._by_id[session.id] = session
        self.seen_login = True

    def find(self, session_id: str) -> Session | None:
        self._drop_expired()
        return self._by_id.get(session_id)

    def remove(self, session: Session) -> None:
        self._by_id.pop(session.id, None)

    def connected(self) -> list[Session]:
        return [one for one in self._by_id.values() if one.outbox is not None]

    @property
    def online(self) -> bool:
        return bool(self.connected())

    def _drop_expired(self) -> None:
        oldest = self._clock.now_s() - self._settings.resume_window_s
        for session in list(self._by_id.values()):
            if session.lost_at_s is not None and session.lost_at_s < oldest:
                self.remove(session)

    def dispatch(
        self,
        event: str,
        build: Callable[[Session], Json],
        *,
        guild_id: str | None,
        intents: int = 0,
    ) -> None:
        """Send an event to each session of its shard that asked for at least one of `intents` (0: to all).

        Shape: what `build` makes may depend on the session's intents alone; it is made once for equal ones.
        """
        self._drop_expired()
        times = 1
        if self.doubled[event]:
            self.doubled[event] -= 1
            times = 2
        built: dict[int, Json] = {}
        for session in list(self._by_id.values()):
            if session.serves(guild_id) and (not intents or session.intents & intents):
                if session.intents not in built:
                    built[session.intents] = build(session)
                for _ in range(times):
                    session.send_event(event, built[session.intents])

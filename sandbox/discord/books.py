"""Owns the books: what the bot did here, kept for comparison with what it says of itself.

Only counts and remembers; who tells it is the room where the thing happens.
"""

from collections import Counter

from sandbox.discord.clock import Clock
from sandbox.discord.state import Json


class Books:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.clear()

    def clear(self) -> None:
        self.faults: Counter[str] = Counter()
        self.gateway: Counter[str] = Counter()

    def render(self) -> Json:
        return {"faults": dict(self.faults), "gateway": dict(self.gateway)}

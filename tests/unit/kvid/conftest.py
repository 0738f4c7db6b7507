from collections.abc import AsyncIterator

import pytest

from bot.kvid import KvidClient, RetryPolicy
from tests.unit.kvid.server import ScriptedKvid, running_kvid

API_KEY = "key-0123456789abcdef"


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.slept_s: list[float] = []

    def monotonic(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_s += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def kvid() -> AsyncIterator[ScriptedKvid]:
    async with running_kvid() as server:
        yield server


@pytest.fixture
async def client(kvid: ScriptedKvid, clock: Clock) -> AsyncIterator[KvidClient]:
    async with KvidClient(
        base_url=kvid.base_url + "/",
        api_key=API_KEY,
        product_code="shop-1",
        policy=RetryPolicy(attempts_max=3, backoff_s_base=1.0),
        sleep=clock.sleep,
        random=lambda: 0.5,
        monotonic=clock.monotonic,
    ) as made:
        yield made

"""The only place that starts background tasks: named, bounded, their errors logged, ended in order."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from bot.log import get_logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from bot.clock import Clock

log = get_logger(__name__)

Value = TypeVar("Value")


class TaskGroup:
    """Background tasks of one owner, at most `limit` at once."""

    def __init__(self, name: str, *, limit: int) -> None:
        self.name = name
        self.limit = limit
        self._tasks: dict[str, asyncio.Task[Any]] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def __contains__(self, key: str) -> bool:
        return key in self._tasks

    def keys(self) -> frozenset[str]:
        return frozenset(self._tasks)

    def start(self, key: str, work: Coroutine[Any, Any, None]) -> bool:
        """Run `work` under `key`; False (and `work` closed) when the key runs already or the group is full."""
        if key in self._tasks or len(self._tasks) >= self.limit:
            work.close()
            return False
        task = asyncio.get_running_loop().create_task(work, name=f"{self.name}:{key}")
        self._tasks[key] = task
        task.add_done_callback(lambda done: self._ended(key, done))
        return True

    def _ended(self, key: str, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(key, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("task.failed", task=task.get_name(), exc_info=error)

    async def stop(self, *, grace_s: float) -> int:
        """Let tasks end by themselves for `grace_s`, then cancel the rest; returns how many were cancelled."""
        tasks = list(self._tasks.values())
        if not tasks:
            return 0
        _, pending = await asyncio.wait(tasks, timeout=grace_s)
        for task in pending:
            task.cancel()
        if pending:
            await asyncio.wait(pending, timeout=2)
        return len(pending)


async def wait_for(clock: Clock, event: asyncio.Event, timeout_s: float) -> None:
    """Until `event` is set, at most `timeout_s` by the injected clock."""
    sleeper = asyncio.ensure_future(clock.sleep(timeout_s))
    waiter = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait({sleeper, waiter}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        sleeper.cancel()
        waiter.cancel()


async def run_together(*work: Awaitable[Value]) -> list[Value]:
    """What each of a few returns, in order, once all have; they end with their caller."""
    return list(await asyncio.gather(*work))


async def run_abandonable(name: str, work: Callable[[], Value]) -> Value:
    """Run blocking `work` on a thread of its own, which cannot hold up the end of the process.

    A cancelled caller leaves the thread behind and the process may end under it: only for work that is undone
    then, as a database undoes a transaction. Threads of an executor would be waited for, however long.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Value] = loop.create_future()

    def settle(value: Value | None, error: BaseException | None) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(value)  # type: ignore[arg-type]

    def run() -> None:
        value, failure = None, None
        try:
            value = work()
        except BaseException as error:  # noqa: BLE001 - raised again where it is awaited
            failure = error
        # The loop has ended when nobody waits any more.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, value, failure)

    threading.Thread(target=run, name=name, daemon=True).start()
    return await answer

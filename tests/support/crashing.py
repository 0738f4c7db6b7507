"""A bot that ends itself by SIGKILL at a boundary it was told; loaded into its process before it becomes the bot.

Wraps the product from outside: `Database.transaction`, the one method through which every HTTP request of the
kvid client and of discord.py goes, and a worker's two writes to its queue. SIGUSR1 arms it: from then on each
boundary is written down, and the process dies at the one that the file `plan` names. Knows no jobs.

A boundary reads "<moment> <what> #<how often>". The moments are `written` (a transaction's statements are
done, its commit is not), `committed` (its caller does not know yet), `asked` (a request is about to leave) and
`taken` (the other side has done the work, its answer is unread). Between an answer read and the next of these
nothing that outlives the process happens, so that instant has no boundary of its own.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp

from bot.clock import SystemClock
from db.engine import Database

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy import Connection
    from yarl import URL

FOLDER, CLOCK_AHEAD_S = "CRASH_FOLDER", "CRASH_CLOCK_AHEAD_S"
PLAN, SEEN, ARMED = "plan", "seen", "armed"
# The end of the name of a transaction that looked and found nothing to do.
NOTHING = " none"
# Ids, tokens, file names: what differs from run to run.
_VARYING = re.compile(r"\d{5,}|[\w.-]{40,}|\.\w{3,4}$")


class Fuse:
    """Counts the boundaries, and burns through at one of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._plan: str | None = None

    def arm(self, *_: object) -> None:
        self._plan = (self._folder / PLAN).read_text("utf-8")
        self._counts.clear()
        self._note(ARMED)

    def reach(self, moment: str, what: str) -> None:
        if self._plan is None:
            return
        with self._lock:
            name = f"{moment} {what}"
            self._counts[name] += 1
            boundary = f"{name} #{self._counts[name]}"
            self._note(boundary)
            if boundary == self._plan:
                os.kill(os.getpid(), signal.SIGKILL)

    def _note(self, line: str) -> None:
        with (self._folder / SEEN).open("a", encoding="utf-8") as seen:
            seen.write(line + "\n")


def install() -> None:
    """Change this process: its environment says where the plan lies, and how far ahead its clock is."""
    fuse = Fuse(Path(os.environ[FOLDER]))
    signal.signal(signal.SIGUSR1, fuse.arm)
    _watch_transactions(fuse)
    _watch_requests(fuse)
    if "worker" in sys.argv:
        _watch_queue(fuse)
        _hurry()
    _move_clock(timedelta(seconds=float(os.environ[CLOCK_AHEAD_S])))


def _watch_transactions(fuse: Fuse) -> None:
    original = Database.transaction

    async def transaction(self: Database, work: Callable[[Connection], Any]) -> Any:
        name = _name_work(work)

        def watched(connection: Connection) -> Any:
            nonlocal name
            value = work(connection)
            name = f"{_name_work(work)}{_name_state(value)}"
            fuse.reach("written", name)
            return value

        value = await original(self, watched)
        fuse.reach("committed", name)
        return value

    Database.transaction = transaction  # type: ignore[method-assign]


def _name_work(work: Callable[[Connection], Any]) -> str:
    return getattr(work, "__qualname__", repr(work)).split(".<locals>")[0]


def _name_state(value: Any) -> str:
    """The state of the job that a transaction returns, alone or first of several things; else whether it found any."""
    values = value if isinstance(value, tuple) and value else (value,)
    state = getattr(values[0], "state", None)
    if state is not None:
        return f" {state.value}"
    return next((" some" if one else NOTHING for one in values if isinstance(one, list)), "")


def _watch_requests(fuse: Fuse) -> None:
    original = aiohttp.ClientSession._request

    async def request(self: aiohttp.ClientSession, method: str, url: str | URL, **options: Any) -> Any:
        what = f"{method} {name_path(str(url))}"
        fuse.reach("asked", what)
        response = await original(self, method, url, **options)
        fuse.reach("taken", what)
        return response

    aiohttp.ClientSession._request = request  # type: ignore[method-assign, assignment]


def _hurry() -> None:
    """Only what makes others wait who are alive: a fleet has workers that were up before and look now."""
    from bot.jobs import last_words
    from bot.jobs.engines.procrastinate import STALLED_S
    from bot.jobs.engines.queue_manager import LastingManager

    last_words.LOOK_INTERVAL_S = 5.0
    register_worker = LastingManager.register_worker

    async def register(self: LastingManager) -> int:
        worker_id = await register_worker(self)
        self._steady_since_s -= STALLED_S
        return worker_id

    LastingManager.register_worker = register  # type: ignore[method-assign]


def _watch_queue(fuse: Fuse) -> None:
    """The worker's rows: one that was fetched, and the end that is written of it."""
    from bot.jobs.engines.queue_manager import LastingManager

    fetch_job, finish_job = LastingManager.fetch_job, LastingManager.finish_job

    async def fetch(self: LastingManager, *args: Any, **named: Any) -> Any:
        row = await fetch_job(self, *args, **named)
        if row is not None:
            fuse.reach("taken", "queue fetch")
        return row

    async def finish(self: LastingManager, *args: Any, **named: Any) -> None:
        fuse.reach("asked", "queue finish")
        await finish_job(self, *args, **named)
        fuse.reach("taken", "queue finish")

    LastingManager.fetch_job = fetch  # type: ignore[method-assign]
    LastingManager.finish_job = finish  # type: ignore[method-assign]


def name_path(url: str) -> str:
    path = url.split("://", 1)[-1].split("?", 1)[0].partition("/")[2]
    return "/" + "/".join("*" if _VARYING.search(part) else part for part in path.split("/"))


def _move_clock(ahead: timedelta) -> None:
    original = SystemClock.now

    def now(self: SystemClock) -> datetime:
        return original(self) + ahead

    SystemClock.now = now  # type: ignore[method-assign]

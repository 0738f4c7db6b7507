"""Has charts drawn in a process of its own, one at a time, and ends that process when nobody asks.

Owns the worker process, its folder and its limits. Must not know the plotting library or Discord. A chart
is an ornament: whatever goes wrong is logged, and the answer is None, a message without a picture.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, cast

from bot.charts.wire import ANSWER_BYTES_MAX, ANSWER_HEAD, PICTURE, build_request
from bot.log import get_logger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.charts.values import Chart

log = get_logger(__name__)

# More askers than this would wait longer than a member looks at a card.
ASKERS_MAX = 16
# The first chart includes the start of the process, 1-2 s on a small machine.
ANSWER_TIMEOUT_S = 15.0
IDLE_S = 60.0
# The library's memory grows a little with each figure; a fresh process starts small again.
CHARTS_PER_WORKER_MAX = 200
# Nothing else of the environment is the worker's business, the bot's secrets least of all.
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "PYTHONHOME", "PYTHONPATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR")
_HOUSE = Path(__file__).parents[2]


class WorkerFailed(Exception):
    """The worker answered with the trace of what went wrong in it."""

    def __init__(self, trace: str) -> None:
        super().__init__(trace)
        self.trace = trace


class Painter:
    """Draws charts elsewhere; `stop` ends what it started."""

    def __init__(
        self,
        *,
        command: Sequence[str] = (sys.executable, "-m", "bot.charts.worker"),
        answer_timeout_s: float = ANSWER_TIMEOUT_S,
        idle_s: float = IDLE_S,
    ) -> None:
        self._command = tuple(command)
        self._answer_timeout_s = answer_timeout_s
        self._idle_s = idle_s
        self._turn = asyncio.Lock()
        self._askers = 0
        self._worker: asyncio.subprocess.Process | None = None
        self._charts = 0
        self._idle: asyncio.TimerHandle | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._is_stopped = False

    async def draw(self, chart: Chart) -> bytes | None:
        """The chart as PNG bytes; None, and a line in the log, when there will be none.

        Raises: ValueError for what cannot be drawn, before anything is started.
        """
        request = build_request(chart)
        if self._is_stopped or self._askers >= ASKERS_MAX:
            log.warning("chart.skipped", askers=self._askers)
            return None
        self._askers += 1
        try:
            async with self._turn:
                return await self._draw_in_turn(request)
        finally:
            self._askers -= 1

    async def stop(self) -> None:
        """End the worker, also one that is drawing. Repeatable."""
        self._is_stopped = True
        if self._worker is not None and self._turn.locked():
            _kill(self._worker)
        async with self._turn:
            await self._end_worker()
            if self._folder is not None:
                self._folder.cleanup()
                self._folder = None

    async def _draw_in_turn(self, request: bytes) -> bytes | None:
        if self._is_stopped:
            return None
        if self._idle is not None:
            self._idle.cancel()
        is_whole = False
        try:
            async with asyncio.timeout(self._answer_timeout_s):
                picture = await self._ask(request)
            is_whole = True
        except WorkerFailed as failed:
            log.error("chart.failed", trace=failed.trace)  # noqa: TRY400 - the trace that matters is the worker's
            return None
        except (OSError, EOFError, TimeoutError, ValueError) as error:
            log.warning("chart.lost", error=repr(error))
            return None
        finally:
            # After a broken or abandoned exchange the next answer would be the wrong one.
            if not is_whole or self._charts >= CHARTS_PER_WORKER_MAX:
                await self._end_worker()
            else:
                self._idle = asyncio.get_running_loop().call_later(self._idle_s, self._let_go)
        return picture

    async def _ask(self, request: bytes) -> bytes:
        worker = await self._ensure_worker()
        requests, answers = _get_pipes(worker)
        requests.write(request)
        await requests.drain()
        kind, size = ANSWER_HEAD.unpack(await answers.readexactly(ANSWER_HEAD.size))
        if size > ANSWER_BYTES_MAX:
            raise ValueError(size)
        data = await answers.readexactly(size)
        if kind != PICTURE:
            raise WorkerFailed(data.decode("utf-8", "replace"))
        self._charts += 1
        return data

    async def _ensure_worker(self) -> asyncio.subprocess.Process:
        worker = self._worker
        if worker is not None and worker.returncode is None and not _get_pipes(worker)[0].is_closing():
            return worker
        await self._end_worker()
        self._worker = await self._start_worker()
        if self._is_stopped:
            # `stop` came while it started, found nothing to end, and waits for this turn.
            _kill(self._worker)
        return self._worker

    async def _start_worker(self) -> asyncio.subprocess.Process:
        if self._folder is None:
            # The library keeps its list of fonts in a folder, by default in a home that may not exist.
            self._folder = tempfile.TemporaryDirectory(prefix="kvid-bot-charts-")
        given = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        own = {"MPLCONFIGDIR": self._folder.name, "MPLBACKEND": "agg", "OPENBLAS_NUM_THREADS": "1"}
        self._charts = 0
        return await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={**given, **own},
            cwd=_HOUSE,
            # Ctrl-C in a terminal is the bot's alone; the worker ends with its input.
            start_new_session=True,
        )

    def _let_go(self) -> None:
        """The worker ends by itself when its input does; the next chart starts another."""
        if self._worker is not None and not self._turn.locked():
            _get_pipes(self._worker)[0].close()

    async def _end_worker(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        worker, self._worker = self._worker, None
        if worker is None:
            return
        _get_pipes(worker)[0].close()
        _kill(worker)
        # Reads what is left, so that the pipes close too.
        await worker.communicate()


def _get_pipes(worker: asyncio.subprocess.Process) -> tuple[asyncio.StreamWriter, asyncio.StreamReader]:
    return cast("asyncio.StreamWriter", worker.stdin), cast("asyncio.StreamReader", worker.stdout)


def _kill(worker: asyncio.subprocess.Process) -> None:
    if worker.returncode is None:
        worker.kill()

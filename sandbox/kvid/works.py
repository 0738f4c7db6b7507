"""The works: jobs wait in order, at most `concurrency` render at once, then they are completed or failed.

Owns the queue, the render tasks and the threads that draw. Knows no HTTP answers; `server` submits and
`books` remember.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import TYPE_CHECKING, Any

from sandbox.kvid.books import Books, Job, Picture
from sandbox.kvid.contract import (
    SIDE_MAX,
    SIDE_MIN,
    SIDE_STEP,
    ApiError,
    Generation,
    is_unsafe,
    price_credits,
)
from sandbox.kvid.pictures import draw_picture, draw_prepared, draw_quick, find_size
from sandbox.kvid.sources import SourceError, fetch_source

if TYPE_CHECKING:
    import aiohttp

    from sandbox.kvid.faults import Fault
    from sandbox.kvid.settings import KvidSettings

DRAW_THREADS = 2


class Works:
    def __init__(self, settings: KvidSettings, session: aiohttp.ClientSession) -> None:
        self.settings = settings
        self._session = session
        self._threads = ThreadPoolExecutor(max_workers=DRAW_THREADS, thread_name_prefix="draw")
        self._waiting: deque[Job] = deque()
        self._rendering: dict[str, asyncio.Task[None]] = {}
        self._let_go = asyncio.Event()
        self._hold_or_let_go()
        self._open_books()

    def _open_books(self) -> None:
        self._random = Random(self.settings.seed)
        self.books = Books(
            balance_credits=self.settings.balance_credits,
            jobs_kept_max=self.settings.jobs_kept_max,
            picture_bytes_kept_max=self.settings.picture_bytes_kept_max,
        )

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def rendering(self) -> int:
        return len(self._rendering)

    def change(self, settings: KvidSettings) -> None:
        self.settings = settings
        self._hold_or_let_go()
        self._start_next()

    def _hold_or_let_go(self) -> None:
        if self.settings.held:
            self._let_go.clear()
        else:
            self._let_go.set()

    def reset(self) -> None:
        """Forget every job and start with full books; renders in flight end unseen."""
        self._waiting.clear()
        for task in self._rendering.values():
            task.cancel()
        self._rendering.clear()
        self._open_books()

    async def close(self) -> None:
        tasks = list(self._rendering.values())
        self.reset()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._threads.shutdown(wait=True, cancel_futures=True)

    def submit(self, generation: Generation, parameters: dict[str, Any], fault: Fault | None) -> Job:
        """Raises: ApiError."""
        if generation.safety_checker and is_unsafe(generation.prompt):
            raise ApiError("SAFETY_CHECK_FAILED")
        if len(self._waiting) >= self.settings.queue_max + self._free_places():
            raise ApiError(
                "RATE_LIMITED", "The queue is full", retry_after_s=math.ceil(self.settings.render_s) or 1
            )
        job = self.books.accept(generation, parameters, self._random, fault)
        self._waiting.append(job)
        self._start_next()
        return job

    def estimate(self, job: Job) -> str:
        """How long until the job is done, in the contract's words: "10s" or "10-20s"."""
        ahead = self._waiting.index(job) if job in self._waiting else 0
        rounds = ahead // self.settings.concurrency + (1 if job in self._waiting else 0)
        least = math.ceil(self.settings.render_s * max(rounds, 1)) or 1
        most = math.ceil(self.settings.render_s * (rounds + 1)) or 1
        return f"{least}s" if least >= most else f"{least}-{most}s"

    def seal_fate(self, job: Job, fault: Fault) -> None:
        """Carry out a fault's `job` on a job that is not over yet; "hang" is decided when it starts."""
        if job.is_over or fault.job is None:
            return
        if fault.job == "hang":
            job.fault = fault
            return
        if job in self._waiting:
            self._waiting.remove(job)
        self._end(job, fault)
        task = self._rendering.pop(job.job_id, None)
        if task is not None:
            task.cancel()
        self._start_next()

    def _end(self, job: Job, fault: Fault) -> None:
        if fault.job == "cancel":
            self.books.cancel(job, fault.message or "The job was canceled")
        else:
            self.books.fail(job, fault.message or "The model returned no image")

    def _free_places(self) -> int:
        return max(0, self.settings.concurrency - len(self._rendering))

    def _start_next(self) -> None:
        while self._waiting and self._free_places():
            job = self._waiting.popleft()
            self.books.start(job)
            self._rendering[job.job_id] = asyncio.create_task(self._work(job), name=f"render {job.job_id}")

    async def _work(self, job: Job) -> None:
        try:
            await self._render(job)
        except SourceError as error:
            self.books.fail(job, error.args[0])
        except OSError:
            # The head of a source was looked at when it was fetched; a broken body shows only when it is drawn.
            self.books.fail(job, "The source image cannot be read")
        except Exception as error:  # noqa: BLE001 - whatever breaks while drawing is this job's failure alone
            self.books.fail(job, f"Internal error: {type(error).__name__}")
        finally:
            # A job that was cancelled from outside has already given its place away.
            if self._rendering.get(job.job_id) is asyncio.current_task():
                del self._rendering[job.job_id]
                self._start_next()

    async def _render(self, job: Job) -> None:
        pause_s = self.settings.render_s * Random(f"{job.seed}/{job.generation.prompt}").uniform(0.85, 1.15)
        pause = asyncio.ensure_future(asyncio.sleep(pause_s))
        try:
            pictures = await self._draw(job)
            await pause
            await self._let_go.wait()
        finally:
            pause.cancel()
        fault = job.fault
        if fault is not None and fault.job == "hang":
            return  # it stays "processing" for ever, but gives its place away: others should still be served
        if fault is not None and fault.job is not None:
            self._end(job, fault)
            return
        price = sum(price_credits((picture.width, picture.height), 1) for picture, _ in pictures)
        reported: int | None = price
        if fault is not None and fault.used_credit != "as priced":
            reported = fault.used_credit
        self.books.complete(job, pictures, reported, price if reported is None else reported)

    async def _draw(self, job: Job) -> list[tuple[Picture, bytes]]:
        generation = job.generation
        sources = tuple(
            [await fetch_source(self._session, address, self.settings) for address in generation.source_urls]
        )
        size = generation.size
        loop = asyncio.get_running_loop()
        if size is None:
            size = await loop.run_in_executor(
                self._threads, find_size, sources[0], SIDE_MAX, SIDE_MIN, SIDE_STEP
            )
        pictures = []
        for number in range(generation.num_images):
            if self.settings.prepared_pictures:
                data = draw_prepared(size, generation.output_format)
            elif self.settings.quick_pictures:
                data = draw_quick(generation, sources, size, job.seed, number)
            else:
                data = await loop.run_in_executor(
                    self._threads, draw_picture, generation, sources, size, job.seed, number
                )
            suffix = "jpg" if generation.output_format == "jpeg" else "png"
            name = f"{job.job_id}.{suffix}" if number == 0 else f"{job.job_id}-{number + 1}.{suffix}"
            picture = Picture(
                name=name,
                width=size[0],
                height=size[1],
                content_type=f"image/{generation.output_format}",
                size_bytes=len(data),
            )
            pictures.append((picture, data))
        return pictures

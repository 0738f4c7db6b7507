"""What a process keeps at a moment, counted: tasks, connections, threads, objects, and bytes by who asked for them."""

from __future__ import annotations

import asyncio
import gc
import threading
import tracemalloc
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import discord
import psutil
import sqlalchemy

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
# Of SQLAlchemy what holds connections; its statements are in caches with bounds of their own.
OURS = ("bot.", "cogs.", "db.", "discord.", "sqlalchemy.engine.", "sqlalchemy.pool.")
# The local Discord's package has discord.py's name inside its own, so the folders are whole.
FOLDERS = (
    *(ROOT / name for name in ("bot", "cogs", "db")),
    *(Path(module.__path__[0]) for module in (discord, sqlalchemy)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Shape: `objects` by type, of our packages and of those that keep things for us."""

    tasks: int
    descriptors: int
    threads: int
    objects: Counter[str]


def count_kept() -> Kept:
    gc.collect()
    return Kept(
        tasks=len(asyncio.all_tasks()),
        descriptors=psutil.Process().num_fds(),
        threads=threading.active_count(),
        objects=Counter(name for name in map(_name, gc.get_objects()) if name.startswith(OURS)),
    )


@contextmanager
def memory_traced() -> Iterator[None]:
    tracemalloc.start(1)
    try:
        yield
    finally:
        tracemalloc.stop()


def read_memory() -> Counter[str]:
    """Bytes that were asked for since the tracing began and are still kept, by line of code."""
    gc.collect()
    snapshot = tracemalloc.take_snapshot().filter_traces(
        [tracemalloc.Filter(inclusive=True, filename_pattern=f"{folder}/*") for folder in FOLDERS]
    )
    return Counter(
        {
            f"{line.traceback[0].filename}:{line.traceback[0].lineno}": line.size
            for line in snapshot.statistics("lineno")
        }
    )


def _name(one: object) -> str:
    kind = type(one)
    return f"{kind.__module__}.{kind.__qualname__}"

"""The bounds of the main job, measured: start of the demo, memory of the idle bot, the acknowledgement.

Run with `python bench/bounds.py` after `make install-dev`. One run prints one table; the acknowledgement is
compared side by side with a bare request to the same server, since machines differ.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parent.parent))

from db import migrate
from tests.support.member import Member
from tests.support.process import run_bot
from tests.support.servers import run_servers

PRESSES = 40
IDLE_S = 5
LOOK_S = 0.002


async def measure_demo(folder: Path) -> float:
    """Seconds from the command to its one line."""
    begun = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "demo", "--discord-port", "18788", "--kvid-port", "18787",
        stdout=asyncio.subprocess.PIPE, cwd=folder,
    )  # fmt: skip
    assert process.stdout is not None
    line = await process.stdout.readline()
    took = time.perf_counter() - begun
    process.terminate()
    await process.wait()
    assert b"ready" in line, line
    return took


async def measure_bot(folder: Path) -> tuple[float, list[float], list[float]]:
    """Megabytes of the idle bot; seconds from press to acknowledgement; seconds of a bare request."""
    url = f"sqlite:///{folder / 'bench.db'}"
    migrate.upgrade(url)
    async with run_servers() as servers, run_bot(servers, url, folder / "bot.log", cold=True) as bot:
        await asyncio.sleep(IDLE_S)
        idle_mb = psutil.Process(bot.process.pid).memory_info().rss / 1e6
        member = await Member.join(servers)
        studio = member.channel("studio")
        acknowledged, bare = [], []
        for _ in range(PRESSES):
            begun = time.perf_counter()
            await member.messages(studio)
            bare.append(time.perf_counter() - begun)
            newest = await member.newest_id(studio)
            begun = time.perf_counter()
            await member.slash(studio, "usage")
            while await member.newest_id(studio) == newest:
                await asyncio.sleep(LOOK_S)
            acknowledged.append(time.perf_counter() - begun)
            await asyncio.sleep(0.05)
    return idle_mb, acknowledged, bare


async def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        demo_s = await measure_demo(Path(name))
        idle_mb, acknowledged, bare = await measure_bot(Path(name))
    press_ms, bare_ms = (1000 * statistics.median(values) for values in (acknowledged, bare))
    worst_ms = 1000 * max(acknowledged)
    print("| what | measured | bound | share of the bound |")
    print("|---|---|---|---|")
    print(f"| demo ready after | {demo_s:.1f} s | 15 s | {demo_s / 15:.2f} |")
    print(f"| idle bot, resident | {idle_mb:.0f} MB | 150 MB | {idle_mb / 150:.2f} |")
    print(
        f"| press to acknowledgement, median of {PRESSES} | {press_ms:.1f} ms | 3000 ms | {press_ms / 3000:.3f} |"
    )
    print(f"| press to acknowledgement, worst | {worst_ms:.1f} ms | 3000 ms | {worst_ms / 3000:.3f} |")
    print(f"| the same, against a bare request ({bare_ms:.1f} ms) | {press_ms / bare_ms:.1f}x | | |")


if __name__ == "__main__":
    asyncio.run(main())

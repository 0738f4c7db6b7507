"""How long ten servers with one job each wait behind a server that has queued 500: seconds, beside their wait alone.

Time is moved, not waited for, so the numbers are the same on every machine; both databases are asked.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from db import migrate
from db.engine import Database
from tests.service.fair_waits import Waits, measure_waits
from tests.support.databases import run_postgres

BOUND = 2.0


async def measure(url: str, *, flooded: bool) -> Waits:
    migrate.upgrade(url)
    database = Database(url)
    try:
        return await measure_waits(database, flooded=flooded)
    finally:
        await database.close()


def compare(alone: Waits, behind: Waits) -> tuple[float, float]:
    return behind.mean_s / alone.mean_s, behind.max_s / alone.max_s


def render(name: str, alone: Waits, behind: Waits) -> str:
    ratios = compare(alone, behind)
    return (
        f"| {name:<10} | {alone.mean_s:5.1f} / {alone.max_s:5.1f} | {behind.mean_s:5.1f} / {behind.max_s:5.1f} "
        f"| {ratios[0]:.2f} / {ratios[1]:.2f} | {'ok' if max(ratios) <= BOUND else 'MISSED'}"
    )


def main() -> int:
    folder = Path(tempfile.mkdtemp(prefix="kvid-bot-pg-"))
    worst = 0.0
    try:
        with run_postgres(folder) as server:
            urls = {
                (name, flooded): f"sqlite:///{folder / f'{flooded}.db'}"
                if name == "sqlite"
                else server.create(f"f{flooded}")
                for name in ("sqlite", "postgresql")
                for flooded in (False, True)
            }
            print("| database   | alone, mean / max s | behind 500, mean / max s | ratio (at most 2)")
            for name in ("sqlite", "postgresql"):
                alone, behind = (
                    asyncio.run(measure(urls[name, flooded], flooded=flooded)) for flooded in (False, True)
                )
                print(render(name, alone, behind))
                worst = max(worst, *compare(alone, behind))
    finally:
        shutil.rmtree(folder)
    return int(worst > BOUND)


if __name__ == "__main__":
    sys.exit(main())

"""A process of its own that waits for a word and then presses a hundred times at once.

Run as `python -m tests.service.presses <database> <bound> <number>`; says "ready", waits for a line, and
prints what was answered as JSON. A whole bot would not do: two of them do not run on one database.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections import Counter

import structlog

from db.engine import Database
from tests.service.test_at_once import BOUNDS, PRESSES, WORKERS, press
from tests.service.world import World

EACH = PRESSES // WORKERS


async def main(database_url: str, name: str, number: int) -> None:
    bound = BOUNDS[name]
    database = Database(database_url)
    world = World(database, limits=bound.operator)
    # The connections are opened before the word comes, so that all of it is deciding.
    await asyncio.gather(*(world.usage(number) for _ in range(10)))
    say("ready")
    await asyncio.to_thread(sys.stdin.readline)
    first = number * EACH
    answers = await asyncio.gather(*(press(world, bound, first + index) for index in range(EACH)))
    await database.close()
    say(json.dumps(Counter(answers)))


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))

"""Whether this process can do its work now, part by part, for whoever routes or watches it.

Owns the questions and their limits in time; what is asked comes as functions, so that each role asks its own.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.log import get_logger
from bot.tasks import run_together
from db import migrate
from db.engine import is_outage
from db.enums import JobState
from db.queries import vitals as queries

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    import discord
    from sqlalchemy import Connection

    from bot.clock import Clock
    from db.engine import Database

    # What is wrong, in words for the operator; None while all is well.
    Check = Callable[[], Awaitable[str | None]]

log = get_logger(__name__)

CHECK_TIMEOUT_S = 3.0
SHARDS_NAMED_MAX = 10
# Longer than any job may stand in one state while somebody works on it: a deadline, then a delivery's patience.
STUCK_S = 2_400.0
# In line a job may wait for an hour while kvid is away; then it is given up.
WAITING_S = 4_200.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Shape: `parts` maps each part to "ok" or to what is wrong with it."""

    ready: bool
    parts: Mapping[str, str]


class Readiness:
    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = dict(checks)

    async def find(self) -> Finding:
        """Ask all parts at once, since whoever asks has little time; one that does not answer is not ready."""
        found = await run_together(*(self._ask(name, check) for name, check in self._checks.items()))
        parts = {name: said or "ok" for name, said in zip(self._checks, found, strict=True)}
        return Finding(ready=set(parts.values()) <= {"ok"}, parts=parts)

    async def _ask(self, name: str, check: Check) -> str | None:
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                return await check()
        except TimeoutError:
            return f"no answer within {CHECK_TIMEOUT_S:.0f} s"
        except Exception as error:
            if is_outage(error):
                return "the database does not answer"
            log.exception("readiness.check_failed", part=name)
            return "the question failed; see the log"


def build_database_checks(database: Database, clock: Clock) -> dict[str, Check]:
    """What every role needs of the database: an answer, its migrations, and jobs that move."""

    async def answers() -> str | None:
        await database.read(queries.find_vitals)
        return None

    async def migrated() -> str | None:
        revision = await database.read(migrate.find_revision)
        if migrate.is_worked_with(revision):
            return None
        return f"at {revision or 'nothing'}, this version needs {migrate.head()}. Run: kvid-bot db upgrade"

    async def jobs_move() -> str | None:
        def look(c: Connection) -> dict[JobState, float]:
            oldest = queries.find_vitals(c).oldest_at
            return {state: (clock.now() - since).total_seconds() for state, since in oldest.items()}

        ages_s = await database.read(look)
        stuck = {
            state: age_s
            for state, age_s in ages_s.items()
            if age_s > (WAITING_S if state is JobState.RESERVED else STUCK_S)
        }
        if not stuck:
            return None
        state = max(stuck, key=lambda state: stuck[state])
        return f"the oldest job in '{state}' has not moved for {stuck[state]:.0f} s. See: kvid-bot jobs list"

    return {"database": answers, "migrations": migrated, "jobs": jobs_move}


def find_gateway_trouble(client: discord.AutoShardedClient) -> str | None:
    """Why Discord's events do not come in; None while they do."""
    if not client.is_ready():
        return "not connected to Discord's gateway"
    # Once ready, discord.py says so for ever, also while it tries to connect again.
    closed = sorted(shard_id for shard_id, shard in client.shards.items() if shard.is_closed())
    if not closed:
        return None
    return f"connecting to Discord's gateway again: shards {', '.join(map(str, closed[:SHARDS_NAMED_MAX]))}"

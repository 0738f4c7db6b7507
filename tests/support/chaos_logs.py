"""The processes of a run under chaos, and what their logs say of takeovers and of bugs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.process import BotProcess

BUGS = ("incident.opened", "job.step_failed", "task.failed", "engine.worker_failed")
ENDS = ("job.delivered", "job.failed", "job.unknown", "job.refused", "job.undeliverable")


@dataclass(slots=True, kw_only=True)
class Start:
    """One life of a process."""

    name: str
    log_path: Path
    bot: BotProcess
    killed_at: datetime | None = None


def measure_takeovers(starts: list[Start]) -> list[float]:
    """Seconds from each kill to the first of the dead process's jobs that another one went on with."""
    lines = {id(start): start.bot.log_lines() for start in starts}
    taken_up = [
        (datetime.fromisoformat(line["timestamp"]), line["job"])
        for start in starts
        for line in lines[id(start)]
        if line.get("event") == "job.taken_up"
    ]
    found: list[float] = []
    for start in starts:
        if start.killed_at is None:
            continue
        worked_on = {
            line["job"] for line in lines[id(start)] if line.get("event") in ("job.submitted", "job.taken_up")
        }
        ended = {line["job"] for line in lines[id(start)] if line.get("event") in ENDS}
        held = worked_on - ended
        after = [at for at, job_id in taken_up if job_id in held and at > start.killed_at]
        if after:
            found.append((min(after) - start.killed_at).total_seconds())
    return sorted(found)


def list_errors(starts: list[Start]) -> list[str]:
    """What no process should have said whatever happens around it, and ends that nobody asked for.

    A start that failed because the database or Discord was away says so and is not one: it is started again.
    """
    found = [
        f"{start.log_path.name}: {line['event']} {str(line.get('error') or line.get('exception'))[-300:]}"
        for start in starts
        for line in start.bot.log_lines()
        if line.get("event") in BUGS
    ]
    for start in starts:
        code, said = start.bot.process.returncode, start.bot.log_text()
        if start.killed_at is None and code not in (0, None) and not (code == 1 and "\nkvid-bot: " in said):
            found.append(f"{start.log_path.name}: ended with {code}: {said[-500:]}")
    return found

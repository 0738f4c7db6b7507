"""The few numbers by which an operator sees how the service fares: the line, what is open, what is held.

Owns these statements; reads only, by indexes alone, since they are asked every few seconds. Every function
joins the caller's transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from db.enums import OPEN, BalancePeriod, BalanceScope, JobState
from db.models import BALANCE, JOB

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """Shape: `open_jobs` by state, with all states that a job may be open in; `oldest` since when by state."""

    open_jobs: Mapping[JobState, int]
    oldest_at: Mapping[JobState, datetime]


def find_vitals(c: Connection) -> Vitals:
    """Count the open jobs and find since when the oldest of each state has stood there."""
    columns = (JOB.c.state, func.count(), func.min(JOB.c.updated_at).label("since"))
    statement = select(*columns).where(JOB.c.state.in_(sorted(OPEN))).group_by(JOB.c.state)
    found = {JobState(state): (count, since) for state, count, since in c.execute(statement)}
    return Vitals(
        open_jobs={state: found[state][0] if state in found else 0 for state in sorted(OPEN)},
        oldest_at={state: since for state, (_, since) in found.items()},
    )


def sum_members(c: Connection) -> tuple[int, int]:
    """Sum what is held for members now, and what they ever used: whole credits."""
    statement = select(
        func.coalesce(func.sum(BALANCE.c.held_credits), 0), func.coalesce(func.sum(BALANCE.c.used_credits), 0)
    ).where(
        BALANCE.c.scope == BalanceScope.MEMBER,
        BALANCE.c.period == BalancePeriod.EVER,
        BALANCE.c.guild_id == 0,
    )
    held, used = c.execute(statement).one()
    return int(held), int(used)

"""The line of jobs that wait for a place at kvid, those that have one, and whose turn it is.

Owns the statements of admission on `job`, and every statement on `server_turn`. Must not know how a turn is
decided. The heads are found by leaps through the partial indexes, so that what they cost depends on how many
servers wait, not on how many jobs do. Every function joins the caller's transaction.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import TextClause, bindparam, delete, select, text

from db.gate_values import PlaceHolder, ServerTurn, WaitingJob
from db.models import SERVER_TURN
from db.models.base import UtcDateTime
from db.models.jobs import ADMITTED, IN_LINE
from db.queries._upsert import Insert, build_inserts

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Executable

    from db.gate_values import Owner

# More servers and members in direct messages are not looked at together.
FLOWS_MAX = 2_000


def _build_away(columns: str, begun: str) -> dict[str, TextClause]:
    """Read the jobs that were admitted, and those in the states `begun`.

    Two SELECTs, since no index serves both conditions at once. Left to itself, SQLite reads all jobs. Without
    order and limit: for those, PostgreSQL would read along the numbers of all jobs there ever were.
    """
    hints = {
        "sqlite": ("INDEXED BY ix_job_admitted", "INDEXED BY ix_job_state_number"),
        "postgresql": ("", ""),
    }
    return {
        dialect: text(
            f"SELECT {columns} FROM job {admitted} WHERE {ADMITTED} "  # noqa: S608 - constants
            f"UNION ALL SELECT {columns} FROM job {by_state} WHERE state IN ({begun})"
        )
        for dialect, (admitted, by_state) in hints.items()
    }


_HOLDERS = {
    dialect: query.columns(submitted_at=UtcDateTime())
    for dialect, query in _build_away(
        "id, user_id, guild_id, running_max, state, submitted_at, estimated_s", "'submitting', 'submitted'"
    ).items()
}
_TO_RUN = _build_away("number, id", "'submitting', 'submitted', 'succeeded', 'delivering'")
_ADMIT = text(
    f"UPDATE job SET admitted_at = :now WHERE id IN :ids AND {IN_LINE} RETURNING id"  # noqa: S608 - constants
).bindparams(bindparam("ids", expanding=True), bindparam("now", type_=UtcDateTime()))
_OVERDUE = text(
    f"SELECT id FROM job WHERE {IN_LINE} AND created_at < :before ORDER BY number LIMIT :count"  # noqa: S608 - constants
).bindparams(bindparam("before", type_=UtcDateTime()))

_CROWD = {
    "sqlite": "SELECT json_extract(value, '$[0]') AS user_id, json_extract(value, '$[1]') AS guild_id "
    "FROM json_each(:crowd)",
    "postgresql": "SELECT CAST(value->>0 AS bigint) AS user_id, CAST(value->>1 AS bigint) AS guild_id "
    "FROM jsonb_array_elements(CAST(:crowd AS jsonb))",
}
_COLUMNS = "j.id, j.number, j.user_id, j.guild_id, j.reserved_credits, j.running_max"


def _replace_turn(insert: Insert) -> Executable:
    columns = ("deficit_credits", "turn")
    return insert.on_conflict_do_update(
        index_elements=["flow_id"], set_={name: insert.excluded[name] for name in columns}
    )


_STORE_TURN = build_inserts(SERVER_TURN, _replace_turn)


def list_place_holders(c: Connection) -> list[PlaceHolder]:
    """List the jobs that have a place at kvid: admitted and not yet sent, being sent, or being made there."""
    return [
        PlaceHolder(
            id=row.id,
            user_id=row.user_id,
            guild_id=row.guild_id,
            running_max=row.running_max,
            sending=row.state != "submitted",
            submitted_at=row.submitted_at,
            estimated_s=row.estimated_s,
        )
        for row in c.execute(_HOLDERS[c.dialect.name])
    ]


def list_to_run(c: Connection, *, limit: int) -> list[str]:
    """List the ids of the open jobs that have left the line, oldest first: somebody should be working on each."""
    rows = sorted((row.number, row.id) for row in c.execute(_TO_RUN[c.dialect.name]))
    return [job_id for _, job_id in rows[:limit]]


def list_heads(c: Connection, *, per_flow: int, without: Collection[Owner] = ()) -> list[WaitingJob]:
    """List the first jobs in line of each server, and of each member in direct messages, in order.

    Shape: `without` are members (with their server) whose jobs are passed over.
    """
    parameters = {
        "crowd": json.dumps(sorted(without)),
        "count": per_flow,
        "flows_max": FLOWS_MAX,
    }
    return [
        WaitingJob(
            id=row.id,
            number=row.number,
            flow_id=row.flow_id,
            user_id=row.user_id,
            guild_id=row.guild_id,
            cost_credits=row.reserved_credits,
            running_max=row.running_max,
        )
        for row in c.execute(_build_heads(c.dialect.name), parameters)
    ]


def admit_jobs(c: Connection, job_ids: Sequence[str], now: datetime) -> list[str]:
    """Give these jobs a place at kvid, those that still wait for one; tell which."""
    if not job_ids:
        return []
    admitted = {row.id for row in c.execute(_ADMIT, {"ids": list(job_ids), "now": now})}
    return [job_id for job_id in job_ids if job_id in admitted]


def list_overdue(c: Connection, before: datetime, limit: int) -> list[str]:
    """List the ids of jobs in line that were accepted before this time, oldest first."""
    return [row.id for row in c.execute(_OVERDUE, {"before": before, "count": limit})]


def list_turns(c: Connection) -> list[ServerTurn]:
    """List every stored turn, the next first."""
    rows = c.execute(select(SERVER_TURN).order_by(SERVER_TURN.c.turn, SERVER_TURN.c.flow_id))
    return [ServerTurn(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name


def store_turns(c: Connection, turns: Sequence[ServerTurn]) -> None:
    """Repeatable: by `flow_id`."""
    if turns:
        c.execute(_STORE_TURN[c.dialect.name], [asdict(turn) for turn in turns])


def delete_turns(c: Connection, flow_ids: Collection[int]) -> None:
    if flow_ids:
        c.execute(delete(SERVER_TURN).where(SERVER_TURN.c.flow_id.in_(sorted(flow_ids))))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """Flows of one kind: `column` tells them apart among the jobs that `condition` names."""

    name: str
    column: str
    condition: str
    index: str


_KINDS = (
    _Kind(
        name="in_server",
        column="guild_id",
        condition=f"{IN_LINE} AND guild_id IS NOT NULL",
        index="ix_job_waiting_in_server",
    ),
    _Kind(
        name="direct",
        column="user_id",
        condition=f"{IN_LINE} AND guild_id IS NULL",
        index="ix_job_waiting_direct",
    ),
)


@cache
def _build_heads(dialect: str) -> TextClause:
    flows = ", ".join(_render_flows(dialect, kind) for kind in _KINDS)
    heads = " UNION ALL ".join(_render_heads(dialect, kind) for kind in _KINDS)
    return text(f"WITH RECURSIVE crowd AS ({_CROWD[dialect]}), {flows} {heads} ORDER BY number")


def _render_flows(dialect: str, kind: _Kind) -> str:
    """Leap from one flow to the next by the index, reading one entry of each."""
    # Left to itself, SQLite reads all that wait by another index, in the hope of an early minimum.
    table = f"job INDEXED BY {kind.index}" if dialect == "sqlite" else "job"
    first = f"SELECT MIN({kind.column}) FROM {table} WHERE {kind.condition}"  # noqa: S608 - constants
    return (
        f"{kind.name}(flow_id, place) AS (SELECT ({first}), 1 UNION ALL "  # noqa: S608 - constants
        f"SELECT ({first} AND {kind.column} > {kind.name}.flow_id), place + 1 "
        f"FROM {kind.name} WHERE {kind.name}.flow_id IS NOT NULL AND place < :flows_max)"
    )


def _render_heads(dialect: str, kind: _Kind) -> str:
    crowded = (
        "EXISTS (SELECT 1 FROM crowd WHERE crowd.user_id = w.user_id "
        "AND crowd.guild_id = COALESCE(w.guild_id, 0))"
    )
    waiting = (
        f"FROM job w WHERE {kind.condition} AND w.{kind.column} = {kind.name}.flow_id AND NOT {crowded} "
        "ORDER BY w.number LIMIT :count"
    )
    if dialect == "sqlite":
        # SQLite knows no LATERAL.
        return (
            f"SELECT {_COLUMNS}, {kind.name}.flow_id FROM {kind.name} "  # noqa: S608 - constants
            f"JOIN job j ON j.number IN (SELECT w.number {waiting})"
        )
    lateral = f"(SELECT w.* {waiting}) j"
    return f"SELECT {_COLUMNS}, {kind.name}.flow_id FROM {kind.name} CROSS JOIN LATERAL {lateral}"  # noqa: S608 - constants

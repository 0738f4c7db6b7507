"""Whose turn it is in the line: deficit round robin by credits, between servers (pure).

A flow is a server, or a member in direct messages. Flows stand in a ring, by their `turn`; each may spend
`QUANTUM_CREDITS` a round, and what its next job does not fit into it keeps for the next one. So whoever fills
the line delays mostly themselves. Source: Shreedhar and Varghese, "Efficient Fair Queueing Using Deficit Round
Robin" (SIGCOMM 1995); as there, a flow that has nothing in line leaves the ring and loses what it had left.

The quantum is given when a flow joins the end of the ring, and it is the same for all at all times: by the
largest job in line, as the paper has it, two flows of one round could be given different amounts.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from db.gate_values import ServerTurn

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from db.gate_values import Owner, WaitingJob

# One 1024x1024 picture by the price table. Jobs that cost more wait for a few rounds.
QUANTUM_CREDITS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Shape: `turns` is the whole ring after it; `crowded` are members who may have no further job at kvid.

    `cut_off` when a flow ran out of those that were looked at, and may have more in line.
    """

    jobs: tuple[WaitingJob, ...]
    turns: tuple[ServerTurn, ...]
    crowded: frozenset[Owner]
    cut_off: bool


@dataclass(slots=True)
class _Flow:
    flow_id: int
    turn: int
    deficit_credits: int
    jobs: deque[WaitingJob] = field(default_factory=deque)
    cut_off: bool = False


def choose(
    heads: Sequence[WaitingJob],
    turns: Iterable[ServerTurn],
    *,
    running: Mapping[Owner, int],
    places: int,
    per_flow: int,
) -> Choice:
    """Give `places` to the jobs whose turn it is.

    Shape: `heads` are the first jobs of each flow, at most `per_flow` each, in order; `running` counts the
    jobs that each member has at kvid.
    """
    flows = _build_ring(heads, turns, per_flow)
    next_turn = max((flow.turn for flow in flows), default=0) + 1
    ring = deque(flows)
    counted = Counter(running)
    crowded: set[Owner] = set()
    chosen: list[WaitingJob] = []
    while ring and len(chosen) < places:
        flow = ring[0]
        job = _find_next(flow, counted, crowded)
        if job is None:
            ring.popleft()
        elif flow.deficit_credits >= job.cost_credits:
            flow.jobs.popleft()
            flow.deficit_credits -= job.cost_credits
            counted[job.owner] += 1
            chosen.append(job)
        else:
            flow.deficit_credits += QUANTUM_CREDITS
            flow.turn = next_turn
            next_turn += 1
            ring.rotate(-1)
    stay = [flow for flow in flows if flow.cut_off or _find_next(flow, counted, crowded) is not None]
    return Choice(
        jobs=tuple(chosen),
        turns=tuple(
            ServerTurn(flow_id=flow.flow_id, deficit_credits=flow.deficit_credits, turn=flow.turn)
            for flow in sorted(stay, key=lambda flow: flow.turn)
        ),
        crowded=frozenset(crowded),
        cut_off=any(flow.cut_off and not flow.jobs for flow in flows),
    )


def _build_ring(heads: Sequence[WaitingJob], turns: Iterable[ServerTurn], per_flow: int) -> list[_Flow]:
    """The flows that have jobs in line, the next first; who was not in the ring joins its end."""
    known = {turn.flow_id: turn for turn in turns}
    end = max((turn.turn for turn in known.values()), default=0)
    flows: dict[int, _Flow] = {}
    for job in sorted(heads, key=lambda head: head.number):
        flow = flows.get(job.flow_id)
        if flow is None:
            turn = known.get(job.flow_id)
            if turn is None:
                end += 1
                turn = ServerTurn(flow_id=job.flow_id, deficit_credits=QUANTUM_CREDITS, turn=end)
            flow = flows[job.flow_id] = _Flow(job.flow_id, turn.turn, turn.deficit_credits)
        flow.jobs.append(job)
    for flow in flows.values():
        flow.cut_off = len(flow.jobs) >= per_flow
    return sorted(flows.values(), key=lambda flow: (flow.turn, flow.flow_id))


def _find_next(flow: _Flow, running: Counter[Owner], crowded: set[Owner]) -> WaitingJob | None:
    """The flow's first job whose member may have one more at kvid; those before it are passed over."""
    while flow.jobs:
        job = flow.jobs[0]
        if running[job.owner] < job.running_max and job.owner not in crowded:
            return job
        # Once crowded, their later jobs wait too, whatever those say: a member's jobs keep their order.
        crowded.add(job.owner)
        flow.jobs.popleft()
    return None

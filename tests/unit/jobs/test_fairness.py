"""Turns in the line: equal shares of credits, nobody forgotten, no place left empty."""

from __future__ import annotations

import math
from collections import Counter
from itertools import count, pairwise
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from bot.jobs.fairness import QUANTUM_CREDITS, Choice, choose
from db.gate_values import ServerTurn, WaitingJob

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PER_FLOW = 8
COST_MAX = 32


def build(number: int, flow_id: int, cost: int = 8, user_id: int = 0, running_max: int = 99) -> WaitingJob:
    return WaitingJob(
        id=str(number),
        number=number,
        flow_id=flow_id,
        user_id=user_id or number,
        guild_id=flow_id,
        cost_credits=cost,
        running_max=running_max,
    )


class Line:
    """The line as the database would keep it between the choices."""

    def __init__(self, jobs: Iterable[WaitingJob] = ()) -> None:
        self.jobs = list(jobs)
        self.turns: tuple[ServerTurn, ...] = ()
        self.running: Counter[tuple[int, int]] = Counter()

    def heads(self, per_flow: int = PER_FLOW) -> list[WaitingJob]:
        seen: Counter[int] = Counter()
        heads = []
        for job in sorted(self.jobs, key=lambda one: one.number):
            if seen[job.flow_id] < per_flow:
                seen[job.flow_id] += 1
                heads.append(job)
        return heads

    def choose(self, places: int, per_flow: int = PER_FLOW) -> Choice:
        choice = choose(
            self.heads(per_flow), self.turns, running=self.running, places=places, per_flow=per_flow
        )
        self.turns = choice.turns
        for job in choice.jobs:
            self.jobs.remove(job)
            self.running[job.owner] += 1
        return choice


def numbers(jobs: Sequence[WaitingJob]) -> list[int]:
    return [job.number for job in jobs]


def test_a_flood_of_one_server_lets_the_others_in_between() -> None:
    flood = [build(number, 1) for number in range(500)]
    line = Line([*flood, *(build(500 + other, 2 + other) for other in range(10))])
    taken = [job for _ in range(21) for job in line.choose(1).jobs]
    assert [job.flow_id for job in taken[:11]] == [1, *range(2, 12)]
    assert numbers(taken[11:]) == list(range(1, 11))


def test_servers_take_turns_by_credits_not_by_pictures() -> None:
    cheap = [build(number, 1, cost=2) for number in range(100)]
    dear = [build(100 + number, 2, cost=8) for number in range(100)]
    line = Line([*cheap, *dear])
    spent: Counter[int] = Counter()
    for _ in range(50):
        for job in line.choose(1).jobs:
            spent[job.flow_id] += job.cost_credits
    assert abs(spent[1] - spent[2]) <= QUANTUM_CREDITS


def test_nothing_is_remembered_of_a_line_that_is_empty() -> None:
    line = Line([build(1, 1), build(2, 2)])
    assert numbers(line.choose(5).jobs) == [1, 2]
    assert line.turns == ()


def test_who_comes_back_joins_the_end_of_the_ring() -> None:
    line = Line([build(1, 1), *(build(number, 2) for number in range(2, 9))])
    line.choose(1)
    assert [turn.flow_id for turn in line.turns] == [2]
    line.jobs.append(build(20, 1))
    assert [job.flow_id for job in line.choose(2).jobs] == [2, 1]


def test_members_with_enough_at_kvid_are_passed_over_and_keep_their_order() -> None:
    crowd = [build(number, 1, user_id=5, running_max=2) for number in range(4)]
    line = Line([*crowd, build(9, 1, user_id=6)])
    choice = line.choose(5)
    assert numbers(choice.jobs) == [0, 1, 9]
    assert choice.crowded == {(5, 1)}
    assert line.choose(5).jobs == ()


def test_a_later_job_of_a_crowded_member_does_not_overtake() -> None:
    """The server allowed more at once after the first had been asked for."""
    line = Line([build(1, 1, user_id=5, running_max=1), build(2, 1, user_id=5, running_max=3)])
    line.running[(5, 1)] = 1
    assert line.choose(5).jobs == ()


def test_a_server_seen_in_part_keeps_its_turn() -> None:
    line = Line([build(number, 1, user_id=5, running_max=1) for number in range(PER_FLOW)])
    line.running[(5, 1)] = 1
    line.choose(1)
    assert [turn.flow_id for turn in line.turns] == [1]


def test_jobs_dearer_than_a_turn_wait_for_more_turns_and_get_their_share() -> None:
    dear = [build(number, 1, cost=COST_MAX) for number in range(20)]
    line = Line([*dear, *(build(100 + number, 2, cost=4) for number in range(200))])
    taken = [job for _ in range(90) for job in line.choose(1).jobs]
    spent = Counter({flow: sum(job.cost_credits for job in taken if job.flow_id == flow) for flow in (1, 2)})
    assert abs(spent[1] - spent[2]) <= COST_MAX + QUANTUM_CREDITS


COSTS = st.integers(0, COST_MAX)


@st.composite
def lines(draw: st.DrawFn) -> Line:
    flows = draw(st.lists(st.lists(st.tuples(COSTS, st.integers(1, 3)), max_size=12), min_size=1, max_size=5))
    order = count(1)
    maxima = {user: draw(st.integers(1, 3)) for user in (1, 2, 3)}
    return Line(
        build(next(order), flow, cost=cost, user_id=user, running_max=maxima[user])
        for flow, jobs in enumerate(flows, start=1)
        for cost, user in jobs
    )


@given(lines(), st.integers(0, 20))
def test_no_place_is_left_empty_while_somebody_may_take_it(line: Line, places: int) -> None:
    allowed: Counter[tuple[int, int]] = Counter()
    for job in line.jobs:
        allowed[job.owner] = min(allowed[job.owner] + 1, job.running_max)
    fitting = sum(allowed.values())
    choice = line.choose(places, per_flow=99)
    assert len(choice.jobs) == min(places, fitting)
    assert all(line.running[job.owner] <= job.running_max for job in choice.jobs)


@given(lines(), st.lists(st.integers(0, 4), max_size=30))
def test_each_member_is_served_in_the_order_of_asking(line: Line, rounds: list[int]) -> None:
    served: list[WaitingJob] = []
    for places in rounds:
        served += line.choose(places, per_flow=99).jobs
        line.running.clear()
    for owner in {job.owner for job in served}:
        mine = numbers([job for job in served if job.owner == owner])
        assert mine == sorted(mine)


@given(
    st.lists(st.lists(COSTS.filter(bool), min_size=1, max_size=4), min_size=2, max_size=5),
    st.lists(st.integers(1, 3), min_size=1, max_size=60),
)
def test_flows_that_always_have_jobs_get_equal_shares(costs: list[list[int]], rounds: list[int]) -> None:
    """Whatever their jobs cost, in whatever order, and however many places are free each time."""
    order = count(1)
    line, made, spent = Line(), Counter[int](), Counter[int]()
    for places in rounds:
        for flow, pattern in enumerate(costs):
            while sum(job.flow_id == flow for job in line.jobs) < PER_FLOW:
                cost = pattern[made[flow] % len(pattern)]
                made[flow] += 1
                line.jobs.append(build(next(order), flow, cost=cost))
        for job in line.choose(places).jobs:
            spent[job.flow_id] += job.cost_credits
        shares = [spent[flow] for flow in range(len(costs))]
        assert max(shares) - min(shares) <= COST_MAX + 2 * QUANTUM_CREDITS
        assert all(0 <= turn.deficit_credits < COST_MAX + QUANTUM_CREDITS for turn in line.turns)
        assert all(before.turn < after.turn for before, after in pairwise(line.turns))


@given(lines(), st.integers(1, 4))
def test_nobody_waits_for_more_than_the_rounds_their_job_needs(line: Line, places: int) -> None:
    """While a job waits at the head, every other flow spends at most its share of those rounds."""
    line.jobs.append(build(1000, 99, cost=COST_MAX))
    rounds = math.ceil(COST_MAX / QUANTUM_CREDITS)
    flows = len({job.flow_id for job in line.jobs})
    spent = 0
    for _ in range(200):
        jobs = line.choose(places, per_flow=99).jobs
        line.running.clear()
        if any(job.number == 1000 for job in jobs):
            break
        spent += sum(job.cost_credits for job in jobs)
    else:
        raise AssertionError("it never came")
    assert spent <= (flows - 1) * (rounds * QUANTUM_CREDITS + COST_MAX)

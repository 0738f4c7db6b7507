"""What is killed where: scenarios, the boundaries of each, and the outages that a new process may find.

Left out are transactions that belong to no job, and reads of Discord, which leave no trace anywhere. Every
boundary of the plain picture is tried with every engine and database; of the other scenarios, and before outages,
those that differ to the eye, and only from where a scenario goes ways of its own: up to there it is the same code in
the same state as the plain picture's. An outage meets a job, whatever holds it, so SQLite stands for all.
CRASH_MATRIX=full in the environment crosses every scenario and its outages with all of them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from itertools import chain as chained
from itertools import dropwhile, takewhile
from typing import TYPE_CHECKING

from tests.crash.chain import Case
from tests.crash.outages import (
    CHANNEL_GONE,
    FORBIDDEN,
    FORGOTTEN,
    MEMBER_LEFT,
    MESSAGES_GONE,
    PICTURE_GONE,
    TOKEN_DEAD,
)
from tests.crash.scenarios import CANCELLING, FAILING, IMAGINE, PRIVATE, REPLY
from tests.support import crashing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tests.crash.outages import Outage
    from tests.crash.scenarios import Scenario

# Of a server's first press, and of what is done now and then; not of a job.
_NOT_OF_JOBS = ("Policies.meet", "Timers.claim")
# Who may work on a job and who does: of no other scenario or outage is it different from the plain picture.
_ABOUT_OWNERS = ("Gate.admit", "Writes.adopt", " queue ")
_HARMLESS = (
    # A card that says how far a job is may be lost.
    "PATCH /api/v10/webhooks/*/*/messages/* #1",
    # To an outage a job of which kvid has not heard yet is one that was accepted.
    "committed Writes.advance submitting",
)
# Whether Discord is asked, or what its gateway told is enough, depends on how long the process has run.
_READS_OF_DISCORD = " GET /api/"


def choose_all(reached: Sequence[str]) -> list[str]:
    """Every boundary, but of the repeated questions to kvid only the first."""
    return [
        one
        for one in reached
        if not any(name in one for name in (*_NOT_OF_JOBS, _READS_OF_DISCORD, f"{crashing.NOTHING} #"))
        and (" GET " not in one or one.endswith(" #1"))
    ]


def choose_for(outage: Outage, reached: Sequence[str]) -> list[str]:
    """The states in which a job is there that this outage could meet."""
    states = [one for one in choose_states(reached) if not any(name in one for name in _HARMLESS)]
    # A worker knows of accepted jobs alone.
    accepted = (index for index, one in enumerate(states) if one.startswith("committed Jobs."))
    states = states[next(accepted, 0) :]
    until = outage.until
    return states if until is None else list(takewhile(lambda one: not one.startswith(until), states))


def choose_states(reached: Sequence[str]) -> list[str]:
    """One boundary for each state that a kill can leave: behind each commit, and each request that changes something.

    To the eye, what is `asked` but not taken, or `written` but not committed, is the state before it.
    """
    return [
        one
        for one in choose_all(reached)
        if one.startswith(("committed ", "taken "))
        and not any(name in one for name in (" GET ", *_ABOUT_OWNERS))
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Shape: `choose` picks the boundaries of the scenario alone; before each outage it is killed in every state.

    With `since`, and with `met_since` before outages, those ahead of the first that begins so are left out.
    """

    scenario: Scenario
    choose: Callable[[Sequence[str]], list[str]]
    outages: Sequence[Outage] = ()
    since: str = ""
    met_since: str = ""

    def check_names(self, listed: Iterable[Sequence[str]]) -> None:
        """A boundary that has another name now would leave out everything, and nobody would see it."""
        known = list(chained.from_iterable(listed))
        for since in (self.since, self.met_since):
            assert any(one.startswith(since) for one in known), (self.scenario.name, since)

    def list_cases(self, role: str, reached: Sequence[str]) -> list[Case]:
        plain = [
            Case(scenario=self.scenario, role=role, boundary=boundary)
            for boundary in _list_since(self.since, self.choose(reached))
        ]
        return plain + [
            Case(scenario=self.scenario, role=role, boundary=boundary, outage=outage)
            for outage in self.outages
            for boundary in _list_since(self.met_since, choose_for(outage, reached))
        ]


def _list_since(since: str, boundaries: Sequence[str]) -> list[str]:
    return list(dropwhile(lambda one: not one.startswith(since), boundaries))


_PLAIN = Plan(
    scenario=IMAGINE,
    choose=choose_all,
    outages=(TOKEN_DEAD, CHANNEL_GONE, FORBIDDEN, MEMBER_LEFT, FORGOTTEN, PICTURE_GONE),
)
_CANCELLING = Plan(scenario=CANCELLING, choose=choose_states)
EVERYTHING = (
    _PLAIN,
    Plan(
        scenario=PRIVATE,
        choose=choose_states,
        since="committed Writes.advance succeeded",
        outages=(TOKEN_DEAD, CHANNEL_GONE),
        met_since="committed Writes.advance succeeded",
    ),
    Plan(
        scenario=REPLY,
        choose=choose_states,
        outages=(TOKEN_DEAD, CHANNEL_GONE, MESSAGES_GONE, FORBIDDEN),
        # The note below it, of which every outage takes another end.
        met_since="taken POST /api/v10/channels/*/messages #1",
    ),
    Plan(
        scenario=FAILING,
        choose=choose_states,
        since="committed Writes.advance submitted",
        outages=(TOKEN_DEAD, CHANNEL_GONE, MEMBER_LEFT),
        met_since="committed Writes.advance submitted",
    ),
    _CANCELLING,
)
# What differs by engine and by database: the steps of a job, what a press and a failure write, who tells of it.
STEPS = (
    replace(_PLAIN, outages=()),
    Plan(scenario=FAILING, choose=choose_states, since="committed Writes.end failed"),
    _CANCELLING,
)


def choose_plans(plans: Sequence[Plan], roles: Sequence[str]) -> list[Plan]:
    """These plans, or everything at every boundary where CRASH_MATRIX=full asks for it."""
    if os.environ.get("CRASH_MATRIX") != "full":
        return list(plans)
    # The clock of a process that lives on cannot be moved.
    unmet = () if len(roles) == 1 else (TOKEN_DEAD,)
    return [
        replace(plan, since="", met_since="", outages=[one for one in plan.outages if one not in unmet])
        for plan in EVERYTHING
    ]

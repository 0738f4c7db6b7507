"""A scenario crossed with its boundaries: listed by one undisturbed run, then shared out among chains side by side.

Left out are transactions that belong to no job, and reads of Discord, which leave no trace anywhere.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from bot.credits import audit
from db.engine import Database
from sandbox.kvid.settings import KvidSettings
from tests.crash.books import find_problems, look
from tests.crash.chain import Case, Chain
from tests.crash.victim import ALL, Victim
from tests.support.cli import run_cli
from tests.support.servers import run_servers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from pathlib import Path

    from tests.crash.outages import Outage
    from tests.crash.scenarios import Scenario

# Long enough that the card says "making" before the picture is there.
RENDER_S = 0.5
# More than cores do no good: most of a case is the start of a process.
CHAINS = 3
# Of a server's first press, not of a job.
_NOT_OF_JOBS = ("Policies.meet",)
# Whether Discord is asked, or what its gateway told is enough, depends on how long the process has run.
_READS_OF_DISCORD = " GET /api/"


def choose_all(reached: Sequence[str]) -> list[str]:
    """Every boundary, but of the repeated questions to kvid only the first."""
    return [
        one
        for one in reached
        if not any(name in one for name in (*_NOT_OF_JOBS, _READS_OF_DISCORD))
        and (" GET " not in one or one.endswith(" #1"))
    ]


def choose_for(outage: Outage, reached: Sequence[str]) -> list[str]:
    """The states in which a job is there that this outage could meet."""
    states = choose_states(reached)
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
        one for one in choose_all(reached) if one.startswith(("committed ", "taken ")) and " GET " not in one
    ]


@asynccontextmanager
async def run_chain(
    url: str, folder: Path, roles: Sequence[str], settings: Mapping[str, Any]
) -> AsyncIterator[Chain]:
    """A chain that has started, with services of its own."""
    kvid = KvidSettings(render_s=RENDER_S, quick_pictures=True)
    database = Database(url)
    try:
        async with run_servers(kvid=kvid) as servers:
            victims = [Victim(servers, role, url, folder / role, **settings) for role in roles]
            chain = Chain(servers, database, url, victims)
            await chain.start()
            yield chain
    finally:
        await database.close()


async def run_matrix(
    scenario: Scenario,
    make_url: Callable[[], str],
    folder: Path,
    *,
    choose: Callable[[Sequence[str]], list[str]],
    outages: Sequence[Outage] = (),
    roles: Sequence[str] = (ALL,),
    chains: int = CHAINS,
) -> list[str]:
    """Kill a process at each chosen boundary of the scenario, and before each outage; everything that was wrong."""
    async with AsyncExitStack() as stack:

        async def open_chain(number: int) -> Chain:
            return await stack.enter_async_context(
                run_chain(make_url(), folder / f"chain-{number}", roles, scenario.settings)
            )

        first = await open_chain(0)
        reached = await first.list_boundaries(scenario)
        waiting = [
            *(
                Case(scenario=scenario, role=role, boundary=boundary)
                for role in roles
                for boundary in choose(reached[role])
            ),
            *(
                Case(scenario=scenario, role=role, boundary=boundary, outage=outage)
                for outage in outages
                for role in roles
                for boundary in choose_for(outage, reached[role])
            ),
        ][::-1]
        assert waiting

        async def work(number: int) -> list[str]:
            chain = first if number == 0 else await open_chain(number)
            while waiting:
                await chain.run(waiting.pop())
            return await check_chain(chain)

        found = await asyncio.gather(*map(work, range(chains)))
    return [problem for problems in found for problem in problems]


async def check_chain(chain: Chain) -> list[str]:
    """Judge every case once more, now that later processes had time to spoil it; then the ledger as a whole."""
    await chain.stop()
    problems = []
    for case in chain.cases:
        if case.corner is not None:
            problems += [f"{case.name}: {one}" for one in find_problems(case, await look(chain, case.corner))]
    code, said = await run_cli("ledger", "audit", DATABASE_URL=chain.url)
    if code != 0:
        problems.append(f"the ledger: {said}")
    assert (await chain.database.read(audit.find_differences) == []) is (code == 0)
    return problems

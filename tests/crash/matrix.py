"""Plans carried out: boundaries listed by an undisturbed run each, then shared out among chains."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from bot.credits import audit
from db.engine import Database
from sandbox.kvid.settings import KvidSettings
from tests.crash.books import find_problems, look
from tests.crash.chain import Case, Chain
from tests.crash.plans import Plan, choose_plans
from tests.crash.victim import ALL, LOOK_S, Victim
from tests.support.cli import run_cli
from tests.support.servers import run_servers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path


# Long enough that the card says "making" before the picture is there.
RENDER_S = 0.5
# A few more than cores do no harm: most of a case is the start of a process, and then a wait.
CHAINS = 4
# So that a second picture has to wait.
SETTINGS = {"KVID_CONCURRENCY": "1"}


@asynccontextmanager
async def run_chain(url: str, folder: Path, roles: Sequence[str]) -> AsyncIterator[Chain]:
    """A chain that has started, with services of its own."""
    kvid = KvidSettings(render_s=RENDER_S, quick_pictures=True)
    database = Database(url)
    try:
        async with run_servers(kvid=kvid) as servers:
            victims = [Victim(servers, role, url, folder / role, **SETTINGS) for role in roles]
            chain = Chain(servers, database, url, victims)
            try:
                await chain.start()
                yield chain
            finally:
                for victim in victims:
                    victim.kill()
    finally:
        await database.close()


async def run_matrix(
    plans: Sequence[Plan],
    make_url: Callable[[], str],
    folder: Path,
    *,
    roles: Sequence[str] = (ALL,),
    chains: int = CHAINS,
) -> str:
    """Kill a process of each role at each boundary of the plans; everything that was wrong afterwards, in lines."""
    unlisted, waiting, listing = choose_plans(plans, roles), list[Case](), 0

    async def work(number: int) -> list[str]:
        nonlocal listing
        async with run_chain(make_url(), folder / f"chain-{number}", roles) as chain:
            while unlisted or waiting or listing:
                if unlisted:
                    listing += 1
                    plan = unlisted.pop()
                    listed = await chain.list_boundaries(plan.scenario)
                    plan.check_names(listed.values())
                    for role, reached in listed.items():
                        waiting.extend(plan.list_cases(role, reached))
                    listing -= 1
                elif waiting:
                    await chain.run(waiting.pop())
                else:
                    await asyncio.sleep(LOOK_S)
            return await check_chain(chain)

    async with asyncio.TaskGroup() as group:
        found = [group.create_task(work(number)) for number in range(chains)]
    return "\n".join(problem for problems in found for problem in problems.result())


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

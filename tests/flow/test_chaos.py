"""Short runs under chaos, as `bench/chaos.py` makes long ones: nothing lost, nothing doubled, no amount adrift."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from db.enums import JobState
from sandbox.discord.settings import DiscordSettings
from sandbox.kvid.settings import KvidSettings
from tests.support.chaos import Chaos
from tests.support.chaos_plan import ALONE, FLEET, Plan
from tests.support.databases import run_restartable_postgres
from tests.support.servers import run_servers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.chaos import Result
    from tests.support.chaos_plan import Processes
    from tests.support.databases import PostgresProcess

TAKEOVER_MAX_S = 30.0
PLAN = Plan(
    jobs=30,
    members=15,
    guilds=4,
    kills=2,
    outages=1,
    requests_per_s=1.5,
    patience_s=3.0,
    rate=0.05,
    gateway_troubles=1,
    limit_s=120.0,
    rest_s=180.0,
    settings={"KVID_CONCURRENCY": "16"},
)
SMALL_FLEET = {"gateway": ("--role", "gateway", "--shards", "0-0/1")} | {
    name: FLEET[name] for name in ("worker-1", "worker-2")
}


@pytest.fixture
def restartable_postgres() -> Iterator[PostgresProcess]:
    """One of this test's own, since it is taken away."""
    folder = Path(tempfile.mkdtemp(prefix="kvid-bot-pg-"))
    try:
        with run_restartable_postgres(folder) as process:
            yield process
    finally:
        shutil.rmtree(folder)


async def run_chaos(
    folder: Path,
    url: str,
    processes: Processes,
    postgres: PostgresProcess | None = None,
) -> Result:
    kvid = KvidSettings(render_s=0.5, concurrency=64, prepared_pictures=True)
    # A busy machine may need longer than Discord gives it, and that is not what is shown here.
    discord = DiscordSettings(rate_limits_relaxed=True, acknowledge_within_s=15.0)
    async with run_servers(kvid=kvid, discord=discord) as servers:
        return await Chaos(PLAN, servers, url, folder, processes=processes, postgres=postgres).run()


def assert_unharmed(result: Result) -> None:
    assert result.report.findings == ()
    assert result.errors == []
    assert result.at_rest
    assert (result.kills, result.outages) == (2, 1)
    # It was a run worth looking at: most presses were taken in, and much went wrong.
    assert len(result.account.jobs) >= PLAN.jobs // 3
    assert result.report.ends.get(JobState.DELIVERED, 0) >= PLAN.jobs // 6
    assert sum(result.kvid["faults"].values()) > PLAN.jobs // 6
    assert sum(result.discord["faults"].values()) > PLAN.jobs // 6
    assert all(takeover_s < TAKEOVER_MAX_S for takeover_s in result.takeovers_s)


async def test_one_process_killed_again_and_again_loses_and_doubles_nothing(tmp_path: Path) -> None:
    assert_unharmed(await run_chaos(tmp_path, f"sqlite:///{tmp_path / 'chaos.db'}", ALONE))


async def test_a_fleet_whose_workers_and_database_die_loses_and_doubles_nothing(
    tmp_path: Path, restartable_postgres: PostgresProcess
) -> None:
    url = restartable_postgres.server.create("chaos")
    assert_unharmed(await run_chaos(tmp_path, url, SMALL_FLEET, restartable_postgres))

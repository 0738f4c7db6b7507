"""Many jobs under chaos, with the books of kvid, Discord and our ledger compared at the end.

Prints a table and ends with 1 when a job was lost or doubled, or an amount drifted. `--engine alone` is one
process on SQLite or PostgreSQL, `--engine fleet` two gateways and three workers on PostgreSQL.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import statistics
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.support.apart import run_servers_apart
from tests.support.books import Kind
from tests.support.chaos import Chaos
from tests.support.chaos_plan import ALONE, FLEET, Plan
from tests.support.databases import run_restartable_postgres
from tests.support.warm import WarmServer

if TYPE_CHECKING:
    from tests.support.chaos import Result

# Everything shares one machine here, so a press may wait longer for its acknowledgement than at Discord.
KVID, DISCORD = {"render_s": 0.5, "concurrency": 128}, {"acknowledge_within_s": 15.0}
SETTINGS = {"KVID_CONCURRENCY": "32", "MEMBER_DAILY_CREDITS": "100000"}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=("alone", "fleet"), default="fleet")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="postgresql")
    parser.add_argument(
        "--jobs",
        type=int,
        default=2_500,
        help="requests; about one in five finds intake closed or nobody there",
    )
    parser.add_argument("--members", type=int, default=200)
    parser.add_argument("--servers", type=int, default=20)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument(
        "--outages", type=int, default=2, help="restarts of PostgreSQL, or locks on SQLite's file"
    )
    parser.add_argument(
        "--rate", type=float, default=0.05, help="share of the requests that each kind of fault meets"
    )
    parser.add_argument(
        "--hang-rate", type=float, default=0.002, help="share of the submits that never finish"
    )
    parser.add_argument("--requests-per-s", type=float, default=6.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit-s", type=float, default=480.0)
    parser.add_argument("--keep", action="store_true", help="keep the logs and say where")
    return parser.parse_args()


async def run(arguments: argparse.Namespace, folder: Path) -> Result:
    plan = Plan(
        jobs=arguments.jobs,
        members=arguments.members,
        guilds=arguments.servers,
        kills=arguments.kills,
        gateway_kills=2 if arguments.engine == "fleet" else 0,
        outages=arguments.outages,
        requests_per_s=arguments.requests_per_s,
        rate=arguments.rate,
        hang_rate=arguments.hang_rate,
        empty_accounts=1,
        gateway_troubles=max(1, arguments.jobs // 200),
        seed=arguments.seed,
        limit_s=arguments.limit_s,
        rest_s=400.0,
        settings=SETTINGS,
    )
    processes = FLEET if arguments.engine == "fleet" else ALONE
    with ExitStack() as stack:
        postgres = None
        url = f"sqlite:///{folder / 'chaos.db'}"
        if arguments.database == "postgresql":
            place = Path(tempfile.mkdtemp(prefix="kvid-bot-pg-"))
            stack.callback(shutil.rmtree, place, ignore_errors=True)
            postgres = stack.enter_context(run_restartable_postgres(place))
            url = postgres.server.create("chaos")
        async with run_servers_apart(kvid=KVID, discord=DISCORD) as servers:
            await servers.set_session_starts(
                shards=2 if arguments.engine == "fleet" else 1, max_concurrency=2
            )
            return await Chaos(plan, servers, url, folder, processes=processes, postgres=postgres).run()


def render_faults(faults: dict[str, int]) -> str:
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(faults.items()))
    return f"{sum(faults.values())} ({kinds})"


def render(result: Result) -> str:
    report, seen = result.report, Counter(act.ended or "no end seen" for act in result.acts)
    takeovers = result.takeovers_s
    rows = [
        ("requests", f"{len(result.acts)} ({', '.join(f'{n} {how}' for how, n in seen.most_common())})"),
        ("jobs accepted", str(len(result.account.jobs))),
        *((f"  {end}", str(count)) for end, count in sorted(report.ends.items(), key=lambda one: -one[1])),
        ("faults of kvid", render_faults(result.kvid["faults"])),
        ("faults of Discord", render_faults(result.discord["faults"])),
        ("processes killed", str(result.kills)),
        ("database taken away", str(result.outages)),
        (
            "takeover, median",
            f"{statistics.median(takeovers):.1f} s ({len(takeovers)} kills)" if takeovers else "-",
        ),
        ("takeover, maximum", f"{max(takeovers):.1f} s" if takeovers else "-"),
        ("charged by kvid / settled", f"{report.kvid_charged_credits} / {report.settled_credits} credits"),
        ("unknown to us at kvid", f"{len(report.orphans)} jobs, {report.orphans_credits} credits"),
        ("posts that a nonce refused", str(report.nonce_repeats)),
        ("errors in the logs", str(len(result.errors))),
        ("requests took / all took", f"{result.requests_s:.0f} s / {result.total_s:.0f} s"),
        ("at rest at the end", "yes" if result.at_rest else "NO"),
        *((kind.value, str(report.count(kind))) for kind in Kind),
    ]
    lines = [f"| {name:<28} | {value}" for name, value in rows]
    lines += [
        f"  {finding.kind.value}: {finding.rule}: {finding.subject}" for finding in report.findings[:50]
    ]
    lines += [f"  error: {error}" for error in result.errors[:20]]
    return "\n".join(lines)


def main() -> int:
    arguments = parse_arguments()
    if arguments.engine == "fleet" and arguments.database == "sqlite":
        sys.exit("a fleet needs PostgreSQL")
    folder = Path(tempfile.mkdtemp(prefix="kvid-bot-chaos-"))
    try:
        result = asyncio.run(run(arguments, folder))
    finally:
        WarmServer.end()
        if arguments.keep:
            print(f"logs: {folder}")
        else:
            shutil.rmtree(folder)
    print(render(result))
    return int(bool(result.report.findings) or not result.at_rest)


if __name__ == "__main__":
    sys.exit(main())

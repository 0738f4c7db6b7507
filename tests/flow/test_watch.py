"""What an operator's monitoring sees of the running bot: ready, one picture through all stages, and one refusal."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.flow.conftest import only_sqlite
from tests.support.member import Member
from tests.support.process import run_bot
from tests.support.servers import run_servers
from tests.unit.test_health import sample

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.servers import Servers


PARTS = ("database", "migrations", "jobs", "gateway", "intake")


async def wait_until_ready(servers: Servers, here: str) -> dict[str, str]:
    """What `/readyz` says of the parts once all are: the gateway takes a moment to have every server."""
    async with asyncio.timeout(60):
        while True:
            async with servers.session.get(f"{here}/readyz") as answer:
                told = await answer.json()
                assert answer.status == (200 if told["ready"] else 503)
            if told["ready"]:
                parts: dict[str, str] = told["parts"]
                return parts
            assert [part for part, state in told["parts"].items() if state != "ok"] == ["gateway"]
            await asyncio.sleep(0.1)


@only_sqlite
async def test_readiness_metrics_and_the_line_of_a_job(
    database_url: str, tmp_path: Path, unused_tcp_port: int
) -> None:
    here = f"http://127.0.0.1:{unused_tcp_port}"
    async with (
        run_servers() as servers,
        run_bot(servers, database_url, tmp_path / "bot.log", HTTP_PORT=str(unused_tcp_port)) as bot,
    ):
        assert await wait_until_ready(servers, here) == dict.fromkeys(PARTS, "ok")
        member = await Member.join(servers)
        studio = member.channel("studio")
        await member.slash(studio, "imagine", prompt="clean room", width=256, height=256)
        await member.wait_for_result(studio)
        await servers.kvid_fault("submit", {"code": "SAFETY_CHECK_FAILED"})
        await member.slash(studio, "imagine", prompt="not so clean", width=256, height=256)
        await member.wait_for_text(studio, "safety filter")
        async with servers.session.get(f"{here}/metrics") as answer:
            shown = await answer.text()

    def read(name: str, **labels: str) -> float:
        found = sample(shown, f"kvid_bot_{name}", **labels)
        assert found is not None, name
        return found

    assert read("jobs_finished_total", state="delivered", failure="none") == 1
    assert read("jobs_finished_total", state="refused", failure="safety") == 1
    for stage in ("waiting", "submitting", "rendering", "fetching", "delivering", "total"):
        assert read("job_stage_seconds_sum", stage=stage) >= 0
    assert read("job_stage_seconds_sum", stage="rendering") > 0.1
    assert read("kvid_request_seconds_count", call="submit") == 2
    assert read("kvid_request_seconds_count", call="status") >= 1
    assert read("kvid_errors_total", call="submit", code="SAFETY_CHECK_FAILED") == 1
    assert read("discord_request_seconds_count", call="result") == 1
    assert (read("credits_settled"), read("credits_held"), read("ledger_drift")) == (1, 0, 0)
    assert read("jobs_open", state="reserved") == 0
    delivered, refused = bot.events("job.finished")
    assert (delivered["state"], delivered["credits"], delivered["failure"]) == ("delivered", 1, None)
    assert delivered["total_s"] >= delivered["rendering_s"] > 0.1
    assert (refused["state"], refused["failure"]) == ("refused", "safety")
    assert "clean" not in bot.log_text()

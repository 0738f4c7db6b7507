"""What the process tells over HTTP: alive, ready part by part, metrics."""

from __future__ import annotations

import asyncio
import math
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import aiohttp
import discord
import pytest
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from bot.clock import SystemClock
from bot.gauges import Gauges
from bot.health import HealthServer
from bot.jobs.states import ENDED
from bot.kvid.errors import KvidError, KvidRateLimited, KvidUnreachable
from bot.metered_kvid import MeteredKvid, name_code
from bot.metrics import Metrics
from bot.readiness import STUCK_S, Finding, Readiness, build_database_checks, find_gateway_trouble
from db import migrate
from db.engine import Database, run_once
from db.enums import OPEN, JobState
from tests.db.builders import build_job, store_reserved

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

READY = Finding(ready=True, parts={"database": "ok"})


@dataclass
class Asked:
    healthy: bool = True
    found: Finding = READY
    metrics: Metrics = field(default_factory=Metrics)

    def build(self, port: int = 0) -> HealthServer:
        async def find() -> Finding:
            return self.found

        async def render() -> bytes:
            return self.metrics.render()

        return HealthServer(
            "127.0.0.1", port, is_healthy=lambda: self.healthy, find_readiness=find, render_metrics=render
        )


@asynccontextmanager
async def serving(asked: Asked) -> AsyncIterator[tuple[int, aiohttp.ClientSession]]:
    server = asked.build()
    await server.stop()
    await server.start()
    assert server._runner is not None
    async with aiohttp.ClientSession() as session:
        yield server._runner.addresses[0][1], session
    await server.stop()


async def test_health_is_200_while_healthy_and_503_otherwise() -> None:
    asked = Asked()
    async with serving(asked) as (port, session):
        async with session.get(f"http://127.0.0.1:{port}/healthz") as answer:
            assert (answer.status, await answer.json()) == (200, {"healthy": True})
        asked.healthy = False
        async with session.get(f"http://127.0.0.1:{port}/healthz") as answer:
            assert answer.status == 503
        taken = asked.build(port)
        with pytest.raises(OSError, match="address already in use"):
            await taken.start()
        await taken.stop()


async def test_readiness_names_the_part_that_is_not_ready() -> None:
    asked = Asked()
    async with serving(asked) as (port, session):
        async with session.get(f"http://127.0.0.1:{port}/readyz") as answer:
            assert (answer.status, await answer.json()) == (200, {"ready": True, "parts": {"database": "ok"}})
        asked.found = Finding(ready=False, parts={"gateway": "not connected"})
        async with session.get(f"http://127.0.0.1:{port}/readyz") as answer:
            assert (answer.status, (await answer.json())["parts"]) == (503, {"gateway": "not connected"})


async def test_metrics_are_served_in_prometheus_form() -> None:
    asked = Asked()
    asked.metrics.job_finished(build_job(state=JobState.DELIVERED), {"total": 3.0})
    async with serving(asked) as (port, session), session.get(f"http://127.0.0.1:{port}/metrics") as answer:
        assert answer.headers["content-type"].startswith("text/plain")
        shown = await answer.text()
    assert sample(shown, "kvid_bot_jobs_finished_total", state="delivered", failure="none") == 1
    assert sample(shown, "kvid_bot_job_stage_seconds_sum", stage="total") == 3


def sample(shown: str, name: str, **labels: str) -> float | None:
    """The value of one sample; None where there is none."""
    for family in text_string_to_metric_families(shown):
        for found in family.samples:
            if found.name == name and found.labels == labels:
                return found.value
    return None


# --- readiness ---


async def test_a_part_that_fails_or_hangs_is_not_ready_and_the_others_are_asked_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fine() -> None:
        return None

    async def hang() -> None:
        await asyncio.Event().wait()

    async def fail() -> None:
        raise KeyError

    monkeypatch.setattr("bot.readiness.CHECK_TIMEOUT_S", 0.01)
    with capture_logs() as lines:
        found = await Readiness({"hangs": hang, "fine": fine, "fails": fail}).find()
    assert not found.ready
    assert found.parts["fine"] == "ok"
    assert "no answer" in found.parts["hangs"]
    assert "the log" in found.parts["fails"]
    assert [line["event"] for line in lines] == ["readiness.check_failed"]


async def test_many_parts_that_hang_take_no_longer_than_one() -> None:
    """A probe gives up after a few seconds, and then nobody reads which part it was."""
    arrived = asyncio.Barrier(3)

    async def wait_for_the_others() -> None:
        await arrived.wait()

    found = await Readiness(dict.fromkeys(("database", "migrations", "jobs"), wait_for_the_others)).find()
    assert found.ready


@dataclass
class Socket:
    open: bool = True


async def test_a_gateway_that_was_ready_once_and_is_cut_off_is_not_ready() -> None:
    """discord.py's own `is_ready` stays true then."""
    client = discord.AutoShardedClient(intents=discord.Intents.none())
    assert find_gateway_trouble(client) == "not connected to Discord's gateway"
    sockets = [Socket() for _ in range(3)]
    client._ready = asyncio.Event()
    client._ready.set()
    client._AutoShardedClient__shards = {  # type: ignore[attr-defined]
        number: SimpleNamespace(id=number, ws=ws) for number, ws in enumerate(sockets)
    }
    assert find_gateway_trouble(client) is None
    sockets[2].open = False
    assert find_gateway_trouble(client) == "connecting to Discord's gateway again: shards 2"


async def test_a_migrated_database_whose_jobs_move_is_ready(database: Database) -> None:
    readiness = Readiness(build_database_checks(database, SystemClock()))
    assert await readiness.find() == Finding(
        ready=True, parts={"database": "ok", "migrations": "ok", "jobs": "ok"}
    )


async def test_a_job_that_nobody_moves_is_named_by_its_state_and_age(database: Database) -> None:
    before = SystemClock().now() - timedelta(seconds=STUCK_S + 60)
    await database.transaction(lambda c: store_reserved(c, state=JobState.SUBMITTED, now=before))
    found = await Readiness(build_database_checks(database, SystemClock())).find()
    assert not found.ready
    assert "'submitted' has not moved for 24" in found.parts["jobs"]
    assert "kvid-bot jobs list" in found.parts["jobs"]


async def test_a_database_behind_the_code_is_not_ready(empty_database_url: str) -> None:
    migrate.upgrade(empty_database_url, "0001")
    database = Database(empty_database_url)
    found = await Readiness(build_database_checks(database, SystemClock())).find()
    await database.close()
    assert "kvid-bot db upgrade" in found.parts["migrations"]


async def test_an_unreachable_database_is_not_ready() -> None:
    database = Database("postgresql://u@127.0.0.1:1/n")
    found = await Readiness(build_database_checks(database, SystemClock())).find()
    await database.close()
    assert not found.ready
    assert set(found.parts.values()) == {"the database does not answer"}


# --- gauges ---


async def test_open_jobs_and_held_credits_are_counted_from_the_database(database: Database) -> None:
    metrics = Metrics()
    gauges = Gauges(metrics, database, SystemClock())
    before = SystemClock().now() - timedelta(seconds=50)
    await database.transaction(lambda c: store_reserved(c, now=before))
    await gauges.refresh()
    shown = metrics.render().decode()
    assert sample(shown, "kvid_bot_jobs_open", state="reserved") == 1
    assert {state for state in OPEN if sample(shown, "kvid_bot_jobs_open", state=state) is not None} == OPEN
    assert not OPEN & ENDED
    oldest = sample(shown, "kvid_bot_jobs_oldest_seconds", state="reserved")
    assert oldest is not None
    assert 50 <= oldest < 110
    assert sample(shown, "kvid_bot_credits_held") == 8
    assert sample(shown, "kvid_bot_database_up") == 1


async def test_a_database_that_is_away_leaves_no_old_numbers_behind(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.gauges.KEPT_S", 0.0)
    metrics, away = Metrics(), Database("postgresql://u@127.0.0.1:1/n")
    gauges = Gauges(metrics, database, SystemClock())
    await database.transaction(store_reserved)
    await gauges.refresh()
    monkeypatch.setattr(gauges, "_database", away)
    await gauges.refresh()
    await away.close()
    shown = metrics.render().decode()
    assert sample(shown, "kvid_bot_database_up") == 0
    assert sample(shown, "kvid_bot_jobs_open", state="reserved") is None
    for name in ("credits_held", "credits_settled", "kvid_gate_window_jobs", "ledger_drift"):
        assert math.isnan(sample(shown, f"kvid_bot_{name}") or 0), name


async def test_a_ledger_that_does_not_agree_is_an_alert(database: Database, database_url: str) -> None:
    metrics = Metrics()
    gauges = Gauges(metrics, database, SystemClock())
    await database.transaction(store_reserved)
    await gauges.prove_ledger()
    assert sample(metrics.render().decode(), "kvid_bot_ledger_drift") == 0
    run_once(database_url, lambda c: c.exec_driver_sql("UPDATE balance SET held_credits = held_credits + 1"))
    with capture_logs() as lines:
        await gauges.prove_ledger()
    assert (sample(metrics.render().decode(), "kvid_bot_ledger_drift") or 0) > 0
    assert [line["event"] for line in lines] == ["ledger.drifted"]


# --- kvid ---


class Broken:
    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error

    async def _answer(self, _argument: object) -> Any:
        if self.error is not None:
            raise self.error

    submit = fetch_status = fetch_result = download = _answer


async def test_each_call_to_kvid_is_timed_and_its_failures_are_counted_by_code() -> None:
    metrics, broken = Metrics(), Broken()
    kvid = MeteredKvid(broken, metrics, SystemClock())
    await kvid.download("https://cdn.example/1.jpg")
    broken.error = KvidRateLimited(code="RATE_LIMITED", http_status=429)
    request: Any = None
    for call in (kvid.submit(request), kvid.fetch_status("1"), kvid.fetch_result("1")):
        with pytest.raises(KvidRateLimited):
            await call
    shown = metrics.render().decode()
    for call_name, failed in (("submit", 1), ("status", 1), ("result", 1), ("download", None)):
        assert sample(shown, "kvid_bot_kvid_request_seconds_count", call=call_name) == 1
        assert sample(shown, "kvid_bot_kvid_errors_total", call=call_name, code="RATE_LIMITED") == failed


def test_a_code_that_no_contract_names_becomes_no_label() -> None:
    assert name_code(KvidError(code="<script>", http_status=502)) == "HTTP 502"
    assert name_code(KvidError(code="x" * 500, http_status=99_999)) == "KvidError"
    assert name_code(KvidUnreachable(request_sent=False)) == "KvidUnreachable"

"""Charts are drawn by a process of their own, which costs nothing while nobody asks and can fail alone."""

from __future__ import annotations

import asyncio
import io
import os
import struct
import subprocess
import sys
import tempfile
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import structlog

from bot.charts import ReportChart, ReportDay, UsageChart
from bot.charts import painter as painter_module
from bot.charts.draw import draw_report_chart, draw_usage_chart
from bot.charts.painter import ASKERS_MAX, Painter
from bot.charts.values import REPORT_DAYS_MAX
from bot.charts.wire import ANSWER_BYTES_MAX, ANSWER_HEAD, REQUEST_BYTES_MAX, build_request, read_request
from bot.charts.worker import serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

TODAY = date(2026, 11, 23)
USAGE = UsageChart(days=[(TODAY - timedelta(days=n), n) for n in range(30)], today=TODAY, limit_credits=30)
REPORT = ReportChart(days=[ReportDay(day=TODAY, delivered=3, failed=2, refused=1, credits=40)])
# Stands in for the worker where its drawing does not matter: answers each line with its own process id.
ECHO = """
import os, struct, sys
for line in sys.stdin.buffer:
    data = str(os.getpid()).encode()
    sys.stdout.buffer.write(struct.pack(">cI", b"P", len(data)) + data)
    sys.stdout.buffer.flush()
"""


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.fixture
async def build() -> AsyncIterator[Callable[..., Painter]]:
    """Painters that are stopped at the end; `script` stands in for the worker."""
    built: list[Painter] = []

    def make(script: str | None = None, *, answer_timeout_s: float = 30.0, idle_s: float = 60.0) -> Painter:
        if script is None:
            built.append(Painter(answer_timeout_s=answer_timeout_s, idle_s=idle_s))
        else:
            command = (sys.executable, "-c", script)
            built.append(Painter(command=command, answer_timeout_s=answer_timeout_s, idle_s=idle_s))
        return built[-1]

    yield make
    for painter in built:
        await painter.stop()


async def test_the_process_draws_what_would_be_drawn_here(build: Callable[..., Painter]) -> None:
    painter = build()
    assert await painter.draw(USAGE) == draw_usage_chart(USAGE.days, limit_credits=30, today=TODAY)
    assert await painter.draw(REPORT) == draw_report_chart(REPORT.days)


async def test_a_container_without_a_home_gets_its_charts(
    build: Callable[..., Painter], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is kept outside the worker's own folder, which goes when the painter stops."""
    monkeypatch.setenv("HOME", "/nonexistent")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    painter = build()
    assert await painter.draw(USAGE)
    [folder] = names_in(tmp_path)
    assert folder.startswith("kvid-bot-charts-")
    await painter.stop()
    assert names_in(tmp_path) == []


def test_the_bot_does_not_load_the_plotting_library() -> None:
    code = (
        "import sys, bot.app, bot.charts.painter; print('matplotlib' in sys.modules, 'numpy' in sys.modules)"
    )
    said = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert said.stdout.split() == ["False", "False"]


async def test_the_worker_sees_no_secret(
    build: Callable[..., Painter], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", "secret")
    tell = ECHO.replace("str(os.getpid())", "' '.join(os.environ)")
    names = ((await build(tell).draw(USAGE)) or b"").decode().split()
    assert "DISCORD_TOKEN" not in names
    assert "MPLCONFIGDIR" in names


async def test_charts_in_a_row_share_one_process(build: Callable[..., Painter]) -> None:
    painter = build(ECHO)
    answers = await asyncio.gather(*(painter.draw(USAGE) for _ in range(ASKERS_MAX)))
    assert len(set(answers)) == 1


async def test_an_idle_worker_ends_and_the_next_chart_starts_another(build: Callable[..., Painter]) -> None:
    painter = build(ECHO, idle_s=0.0)
    first = int(await painter.draw(USAGE) or 0)
    worker = painter._worker
    assert worker is not None
    assert await asyncio.wait_for(worker.wait(), 10) == 0
    second = int(await painter.draw(USAGE) or 0)
    assert first != second != 0


async def test_a_chart_asked_for_while_the_idle_worker_leaves_is_drawn(build: Callable[..., Painter]) -> None:
    painter = build(ECHO)
    await painter.draw(USAGE)
    painter._let_go()
    assert await painter.draw(USAGE)


async def test_a_worker_is_replaced_after_many_charts(
    build: Callable[..., Painter], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(painter_module, "CHARTS_PER_WORKER_MAX", 2)
    painter = build(ECHO)
    answers = [await painter.draw(USAGE) for _ in range(4)]
    assert answers[0] == answers[1] != answers[2] == answers[3]


HEAD_TOO_LONG = struct.pack(">cI", b"P", ANSWER_BYTES_MAX + 1)


@pytest.mark.parametrize(
    ("script", "event"),
    [
        ("raise SystemExit(1)", "chart.lost"),
        ("import sys; sys.stdin.readline()", "chart.lost"),
        ("import sys; sys.stdin.readline(); sys.stdout.write('P')", "chart.lost"),
        (f"import sys; sys.stdin.readline(); sys.stdout.buffer.write({HEAD_TOO_LONG!r})", "chart.lost"),
        ("import struct, sys; sys.stdout.buffer.write(struct.pack('>cI', b'F', 3) + b'why')", "chart.failed"),
    ],
)
async def test_a_worker_that_fails_costs_the_picture_alone(
    build: Callable[..., Painter], script: str, event: str
) -> None:
    painter = build(script)
    with structlog.testing.capture_logs() as logs:
        assert await painter.draw(USAGE) is None
    assert [entry["event"] for entry in logs] == [event]
    assert painter._worker is None


async def test_a_worker_that_hangs_is_ended(build: Callable[..., Painter]) -> None:
    painter = build("import sys\nwhile True: sys.stdin.readline()", answer_timeout_s=0.05)
    with structlog.testing.capture_logs() as logs:
        assert await painter.draw(USAGE) is None
    assert "TimeoutError" in logs[0]["error"]
    assert painter._worker is None


async def test_a_program_that_cannot_start_costs_the_picture_alone() -> None:
    painter = Painter(command=("/nonexistent/python",))
    with structlog.testing.capture_logs() as logs:
        assert await painter.draw(USAGE) is None
    assert logs[0]["event"] == "chart.lost"
    await painter.stop()


async def test_a_machine_without_a_writable_folder_costs_the_picture_alone(
    build: Callable[..., Painter], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nonexistent")
    with structlog.testing.capture_logs() as logs:
        assert await build(ECHO).draw(USAGE) is None
    assert logs[0]["event"] == "chart.lost"


async def test_an_asker_who_leaves_does_not_get_the_next_one_their_picture(
    build: Callable[..., Painter],
) -> None:
    painter = build(ECHO)
    first = await painter.draw(USAGE)
    leaving = asyncio.ensure_future(painter.draw(USAGE))
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert await painter.draw(USAGE) not in {first, None}


async def test_only_so_many_may_wait(build: Callable[..., Painter]) -> None:
    painter = build("import sys\nwhile True: sys.stdin.readline()")
    waiting = [asyncio.ensure_future(painter.draw(USAGE)) for _ in range(ASKERS_MAX)]
    await asyncio.sleep(0)
    with structlog.testing.capture_logs() as logs:
        assert await painter.draw(USAGE) is None
        assert logs[0]["event"] == "chart.skipped"
        await painter.stop()
        assert await asyncio.gather(*waiting) == [None] * ASKERS_MAX
        assert await painter.draw(USAGE) is None


async def test_what_cannot_be_drawn_starts_nothing(build: Callable[..., Painter]) -> None:
    painter = build()
    wrong = UsageChart(days=[(TODAY, -1)], today=TODAY)
    with pytest.raises(ValueError, match="-1"):
        await painter.draw(wrong)
    with pytest.raises(ValueError, match="too large"):
        await painter.draw(UsageChart(days=[], today=TODAY, limit_credits=10**5000))
    assert painter._worker is None
    assert painter._folder is None


def test_the_largest_request_fits_the_line_the_worker_reads() -> None:
    large = [
        ReportDay(day=TODAY - timedelta(days=n), delivered=most, failed=most, refused=most, credits=most)
        for most in [2**63 - 1]
        for n in range(REPORT_DAYS_MAX)
    ]
    assert len(build_request(ReportChart(days=large))) < REQUEST_BYTES_MAX
    assert len(draw_report_chart(large)) < ANSWER_BYTES_MAX


def test_a_request_reads_as_it_was_written() -> None:
    assert read_request(build_request(REPORT)) == REPORT
    back = read_request(build_request(USAGE))
    assert isinstance(back, UsageChart)
    assert list(back.days) == sorted(USAGE.days)
    assert (back.today, back.limit_credits) == (TODAY, 30)


def test_a_wrong_request_is_answered_with_its_trace_and_the_next_one_drawn() -> None:
    answers = io.BytesIO()
    serve(io.BytesIO(b"{}\n" + build_request(USAGE) + build_request(REPORT)), answers)
    answers.seek(0)
    kinds, last = [], b""
    while head := answers.read(ANSWER_HEAD.size):
        kind, size = ANSWER_HEAD.unpack(head)
        data = answers.read(size)
        kinds.append(kind)
        last = last or data
    assert kinds == [b"F", b"P", b"P"]
    assert b"KeyError" in last


def test_the_worker_ends_with_its_input() -> None:
    """Also when the bot is killed: nobody is left to end it then."""
    environment = {**os.environ, "MPLBACKEND": "agg"}
    ended = subprocess.run(
        [sys.executable, "-m", "bot.charts.worker"],
        input=b"",
        capture_output=True,
        check=True,
        timeout=60,
        env=environment,
        cwd=Path(__file__).parents[2],
    )
    assert ended.stdout == b""

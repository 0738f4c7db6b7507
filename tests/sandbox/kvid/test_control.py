"""The control endpoints and the command line."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp.test_utils import make_mocked_request

from sandbox.__main__ import main
from sandbox.kvid.contract import ApiError
from sandbox.kvid.control import check_loopback

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

    from tests.sandbox.kvid.conftest import Caller


async def test_the_books_tell_every_job_with_what_was_asked(kvid: Caller) -> None:
    data = await kvid.make(prompt="무대", seed=5, num_images=2)
    books = await kvid.books()
    job = books["jobs"][0]
    assert job["parameters"]["prompt"] == "무대"
    assert (job["seed"], job["status"], job["charged_credits"]) == (5, "completed", 2)
    assert len(job["images"]) == 2
    assert job["job_id"] == data["job_id"]
    assert books["submits"] == 1


async def test_settings_change_at_run_time(start: Callable[..., Any]) -> None:
    kvid = await start(concurrency=1, render_s=30)
    for _ in range(3):
        await kvid.submit()
    answer = await kvid.control(
        "settings",
        {
            "concurrency": 2,
            "balance_credits": 10,
            "render_s": 0.5,
            "api_keys": ["new"],
            "requests_per_s": 50.5,
        },
    )
    assert answer.status == 200
    books = await kvid.books()
    assert (books["rendering"], books["waiting"], books["balance_credits"]) == (2, 1, 10)
    assert (await kvid.submit()).error == (403, "FORBIDDEN")


@pytest.mark.parametrize(
    "body",
    [{"concurrency": 0}, {"concurrency": 1.5}, {"concurrency": True}, {"seed": 1}, {"api_keys": []}, {"api_keys": [1]},
     {"render_s": "1"}, {"held": 1}, [], 5],
)  # fmt: skip
async def test_settings_that_make_no_sense_are_refused_and_change_nothing(kvid: Caller, body: Any) -> None:
    assert (await kvid.control("settings", body)).error == (400, "INVALID_PARAMETERS")
    assert (await kvid.submit()).status == 200


async def test_what_is_held_gets_done_when_it_is_let_go(start: Callable[..., Any]) -> None:
    kvid = await start(render_s=0, concurrency=1)
    done = (await kvid.make())["job_id"]
    await kvid.control("settings", {"held": True})
    held, waiting = [(await kvid.submit()).data["job_id"] for _ in range(2)]
    for _ in range(20):
        states = [(await kvid.status(one)).data["status"] for one in (done, held, waiting)]
        assert states == ["completed", "processing", "queued"]
        await asyncio.sleep(0.005)
    await kvid.control("settings", {"held": False})
    for one in (held, waiting):
        assert (await kvid.wait(one))["status"] == "completed"


async def test_a_control_body_that_is_no_json_is_refused(kvid: Caller) -> None:
    assert (await kvid.call("POST", "/control/fault", data=b"{")).error == (400, "INVALID_PARAMETERS")


async def test_a_reset_forgets_jobs_faults_and_charges(start: Callable[..., Any]) -> None:
    kvid = await start(concurrency=1, render_s=30)
    for _ in range(2):
        await kvid.submit()
    await kvid.control("fault", {"fault": "drop"})
    assert (await kvid.control("reset", {})).status == 200
    books = await kvid.books()
    assert (books["jobs"], books["balance_credits"], books["submits"], books["waiting"]) == (
        [],
        100_000,
        0,
        0,
    )
    assert (await kvid.submit()).status == 200


@pytest.mark.parametrize(
    ("address", "is_let_in"), [("127.0.0.1", True), ("::1", True), ("10.0.0.7", False), ("", False)]
)
async def test_control_is_for_callers_on_this_machine_alone(address: str, is_let_in: bool) -> None:  # noqa: FBT001 - a parametrized case
    request = make_mocked_request("GET", "/control/books").clone(remote=address)
    if is_let_in:
        check_loopback(request)
        return
    with pytest.raises(ApiError) as refused:
        check_loopback(request)
    assert refused.value.code == "NOT_FOUND"


async def _start_process(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "sandbox",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
async def test_the_process_says_its_address_and_leaves_quietly_when_told_to(stop: signal.Signals) -> None:
    process = await _start_process(
        "kvid", "--port", "0", "--render-s", "0.1", "--api-key", "a", "--quick-pictures"
    )
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), 20)
    assert line.startswith(b"Local kvid: http://127.0.0.1:")
    process.send_signal(stop)
    out, errors = await asyncio.wait_for(process.communicate(), 20)
    assert (process.returncode, out, errors) == (0, b"", b"")


def test_a_taken_port_is_said_in_one_line_with_the_option_that_changes_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        assert main(["kvid", "--port", str(port)]) == 1
    signal.signal(signal.SIGTERM, handler)
    assert capsys.readouterr().err == f"Port {port} is taken; choose another with --port.\n"


@pytest.mark.parametrize(
    "arguments", [["kvid", "--concurrency", "0"], ["kvid", "--port", "65536"], ["kvid", "--port", "x"], []]
)
def test_a_command_line_that_makes_no_sense_ends_with_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    signal.signal(signal.SIGTERM, handler)
    assert ended.value.code == 2
    assert capsys.readouterr().err


async def test_a_bug_is_answered_in_the_contracts_shape_and_logged(
    kvid: Caller, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def break_down(_: Any) -> web.Response:
        raise RuntimeError

    monkeypatch.setattr("sandbox.kvid.server.build_success", break_down)
    assert (await kvid.submit()).error == (500, "SERVER_ERROR")
    assert "request.failed" in caplog.text

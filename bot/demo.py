"""`kvid-bot demo`: a local kvid, a local Discord and the bot, watched over until Ctrl-C.

Three processes of their own, as they would run apart; this one only starts, watches and ends them. Their
output goes to files in a folder that is made anew each time.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

FOLDER = Path(".demo")
READY_TIMEOUT_S = 30.0
LOOK_INTERVAL_S = 0.1
STOP_TIMEOUT_S = 10.0
# Keys of the local services only; they open nothing else.
LOCAL_TOKEN = "local-discord-token"  # noqa: S105 - see above
LOCAL_KEY = "local-kvid-key"


class DemoFailed(Exception):
    """One line for the terminal: what happened and what to do."""


def run_demo(*, discord_port: int, kvid_port: int) -> int:
    """Exit code 0 after Ctrl-C, 1 with one line when something could not start or ended by itself."""
    with _own_terminal():
        return _run(discord_port, kvid_port)


def _run(discord_port: int, kvid_port: int) -> int:
    # A stop signal must reach the code below, not end this process over its children. SIGHUP: a closed window.
    # SIGINT too: a script's background jobs begin with it ignored, and then Python leaves it so.
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, _interrupt)
    running: list[subprocess.Popen[bytes]] = []
    try:
        _demo(running, discord_port, kvid_port)
    except DemoFailed as failed:
        print(f"kvid-bot: {failed}", file=sys.stderr)  # noqa: T201 - the command's output
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(name, signal.SIG_IGN)
        _stop(running)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextlib.contextmanager
def _own_terminal() -> Iterator[None]:
    """Have Ctrl-C reach this process alone: make would take it for a failure and exit with 130.

    Only where another process leads the terminal's foreground; nothing is changed for a job in the background,
    without a terminal, or when the shell started this process itself.
    """
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        yield
        return
    group = os.getpgrp()
    try:
        if group == os.getpid() or os.tcgetpgrp(terminal) != group:
            yield
            return
        # SIGTTOU: a group in the background may not take the terminal otherwise. SIGTSTP: the shell waits for
        # make, so a demo stopped by Ctrl-Z could not be brought back.
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        signal.signal(signal.SIGTSTP, signal.SIG_IGN)
        os.setpgid(0, 0)
        os.tcsetpgrp(terminal, os.getpgrp())
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                os.tcsetpgrp(terminal, group)
    finally:
        os.close(terminal)


def _demo(running: list[subprocess.Popen[bytes]], discord_port: int, kvid_port: int) -> NoReturn:
    for port, name in ((discord_port, "DISCORD_PORT"), (kvid_port, "KVID_PORT")):
        _check_free(port, name)
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    page = f"http://127.0.0.1:{discord_port}"
    python = [sys.executable, "-m"]
    running.append(_start("kvid", [*python, "sandbox", "kvid", "--port", str(kvid_port)], {}))
    running.append(_start("discord", [*python, "sandbox", "discord", "--port", str(discord_port)], {}))
    _wait_until(running, lambda: _answers(page) is not None and _listens(kvid_port))
    environment = {
        "DISCORD_TOKEN": LOCAL_TOKEN,
        "DISCORD_API_BASE": f"{page}/api/v10",
        "KVID_API_KEY": LOCAL_KEY,
        "KVID_BASE_URL": f"http://127.0.0.1:{kvid_port}",
        "DATABASE_URL": f"sqlite:///{FOLDER}/kvid-bot.db",
        "HTTP_PORT": "0",
        "LOG_FORMAT": "json",
    }
    running.append(_start("bot", [*python, "bot", "run"], environment))
    _wait_until(running, lambda: bool((_answers(page) or {}).get("bot_online")))
    print(f"kvid-bot is ready: open {page} and type /imagine (Ctrl-C ends it)", flush=True)  # noqa: T201 - output
    _watch(running)


def _watch(running: list[subprocess.Popen[bytes]]) -> NoReturn:
    while True:
        _check_alive(running)
        time.sleep(LOOK_INTERVAL_S * 5)


def _check_free(port: int, name: str) -> None:
    with socket.socket() as probe:
        # As the servers do it: a port that only lingers after an earlier run is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise DemoFailed(
                f"port {port} is taken; choose another one: make demo {name}={port + 10}"
            ) from None


def _start(name: str, command: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    # A session of its own: Ctrl-C goes to this process alone, which then ends the others in order.
    with (FOLDER / f"{name}.log").open("wb") as output:
        return subprocess.Popen(  # noqa: S603 - our own programs
            command,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _wait_until(running: list[subprocess.Popen[bytes]], ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while not ready():
        _check_alive(running)
        if time.monotonic() > deadline:
            raise DemoFailed(f"not ready after {READY_TIMEOUT_S:.0f} s; see the files in {FOLDER}/")
        time.sleep(LOOK_INTERVAL_S)


def _check_alive(running: list[subprocess.Popen[bytes]]) -> None:
    for process, name in zip(running, ("kvid", "discord", "bot"), strict=False):
        if process.poll() is not None:
            lines = (FOLDER / f"{name}.log").read_text("utf-8", "replace").strip().splitlines()
            last = lines[-1][:300] if lines else "no output"
            raise DemoFailed(f"{name} ended by itself ({last}); see {FOLDER}/{name}.log")


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _answers(page: str) -> dict[str, object] | None:
    """The page's state as any member sees it, or None while it does not answer."""
    try:
        with urllib.request.urlopen(f"{page}/page/state", timeout=2) as answer:  # noqa: S310 - loopback
            state = json.load(answer)
    except (OSError, ValueError):
        return None
    return state if isinstance(state, dict) else None


def _stop(running: list[subprocess.Popen[bytes]]) -> None:
    """The bot first, so that it says goodbye to a Discord that still answers."""
    for process in reversed(running):
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

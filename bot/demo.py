"""`kvid-bot demo`: a local kvid, a local Discord and the bot, watched over until Ctrl-C.

Three processes of their own, as they would run apart; this one only starts, watches and ends them. They work
in a folder that is made anew each time and hold none of the operator's settings, so the demo is the same
everywhere.
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

from bot.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

FOLDER = Path(".demo")
PROJECT = Path(__file__).resolve().parent.parent
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
    # One folder a page: a second demo beside the first must not take its files away.
    processes = _Processes(FOLDER / str(discord_port))
    try:
        _demo(processes, discord_port, kvid_port)
    except DemoFailed as failed:
        print(f"kvid-bot: {failed}", file=sys.stderr)  # noqa: T201 - the command's output
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(name, signal.SIG_IGN)
        processes.stop()


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


def _demo(processes: _Processes, discord_port: int, kvid_port: int) -> NoReturn:
    for port, name in ((discord_port, "DISCORD_PORT"), (kvid_port, "KVID_PORT")):
        _check_free(port, name)
    processes.clear_folder()
    page = f"http://127.0.0.1:{discord_port}"
    processes.start("kvid", ["sandbox", "kvid", "--port", str(kvid_port)], {})
    processes.start("discord", ["sandbox", "discord", "--port", str(discord_port)], {})
    processes.wait_until(lambda: _answers(page) is not None and _listens(kvid_port))
    settings = {
        "DISCORD_TOKEN": LOCAL_TOKEN,
        "DISCORD_API_BASE": f"{page}/api/v10",
        "KVID_API_KEY": LOCAL_KEY,
        "KVID_BASE_URL": f"http://127.0.0.1:{kvid_port}",
        "DATABASE_URL": "sqlite:///kvid-bot.db",
        "HTTP_PORT": "0",
        "LOG_FORMAT": "json",
    }
    processes.start("bot", ["bot", "run"], settings)
    processes.wait_until(lambda: bool((_answers(page) or {}).get("bot_online")))
    print(f"kvid-bot is ready: open {page} and type /imagine (Ctrl-C ends it)", flush=True)  # noqa: T201 - output
    processes.watch()


class _Processes:
    """What the demo started, in order; each writes to a file of its own in `folder`, where it also works."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: list[tuple[str, subprocess.Popen[bytes]]] = []

    def clear_folder(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        try:
            self._folder.mkdir(parents=True)
        except OSError as error:
            raise DemoFailed(
                f"the folder {self._folder} cannot be made anew ({error.strerror}); remove it, or start elsewhere"
            ) from None

    def start(self, name: str, module: list[str], settings: dict[str, str]) -> None:
        # A session of its own: Ctrl-C goes to this process alone, which then ends the others in order.
        with (self._folder / f"{name}.log").open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - our own programs
                [sys.executable, "-m", *module],
                # Not where the demo was started: the operator's .env may lie there.
                cwd=self._folder,
                env=_environment() | settings,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._running.append((name, process))

    def wait_until(self, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not ready():
            self._check_alive()
            if time.monotonic() > deadline:
                raise DemoFailed(f"not ready after {READY_TIMEOUT_S:.0f} s; see the files in {self._folder}/")
            time.sleep(LOOK_INTERVAL_S)

    def watch(self) -> NoReturn:
        while True:
            self._check_alive()
            time.sleep(LOOK_INTERVAL_S * 5)

    def stop(self) -> None:
        """The bot first, so that it says goodbye to a Discord that still answers."""
        for _, process in reversed(self._running):
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _check_alive(self) -> None:
        for name, process in self._running:
            if process.poll() is not None:
                written = self._folder / f"{name}.log"
                lines = written.read_text("utf-8", "replace").strip().splitlines()
                last = lines[-1][:300] if lines else "no output"
                raise DemoFailed(f"{name} ended by itself ({last}); see {written}")


def _environment() -> dict[str, str]:
    """What this process inherited, without any setting of the bot, for a process in another folder."""
    settings = {name.upper() for name in Settings.model_fields}
    # Upper-cased: the settings are read whatever their case.
    inherited = {name: value for name, value in os.environ.items() if name.upper() not in settings}
    path = inherited.get("PYTHONPATH")
    folders = [str(Path(folder).absolute()) for folder in path.split(os.pathsep)] if path else []
    return inherited | {"PYTHONPATH": os.pathsep.join([str(PROJECT), *folders])}


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


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _answers(page: str) -> dict[str, object] | None:
    """The page's state as any member sees it, or None while it does not answer."""
    # A proxy of the operator's must not be asked for this machine's own address.
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"{page}/page/state", timeout=2) as answer:
            state = json.load(answer)
    except (OSError, ValueError):
        return None
    return state if isinstance(state, dict) else None

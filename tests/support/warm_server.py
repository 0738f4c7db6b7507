"""One process that has imported the bot, and becomes it again and again: each start is a fork of this one.

Imports are most of what a start costs. Owns the fork's arguments, environment, folder and outputs, which are
those of a fresh process; what Python reads at its own start (PYTHONPATH) would come too late.

`python -m tests.support.warm_server SOCKET` serves until its input ends. A request is one JSON line with the
descriptors for output and errors beside it; answers are a line with the pid and, at its end, the exit code.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from typing import Any

import coverage

from tests.support.measured import CONFIG

REQUEST_BYTES_MAX = 1_000_000
BACKLOG = 32
IMPORTED = ("bot.app", "bot.check", "bot.cli_credits", "bot.jobs.engines.procrastinate", "psycopg", "sqlite3")


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What a fork is to do."""

    arguments: list[str]
    environment: dict[str, str]
    folder: str
    # A module that changes the process before it becomes the bot, by its function `install`.
    change: str | None = None


def main(address: str) -> int:
    # discord.py runs a cog's module anew in each process, so its code is kept, as files of bytecode would.
    SourceFileLoader.get_code = functools.cache(SourceFileLoader.get_code)  # type: ignore[method-assign]
    for name in IMPORTED:
        importlib.import_module(name)
    from bot import cli
    from bot.client import EXTENSIONS

    for name in EXTENSIONS:
        importlib.import_module(name)
    # Shared with the forks as long as nobody's collector touches it.
    gc.collect()
    gc.freeze()
    start = serve(address)
    if start is None:
        return 0
    # Only now: this is the fork. It ends as any Python process does, with all that waits for its end.
    _measure_only_if_asked()
    sys.argv = ["kvid-bot", *start.arguments]
    if start.change is not None:
        importlib.import_module(start.change).install()
    return cli.main(start.arguments)


def serve(address: str) -> Start | None:
    """Answer requests until the input ends. Returns in each fork, with what it is to do."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(BACKLOG)
        while True:
            ready, _, _ = select.select([listener, sys.stdin], [], [])
            _bury_keepers()
            if listener not in ready:
                return None
            connection, _ = listener.accept()
            with connection:
                if os.fork() == 0:
                    listener.close()
                    return keep(connection)


def _measure_only_if_asked() -> None:
    """Coverage began with the fork, if this server is measured; a fresh process would look at its environment."""
    running = coverage.Coverage.current()
    if running is not None and CONFIG not in os.environ:
        running.stop()


def _bury_keepers() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def keep(connection: socket.socket) -> Start:
    """Start one fork, tell its pid and then its exit code. Returns in the fork alone."""
    request, outputs, _, _ = socket.recv_fds(connection, REQUEST_BYTES_MAX, 2)
    while not request.endswith(b"\n"):
        more = connection.recv(REQUEST_BYTES_MAX)
        if not more:
            os._exit(1)
        request += more
    pid = os.fork()
    if pid:
        connection.sendall(b"%d\n" % pid)
        # Readable before the fork has ended only when the tests have, and then nobody would end the fork.
        ended = os.pidfd_open(pid)
        if ended not in select.select([connection.fileno(), ended], [], [])[0]:
            os.kill(pid, signal.SIGKILL)
            os._exit(1)
        _, status = os.waitpid(pid, 0)
        connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
        os._exit(0)
    connection.close()
    asked: dict[str, Any] = json.loads(request)
    start = Start(**asked)
    for descriptor, number in zip((os.open(os.devnull, os.O_RDONLY), *outputs), (0, 1, 2), strict=True):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(start.folder)
    os.environ.clear()
    os.environ.update(start.environment)
    return start


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

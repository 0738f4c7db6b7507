"""Processes of the bot without the wait for its imports; `warm_server` says how.

Owns the server's life (it starts with the first start and ends with the session) and the handle of a process,
which is used like asyncio's own.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from tests.support.measured import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).parents[2]
READY_S = 60.0
END_S = 30.0
LOOK_S = 0.02


class WarmServer:
    """The one server of this process."""

    _running: ClassVar[WarmServer | None] = None

    def __init__(self) -> None:
        # Not in pytest's folder: a socket's path holds about 100 characters.
        self._folder = Path(tempfile.mkdtemp(prefix="kvid-bot-warm-"))
        self.address = str(self._folder / "socket")
        command = [sys.executable, "-m", "tests.support.warm_server", self.address]
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            # Whether a fork is measured its own environment says.
            env={**os.environ, **ENVIRONMENT},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )

    @classmethod
    def get(cls) -> WarmServer:
        if cls._running is None:
            cls._running = cls()
        return cls._running

    @classmethod
    def end(cls) -> None:
        """End the server, if there is one, and wait for it."""
        if cls._running is not None:
            cls._running._end()
            cls._running = None

    def _end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(END_S)
        shutil.rmtree(self._folder)

    def connect(self) -> socket.socket:
        """A connection, as soon as the server has imported everything."""
        end = time.monotonic() + READY_S
        while True:
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(self.address)
            except (FileNotFoundError, ConnectionRefusedError):
                connection.close()
                assert self._process.poll() is None, "the warm server ended"
                assert time.monotonic() < end, "the warm server does not begin"
                time.sleep(LOOK_S)
            else:
                return connection


class WarmProcess:
    """A fork of the server: what the tests need of `asyncio.subprocess.Process`."""

    def __init__(self, pid: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.pid = pid
        self._ended = asyncio.create_task(self._read_end(reader, writer), name=f"process {pid}")

    @classmethod
    async def start(
        cls,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str],
        output: int,
        errors: int,
        folder: Path | None = None,
        change: str | None = None,
    ) -> WarmProcess:
        """Start `kvid-bot` with these arguments; `output` and `errors` are descriptors, which stay open here.

        Shape: `change` is a module whose `install` is called in the process before it becomes the bot.
        """
        request = {
            "arguments": list(arguments),
            "environment": dict(environment),
            "folder": str(folder or Path.cwd()),
            "change": change,
        }
        connection = await asyncio.to_thread(WarmServer.get().connect)
        socket.send_fds(connection, [b"{"], [output, errors])
        reader, writer = await asyncio.open_unix_connection(sock=connection)
        writer.write(json.dumps(request).encode()[1:] + b"\n")
        return cls(int(await reader.readline()), reader, writer)

    @staticmethod
    async def _read_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
        code = int(await reader.readline())
        writer.close()
        await writer.wait_closed()
        return code

    @property
    def returncode(self) -> int | None:
        return self._ended.result() if self._ended.done() else None

    def send_signal(self, number: int) -> None:
        if not self._ended.done():
            os.kill(self.pid, number)

    async def wait(self) -> int:
        return await asyncio.shield(self._ended)


def pytest_sessionfinish() -> None:
    WarmServer.end()

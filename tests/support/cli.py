"""The command line as its operator calls it."""

from __future__ import annotations

import asyncio
import os
import tempfile
from typing import TYPE_CHECKING

from tests.support.warm import WarmProcess

if TYPE_CHECKING:
    from pathlib import Path

KEYS = {"DISCORD_TOKEN": "local-discord-token", "KVID_API_KEY": "local-kvid-key"}
# Longer than any machine needs: only a test that fails waits for it.
LIMIT_S = 120.0


async def run_cli(
    *arguments: str, folder: Path | None = None, keys: dict[str, str] | None = None, **settings: str
) -> tuple[int, str]:
    """Exit code and everything printed; `keys` replaces the valid local keys."""
    clean = {name: value for name, value in os.environ.items() if name not in KEYS}
    settings = {**clean, "LOG_FORMAT": "json", **(KEYS if keys is None else keys), **settings}
    with tempfile.TemporaryFile() as printed:
        process = await WarmProcess.start(
            arguments, environment=settings, output=printed.fileno(), errors=printed.fileno(), folder=folder
        )
        code = await asyncio.wait_for(process.wait(), LIMIT_S)
        printed.seek(0)
        return code, printed.read().decode()

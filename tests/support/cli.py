"""The command line as its operator calls it."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

KEYS = {"DISCORD_TOKEN": "local-discord-token", "KVID_API_KEY": "local-kvid-key"}
LIMIT_S = 60.0


async def run_cli(
    *arguments: str, folder: Path | None = None, keys: dict[str, str] | None = None, **settings: str
) -> tuple[int, str]:
    """Exit code and everything printed; `keys` replaces the valid local keys."""
    clean = {name: value for name, value in os.environ.items() if name not in KEYS}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot",
        *arguments,
        cwd=folder,
        env={**clean, "LOG_FORMAT": "json", **(KEYS if keys is None else keys), **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), LIMIT_S)
    return process.returncode or 0, output.decode()

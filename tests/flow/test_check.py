"""`kvid-bot check` and `run` with settings that cannot work: one line each, with the mend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.cli import KEYS, run_cli
from tests.support.servers import run_servers

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.servers import Servers


def addresses(servers: Servers) -> dict[str, Any]:
    return {"DISCORD_API_BASE": f"{servers.discord_url}/api/v10", "KVID_BASE_URL": servers.kvid_url}


async def test_check_finds_everything_in_order(database_url: str) -> None:
    async with run_servers() as servers:
        code, output = await run_cli("check", DATABASE_URL=database_url, **addresses(servers))
    assert output.split() == [
        "settings",
        "OK",
        "database",
        "OK",
        "migrations",
        "OK",
        "discord",
        "OK",
        "kvid",
        "OK",
    ]
    assert code == 0


async def test_check_names_each_fault_with_its_mend(tmp_path: Path) -> None:
    async with run_servers() as servers:
        code, output = await run_cli(
            "check",
            keys={"DISCORD_TOKEN": "wrong-token-here", "KVID_API_KEY": "wrong-key-here"},
            DATABASE_URL=f"sqlite:///{tmp_path / 'new.db'}",
            **addresses(servers),
        )
    lines = dict(line.split(maxsplit=1) for line in output.strip().splitlines())
    assert code == 1
    assert lines["settings"] == "OK"
    assert lines["database"] == "OK"
    assert lines["migrations"] == "OK", "a new database is no fault"
    assert "DISCORD_TOKEN" in lines["discord"]
    assert "KVID_API_KEY" in lines["kvid"]
    assert "wrong-token-here" not in output
    assert "wrong-key-here" not in output


async def test_check_says_what_cannot_be_reached(tmp_path: Path, unused_tcp_port: int) -> None:
    nowhere = f"http://127.0.0.1:{unused_tcp_port}"
    code, output = await run_cli(
        "check",
        DATABASE_URL="postgresql://nobody:hidden-password@127.0.0.1:1/none",
        DISCORD_API_BASE=f"{nowhere}/api/v10",
        KVID_BASE_URL=nowhere,
        folder=tmp_path,
    )
    lines = dict(line.split(maxsplit=1) for line in output.strip().splitlines())
    assert code == 1
    assert "DATABASE_URL" in lines["database"]
    assert "not looked at" in lines["migrations"]
    assert "DISCORD_API_BASE" in lines["discord"]
    assert "KVID_BASE_URL" in lines["kvid"]
    assert "hidden-password" not in output


@pytest.mark.parametrize("verb", ["run", "check"])
async def test_missing_settings_end_with_code_2_and_one_line_each(tmp_path: Path, verb: str) -> None:
    code, output = await run_cli(verb, keys={}, folder=tmp_path, PYTHONPATH=".", KVID_CONCURRENCY="many")
    lines = output.strip().splitlines()
    assert code == 2
    assert len(lines) == 3
    assert [line.split()[1] for line in lines] == ["DISCORD_TOKEN", "KVID_API_KEY", "KVID_CONCURRENCY"]


async def test_run_with_a_refused_token_ends_with_one_line(tmp_path: Path) -> None:
    async with run_servers() as servers:
        code, output = await run_cli(
            "run",
            keys={**KEYS, "DISCORD_TOKEN": "wrong-token-here"},
            DATABASE_URL=f"sqlite:///{tmp_path / 'new.db'}",
            HTTP_PORT="0",
            **addresses(servers),
        )
    plain = [line for line in output.splitlines() if not line.startswith("{")]
    assert code == 1
    assert len(plain) == 1
    assert "DISCORD_TOKEN" in plain[0]
    assert "Traceback" not in output
    assert "wrong-token-here" not in output

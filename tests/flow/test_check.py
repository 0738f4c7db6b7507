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


@pytest.mark.parametrize("verb", ["run", "sync"])
async def test_a_server_that_the_bot_is_not_in_is_told_in_one_line(tmp_path: Path, verb: str) -> None:
    async with run_servers() as servers:
        code, output = await run_cli(
            verb,
            DATABASE_URL=f"sqlite:///{tmp_path / 'new.db'}",
            HTTP_PORT="0",
            DEV_GUILD_ID="123456789012345678",
            **addresses(servers),
        )
    plain = [line for line in output.splitlines() if not line.startswith("{")]
    assert code == 1
    assert len(plain) == 1
    assert "DEV_GUILD_ID" in plain[0]
    assert "Traceback" not in output


async def test_sync_registers_the_commands(tmp_path: Path) -> None:
    async with run_servers() as servers:
        code, output = await run_cli(
            "sync", DATABASE_URL=f"sqlite:///{tmp_path / 'new.db'}", **addresses(servers)
        )
    assert "The commands are registered." in output
    assert code == 0


async def test_sync_says_a_refusal_and_a_silence_in_one_line(tmp_path: Path, unused_tcp_port: int) -> None:
    database: dict[str, Any] = {"DATABASE_URL": f"sqlite:///{tmp_path / 'new.db'}"}
    async with run_servers() as servers:
        wrong = {**KEYS, "DISCORD_TOKEN": "wrong-token-here"}
        refused = await run_cli("sync", keys=wrong, **database, **addresses(servers))
    nowhere = f"http://127.0.0.1:{unused_tcp_port}/api/v10"
    silent = await run_cli("sync", **database, DISCORD_API_BASE=nowhere)
    for (code, output), mend in ((refused, "DISCORD_TOKEN"), (silent, "DISCORD_API_BASE")):
        plain = [line for line in output.splitlines() if not line.startswith("{")]
        assert code == 1
        assert len(plain) == 1
        assert mend in plain[0]
        assert "Traceback" not in output


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KVID_PRODUCT_CODE", "my code"),
        ("KVID_BASE_URL", "https://api.kvid.ai/?x=1"),
        ("KVID_BASE_URL", "https://u:p@host"),
        ("DISCORD_API_BASE", "https://127.0.0.1:99999"),
        ("DISCORD_TOKEN", '"abc"'),
    ],
)
async def test_a_setting_that_cannot_be_used_ends_with_code_2(tmp_path: Path, name: str, value: str) -> None:
    settings: dict[str, Any] = {"DATABASE_URL": f"sqlite:///{tmp_path / 'new.db'}", **KEYS, name: value}
    code, output = await run_cli("run", keys={}, **settings)
    (line,) = output.splitlines()
    assert code == 2
    assert line.startswith(f"kvid-bot: {name} cannot be used: ")
    assert not (tmp_path / "new.db").exists()


@pytest.mark.parametrize("sign", ["[", "#", "/", "?", "%"])
async def test_any_sign_in_the_database_s_password_is_fine_and_hidden(tmp_path: Path, sign: str) -> None:
    url = f"postgresql://nobody:hidden{sign}password@127.0.0.1:1/none"
    code, output = await run_cli("run", folder=tmp_path, DATABASE_URL=url, HTTP_PORT="0")
    plain = [line for line in output.splitlines() if not line.startswith("{")]
    assert code == 1
    assert len(plain) == 1
    assert "Check DATABASE_URL" in plain[0]
    assert f"hidden{sign}password" not in output
    assert "Traceback" not in output

"""The command line: exit codes, one line per problem, and what the audit says."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import structlog
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from bot import cli
from bot.check import _check_migrations
from bot.settings import Settings
from db import migrate
from db.engine import run_once
from db.models import BALANCE
from tests.db.builders import store_reserved

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN, KEY = "token-very-secret", "key-very-secret"


@pytest.fixture(autouse=True)
def _apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A folder without `.env`, an environment without our names, and logging put back as it was."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def set_all(monkeypatch: pytest.MonkeyPatch, **settings: str) -> None:
    for name, value in {"DISCORD_TOKEN": TOKEN, "KVID_API_KEY": KEY, "HTTP_PORT": "0", **settings}.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("arguments", [["run"], ["check"], ["sync"]])
def test_missing_settings_end_a_verb_that_needs_them_with_2_and_one_line_each(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert [line.split(" is ")[0] for line in told.err.splitlines()] == [
        "kvid-bot: DISCORD_TOKEN",
        "kvid-bot: KVID_API_KEY",
    ]


def test_the_verbs_of_the_database_need_no_keys(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], database_url: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    for arguments in (["db", "upgrade"], ["db", "current"], ["ledger", "audit"], ["credits", "show"]):
        assert cli.main(arguments) == 0, capsys.readouterr().err


def test_a_malformed_setting_is_told_without_its_value(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    set_all(monkeypatch, DISCORD_TOKEN="my secret token", KVID_CONCURRENCY="plenty")
    assert cli.main(["run"]) == 2
    told = capsys.readouterr().err
    assert len(told.splitlines()) == 2
    assert "my secret token" not in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["run", "--fast"],
        ["db"],
        ["ledger"],
        ["demo", "--discord-port", "0"],
        ["demo", "--kvid-port", "65536"],
        ["demo", "--kvid-port", "x"],
    ],
)
def test_arguments_that_cannot_be_used_end_with_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    assert "usage: kvid-bot" in capsys.readouterr().err


@pytest.mark.parametrize("role", ["gateway", "worker"])
def test_a_part_of_a_fleet_on_sqlite_ends_with_2_and_the_mend(
    role: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    set_all(monkeypatch, DATABASE_URL=f"sqlite:///{tmp_path / 'bot.db'}")
    assert cli.main(["run", "--role", role]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"kvid-bot: --role {role} needs a database that several processes can share")
    assert "postgresql://" in line
    assert not (tmp_path / "bot.db").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--role", "gateway", "--shards", "0-8/8"], "the last of 8 is 7"),
        (["--shards", "all"], "shards are written a-b/n"),
        (["--role", "leader"], "invalid choice: 'leader'"),
    ],
)
def test_roles_and_shards_that_cannot_be_read_end_with_2(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["run", *arguments])
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert all(
        re.search(rf"^\s+{verb}\s", told, re.MULTILINE)
        for verb in ("run", "check", "demo", "db", "ledger", "sync")
    )


def test_the_schema_is_applied_and_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], empty_database_url: str
) -> None:
    set_all(monkeypatch, DATABASE_URL=empty_database_url)
    assert cli.main(["db", "upgrade"]) == 0
    assert f"The database is at {migrate.head()}." in capsys.readouterr().out
    assert cli.main(["db", "current"]) == 0
    assert capsys.readouterr().out.strip() == migrate.head()


@pytest.mark.parametrize("arguments", [["db", "current"], ["ledger", "audit"]])
def test_a_database_without_tables_is_told_in_a_line_and_not_created(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    empty_database_url: str,
    arguments: list[str],
) -> None:
    set_all(monkeypatch, DATABASE_URL=empty_database_url)
    assert cli.main(arguments) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert len(told.err.splitlines()) == 1
    assert "kvid-bot db upgrade" in told.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["ledger", "audit"], ["credits", "show"]])
def test_a_database_of_the_version_before_is_told_in_a_line_with_the_mend(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    empty_database_url: str,
    arguments: list[str],
) -> None:
    set_all(monkeypatch, DATABASE_URL=empty_database_url)
    migrate.upgrade(empty_database_url, "0001")
    assert cli.main(arguments) == 1
    told = capsys.readouterr()
    assert (told.out, len(told.err.splitlines())) == ("", 1)
    assert f"is at 0001, and this version needs {migrate.head()}." in told.err
    assert "kvid-bot db upgrade" in told.err


def test_a_database_of_a_newer_version_is_told_in_a_line_and_left_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], database_url: str
) -> None:
    set_all(monkeypatch, DATABASE_URL=database_url, LOG_FORMAT="json")
    newer = text("UPDATE alembic_version SET version_num = '9999'")
    run_once(database_url, lambda c: c.execute(newer))
    for arguments in (["ledger", "audit"], ["credits", "show"], ["db", "upgrade"], ["run"], ["sync"]):
        assert cli.main(arguments) == 1
        told = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("{")]
        assert len(told) == 1, arguments
        assert "is at migration 9999" in told[0]
        assert "Start the newer version" in told[0]
    assert migrate.current(database_url) == "9999"
    finding = asyncio.run(_check_migrations(Settings.load()))
    assert finding.mend is not None
    assert "is at migration 9999" in finding.mend


def test_the_audit_says_that_an_untouched_ledger_agrees(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], database_url: str
) -> None:
    set_all(monkeypatch, DATABASE_URL=database_url)
    run_once(database_url, store_reserved)
    assert cli.main(["ledger", "audit"]) == 0
    assert capsys.readouterr().out == "The ledger agrees.\n"


def test_the_audit_ends_with_1_and_names_a_balance_that_was_changed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], database_url: str
) -> None:
    set_all(monkeypatch, DATABASE_URL=database_url)
    job = run_once(database_url, store_reserved)
    run_once(
        database_url,
        lambda c: c.execute(BALANCE.update().where(BALANCE.c.period == "month").values(used_credits=77)),
    )
    assert cli.main(["ledger", "audit"]) == 1
    told = capsys.readouterr().out
    assert f"member {job.user_id} month" in told
    assert f"server {job.guild_id} {job.guild_id} month" in told
    assert "used_credits is 77, the transfers say 0" in told
    assert "held_credits" not in told
    assert told.endswith("4 difference(s).\n")


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///file/kvid-bot.db",
        "sqlite:////proc/kvid-bot.db",
        "postgresql://u:hunter22@/x?host=/nowhere",
        "postgresql://u:hunter22@127.0.0.1:99999/x",
        "postgresql://u:hunter22@127.0.0.1:1/x?wrong_option=1",
    ],
)
def test_a_database_that_is_not_there_is_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, url: str
) -> None:
    (tmp_path / "file").write_text("no folder")
    set_all(monkeypatch, DATABASE_URL=url, LOG_FORMAT="json")
    for arguments in (["db", "upgrade"], ["ledger", "audit"], ["run"]):
        assert cli.main(arguments) == 1
        told = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("{")]
        assert len(told) == 1
        assert "DATABASE_URL" in told[0]
        assert "hunter22" not in told[0]


def test_a_file_that_is_no_database_is_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("not a database at all\n" * 100)
    set_all(monkeypatch, DATABASE_URL="sqlite:///notes.txt", LOG_FORMAT="json")
    for arguments in (["db", "current"], ["db", "upgrade"], ["ledger", "audit"], ["run"]):
        assert cli.main(arguments) == 1
        told = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("{")]
        assert len(told) == 1
        assert "DATABASE_URL" in told[0]


def test_a_fault_of_ours_in_a_statement_keeps_its_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a database that is amiss is told in a line; the rest is a bug, and its trace is wanted."""

    def wrong(_url: str) -> str:
        raise IntegrityError("SELECT", None, Exception("wrong"))

    set_all(monkeypatch)
    monkeypatch.setattr("db.migrate.current", wrong)
    with pytest.raises(IntegrityError):
        cli.main(["db", "current"])


def test_a_discord_that_is_no_name_is_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    set_all(
        monkeypatch,
        DATABASE_URL="sqlite:///x.db",
        DISCORD_API_BASE="https://discord..invalid",
        LOG_FORMAT="json",
    )
    monkeypatch.setattr(
        "bot.app.use_discord_at", lambda base: monkeypatch.setattr("discord.http.Route.BASE", base)
    )
    for verb in ("run", "sync"):
        assert cli.main([verb]) == 1
        told = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("{")]
        assert len(told) == 1
        assert "Check DISCORD_API_BASE" in told[0]


def test_a_taken_port_ends_run_with_1_and_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        set_all(monkeypatch, HTTP_PORT=str(port), DATABASE_URL="sqlite:///x.db", LOG_FORMAT="json")
        assert cli.main(["run"]) == 1
    told = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("{")]
    assert told == [f"kvid-bot: Port {port} for /healthz is taken. Set HTTP_PORT to a free one, or to 0."]


def test_check_prints_a_line_for_each_thing_and_ends_with_1_when_one_is_amiss(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{closed.getsockname()[1]}"
    set_all(
        monkeypatch,
        DATABASE_URL="sqlite:///x.db",
        DISCORD_API_BASE=f"{nowhere}/api/v10",
        KVID_BASE_URL=nowhere,
    )
    monkeypatch.setattr(
        "bot.check.use_discord_at", lambda _base: monkeypatch.setattr("discord.http.Route.BASE", _base)
    )
    assert cli.main(["check"]) == 1
    told = capsys.readouterr().out
    lines = dict(line.split(None, 1) for line in told.splitlines())
    assert list(lines) == ["settings", "database", "migrations", "discord", "kvid"]
    assert lines["settings"] == lines["database"] == "OK"
    assert lines["migrations"].strip() == "OK"
    assert "DISCORD_API_BASE" in lines["discord"]
    assert "KVID_BASE_URL" in lines["kvid"]
    assert TOKEN not in told
    assert KEY not in told


def test_the_sandbox_is_another_program(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr("os.execv", lambda _path, arguments: started.append(arguments))
    cli.main(["sandbox", "kvid", "--port", "1"])
    assert started == [[sys.executable, "-m", "sandbox", "kvid", "--port", "1"]]


def test_an_interrupt_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(**_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("bot.demo.run_demo", interrupted)
    assert cli.main(["demo"]) == 0


def test_a_taken_port_ends_the_demo_with_1_and_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "bot", "demo", "--discord-port", str(port)],
            check=False,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=60,
        )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"kvid-bot: port {port} is taken; choose another one: make demo DISCORD_PORT={port + 10}\n"
    )
    assert not (tmp_path / ".demo").exists()

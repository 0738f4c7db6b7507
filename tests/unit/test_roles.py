"""What a process may be asked to be, and how it is said when that does not fit together."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bot.roles import Role, Shards, check_role, parse_shards
from bot.settings import SettingsError

POSTGRESQL = "postgresql://bot:secret@db.example/kvid"
SQLITE = "sqlite:///data/bot.db"
SOME = Shards(first=0, last=0, count=1)


@pytest.mark.parametrize(
    ("text", "ids", "count"),
    [("0-0/1", [0], 1), ("0-3/8", [0, 1, 2, 3], 8), (" 7-7/8 ", [7], 8), ("9999-9999/10000", [9999], 10_000)],
)
def test_shards_are_read(text: str, ids: list[int], count: int) -> None:
    shards = parse_shards(text)
    assert (shards.ids, shards.count) == (ids, count)


@pytest.mark.parametrize(
    ("text", "mend"),
    [
        ("", "a-b/n"),
        ("0", "a-b/n"),
        ("0-1", "a-b/n"),
        ("0-1/", "a-b/n"),
        ("-1-1/2", "a-b/n"),
        ("0-1/2/3", "a-b/n"),
        ("٠-١/٢", "a-b/n"),
        ("0-1/999999", "a-b/n"),
        ("0-8/8", "the last of 8 is 7"),
        ("3-2/8", "a <= b < n"),
        ("0-0/10001", "a <= b < n <= 10000"),
    ],
)
def test_shards_that_cannot_be_are_refused_with_what_to_write(text: str, mend: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        parse_shards(text)
    assert mend in str(refused.value)


@pytest.mark.parametrize(
    ("role", "shards", "url"),
    [
        (Role.ALL, None, SQLITE),
        (Role.ALL, None, POSTGRESQL),
        (Role.GATEWAY, None, POSTGRESQL),
        (Role.GATEWAY, SOME, POSTGRESQL),
        (Role.WORKER, None, POSTGRESQL),
    ],
)
def test_roles_that_fit_are_let_through(role: Role, shards: Shards | None, url: str) -> None:
    check_role(role, shards, url)


@pytest.mark.parametrize(
    ("role", "shards", "url", "words"),
    [
        (Role.GATEWAY, None, SQLITE, ["DATABASE_URL", "postgresql://", "`kvid-bot run` alone"]),
        (Role.WORKER, None, SQLITE, ["DATABASE_URL", "postgresql://", "`kvid-bot run` alone"]),
        (Role.WORKER, SOME, POSTGRESQL, ["--shards is for --role gateway", "leave it away"]),
        (Role.ALL, SOME, POSTGRESQL, ["--shards is for --role gateway", "add --role gateway"]),
    ],
)
def test_roles_that_do_not_fit_are_refused_with_the_mend(
    role: Role, shards: Shards | None, url: str, words: list[str]
) -> None:
    with pytest.raises(SettingsError) as refused:
        check_role(role, shards, url)
    (line,) = refused.value.problems
    assert all(word in line for word in words)
    assert "secret" not in line


def test_a_single_process_does_not_load_the_queue_of_a_fleet() -> None:
    """Importing it takes time and memory that the small default does not need."""
    look = "import sys, bot.app, bot.cli; print(sorted({'procrastinate', 'psycopg_pool'} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", look], check=True, capture_output=True, text=True)
    assert told.stdout == "[]\n"

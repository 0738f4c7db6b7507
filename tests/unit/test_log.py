"""The log: one JSON object a line, from us and from libraries alike, with every secret cut out."""

from __future__ import annotations

import json
import logging
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from sqlalchemy.exc import OperationalError

from bot import log as logs

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "secret-key-abcdef"
TOKEN_PATH = "/webhooks/123456789012345678/aW50ZXJhY3Rpb24-token_x.y/messages/@original"
TOKEN = "aW50ZXJhY3Rpb24-token_x.y"


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Logging belongs to the process; put it back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def configure(level: str = "INFO", log_format: str = "json") -> None:
    logs.configure(level=level, log_format=log_format, secrets=[SECRET, "short"])


def test_an_event_is_one_json_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure()
    logs.get_logger("bot.x").info("job.accepted", job="무대", credits=8)
    (line,) = lines(capsys)
    assert line | {"timestamp": ""} == {
        "event": "job.accepted",
        "job": "무대",
        "credits": 8,
        "level": "info",
        "logger": "bot.x",
        "timestamp": "",
    }
    assert line["timestamp"].endswith("Z")


def test_a_librarys_record_has_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    configure()
    logging.getLogger("library").warning("try %d of %s", 2, SECRET, extra={"path": TOKEN_PATH})
    (line,) = lines(capsys)
    assert line["event"] == "try 2 of [hidden]"
    assert (line["level"], line["logger"]) == ("warning", "library")
    assert TOKEN not in line["path"]


def test_chatty_libraries_are_quiet_below_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    configure("DEBUG")
    logging.getLogger("discord.http").info("a request")
    logging.getLogger("discord.http").warning("a problem")
    assert [line["event"] for line in lines(capsys)] == ["a problem"]


def test_lines_below_the_level_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    configure("ERROR")
    logs.get_logger("x").warning("left out")
    assert lines(capsys) == []


class Holder:
    def __repr__(self) -> str:
        return f"Holder({SECRET})"


@pytest.mark.parametrize(
    "value",
    [
        SECRET,
        f"Bearer {SECRET}!",
        [SECRET],
        (1, {"a": SECRET}),
        {"a": {"b": [{"c": SECRET}]}},
        {"a": {"b": {"c": {"d": {"e": SECRET}}}}},
        {SECRET},
        Holder(),
        SECRET.encode(),
        ValueError(SECRET),
        {SECRET: 1},
        TOKEN_PATH,
        f"https://discord.com/api/v10/interactions/1/{TOKEN}/callback",
        [f"PATCH {TOKEN_PATH}"],
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_secret_is_cut_out_wherever_it_stands(value: object, capsys: pytest.CaptureFixture[str]) -> None:
    configure()
    logs.get_logger("x").warning("thing.happened", value=value)
    logs.get_logger("x").warning(f"told {value!r}")
    told = capsys.readouterr().err
    assert len(told.splitlines()) == 2
    assert "[hidden]" in told
    assert SECRET not in told
    assert TOKEN not in told


def test_a_trace_is_one_line_and_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    configure()
    try:
        int(f"{SECRET} {TOKEN_PATH}")
    except ValueError as error:
        logs.get_logger("x").exception("task.failed")
        logs.get_logger("x").error("incident.opened", exc_info=error)
        logging.getLogger("library").exception("failed")
    found = lines(capsys)
    assert len(found) == 3
    for line in found:
        assert "ValueError" in line["exception"]
        assert SECRET not in line["exception"]
        assert TOKEN not in line["exception"]


def test_numbers_and_nothing_stay_what_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    configure()
    logs.get_logger("x").info("x", a=1, b=1.5, c=None, d=True, e=[1, None])
    (line,) = lines(capsys)
    assert [line[key] for key in "abcde"] == [1, 1.5, None, True, [1, None]]


def test_the_console_form_hides_secrets_too(capsys: pytest.CaptureFixture[str]) -> None:
    configure(log_format="console")
    logs.get_logger("x").info("thing.happened", key=SECRET)
    told = capsys.readouterr().err
    assert "thing.happened" in told
    assert SECRET not in told


def test_short_values_are_no_secrets() -> None:
    """Hiding a two-letter word everywhere would make the log unreadable."""
    assert logs.SecretFilter(["ab"]).clean("abc") == "abc"


def test_a_round_that_failed_brings_its_trace_and_an_outage_of_the_database_none(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An outage of an hour is seven hundred rounds of every loop."""
    configure()
    log = logs.get_logger("bot.x")
    for error in (KeyError("a bug"), OperationalError("SELECT 1", {}, sqlite3.OperationalError("locked"))):
        logs.tell_failed_round(log, "line.look_failed", error)
    bug, outage = lines(capsys)
    assert (bug["level"], "KeyError" in bug["exception"]) == ("error", True)
    assert (outage["level"], outage["cause"]) == ("warning", "database away")
    assert "exception" not in outage

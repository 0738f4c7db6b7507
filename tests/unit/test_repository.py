"""What stands in the repository's papers and packaging is true of the code."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import discord
import pytest

from bot.cli import _parser
from bot.jobs.polling import DEADLINE_MAX_S, DEADLINE_MIN_S
from bot.jobs.posting import DELIVERY_PATIENCE_S
from bot.jobs.states import ENDED, TRANSITIONS
from bot.only_one import WAIT_S
from bot.settings import Settings
from tests.unit.test_health import Asked

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
PAPERS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
PERMISSIONS = {
    "View Channels": discord.Permissions(view_channel=True),
    "Send Messages": discord.Permissions(send_messages=True),
    "Send Messages in Threads": discord.Permissions(send_messages_in_threads=True),
    "Attach Files": discord.Permissions(attach_files=True),
    "Read Message History": discord.Permissions(read_message_history=True),
}


def read(path: str) -> str:
    return (ROOT / path).read_text("utf-8")


def test_the_readme_opens_with_a_picture_and_the_two_commands() -> None:
    before, _, _ = read("README.md").partition("## Set it up")
    places = [before.index(part) for part in ("](docs/page.png)", "make demo", "make test")]
    assert places == sorted(places)


def test_the_readme_has_every_setting_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \|.*\| ([^|]+) \|$", read("README.md"), re.MULTILINE))
    expected = {}
    for name, field in Settings.model_fields.items():
        if field.is_required():
            expected[name.upper()] = "required"
        elif field.default is None:
            expected[name.upper()] = "unlimited" if name.endswith("_credits") else "none"
        else:
            expected[name.upper()] = f"`{field.default}`"
    assert rows == expected


def test_the_invitation_asks_for_exactly_the_permissions_of_the_table() -> None:
    text = read("README.md")
    rows = re.findall(r"^ +\| ([A-Z][A-Za-z ]+) \| (\d+) \| (\d+) \|", text, re.MULTILINE)
    assert {name: (1 << int(bit), int(value)) for name, bit, value in rows} == {
        name: (permission.value, permission.value) for name, permission in PERMISSIONS.items()
    }
    total = sum(permission.value for permission in PERMISSIONS.values())
    assert re.findall(r"&permissions=(\d+)", text) == [str(total)]
    assert f"**{total}**" in text


def test_the_readme_names_every_command_and_verb() -> None:
    commands = [
        f"studio {name}" if "_studio_" in path.name else name
        for path in (ROOT / "cogs").rglob("*.py")
        for name in re.findall(r'app_commands\.command\(\s*name="([a-z]+)"', path.read_text("utf-8"))
    ]
    assert {"imagine", "gift", "studio settings", "studio report"} <= set(commands)
    text = read("README.md")
    assert [name for name in commands if f"`/{name}" not in text] == []
    verbs = next(action for action in _parser()._actions if action.dest == "verb").choices
    assert verbs
    assert [verb for verb in verbs if f"`{verb}" not in text] == []


def test_the_picture_of_a_job_is_the_code_s() -> None:
    _, _, picture = read("CONTRIBUTING.md").partition("stateDiagram-v2")
    arrows = re.findall(r"^ +(\w+) --> (\w+)", picture.partition("```")[0], re.MULTILINE)
    assert len(arrows) == len(set(arrows))
    assert set(arrows) == {
        (state.value, after.value) for state in TRANSITIONS for after in TRANSITIONS[state]
    }
    assert ENDED


@pytest.mark.parametrize("paper", PAPERS)
def test_every_path_that_a_paper_links_or_names_exists(paper: str) -> None:
    text = read(paper)
    linked = re.findall(r"\[[^\]]*\]\(([^)#:]+)\)|<img src=\"([^\"]+)\"", text)
    named = re.findall(r"`(?:\S+ )?((?:bench|bot|cogs|db|docs|sandbox|tests)/[\w./]*)`", text)
    paths = [*filter(None, chain.from_iterable(linked)), *named]
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_readme_s_pictures_say_what_they_show() -> None:
    text = read("README.md")
    shown = [
        *re.findall(r"!\[([^\]]*)\]\((\S+?)\)", text),
        *((words, path) for path, words in re.findall(r'<img src="([^"]+)" width="\d+" alt="([^"]*)"', text)),
    ]
    assert {path for _, path in shown} == {f"docs/{file.name}" for file in (ROOT / "docs").iterdir()}
    assert all(len(words) > 40 for words, _ in shown)


def test_the_map_names_every_module_of_the_jobs() -> None:
    row = next(line for line in read("CONTRIBUTING.md").splitlines() if line.startswith("| `bot/jobs/` |"))
    named = set(re.findall(r"`(\w+)`", row))
    assert named == {file.stem for file in (ROOT / "bot/jobs").glob("*.py")} - {"__init__"}


def test_the_papers_say_how_many_test_files_run_side_by_side() -> None:
    found = re.search(r"^WORKERS \?= (\d+)$", read("Makefile"), re.MULTILINE)
    assert found is not None
    assert f"`WORKERS={found[1]}`" in read("CONTRIBUTING.md")
    words = {"2": "two", "3": "three", "4": "four"}
    assert f"runs {words[found[1]]} test files side by side" in read("README.md")


def test_the_papers_say_how_long_an_outage_is_waited_out() -> None:
    least, most, discord_most = (
        f"{seconds / 60:.0f}" for seconds in (DEADLINE_MIN_S, DEADLINE_MAX_S, DELIVERY_PATIENCE_S)
    )
    readme, contributing = read("README.md"), read("CONTRIBUTING.md")
    assert f"deadline, {least} to {most} minutes" in readme
    assert f"at least {least} and at most {most} minutes" in contributing
    assert f"An outage of Discord is waited out for up to {discord_most} minutes" in readme
    assert f"stays `delivering` for up to {discord_most} minutes" in contributing
    assert f"waits {WAIT_S:.0f} s for the first" in readme


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_each_locked_package_has_a_hash_and_no_address(lock: str) -> None:
    text = read(lock)
    assert "://" not in text
    entries = re.split(r"\n(?=[a-zA-Z0-9])", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    assert len(entries) > 20
    assert [entry for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == []


def test_the_two_locks_agree() -> None:
    run, develop = (
        dict(re.findall(r"^([\w.\[\]-]+)==(\S+)", read(lock), re.MULTILINE))
        for lock in ("requirements.lock", "requirements-dev.lock")
    )
    assert {name: develop.get(name) for name in run} == run


def test_the_image_runs_as_nobody_special_and_holds_no_secret() -> None:
    text = read("Dockerfile")
    last_stage = text[text.rindex("FROM ") :]
    assert re.search(r"^USER 10001:10001$", last_stage, re.MULTILINE)
    assert "ENTRYPOINT [" in last_stage
    assert "DATABASE_URL=sqlite:////data/" in last_stage
    assert "VOLUME /data" in last_stage
    assert not re.search(r"TOKEN|API_KEY|://[^/]", text)
    ignored = read(".dockerignore").splitlines()
    assert "*" in ignored
    assert not any(line.startswith(("!.", "!data")) for line in ignored)


def test_the_build_copies_only_what_the_ignore_file_lets_through() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", read("Dockerfile"), re.MULTILINE)
    named = {word for line in copied for word in line.split()}
    assert named == {line[1:] for line in read(".dockerignore").splitlines() if line.startswith("!")}
    assert all((ROOT / name).exists() for name in named)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def health_check() -> Callable[[int], int]:
    found = re.search(r"^HEALTHCHECK .*\\\n +CMD (\[.*\])$", read("Dockerfile"), re.MULTILINE)
    assert found is not None
    command = [sys.executable, *json.loads(found[1])[1:]]
    # A proxy in the environment must not be asked for this machine's own address.
    proxy = "http://127.0.0.1:9"

    def run(port: int) -> int:
        environment = os.environ | {"HTTP_PORT": str(port), "http_proxy": proxy}
        return subprocess.run(
            command, env=environment, capture_output=True, check=False, timeout=30
        ).returncode

    return run


async def test_the_image_s_health_check_tells_life_from_death() -> None:
    check, asked, port = health_check(), Asked(), free_port()
    assert await asyncio.to_thread(check, port) == 1
    server = asked.build(port)
    await server.start()
    try:
        assert await asyncio.to_thread(check, port) == 0
        asked.healthy = False
        assert await asyncio.to_thread(check, port) == 1
    finally:
        await server.stop()


def test_the_help_of_make_lists_every_target() -> None:
    make = shutil.which("make")
    assert make is not None
    output = subprocess.run([make, "help"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    declared = re.search(r"^\.PHONY: (.*)$", read("Makefile"), re.MULTILINE)
    assert declared is not None
    assert set(re.findall(r"^  make ([a-z-]+) ", output, re.MULTILINE)) == set(declared[1].split())


def test_the_installer_that_the_makefile_names_is_here() -> None:
    found = re.search(r"(tools/\S+\.whl)/pip", read("Makefile"))
    assert found is not None
    assert (ROOT / found[1]).is_file()


def test_ci_can_be_run() -> None:
    assert os.access(ROOT / ".ci/run", os.X_OK)
    bash = shutil.which("bash")
    assert bash is not None
    subprocess.run([bash, "-n", ROOT / ".ci/run"], check=True)

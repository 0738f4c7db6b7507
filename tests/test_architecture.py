"""Who may import whom, who commits, who reads the clock, who starts tasks: the table of CONTRIBUTING.md, enforced.

Imports under TYPE_CHECKING count where the table is about knowing each other's types at all (the rooms of
the house); rules about effects (pure modules) look at what runs.
"""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
STDLIB = tuple(sys.stdlib_module_names)
OURS = ("bot", "cogs", "db", "sandbox", "tests")
DB_INSIDE = (
    "db.engine",
    "db.connections",
    "db.migrate",
    "db.urls",
    "db.lock",
    "db.queries",
    "db.models",
    "db.migrations",
)
EFFECTS = (
    *("asyncio", "aiohttp", "socket", "subprocess", "threading", "urllib.request", "os", "pathlib", "shutil"),
    *("logging", "structlog", "bot.log", "time", "bot.clock", "random", "secrets", "sqlalchemy", "sqlmodel"),
    *("bot.tasks", "bot.kvid.client", "bot.kvid.transport", *DB_INSIDE),
)
PURE = (
    *("bot/credits/rules.py", "bot/jobs/states.py", "bot/jobs/polling.py", "bot/jobs/outcomes.py"),
    *("bot/jobs/recovery.py", "bot/jobs/finished.py"),
    *("bot/jobs/gate_rules.py", "bot/jobs/fairness.py", "bot/jobs/answers.py"),
    *("bot/jobs/requests.py", "bot/kvid/wire.py", "bot/kvid/retry.py", "bot/safety/sources.py"),
    *(
        "bot/safety/words.py",
        "bot/safety/word_index.py",
        "bot/safety/word_tokens.py",
        "bot/safety/word_signs.py",
    ),
    *(
        "bot/safety/automod.py",
        "bot/caps/values.py",
        "bot/caps/limits.py",
        "bot/caps/rules.py",
        "bot/caps/zones.py",
    ),
    "bot/caps/report_values.py",
    *("bot/charts/values.py", "bot/charts/wire.py", "bot/exports.py"),
    *("cogs/_render.py", "cogs/_options.py", "cogs/_usage_render.py", "cogs/_report_render.py"),
    "cogs/_member_render.py",
    *("cogs/_panel.py", "cogs/_panel_format.py", "cogs/_panel_input.py", "cogs/_panel_modals.py"),
    *("cogs/_panel_caps.py", "cogs/_panel_places.py", "cogs/_panel_words.py", "cogs/_panel_more.py"),
    "cogs/_log_render.py",
)
SERVICES = ("bot/caps/", "bot/credits/", "bot/jobs/", "bot/safety/")
# The plotting library is heavy: only the process that draws may load it.
DRAWS = ("bot/charts/draw.py", "bot/charts/panel.py", "bot/charts/worker.py")

# A single process does without what importing these costs.
QUEUE = (
    "bot/jobs/engines/procrastinate.py",
    "bot/jobs/engines/queue_manager.py",
    "bot/jobs/engines/queue_rows.py",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`where` are path prefixes; a name is matched with everything below it."""

    name: str
    where: tuple[str, ...]
    never: tuple[str, ...] = ()
    only: tuple[str, ...] | None = None
    # Path -> names it may import all the same; the reason stands beside each entry.
    but: dict[str, tuple[str, ...]] = field(default_factory=dict)
    counts_types: bool = True


RULES = [
    Rule(
        name="db knows nothing above it",
        where=("db/",),
        only=(*STDLIB, "sqlmodel", "sqlalchemy", "alembic", "db"),
    ),
    Rule(
        name="the kvid client is importable alone",
        where=("bot/kvid/",),
        only=(*STDLIB, "bot.kvid"),
        # The one module that holds connections.
        but={"bot/kvid/transport.py": ("aiohttp", "yarl")},
    ),
    Rule(name="pure modules touch nothing", where=PURE, never=EFFECTS, counts_types=False),
    Rule(name="services know neither Discord nor HTTP", where=SERVICES, never=("discord", "aiohttp", "cogs")),
    Rule(
        name="only the drawing process loads the plotting library",
        where=("bot/", "cogs/", "db/"),
        never=("matplotlib", "numpy", "bot.charts.draw", "bot.charts.panel", "bot.charts.worker"),
        but=dict.fromkeys(DRAWS, ("matplotlib", "numpy", "bot.charts")),
    ),
    Rule(
        name="only the engine of many machines knows its queue",
        where=("bot/", "cogs/", "db/"),
        never=("procrastinate", "psycopg_pool"),
        but=dict.fromkeys(QUEUE, ("procrastinate", "psycopg_pool")),
    ),
    Rule(name="nothing below imports a cog or the sandbox", where=("bot/", "db/"), never=("cogs", "sandbox")),
    Rule(
        name="cogs go through services",
        where=("cogs/",),
        never=(
            "sqlmodel",
            "sqlalchemy",
            "bot.kvid",
            "bot.jobs.steps",
            "bot.jobs.posting",
            "bot.jobs.writes",
            "bot.jobs.runner",
            "aiohttp",
            *DB_INSIDE,
        ),
    ),
    Rule(
        name="the sandbox is another house",
        where=("sandbox/",),
        only=(*STDLIB, "aiohttp", "PIL", "sandbox"),
    ),
    Rule(name="nothing shipped imports a test", where=("bot/", "cogs/", "db/", "sandbox/"), never=("tests",)),
]

# Calls that only some modules may make, each with the reason.
COMMITS = ("db/engine.py", "db/connections.py")  # the second: session settings, before any transaction
READS_TIME = (
    "bot/clock.py",
    "bot/demo.py",  # watches processes; no service of the bot
    "bot/kvid/client.py",  # importable alone, so its defaults are the system's; the bot's tests replace them
)
ANSWERS = ("bot/answers.py",)
STARTS_TASKS = ("bot/tasks.py", "bot/app.py")  # the second: the gateway connection and the wait for a signal

_TIME_CALLS = frozenset({"asyncio.sleep", "datetime.now", "datetime.utcnow", "datetime.today", "date.today"})
_TASK_NAMES = frozenset({"create_task", "ensure_future", "run_coroutine_threadsafe"})
_TASK_CALLS = frozenset({"asyncio.gather", "asyncio.TaskGroup"})
# A window, `send_modal`, is an answer that cannot be put off, so it stands where it is opened.
_ANSWER_CALLS = frozenset({"response.defer", "response.send_message", "response.is_done"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    name: str
    line: int
    types_only: bool


def list_imports(source: str, package: str = "") -> list[Import]:
    """Every import as a dotted name; `from a import b` is `a.b`, and may be a module or a thing in it."""
    found: list[Import] = []

    def visit(node: ast.AST, *, types_only: bool) -> None:
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            for child in node.body:
                visit(child, types_only=True)
            for child in node.orelse:
                visit(child, types_only=types_only)
            return
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base] if base else above)
            names = [f"{base}.{alias.name}" for alias in node.names]
        found.extend(Import(name=name, line=node.lineno, types_only=types_only) for name in names)  # type: ignore[attr-defined]
        for below in ast.iter_child_nodes(node):
            visit(below, types_only=types_only)

    visit(ast.parse(source), types_only=False)
    return found


def is_below(name: str, prefixes: tuple[str, ...]) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


def find_import_breaches(path: str, source: str) -> list[str]:
    breaches = []
    package = ".".join(Path(path).parent.parts)
    imports = list_imports(source, package)
    for rule in RULES:
        if not path.startswith(rule.where):
            continue
        for found in imports:
            if found.types_only and not rule.counts_types:
                continue
            if is_below(found.name, rule.but.get(path, ())) or found.name.startswith("__future__."):
                continue
            outside = rule.only is not None and not is_below(found.name, rule.only)
            if outside or is_below(found.name, rule.never):
                breaches.append(f"{path}:{found.line} imports {found.name}: {rule.name}")
    return breaches


def find_call_breaches(path: str, source: str) -> list[str]:
    if not path.startswith(("bot/", "db/", "cogs/")):
        return []
    tree = ast.parse(source)
    names = {found.name for found in list_imports(source)}
    breaches = []

    def tell(node: ast.AST, what: str) -> None:
        breaches.append(f"{path}:{node.lineno} {what}")  # type: ignore[attr-defined]

    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute | ast.Name):
            continue
        dotted = ast.unparse(node)
        last = node.attr if isinstance(node, ast.Attribute) else node.id
        short = ".".join(dotted.split(".")[-2:])
        from_time = dotted.startswith("time.") and "time" in names
        if path not in READS_TIME and (
            from_time
            or short in _TIME_CALLS
            or any(f"{m}.{dotted}" in names for m in ("time",))
            or (dotted == "sleep" and "asyncio.sleep" in names)
        ):
            tell(node, f"reads time or sleeps by {dotted}: bot/clock.py does")
        if path not in STARTS_TASKS and (last in _TASK_NAMES or short in _TASK_CALLS):
            tell(node, f"starts a task by {dotted}: bot/tasks.py does")
        if path not in ANSWERS and short in _ANSWER_CALLS:
            tell(node, f"answers a press by {dotted}: bot/answers.py does")
        if path not in COMMITS and isinstance(node, ast.Attribute) and last in {"commit", "begin"}:
            tell(node, f"holds a transaction by {dotted}: db/engine.py does")
    return breaches


def sources() -> list[Path]:
    return sorted(path for room in OURS[:-1] for path in (ROOT / room).rglob("*.py"))


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_keeps_to_its_room(path: Path) -> None:
    """Imports, commits, time and tasks stay where CONTRIBUTING.md puts them."""
    name, source = path.relative_to(ROOT).as_posix(), path.read_text("utf-8")
    assert find_import_breaches(name, source) + find_call_breaches(name, source) == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("db/queries/jobs.py", "from bot.errors import AppError"),
        ("db/values.py", "import discord"),
        ("db/engine.py", "from cogs import _render"),
        ("db/engine.py", "import aiohttp.web"),
        ("db/enums.py", "if TYPE_CHECKING:\n    from bot.jobs.service import Jobs"),
        ("bot/kvid/wire.py", "from db.enums import JobState"),
        ("bot/kvid/client.py", "import aiohttp"),
        ("bot/kvid/client.py", "from ..errors import AppError"),
        ("bot/kvid/client.py", "from bot import log"),
        ("bot/credits/rules.py", "import asyncio"),
        ("bot/jobs/polling.py", "from bot.clock import Clock"),
        ("bot/jobs/states.py", "def f():\n    import logging"),
        ("bot/jobs/requests.py", "from db.queries import jobs"),
        ("bot/jobs/requests.py", "from db import engine"),
        ("cogs/_render.py", "from time import monotonic"),
        ("cogs/_options.py", "import random"),
        ("bot/jobs/service.py", "import discord"),
        ("bot/credits/ledger.py", "from aiohttp import web"),
        ("bot/safety/sources.py", "try:\n    import cogs\nexcept ImportError: ..."),
        ("bot/caps/service.py", "import discord"),
        ("bot/caps/rules.py", "from db.queries import decisions"),
        ("bot/charts/painter.py", "import matplotlib"),
        ("cogs/usage.py", "from bot.charts.draw import draw_usage_chart"),
        ("bot/app.py", "from cogs.imagine import Imagine"),
        ("bot/demo.py", "import sandbox.kvid"),
        ("cogs/usage.py", "from db.queries import jobs"),
        ("cogs/usage.py", "import sqlmodel"),
        ("cogs/usage.py", "if TYPE_CHECKING:\n    from bot.kvid.model import JobResult"),
        ("cogs/usage.py", "from db import models"),
        ("sandbox/kvid/server.py", "from bot.kvid import model"),
        ("sandbox/discord/server.py", "import discord"),
        ("sandbox/discord/server.py", "import structlog"),
        ("bot/log.py", "from tests.support import databases"),
        ("bot/work.py", "from procrastinate import App"),
    ],
)
def test_a_forbidden_import_is_found(path: str, source: str) -> None:
    """The check can fail."""
    assert find_import_breaches(path, source)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("bot/kvid/transport.py", "import aiohttp"),
        ("bot/jobs/service.py", "from db.queries import jobs\nfrom bot.clock import Clock"),
        ("cogs/edit.py", "import discord\nfrom db.enums import JobKind\nfrom db.values import Job"),
        ("cogs/_render.py", "if TYPE_CHECKING:\n    from bot.clock import Clock"),
        ("sandbox/kvid/server.py", "from PIL import Image\nfrom sandbox.kvid import books\nimport asyncio"),
        ("db/engine.py", "from __future__ import annotations\nimport asyncio\nfrom db.urls import parse_url"),
        ("bot/client.py", "EXTENSIONS = ('cogs.imagine',)"),
    ],
)
def test_an_allowed_import_is_let_through(path: str, source: str) -> None:
    assert find_import_breaches(path, source) == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("bot/jobs/runner.py", "import time\ntime.monotonic()"),
        ("bot/jobs/runner.py", "from time import monotonic\nmonotonic()"),
        ("bot/delivery.py", "import asyncio\nawait_ = asyncio.sleep(1)"),
        ("bot/delivery.py", "from asyncio import sleep\nsleep(1)"),
        ("cogs/usage.py", "import datetime\ndatetime.datetime.now()"),
        ("db/queries/jobs.py", "from datetime import datetime, UTC\ndatetime.now(UTC)"),
        ("db/engine.py", "from datetime import date\ndate.today()"),
        ("bot/jobs/steps.py", "import asyncio\nasyncio.ensure_future(x)"),
        ("bot/cards.py", "from asyncio import create_task\ncreate_task(x)"),
        ("cogs/edit.py", "import asyncio\nasyncio.get_running_loop().create_task(x)"),
        ("bot/cards.py", "import asyncio\nasyncio.gather(x, y)"),
        ("db/queries/jobs.py", "def f(c):\n    c.commit()"),
        ("bot/credits/ledger.py", "def f(engine):\n    with engine.begin() as c: ..."),
        ("cogs/gift.py", "async def f(i):\n    await i.response.defer(ephemeral=True)"),
        ("cogs/_panel_desk.py", "async def f(t):\n    await t.interaction.response.send_message('x')"),
        ("cogs/_panel_desk.py", "def f(t):\n    return t.interaction.response.is_done()"),
    ],
)
def test_a_forbidden_call_is_found(path: str, source: str) -> None:
    assert find_call_breaches(path, source)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("bot/clock.py", "import time\ntime.monotonic()"),
        ("bot/credits/rules.py", "from datetime import time\ntime()\ntime.min"),
        ("bot/credits/ledger.py", "def f(c):\n    with c.begin_nested(): ..."),
        ("bot/jobs/runner.py", "async def f(clock):\n    await clock.sleep(1)\n    clock.now()"),
        ("bot/tasks.py", "import asyncio\nasyncio.ensure_future(x)"),
        ("bot/answers.py", "async def f(i):\n    await i.response.defer()"),
        ("cogs/edit.py", "async def f(i, window):\n    await i.response.send_modal(window)"),
    ],
)
def test_an_allowed_call_is_let_through(path: str, source: str) -> None:
    assert find_call_breaches(path, source) == []


def test_every_named_module_exists() -> None:
    """A rule about a module that was moved away would guard nothing."""
    named = {
        *PURE,
        *COMMITS,
        *ANSWERS,
        *READS_TIME,
        *STARTS_TASKS,
        *(path for rule in RULES for path in rule.but),
    }
    assert [path for path in sorted(named) if not (ROOT / path).is_file()] == []
    assert [room for rule in RULES for room in rule.where if not (ROOT / room).exists()] == []

"""An operator at the command line, beside a bot that takes jobs: shared by the tests of its verbs."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest
import structlog

from bot.caps.policies import dump_policy
from bot.caps.service import Caps
from bot.caps.values import Asker, Cap, OperatorLimits, Policy
from bot.clock import SystemClock
from bot.jobs.service import Jobs, Origin, Picture
from bot.settings import Settings
from db.engine import Database, run_once
from db.enums import DeliveryMode, JobKind, Surface
from db.queries import servers as queries

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from db.values import Job

GUILD, CHANNEL, MEMBER, ROLE = 10**18, 10**18 + 1, 10**18 + 2, 10**18 + 3
PRICE = 8


@pytest.fixture(autouse=True)
def apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A folder without `.env`, an environment without our names, and logging put back as it was."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch, database_url: str) -> str:
    """A database where the bot is in one server with a cap. Shape: its address, as the process knows it."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    document = dump_policy(Policy(time_zone="Asia/Seoul", member_cap=Cap(credits=20)))
    run_once(database_url, lambda c: queries.write_policy(c, GUILD, document, version=0))
    return database_url


def ask(url: str, request_id: int = 1) -> Job:
    """A member asks for a picture, as through a running bot. **Raises** Refused."""

    async def accept() -> Job:
        database, clock = Database(url), SystemClock()
        try:
            jobs = Jobs(database, clock, Caps(database, clock, OperatorLimits()).admission)
            origin = Origin(
                request_id=request_id,
                asker=Asker(user_id=MEMBER, guild_id=GUILD, channel_id=CHANNEL),
                channel_id=CHANNEL,
                surface=Surface.INTERACTION,
                delivery=DeliveryMode.CHANNEL,
                locale="en-US",
            )
            return await jobs.accept(JobKind.TEXT_TO_IMAGE, Picture(prompt="a lantern"), origin)
        finally:
            await database.close()

    return asyncio.run(accept())

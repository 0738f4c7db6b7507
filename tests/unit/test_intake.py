"""What follows an acceptance cannot undo it: the job is in line, whether or not its place can be told."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from bot.jobs.service import PLACES_SHOWN_MAX, Picture
from cogs._intake import Acknowledged, accept
from db.enums import DeliveryMode, JobKind, JobState
from tests.service.doubles import PRICE, START
from tests.service.world import CHANNEL, GUILD, MEMBER, World

if TYPE_CHECKING:
    from db.engine import Database
    from db.values import Job

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def ask(world: World) -> Job:
    """Accept as a command does; the interaction can only be read, so any word to the member raises."""
    interaction: Any = SimpleNamespace(
        id=1,
        user=SimpleNamespace(id=MEMBER),
        guild_id=GUILD,
        guild_locale=None,
        channel=SimpleNamespace(id=CHANNEL),
        channel_id=CHANNEL,
        locale="en-US",
        application_id=2,
        token="token",
        expires_at=START,
    )
    acknowledged = Acknowledged(
        interaction=interaction, delivery=DeliveryMode.CHANNEL, private=False, card_message_id=3
    )
    bot: Any = SimpleNamespace(jobs=world.jobs, delivery=world.surface)
    return await accept(bot, acknowledged, JobKind.TEXT_TO_IMAGE, Picture(prompt="a stage at night"))


def lose_count(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """The job is accepted, and only its place cannot be counted."""

    def fail(_c: object, _number: int) -> int:
        raise error

    monkeypatch.setattr("db.queries.jobs.count_waiting_before", fail)


@pytest.mark.parametrize("error", [OperationalError("SELECT", {}, Exception("gone")), TimeoutError()])
async def test_a_job_whose_place_cannot_be_looked_up_stays_accepted_and_its_member_hears_no_error(
    database: Database, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    world = World(database)
    with monkeypatch.context() as broken, capture_logs() as lines:
        lose_count(broken, error)
        job = await ask(world)
    assert world.surface.shown == []
    (line,) = [line for line in lines if line["event"] == "place.unknown"]
    assert (line["log_level"], line["job"], line["error"]) == ("warning", job.id, repr(error))
    assert (await world.jobs.get(job.id)).state is JobState.RESERVED
    await world.assert_account(used=0, held=PRICE)
    async with world.running():
        (ended,) = await world.until_ended(job)
    assert ended.state is JobState.DELIVERED
    await world.assert_account(used=PRICE)


async def test_only_who_is_farther_back_than_the_runner_shows_learns_the_place_here(
    database: Database,
) -> None:
    world = World(database)
    for number in range(PLACES_SHOWN_MAX - 1):
        await world.accept(user_id=number)
    near = await world.accept(user_id=PLACES_SHOWN_MAX)
    assert await world.jobs.place_of(near) == PLACES_SHOWN_MAX
    far = await ask(world)
    assert world.surface.shown == [(far.id, JobState.RESERVED, PLACES_SHOWN_MAX + 1)]

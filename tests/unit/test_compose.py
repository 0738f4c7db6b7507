"""`compose.yaml` starts what its profiles promise, in words the command line and the settings know."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from bot.cli import _parser
from bot.roles import Role, Shards, check_role
from bot.settings import Settings
from tests.unit.test_repository import read

SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(read("compose.yaml"))["services"]
BOTS = {name: service for name, service in SERVICES.items() if service["image"] == "kvid-bot"}


def parse(service: dict[str, Any]) -> tuple[Role, Shards | None]:
    options = _parser().parse_args(service["command"])
    return Role(options.role), options.shards


def in_profile(profile: str) -> dict[str, dict[str, Any]]:
    return {name: service for name, service in SERVICES.items() if service["profiles"] == [profile]}


def test_the_single_profile_is_one_process_on_sqlite() -> None:
    (service,) = in_profile("single").values()
    assert parse(service) == (Role.ALL, None)
    assert service["environment"]["DATABASE_URL"].startswith("sqlite:////data/")
    assert service["volumes"] == ["data:/data"]


def test_the_fleet_is_postgresql_two_gateways_and_three_workers() -> None:
    fleet = in_profile("fleet")
    roles = {name: parse(service)[0] for name, service in fleet.items() if name in BOTS}
    assert sorted(roles.values()) == [Role.GATEWAY, Role.GATEWAY, Role.WORKER]
    assert fleet["worker"]["deploy"]["replicas"] == 3
    assert set(fleet) - set(roles) == {"postgres"}
    for name in roles:
        assert fleet[name]["depends_on"] == {"postgres": {"condition": "service_healthy"}}


def test_the_gateways_hold_every_shard_once() -> None:
    shards = [shards for _, shards in map(parse, BOTS.values()) if shards is not None]
    (count,) = {one.count for one in shards}
    assert sorted(number for one in shards for number in one.ids) == list(range(count))


@pytest.mark.parametrize("name", BOTS)
def test_each_service_can_be_started_as_it_is_written(name: str) -> None:
    service = BOTS[name]
    role, shards = parse(service)
    check_role(role, shards, service["environment"]["DATABASE_URL"].replace("${POSTGRES_PASSWORD:-}", "x"))
    assert {variable.lower() for variable in service["environment"]} <= set(Settings.model_fields)
    assert service["env_file"] == ".env"
    # The bot leaves within ten seconds of a SIGTERM.
    assert service["stop_grace_period"] == "15s"

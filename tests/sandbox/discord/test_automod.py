"""AutoMod's rules: who may read them, who hears of them, and what shape they have."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from tests.sandbox.discord.support import INTENTS, Json, Local
from tests.support.openapi import SPECIFICATION

AUTOMOD_INTENT = 1 << 20
RULE: Json = {
    "name": "No spoilers",
    "trigger_type": 1,
    "trigger_metadata": {"keyword_filter": ["spoiler*"], "regex_patterns": ["sp0+iler"], "allow_list": ["x"]},
}


@pytest.fixture
async def managing(local: Local) -> Local:
    """The bot's own role has Manage Server."""
    guild = local.core.world.guilds[local.guild]
    managed = next(one.id for one in guild.roles.values() if one.managed_by)
    answer = await local.control("role", {"role_id": managed, "allow": ["MANAGE_GUILD"]})
    assert answer.status == 200
    return local


async def put(local: Local, **rule: Any) -> Json:
    answer = await local.control("automod", rule)
    assert answer.status == 200, answer.body
    body: Json = answer.body
    return body


async def test_rules_are_closed_to_a_bot_without_manage_server(local: Local) -> None:
    rule = await put(local, **RULE)
    path = f"/guilds/{local.guild}/auto-moderation/rules"
    assert (await local.bot("GET", path)).refusal == (403, 50013)
    assert (await local.bot("GET", f"{path}/{rule['id']}")).refusal == (403, 50013)


async def test_rules_are_read_all_or_one(managing: Local) -> None:
    path = f"/guilds/{managing.guild}/auto-moderation/rules"
    assert (await managing.bot("GET", path)).body == []
    rule = await put(managing, **RULE)
    assert (await managing.bot("GET", path)).body == [rule]
    one = (await managing.bot("GET", f"{path}/{rule['id']}")).body
    assert one["trigger_metadata"] == RULE["trigger_metadata"]
    assert (one["event_type"], one["enabled"], one["actions"]) == (1, True, [{"type": 1, "metadata": {}}])
    assert (await managing.bot("GET", f"{path}/1")).status == 404


async def test_a_rules_life_is_told_with_its_intent_and_manage_server(managing: Local) -> None:
    async with managing.online(intents=INTENTS | AUTOMOD_INTENT) as gateway:
        rule = await put(managing, **RULE)
        assert await gateway.wait_for("AUTO_MODERATION_RULE_CREATE") == rule
        changed = await put(managing, rule_id=rule["id"], enabled=False)
        assert (changed["enabled"], changed["name"]) == (False, "No spoilers")
        assert await gateway.wait_for("AUTO_MODERATION_RULE_UPDATE") == changed
        assert (await managing.request("DELETE", f"/control/automod/{rule['id']}")).status == 204
        assert await gateway.wait_for("AUTO_MODERATION_RULE_DELETE") == changed
    assert (await managing.request("DELETE", f"/control/automod/{rule['id']}")).status == 404


@pytest.mark.parametrize(("intents", "may_manage"), [(INTENTS, True), (INTENTS | AUTOMOD_INTENT, False)])
async def test_without_the_intent_or_the_permission_nothing_is_told(
    local: Local, intents: int, *, may_manage: bool
) -> None:
    roles = [one for one in local.core.world.guilds[local.guild].roles.values() if one.managed_by]
    if may_manage:
        await local.control("role", {"role_id": roles[0].id, "allow": ["MANAGE_GUILD"]})
    async with local.online(intents=intents) as gateway:
        await put(local, **RULE)
        await local.say("marker")
        assert await gateway.seen_until("MESSAGE_CREATE") == ["MESSAGE_CREATE"]


@pytest.mark.parametrize(
    ("rule", "metadata"),
    [
        ({"trigger_type": 3}, {}),
        ({"trigger_type": 4, "trigger_metadata": {"presets": [1, 2]}}, {"presets": [1, 2], "allow_list": []}),
        ({"trigger_type": 5}, {"mention_total_limit": 20, "mention_raid_protection_enabled": False}),
        ({"trigger_type": 6}, {"keyword_filter": [], "regex_patterns": [], "allow_list": []}),
    ],
)
async def test_rules_of_other_kinds_are_kept_as_data(local: Local, rule: Json, metadata: Json) -> None:
    assert (await put(local, name="other", **rule))["trigger_metadata"] == metadata
    assert (await local.control("automod", {"name": "second", **rule})).refusal == (400, 50035)


@pytest.mark.parametrize(
    "rule",
    [
        {"trigger_type": 1},
        {"name": "x", "trigger_type": 2},
        {"name": "x", "trigger_type": 1, "trigger_metadata": {"keyword_filter": ["x" * 61]}},
        {"name": "x", "trigger_type": 1, "trigger_metadata": {"keyword_filter": ["x"] * 1001}},
        {"name": "x", "trigger_type": 1, "trigger_metadata": {"regex_patterns": ["x"] * 11}},
        {"name": "x", "trigger_type": 1, "actions": [{"type": 9}]},
        {"name": "x", "trigger_type": 5, "trigger_metadata": {"mention_total_limit": 51}},
    ],
)
async def test_a_rule_that_discord_would_not_take_is_refused(local: Local, rule: Json) -> None:
    assert (await local.control("automod", rule)).refusal == (400, 50035)


async def test_a_server_has_at_most_six_keyword_rules(local: Local) -> None:
    for _ in range(6):
        await put(local, **RULE)
    refused = await local.control("automod", RULE)
    assert refused.problems("trigger_type") == ["AUTO_MODERATION_MAX_RULES_OF_TYPE_EXCEEDED"]


async def test_rules_have_discords_shape(managing: Local) -> None:
    for kind in (1, 3, 4, 5, 6):
        await put(managing, name="rule", trigger_type=kind)
    path = f"/guilds/{managing.guild}/auto-moderation/rules"
    rules = (await managing.bot("GET", path)).body
    assert len(rules) == 5
    # The description is no part of the project; where it is absent nothing can be compared.
    if SPECIFICATION.is_file():
        document = json.loads(SPECIFICATION.read_text("utf-8"))
        route = "/guilds/{guild_id}/auto-moderation/rules"
        answer = document["paths"][route]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        Draft202012Validator({**answer, "components": document["components"]}).validate(rules)

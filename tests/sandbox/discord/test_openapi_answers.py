"""The local Discord's answers have the shapes of Discord's own OpenAPI description, where that file is at hand."""

from __future__ import annotations

import json
from typing import Any

from jsonschema_rs import Draft202012Validator

from tests.sandbox.discord.support import FLAG_V2, PIXEL, SLASH, Answer, Json, Local
from tests.support.openapi import SPECIFICATION

BUTTON = {"type": 2, "style": 1, "label": "Again", "custom_id": "again"}
LINK = {"type": 2, "style": 5, "label": "Site", "url": "https://a.example"}
SECTION = {
    "type": 9,
    "components": [{"type": 10, "content": "words"}],
    "accessory": {"type": 11, "media": {"url": "https://a.example/t.png"}},
}
V2 = [
    {"type": 10, "content": "words"},
    SECTION,
    {"type": 14},
    {"type": 12, "items": [{"media": {"url": "attachment://a.png"}, "description": "d"}]},
    {"type": 13, "file": {"url": "attachment://b.txt"}},
    {"type": 1, "components": [{"type": 3, "custom_id": "s", "options": [{"label": "A", "value": "a"}]}]},
    {"type": 1, "components": [{"type": 5, "custom_id": "u"}]},
]
CHANNEL, MESSAGES = "/channels/{channel_id}", "/channels/{channel_id}/messages"
HOOK = "/webhooks/{webhook_id}/{webhook_token}"


class Book:
    """Collects one line for each answer that the description does not allow."""

    def __init__(self) -> None:
        self.document: Json = json.loads(SPECIFICATION.read_text("utf-8"))
        self.problems: list[str] = []

    def check(self, answer: Answer, method: str, route: str) -> Any:
        operation = self.document["paths"][route][method]
        schema = operation["responses"][str(answer.status)]["content"]["application/json"]["schema"]
        validator = Draft202012Validator({**schema, "components": self.document["components"]})
        for error in validator.iter_errors(answer.body):
            where = "/".join(map(str, error.instance_path))
            self.problems.append(f"{method} {route} {where}: {error.verbose_message[:400]}")
        return answer.body


async def test_answers_have_discords_shapes(local: Local) -> None:
    # The description is no part of the project; where it is absent nothing can be compared.
    if SPECIFICATION.is_file():
        book = Book()
        await _check_messages(local, book)
        await _check_places(local, book)
        await _check_interactions(local, book)
        assert book.problems == []


async def _check_messages(local: Local, book: Book) -> None:
    rows = [{"type": 1, "components": [BUTTON, LINK]}]
    embeds = [{"title": "t", "color": 1, "image": {"url": "https://a.example/p.png"}}]
    body = {"content": f"x <@{local.user()}>", "embeds": embeds, "components": rows}
    first = book.check(await local.post(body, files=(("a.png", PIXEL),)), "post", MESSAGES)
    boxed = {"flags": FLAG_V2, "components": [{"type": 17, "components": V2}]}
    book.check(await local.post(boxed, files=(("a.png", PIXEL), ("b.txt", b"words"))), "post", MESSAGES)
    reply = {"content": "r", "message_reference": {"message_id": first["id"]}}
    book.check(await local.post(reply), "post", MESSAGES)
    path = f"/channels/{local.channel()}/messages"
    await local.bot("PUT", f"{path}/{first['id']}/reactions/%E2%AD%90/@me")
    book.check(await local.bot("GET", path), "get", MESSAGES)
    edited = await local.bot("PATCH", f"{path}/{first['id']}", {"content": "y"})
    book.check(edited, "patch", f"{MESSAGES}/{{message_id}}")


async def _check_places(local: Local, book: Book) -> None:
    for channel in (local.channel(), local.channel("stage outfits"), local.direct()):
        book.check(await local.bot("GET", f"/channels/{channel}"), "get", CHANNEL)
    guild = f"/guilds/{local.guild}"
    book.check(await local.bot("GET", guild), "get", "/guilds/{guild_id}")
    book.check(await local.bot("GET", f"{guild}/roles"), "get", "/guilds/{guild_id}/roles")
    book.check(await local.bot("GET", f"{guild}/channels"), "get", "/guilds/{guild_id}/channels")
    member = await local.bot("GET", f"{guild}/members/{local.user()}")
    book.check(member, "get", "/guilds/{guild_id}/members/{user_id}")
    for path in ("/users/@me", "/users/@me/guilds", "/applications/@me", "/gateway/bot", "/gateway"):
        book.check(await local.bot("GET", path), "get", path)


async def _check_interactions(local: Local, book: Book) -> None:
    option = {"type": 4, "name": "n", "description": "d", "choices": [{"name": "a", "value": 1}]}
    commands = [SLASH | {"options": [*SLASH["options"], option]}, {"name": "Edit", "type": 3}]
    answer = await local.bot("PUT", f"{local.app}/commands", commands)
    book.check(answer, "put", "/applications/{application_id}/commands")
    rule = {"id": local.guild, "type": 1, "permission": False}
    said = {"command_id": answer.body[1]["id"], "permissions": [rule]}
    assert (await local.control("command-permissions", said)).status == 204
    route = "/applications/{application_id}/guilds/{guild_id}/commands"
    path = f"{local.app}/guilds/{local.guild}/commands"
    one = await local.bot("GET", f"{path}/{answer.body[1]['id']}/permissions")
    book.check(one, "get", f"{route}/{{command_id}}/permissions")
    book.check(await local.bot("GET", f"{path}/permissions"), "get", f"{route}/permissions")
    callback = "/interactions/{interaction_id}/{interaction_token}/callback"
    for kind, data in ((5, {"flags": 64}), (4, {"content": "x"})):
        interaction = await local.slash()
        book.check(await local.answer(interaction, kind, data), "post", callback)
        edited = await local.hook(interaction, "PATCH", body={"content": "y"})
        book.check(edited, "patch", f"{HOOK}/messages/@original")
        book.check(await local.hook(interaction, "POST", "", {"content": "z"}), "post", HOOK)

"""A member of the local Discord, acting through the same endpoints as its page."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import aiohttp

from tests.support.sight import WAIT_S, Sight
from tests.support.wire import (
    ChannelOption,
    File,
    MentionableOption,
    RoleOption,
    UserOption,
    build_form,
    build_options,
    buttons_of,
    files_of,
    fill_modal,
    nest_options,
    pictures_of,
    selects_of,
    text_of,
    walk,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.support.servers import Servers

__all__ = [
    "ChannelOption",
    "File",
    "Member",
    "MentionableOption",
    "Refused",
    "RoleOption",
    "UserOption",
    "buttons_of",
    "files_of",
    "pictures_of",
    "selects_of",
    "text_of",
    "walk",
]
SLASH, USER_MENU, MESSAGE_MENU = 1, 2, 3
BUTTON, STRING_SELECT = 2, 3


class Refused(Exception):
    """The local Discord's client-side check did not let the member do that."""


class Member(Sight):
    def __init__(self, servers: Servers, user_id: str, state: dict[str, Any]) -> None:
        self.servers = servers
        self.user_id = user_id
        self.state = state

    @classmethod
    async def join(cls, servers: Servers, *, moderator: bool = False, skip: int = 0) -> Member:
        """The first plain member (or moderator) of the start world, after `skip` others."""
        state = await cls._state(servers, "")
        people = [user for user in state["users"] if not user.get("bot") and user["moderator"] is moderator]
        user_id = people[skip]["id"]
        return cls(servers, user_id, await cls._state(servers, user_id))

    @staticmethod
    async def _state(servers: Servers, user_id: str) -> dict[str, Any]:
        query = f"?as={user_id}" if user_id else ""
        async with servers.session.get(f"{servers.discord_url}/page/state{query}") as answer:
            assert answer.status == 200, await answer.text()
            body: dict[str, Any] = await answer.json()
            return body

    async def refresh(self) -> None:
        self.state = await self._state(self.servers, self.user_id)

    def channel(self, name: str) -> str:
        found: str = next(c["id"] for c in self.state["channels"] if c["name"] == name)
        return found

    def direct_channel(self) -> str:
        """The direct messages with the bot."""
        bot_id = self.state["bot"]["id"]
        direct = (c for c in self.state["channels"] if (c.get("recipient") or {}).get("id") == bot_id)
        found: str = next(direct)["id"]
        return found

    def role(self, name: str) -> str:
        found: str = next(role["id"] for role in self.state["guild"]["roles"] if role["name"] == name)
        return found

    def category(self, name: str) -> str:
        found: str = next(one["id"] for one in self.state["categories"] if one["name"] == name)
        return found

    def offers(self, channel_id: str, name: str) -> bool:
        """Whether the page offers this member a slash command here; `refresh` looks anew."""
        channel = next(one for one in self.state["channels"] if one["id"] == channel_id)
        return self._command(name, SLASH) in channel["command_ids"]

    # --- acting ---

    async def slash(self, channel_id: str, name: str, *, forge: bool = False, **options: Any) -> str:
        """Use a slash command, its subcommand behind a blank ("studio member", "studio caps set").

        Shape: a File becomes an attachment; UserOption, RoleOption, ChannelOption name whom or what.
        `forge` skips what Discord's client checks, permission to use the command included.
        """
        files: list[File] = []
        command, *path = name.split()
        filled = nest_options(path, build_options(options, files))
        return await self._interact(self._call(channel_id, command, SLASH, filled, forge=forge), files)

    async def menu(self, message: dict[str, Any], name: str, *, forge: bool = False) -> str:
        """Use a command of a message's Apps menu."""
        body = self._call(message["channel_id"], name, MESSAGE_MENU, [], forge=forge)
        return await self._interact({**body, "target_id": message["id"]}, [])

    async def user_menu(self, channel_id: str, target_user_id: str, name: str, *, forge: bool = False) -> str:
        """Use a command of another member's Apps menu."""
        body = self._call(channel_id, name, USER_MENU, [], forge=forge)
        return await self._interact({**body, "target_id": target_user_id}, [])

    async def autocomplete(
        self, channel_id: str, name: str, option: str, typed: str, **others: Any
    ) -> list[dict[str, Any]]:
        """What the bot offers (name and value) while `option` reads `typed`; `others` are filled already."""
        command, *path = name.split()
        filled = build_options(others, [])
        filled.append({"name": option, "type": 3, "value": typed, "focused": True})
        body = self._call(channel_id, command, SLASH, nest_options(path, filled))
        answer = await self._post_interaction({**body, "type": 4}, [])
        choices: list[dict[str, Any]] = answer["choices"]
        return choices

    def _call(
        self, channel_id: str, command: str, kind: int, options: list[dict[str, Any]], *, forge: bool = False
    ) -> dict[str, Any]:
        body = {
            "type": 2,
            "channel_id": channel_id,
            "command_id": self._command(command, kind),
            "options": options,
            "target_id": None,
            "locale": "en-US",
        }
        return {**body, "forge": True} if forge else body

    def _command(self, name: str, kind: int) -> str:
        found: str = next(
            c["id"] for c in self.state["commands"] if c["name"] == name and c.get("type", SLASH) == kind
        )
        return found

    async def press(
        self, message: dict[str, Any], label: str = "", *, custom_id: str = "", forge: bool = False
    ) -> str:
        """Press the button of `message` whose label, or custom_id, begins so.

        Shape: with `forge` a button that is not there, or disabled, is pressed all the same.
        """
        named = (
            button["custom_id"]
            for button in buttons_of(message)
            if str(button.get("label", "")).startswith(label)
            and str(button.get("custom_id", "")).startswith(custom_id)
            and "custom_id" in button
        )
        found = next(named, custom_id if forge else None)
        assert found, f"no button {label or custom_id!r} among {buttons_of(message)}"
        return await self._touch(message, {"custom_id": found, "component_type": BUTTON}, forge=forge)

    async def choose(
        self,
        message: dict[str, Any],
        custom_id: str,
        values: Sequence[str] | str,
        *,
        forge: bool = False,
        kind: int = STRING_SELECT,
    ) -> str:
        """Choose in the select of `message` whose custom_id begins so; no values take the choice back.

        Shape: with `forge` a select that is not there is used all the same, as one of the type `kind`.
        """
        found = [one for one in selects_of(message) if one["custom_id"].startswith(custom_id)]
        assert found or forge, f"no select {custom_id!r} among {selects_of(message)}"
        chosen = found[0] if found else {"custom_id": custom_id, "type": kind}
        component = {"custom_id": chosen["custom_id"], "component_type": chosen["type"]}
        several = [values] if isinstance(values, str) else list(values)
        return await self._touch(message, {**component, "values": several}, forge=forge)

    async def _touch(self, message: dict[str, Any], component: dict[str, Any], *, forge: bool) -> str:
        body = {
            "type": 3,
            "channel_id": message["channel_id"],
            "message_id": message["id"],
            "component": component,
        }
        return await self._interact({**body, "forge": True} if forge else body, [])

    async def open_modal(self, act: Callable[[], Any]) -> dict[str, Any]:
        """Do `act` and return the window that the bot opens for this member."""
        url = f"{self.servers.discord_url}/page/events?as={self.user_id}"
        async with self.servers.session.ws_connect(url) as events:
            await act()
            async with asyncio.timeout(WAIT_S):
                async for frame in events:
                    if frame.type is not aiohttp.WSMsgType.TEXT:
                        continue
                    event = json.loads(frame.data)
                    if event["t"] == "INTERACTION_MODAL":
                        modal: dict[str, Any] = event["d"]
                        return modal
        raise AssertionError("no window was opened")

    async def submit(
        self,
        channel_id: str,
        modal: dict[str, Any],
        fields: Mapping[str, Any] | None = None,
        *,
        message: dict[str, Any] | None = None,
        **values: Any,
    ) -> str:
        """Send a window off, opened from `message` where one did it.

        Shape: `fields` and `values` by the fields' custom_ids or their beginnings: a str for text and radio, a
        str or several for selects and checkbox groups, a bool for a checkbox, a File for an upload.
        """
        files: list[File] = []
        body = {
            "type": 5,
            "channel_id": channel_id,
            "message_id": message["id"] if message else None,
            "modal_id": modal["modal_id"],
            "components": fill_modal(modal, {**(fields or {}), **values}, files),
        }
        return await self._interact(body, files)

    async def say(
        self,
        channel_id: str,
        content: str,
        *,
        reply_to: str | None = None,
        ping: bool = True,
        files: tuple[File, ...] = (),
    ) -> dict[str, Any]:
        form = build_form({"content": content, "reply_to": reply_to, "ping": ping}, list(files))
        url = f"{self.servers.discord_url}/page/channels/{channel_id}/messages?as={self.user_id}"
        async with self.servers.session.post(url, data=form) as answer:
            assert answer.status in {200, 201}, await answer.text()
            message: dict[str, Any] = await answer.json()
            return message

    async def delete(self, channel_id: str, message_id: str) -> None:
        """Delete a message of one's own, or as a moderator; a whisper is only dismissed."""
        url = f"{self.servers.discord_url}/page/channels/{channel_id}/messages/{message_id}?as={self.user_id}"
        async with self.servers.session.delete(url) as answer:
            assert answer.status == 204, await answer.text()

    async def _interact(self, body: dict[str, Any], files: list[File]) -> str:
        interaction: str = (await self._post_interaction(body, files))["interaction_id"]
        return interaction

    async def _post_interaction(self, body: dict[str, Any], files: list[File]) -> dict[str, Any]:
        url = f"{self.servers.discord_url}/page/interactions?as={self.user_id}"
        async with self.servers.session.post(url, data=build_form(body, files)) as answer:
            if answer.status >= 400:
                raise Refused(await answer.text())
            taken: dict[str, Any] = await answer.json()
            return taken
